"""The command lines of a fixture, and how they are run: in one folder, through the entry point of `xl-suite`.

A fixture is a folder `v0`, `v1`, ...: commands.json, inputs/ (files that the commands read), journals/ (the answers
of every model) and expected/ (what the commands write). The commands name relative paths only, so that no absolute
path gets into a file.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from xl_suite.cli.main import main

HERE = Path(__file__).parent
STDOUT = "stdout"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line. name: of the file that keeps its stdout. status: its exit status."""

    name: str
    words: tuple[str, ...]
    status: int = 0


def find_versions() -> list[Path]:
    """The folders of all fixtures, oldest first."""
    return sorted((path for path in HERE.glob("v*") if path.name[1:].isdigit()), key=lambda path: int(path.name[1:]))


def read_commands(version: Path) -> list[Command]:
    rows = json.loads((version / "commands.json").read_text(encoding="utf-8"))
    return [Command(row["name"], tuple(row["words"]), row["status"]) for row in rows]


def write_commands(version: Path, commands: Sequence[Command]) -> None:
    text = json.dumps([asdict(command) for command in commands], indent=1, ensure_ascii=False)
    (version / "commands.json").write_text(text + "\n", encoding="utf-8")


def prepare(version: Path, work: Path) -> None:
    """Puts a fixture's inputs and journals into the folder `work`, in which its commands run."""
    shutil.copytree(version / "inputs", work, dirs_exist_ok=True)
    shutil.copytree(version / "journals", work / "journals", dirs_exist_ok=True)


def run_command(command: Command, work: Path) -> tuple[int, str]:
    """The exit status of a command that runs in `work`, and what it says on stderr. Keeps its stdout in a file."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(work), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(command.words))
    (work / STDOUT).mkdir(exist_ok=True)
    (work / STDOUT / f"{command.name}.json").write_text(out.getvalue(), encoding="utf-8")
    return status, err.getvalue()


def list_journals(version: Path) -> Iterator[Path]:
    yield from sorted((version / "journals").iterdir())
