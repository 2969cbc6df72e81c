"""Commands of a real run: each is run as a user would, and its time, memory and status are written down."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-m", "xl_suite.cli.main"]
START_SECONDS = 180.0
# The exit status of a run for which packages or servers cannot be had on this machine.
CANNOT_BE_HAD = 77


@dataclass(frozen=True, slots=True)
class Step:
    """seconds: of the clock. megabytes: the most that one process of the command held. status: its exit status."""

    title: str
    command: str
    seconds: float
    megabytes: int
    status: int
    said: str


class Report:
    """The steps so far, in `folder/steps.json` and as a table; a log of each one's output lies beside it."""

    def __init__(self, folder: Path):
        self.folder, self.steps = folder, list[Step]()
        self.facts: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, title: str, *words: str | Path, accept: Sequence[int] = (0,), **environment: str) -> str:
        """What `xl-suite WORDS` prints on stdout. Raises SystemExit for a status that is not accepted."""
        arguments = [str(word) for word in words]
        log = self.folder / "logs" / f"{len(self.steps):02d}.log"
        log.parent.mkdir(exist_ok=True)
        print(f"[{time.strftime('%H:%M:%S')}] {title}: xl-suite {shlex.join(arguments)}", flush=True)
        start = time.perf_counter()
        with log.open("wb") as error:
            process = subprocess.Popen(
                [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=error, env={**os.environ, **environment}
            )
            assert process.stdout is not None
            said = process.stdout.read().decode("utf-8", "replace")
            _, state, usage = os.wait4(process.pid, 0)
        status = os.waitstatus_to_exitcode(state)
        seconds = time.perf_counter() - start
        self.steps.append(
            Step(title, shlex.join(["xl-suite", *arguments]), seconds, usage.ru_maxrss // 1024, status, said[:4000])
        )
        self.write()
        print(f"    status {status}, {seconds:.1f} s, {usage.ru_maxrss // 1024} MB", flush=True)
        if status not in accept:
            sys.exit(f"{title} ended with status {status}:\n{log.read_text(encoding='utf-8')[-3000:]}{said[-2000:]}")
        return said

    def write(self) -> None:
        found = {"facts": self.facts, "steps": [asdict(step) for step in self.steps]}
        (self.folder / "steps.json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")

    def show(self) -> str:
        """A table of the steps in Markdown."""
        rows = ["| step | seconds | MB | status |", "| --- | ---: | ---: | ---: |"]
        rows += [f"| {one.title} | {one.seconds:.0f} | {one.megabytes} | {one.status} |" for one in self.steps]
        return "\n".join(rows)


@contextmanager
def serve(script: str, *words: str | Path, port: int, log: Path) -> Iterator[str]:
    """The base URL of a server of this folder, which runs for the time of the block; its output goes to `log`."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, words), "--port", str(port)]
    log.parent.mkdir(parents=True, exist_ok=True)
    if _is_healthy(port):
        sys.exit(f"another server answers at port {port}, perhaps of a run that was killed: stop it first.")
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            end = time.monotonic() + START_SECONDS
            while process.poll() is not None or not _is_healthy(port):
                if process.poll() is not None or time.monotonic() > end:
                    print(f"{script} did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
                    sys.exit(CANNOT_BE_HAD)
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
