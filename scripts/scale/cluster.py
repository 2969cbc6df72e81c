"""A Ray cluster of two nodes on loopback addresses, and the processes of ranks wherever an engine has put them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
# Below the ports that Ray's client takes; each node has a range of its own.
HEAD_PORT = 6399
CPUS = 2


@contextmanager
def start_cluster(folder: Path) -> Iterator[str]:
    """The address of a head on 127.0.0.1 with another node on 127.0.0.2, two processors each."""
    log = (folder / "ray.log").open("wb")
    # Ray's ports are open to other machines: a token that only this script's processes know keeps others out.
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    head = ["--head", "--port", str(HEAD_PORT), "--node-ip-address", "127.0.0.1", "--include-dashboard", "false"]
    other = ["--address", f"127.0.0.1:{HEAD_PORT}", "--node-ip-address", "127.0.0.2"]
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for number, options in enumerate((head, other)):
            first = 7000 + 500 * number
            names = ("object-manager", "node-manager", "runtime-env-agent", "metrics-export", "dashboard-agent-grpc")
            for at, name in enumerate((*names, "dashboard-agent-listen")):
                options += [f"--{name}-port", str(first + at)]
            options += ["--min-worker-port", str(first + 20), "--max-worker-port", str(first + 400)]
            options += ["--num-cpus", str(CPUS), "--disable-usage-stats", "--block"]
            nodes.append(
                subprocess.Popen(
                    [str(BIN / "ray"), "start", *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            )
            wait_until(lambda number=number: _count_raylets(nodes) > number or nodes[-1].poll() is not None, 120)
            if nodes[-1].poll() is not None:
                raise RuntimeError(f"a node of Ray did not start: see {log.name}")
        time.sleep(5)  # for the second node to be known
        yield f"127.0.0.1:{HEAD_PORT}"
    finally:
        ours = [child for node in nodes for child in _list_children(node.pid)]
        for node in reversed(nodes):
            node.send_signal(signal.SIGTERM)
        for node in nodes:
            with suppress(subprocess.TimeoutExpired):
                node.wait(30)
        for process in ours:
            with suppress(psutil.Error):
                process.kill()
        log.close()


def find_all_ranks(out: Path) -> list[psutil.Process]:
    """The processes of ranks that write to a folder."""
    return [one for one in psutil.process_iter() if _is_rank(one) and str(out) in _command(one)]


def find_node(rank: psutil.Process) -> psutil.Process | None:
    """The raylet above a rank."""
    return next((one for one in rank.parents() if "raylet" in Path(_command(one)[0] or "x").name), None)


def is_on(node: psutil.Process, address: str) -> bool:
    """Whether a raylet is that of an address."""
    return f"--node_ip_address={address}" in _command(node)


def wait_until(condition: object, seconds: float) -> None:
    """Waits for a condition, which is a callable. Raises TimeoutError."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing within {seconds:.0f} s")
        time.sleep(0.05)


def _is_rank(process: psutil.Process) -> bool:
    command = _command(process)
    return "--rank" in command and "xl_suite.cli.main" in command


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() or [""]
    except psutil.Error:
        return [""]


def _list_children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _count_raylets(nodes: list[subprocess.Popen[bytes]]) -> int:
    return sum(Path(_command(one)[0]).name == "raylet" for node in nodes for one in _list_children(node.pid))


def kill(process: psutil.Process) -> None:
    """kill -9, of a process that was found here."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
