"""Runs the command of a rank in any engine; the command ends together with its parent process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.executors.commands import Command
from xl_suite.executors.units import Rank

# Set for a rank whose stdin is a pipe of its parent process.
TIED = "XL_SUITE_RANK_TIED"
GRACE_SECONDS = 10.0
# The number of bytes at the end of a log that are read for its last line.
TAIL_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a rank. status: its exit status, a negative signal number, or None if the engine lost it. answer:
    its JSON. problem: the engine's message about a lost rank.
    """

    rank: Rank
    status: int | None
    answer: dict[str, Any]
    host: str = ""
    problem: str = ""


# Runs commands and yields each end when it happens.
Run = Callable[[Sequence[Command]], Iterator[Ended]]


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings of an engine. config: from --executor-config. folder: for the engine's own files.

    retries: whether it may start a lost rank again. Not with a budget, since the lost rank's costs are unknown.
    """

    config: dict[str, Any]
    folder: Path
    retries: bool

    def take(self, engine: str, valid: Sequence[str]) -> dict[str, Any]:
        """The config. Raises BadInput for keys unknown to the engine."""
        strange = sorted(set(self.config) - set(valid))
        if strange:
            raise BadInput(f"--executor-config: {engine} has no {strange[0]!r}. Valid are: {', '.join(valid)}.")
        return self.config


# The type of `open_engine` in an engine's module.
Engine = Callable[[Setting], AbstractContextManager[Run]]


class RankKilled(Exception):
    """A signal ended a rank's process: the engine may start it again, on another machine."""


@dataclass(frozen=True, slots=True)
class Started:
    """A rank that runs in a process on this machine."""

    command: Command
    process: subprocess.Popen[bytes]

    def end(self) -> Ended:
        """Waits for the process and returns its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return Ended(
            self.command.rank, self.process.wait(), read_answer(_place_answer(self.command)), socket.gethostname()
        )

    def stop(self) -> None:
        """Ends the rank in the same way as the end of this process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)
        self.process.kill()
        self.process.wait()


def start(command: Command, environment: Mapping[str, str] | None = None) -> Started:
    """Starts the command of a rank with this interpreter's xl-suite; the JSON that it prints is written beside its
    log.

    environment: further environment variables of the rank.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    # -P: never imports files from the working directory.
    program = [sys.executable, "-P", "-m", "xl_suite.cli.main", *command.arguments]
    with command.log.open("wb") as log, _place_answer(command).open("wb") as answer:
        process = subprocess.Popen(
            program,
            cwd=command.folder,
            env={**os.environ, **_own_cache(command.rank), TIED: "1", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=log,
            process_group=0,  # Ctrl-C reaches only the process that started it
        )
    return Started(command, process)


def _own_cache(rank: Rank) -> dict[str, str]:
    """A separate folder for vLLM's compiled files, since parallel servers would write to the same one."""
    place = os.environ.get("VLLM_CACHE_ROOT") or Path.home() / ".cache" / "vllm"
    return {"VLLM_CACHE_ROOT": str(Path(place) / f"rank-{rank.number}")}


def run_command(command: Command) -> Ended:
    """Runs the command of a rank to its end, in a process that ends with this one."""
    started = start(command)
    try:
        started.process.wait()
        return started.end()
    finally:
        started.stop()


def run_or_raise(command: Command) -> Ended:
    """Like `run_command`; raises RankKilled for a killed process, so that an engine tries again."""
    ended = run_command(command)
    if ended.status is not None and ended.status < 0:
        raise RankKilled(f"the rank's process was {describe_status(ended.status)} on {ended.host}")
    return ended


def describe_status(status: int | None) -> str:
    """A rank's end in words."""
    if status is None:
        return "lost"
    if status >= 0:
        return f"status {status}"
    with suppress(ValueError):
        return f"ended by {signal.Signals(-status).name}"
    return f"ended by signal {-status}"


def end_with_starter() -> None:
    """In a rank started by `start`: ends this process when its parent has ended in any way, including kill -9."""
    if os.environ.pop(TIED, None) is None:
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def read_answer(path: Path) -> dict[str, Any]:
    """The JSON that a rank printed; empty if it ended before."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_last_line(log: Path) -> str:
    """The last line of a rank's log; empty for an empty log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _place_answer(command: Command) -> Path:
    return command.log.with_suffix(".json")
