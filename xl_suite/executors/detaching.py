"""A whole run in the background, and its progress."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.executors.running import read_answer, read_last_line
from xl_suite.records import dump_json, write_text

LOG, STATE = "run.log", "run.json"


@dataclass(frozen=True, slots=True)
class Detached:
    """A background run. state: running, ended, or unknown if it is on another machine. line: the last line of its
    log."""

    process: int
    host: str
    log: Path
    state: str
    line: str

    def describe(self) -> str:
        return f"run: process {self.process} on {self.host}: {self.state}: {self.line}"


def detach(arguments: Sequence[str], folder: Path) -> Detached:
    """Starts `xl-suite` with arguments in a new session. folder: OUT/.parts, for its log.

    Raises BadInput if an earlier one still runs there.
    """
    earlier = read_detached(folder)
    if earlier is not None and earlier.state == "running":
        raise BadInput(f"--detach: process {earlier.process} runs there already. --status shows its progress.")
    folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-P", "-m", "xl_suite.cli.main", *arguments]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    write_text(folder / STATE, dump_json({"process": process.pid, "host": socket.gethostname()}))
    return Detached(process.pid, socket.gethostname(), folder / LOG, "running", "")


def read_detached(folder: Path) -> Detached | None:
    """The last run that `detach` started in a folder; None without one."""
    told = read_answer(folder / STATE)
    process, host = told.get("process"), told.get("host")
    if not isinstance(process, int) or not isinstance(host, str):
        return None
    state = "unknown, ask that machine"
    if host == socket.gethostname():
        state = "running" if _is_xl_suite(process) else "ended"
    return Detached(process, host, folder / LOG, state, read_last_line(folder / LOG))


def _is_xl_suite(process: int) -> bool:
    """Whether the process still runs; another program with the same number does not count."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    command = Path(f"/proc/{process}/cmdline")
    try:
        return not command.parent.exists() or b"xl_suite" in command.read_bytes()
    except OSError:
        return False
