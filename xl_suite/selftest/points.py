"""Runs of the command line that are stopped at a chosen file operation.

`python -m xl_suite.selftest.points` imports the package once and forks for each run that it is asked for, so that a
run costs what its verb costs. An operation is an opening for writing, a renaming, a removal, a new folder or a new
link of something in the run's own folder; the run is stopped before it happens. Writing itself is not seen: a file
that was opened and not yet renamed stands for one that is written in part.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.cli.main import main as run_command

# What happens at the operation: SIGKILL, a signal that the program may answer, or an error as from a full disk.
WAYS = ("kill", "interrupt", "terminate", "full")
TIMEOUT = 120
_OPERATIONS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True, slots=True)
class Ran:
    """status: the exit status; minus the number of the signal that ended it. operations: how many it made, or had
    made when it was stopped. text: its stdout and stderr."""

    status: int
    operations: int
    text: str


class Forker:
    """A process that forks for each run."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def run(
        self, command: Sequence[str], folder: Path, *, at: int = 0, way: str = "kill", copies: int = 1
    ) -> list[Ran]:
        """Runs the command line in `folder`, in `copies` processes at once, and stops it at its operation `at`.

        at: 0 for none. With several copies each is stopped there.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        request = {"command": list(command), "folder": str(folder), "at": at, "way": way, "copies": copies}
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the process that forks has ended with status {self._process.wait()}")
        return [Ran(**value) for value in json.loads(line)]


@contextmanager
def start_forker() -> Iterator[Forker]:
    place = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (place, os.environ.get("PYTHONPATH"))))}
    process = subprocess.Popen(
        [sys.executable, "-m", "xl_suite.selftest.points"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield Forker(process)
    finally:
        process.communicate()


def main() -> int:
    """Serves requests on stdin, a line each, until it ends."""
    _import_all()
    for line in sys.stdin:
        request = json.loads(line)
        copies = [
            _start(request["command"], Path(request["folder"]), request["at"], request["way"])
            for _ in range(request["copies"])
        ]
        print(json.dumps([asdict(wait()) for wait in copies]), flush=True)
    return 0


def _start(command: list[str], folder: Path, at: int, way: str) -> Callable[[], Ran]:
    """Forks; the function that is returned waits for the end."""
    counter = mmap.mmap(-1, 8)
    printed, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(printed)
        _run_in_child(command, folder, child_end, _Hook(str(folder), at, way, counter))
    os.close(child_end)

    def wait() -> Ran:
        with os.fdopen(printed, errors="replace") as stream:
            text = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Ran(status, struct.unpack("q", counter[:8])[0], text)

    return wait


def _run_in_child(command: list[str], folder: Path, output: int, hook: _Hook) -> None:
    status = 99
    try:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - the process ends with it
        sys.stdout = os.fdopen(os.dup2(output, 1), "w", encoding="utf-8")
        sys.stderr = os.fdopen(os.dup2(output, 2), "w", encoding="utf-8", buffering=1)
        signal.alarm(TIMEOUT)
        os.chdir(folder)
        sys.addaudithook(hook)
        status = run_command(command)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class _Hook:
    """Counts the file operations of this process in `counter`, and stops it at number `at`."""

    def __init__(self, folder: str, at: int, way: str, counter: mmap.mmap):
        self._folder, self._at, self._way, self._counter = folder + os.sep, at, way, counter
        self._count = 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in _OPERATIONS or not self._is_counted(event, args):
            return
        self._count += 1
        self._counter[:8] = struct.pack("q", self._count)
        if self._at == 0 or self._count < self._at:
            return
        if self._way == "full":  # from here on, as a disk that stays full; what only frees space still works
            if event in ("open", "os.mkdir", "os.link", "os.symlink"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))
        elif self._count == self._at:
            number = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}[self._way]
            os.kill(os.getpid(), number)

    def _is_counted(self, event: str, args: tuple[Any, ...]) -> bool:
        if event == "open" and not (isinstance(args[2], int) and args[2] & _WRITES):
            return False
        if not isinstance(args[0], str | bytes | os.PathLike):
            return False
        return os.path.abspath(os.fsdecode(args[0])).startswith(self._folder)


def _import_all() -> None:
    """Imports what verbs import when they run, so that a fork need not."""
    import datasets  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import xl_instruct.stages.generate  # noqa: F401
    import xl_suite.api  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["WAYS", "Forker", "Ran", "start_forker"]
