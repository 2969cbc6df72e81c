"""The files between the stages: one JSON line per row, there as a whole or not at all, named by what determines them.

A stage that is finished is never done again while nothing before it changes; another configuration writes other
files beside the old ones. What a stage could not make stays in its place as a row that was left out, with the reason.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from xl_suite.chat.calls import Answer
from xl_suite.chat.wire import dump, load
from xl_suite.errors import BadInput
from xl_suite.records import atomic_write

FOLDER = ".stages"
# A row as the stages pass it on and as the data set holds it: a JSON object.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that a stage left out. kind: `dropped` (as configured) or `quarantined` (it failed; the next run tries
    again). reason: a few words, the same for like cases. detail: what was wrong with this one. translations: the only
    config that lacks it, where others have it. refused: what guards refused, an entry for each text and guard, with
    `guard`, `candidate`, and `teacher`, or `translator` and `segment`."""

    id: int
    stage: str
    kind: str
    reason: str
    detail: str = ""
    language: str = ""
    translations: str = ""
    refused: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Usage:
    """Answers that a stage used of one model, paid for now or earlier, and their tokens."""

    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, answer: Answer) -> None:
        self.answers += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens


@dataclass(slots=True)
class Summary:
    """What is in a stage's file: rows, rows left out by (kind, reason), and what the models answered for it."""

    stage: str
    language: str = ""
    rows: int = 0
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    usage: dict[str, Usage] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def quarantined(self) -> int:
        return sum(count for (kind, _), count in self.left_out.items() if kind == "quarantined")

    def note(self, model: str, answer: Answer) -> None:
        self.usage.setdefault(model, Usage()).add(answer)

    def describe(self) -> str:
        """One line: what came out of the stage."""
        name = " ".join(filter(None, (self.stage, self.language)))
        left_out = [f"{count:,} {kind}: {reason}" for (kind, reason), count in sorted(self.left_out.items())]
        return f"{name}: {self.rows:,} rows" + (f" ({'; '.join(left_out)})" if left_out else "")

    def to_json(self) -> dict[str, Any]:
        value = {name: getattr(self, name) for name in ("stage", "language", "rows", "extra")}
        value["left_out"] = [[*key, count] for key, count in sorted(self.left_out.items())]
        value["usage"] = {name: asdict(usage) for name, usage in sorted(self.usage.items())}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Summary:
        left_out = Counter({(kind, reason): count for kind, reason, count in value["left_out"]})
        usage = {name: Usage(**own) for name, own in value["usage"].items()}
        return cls(value["stage"], value["language"], value["rows"], left_out, usage, value["extra"])


@dataclass(frozen=True, slots=True)
class StageFile:
    """The file of a stage, for one language where `language` says so.

    key: what stands for everything that determines the rows (hex). base: the same without the round (`Rounds`).
    """

    folder: Path
    stage: str
    key: str
    base: str
    language: str = ""

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.stage, self.language, self.key[:16])))

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.jsonl"

    @property
    def summary_path(self) -> Path:
        return self.folder / f"{self.name}.summary.json"

    def exists(self) -> bool:
        return self.path.exists()

    def summary(self) -> Summary:
        try:
            return Summary.from_json(load(self.summary_path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{self.summary_path}: cannot be read ({error}). Remove {self.path.name}: it is then made again, "
                "from the journal and without a call."
            ) from error

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows, without those left out."""
        return (row for _, row in self.places())

    def places(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(offset in the file, row) of the rows, without those left out."""
        for offset, value in self._lines():
            if "left_out" not in value:
                yield offset, value

    def left_out(self) -> Iterator[LeftOut]:
        return (LeftOut(**value["left_out"]) for _, value in self._lines() if "left_out" in value)

    def read_at(self, file: IO[bytes], offset: int) -> dict[str, Any]:
        file.seek(offset)
        value: dict[str, Any] = load(file.readline())
        return value

    @contextmanager
    def write(self) -> Iterator[StageWriter]:
        """A writer whose rows become the file when the block ends well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as temporary:
            with temporary.open("wb", buffering=1 << 20) as file:
                writer = StageWriter(file, Summary(self.stage, self.language))
                yield writer
            # The summary first: where the rows are, it is too.
            with atomic_write(self.summary_path) as beside:
                beside.write_bytes(dump(writer.summary.to_json()) + b"\n")

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        offset = 0
        with self.path.open("rb", buffering=1 << 20) as file:
            for line in file:
                try:
                    yield offset, load(line)
                except ValueError as error:
                    raise BadInput(
                        f"{self.path}, byte {offset}: damaged ({error}). Remove this file: it is then made again, "
                        "from the journal and without a call."
                    ) from error
                offset += len(line)


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of a stage's file from `start` to `end`; `end` is not among them."""

    file: StageFile
    start: int
    end: int

    @property
    def key(self) -> str:
        return self.file.key

    def rows(self) -> Iterator[dict[str, Any]]:
        return islice(self.file.rows(), self.start, self.end)

    def summary(self) -> Summary:
        """Rows, and about as many segments as such a share of all rows has."""
        whole, rows = self.file.summary(), self.end - self.start
        segments = whole.extra.get("segments", 0) * rows // max(1, whole.rows)
        return Summary(whole.stage, whole.language, rows, extra={"segments": segments})


class StageWriter:
    """Takes the rows of one stage in their order."""

    def __init__(self, file: IO[bytes], summary: Summary):
        self._file, self.summary = file, summary

    def add(self, row: Mapping[str, Any] | LeftOut) -> None:
        if isinstance(row, LeftOut):
            self.summary.left_out[row.kind, row.reason] += 1
            self._file.write(dump({"left_out": asdict(row)}) + b"\n")
            return
        self.summary.rows += 1
        self._file.write(dump(row) + b"\n")


def note_files(folder: Path, files: Sequence[StageFile]) -> None:
    """Notes which files are the newest run's, in their order: `read_files` gives them."""
    with atomic_write(folder / "newest.json") as temporary:
        temporary.write_bytes(dump([[one.stage, one.key, one.base, one.language] for one in files]) + b"\n")


def read_files(folder: Path) -> list[StageFile]:
    """The files of the newest run in a folder. Raises BadInput where there are none."""
    try:
        return [StageFile(folder, *names) for names in load((folder / "newest.json").read_bytes())]
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"{folder.parent} holds no run of `xl-suite generate`, or one without a list of its files: {error}."
        ) from error


class Rounds:
    """How often a stage's quarantined rows have been tried: each finished run that leaves some adds one.

    A round gives every failed row as many new samples as the configuration allows. It is counted when a run has
    finished, not while it runs, so that a killed run and an uninterrupted one make the same calls.
    """

    def __init__(self, folder: Path):
        self._path = folder / "rounds.json"
        try:
            self._rounds: dict[str, int] = load(self._path.read_bytes())
        except (OSError, ValueError):
            self._rounds = {}

    def of(self, stage: str, key: str) -> int:
        return self._rounds.get(f"{stage}-{key[:16]}", 1)

    def advance(self, stages: Iterable[tuple[str, str]]) -> None:
        """Counts a finished run for the (stage, key) pairs that left rows in quarantine."""
        names = [f"{stage}-{key[:16]}" for stage, key in stages]
        if not names:
            return
        for name in names:
            self._rounds[name] = self._rounds.get(name, 1) + 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._path) as temporary:
            temporary.write_bytes(dump(self._rounds) + b"\n")


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Keeps a second run out of the folder while the block runs. Raises BadInput where one is at work."""
    import fcntl

    if folder.is_symlink():
        raise BadInput(f"{folder} is a symbolic link; files would be removed where it points to. Remove the link.")
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "lock"
    try:
        number = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        said = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be opened ({error.strerror})"
        raise BadInput(f"{place} {said}; a file that this run can write is needed there. Remove it.") from error
    with os.fdopen(number, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(
                f"{folder.parent}: another run is at work there. Wait for it, or name another folder."
            ) from error
        except OSError:  # a file system without locks
            pass
        yield


def clear_temporary(folder: Path) -> None:
    """Removes what a killed run left half-written."""
    for entry in folder.glob(".*"):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
