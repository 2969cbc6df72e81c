"""Servers that are started for one model, on a free port of the loopback address, and stopped with us."""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from xl_suite.chat.models import Model
from xl_suite.chat.serving import keeper
from xl_suite.chat.serving.commands import build_command, check_hub_id
from xl_suite.errors import BadInput, ModelUnavailable

# Loading some hundred gigabytes of weights and compiling for them takes many minutes.
START_SECONDS = 1800.0
START_VARIABLE = "XL_SUITE_SERVER_SECONDS"
HOST = "127.0.0.1"
_PORT_ATTEMPTS = 3
_PORT_TAKEN = ("address already in use", "Address already in use", "error while attempting to bind")
# None of these is the server's business; with VLLM_API_KEY, vLLM would refuse us.
_SECRETS = ("OPENAI_API_KEY", "XL_SUITE_API_KEY", "VLLM_API_KEY")
# The Hub's token, which only a server that loads from the Hub needs.
_HUB_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    log_start: int

    def read_log(self, lines: int = 15) -> str:
        return read_tail(self.log, lines, self.log_start)

    def explain_death(self) -> str | None:
        """None while it runs; then the end of its log, which says why it does not."""
        if self.process.poll() is None:
            return None
        return f"its server has ended. The last lines of {self.log}:\n{self.read_log()}"


@contextmanager
def run_server(
    model: Model, log: Path, report: Callable[[str], None], stop: threading.Event
) -> Iterator[tuple[Model, Callable[[], str | None]]]:
    """The model with the URL of its server, and a check that says None while the server runs, or why it is gone.

    The server is up for the time of the block; its output goes to `log`. report: is told how the start goes on.
    stop: gives the start up. Raises ModelUnavailable where the server does not start and MissingExtra where its
    package is not installed.
    """
    limit = _start_limit()
    check_hub_id(model)
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xl-suite-") as place:
        command = build_command(model, Path(place))
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            server = _start(command, model, log, Path(place))
            try:
                _await_health(server, model, limit, report, stop)
            except BaseException as error:
                _stop(server)
                # Between our finding a free port and the server's binding it, another may take it.
                taken = isinstance(error, ModelUnavailable) and any(text in str(error) for text in _PORT_TAKEN)
                if taken and attempt < _PORT_ATTEMPTS:
                    continue
                raise
            try:
                yield replace(model, urls=(f"http://{HOST}:{server.port}/v1",)), server.explain_death
            finally:
                _stop(server)
            return


def read_tail(log: Path, lines: int, start: int = 0) -> str:
    """The last lines of a log that say anything, from byte `start` on, each cut to 300 characters."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 65536))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "(no log)"
    # A progress bar writes one line over and over, with carriage returns: its last state is enough.
    kept = [line.rstrip().rpartition("\r")[2][:300] for line in text.split("\n") if line.strip()]
    return "\n".join(kept[-lines:]) or "(the log is empty)"


def _start_limit() -> float:
    text = os.environ.get(START_VARIABLE, "")
    try:
        limit = float(text) if text else START_SECONDS
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise BadInput(f"{START_VARIABLE} is {text!r}; a number of seconds above 0 is needed.")
    return limit


def _start(command: list[str], model: Model, log: Path, place: Path) -> _Server:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    environment["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    if os.path.isdir(model.source):
        environment = {name: value for name, value in environment.items() if name not in _HUB_TOKENS}
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    with log.open("ab") as output:
        output.write(f"$ {shlex.join(command)} --host {HOST} --port {port}\n".encode())
        output.flush()
        log_start = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, *command, "--host", HOST, "--port", str(port)],
            stdin=subprocess.PIPE,  # held open: its end is what tells the keeper that we are gone
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=place,
            env=environment,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, not the server's
        )
    return _Server(process, port, log, log_start)


def _await_health(
    server: _Server, model: Model, limit: float, report: Callable[[str], None], stop: threading.Event
) -> None:
    begun = shown = time.monotonic()
    report(f"starting a server for {model.name}; its log: {server.log}")
    while True:
        death = server.explain_death()
        if death is not None:
            raise ModelUnavailable(f"{model.kind}:{model.source} did not start: {death}")
        if _is_healthy(server.port):
            break
        now = time.monotonic()
        if now - begun > limit:
            raise ModelUnavailable(
                f"{model.kind}:{model.source} was not ready after {limit:g} s. If it only needs longer, set "
                f"{START_VARIABLE} to more seconds. The last lines of {server.log}:\n{server.read_log()}"
            )
        if now - shown >= 10:
            shown = now
            report(f"  {now - begun:.0f} s: {server.read_log(1)[:150]}")
        if stop.wait(0.1):
            raise ModelUnavailable(f"{model.kind}:{model.source} was stopped before it was ready.")
    report(f"the server is ready after {time.monotonic() - begun:.0f} s")


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)  # http.client asks no proxy
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(server: _Server) -> None:
    """Ends the server and all its processes; a second Ctrl-C meanwhile makes it quicker, not less thorough."""
    assert server.process.stdin is not None
    with suppress(OSError):
        server.process.stdin.close()  # the keeper ends its group
    try:
        server.process.wait(keeper.GRACE_SECONDS + 5)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(server.process.pid, 9)
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(5)
