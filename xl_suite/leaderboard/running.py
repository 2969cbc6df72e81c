"""What goes on in runs whose journals are in the results: progress, verdicts on the language, newest answers.

A journal has every answer the moment that it is paid for, long before a file of outputs is whole. An answer whose
prompt is one of a benchmark's counts for its language; others, such as a judge's verdicts or drafts, are counted by
model alone.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.chat.journal_tail import Newest, read_after
from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.errors import JournalError
from xl_suite.fidelity import FidelityAnswer, judge_answers
from xl_suite.records import BenchmarkRow

logger = logging.getLogger(__name__)
SHOWN = 8  # newest answers on the page
CHARACTERS = 600  # of an answer that are shown
AT_ONCE = 400  # answers that one look reads from a journal, so that a look takes seconds at most


@dataclass(slots=True)
class Running:
    """The answers of one model in one journal. languages: counts of verdicts by language. others: other answers."""

    model: str
    languages: dict[str, Counter[str]] = field(default_factory=dict)
    others: int = 0
    newest: int = 0
    rows: set[tuple[str, int]] = field(default_factory=set)


@dataclass(slots=True)
class Watched:
    """A journal that is looked at again and again. place: of the last answer that was read. is_behind: whether more
    answers were there than one look reads."""

    path: Path
    place: int = 0
    is_behind: bool = False
    models: dict[str, Running] = field(default_factory=dict)


class Looker:
    """Looks at all journals in some folders; what was seen is kept, so that a look reads new answers only.

    benchmarks: dataset folders with the prompts that may be answered.
    """

    def __init__(self, folders: Sequence[Path], benchmarks: Iterable[Path]):
        self._folders = folders
        self._journals: dict[Path, Watched] = {}
        self._prompts: dict[str, list[BenchmarkRow]] = {}
        self._totals: Counter[str] = Counter()
        self._known: set[Path] = set()
        self._newest: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self.add_benchmarks(benchmarks)

    def add_benchmarks(self, folders: Iterable[Path]) -> None:
        """Reads the prompts of further benchmarks, each folder once."""
        for folder in folders:
            place = folder.resolve()
            if place in self._known:
                continue
            self._known.add(place)
            for row in read_benchmark(folder, list_languages(folder)):
                self._prompts.setdefault(row.instruction, []).append(row)
                self._totals[row.language] += 1

    def look(self) -> bool:
        """Reads what is new; whether anything was."""
        found = False
        for path in find_journals(self._folders):
            journal = self._journals.setdefault(path, Watched(path))
            try:
                new = read_after(path, journal.place, AT_ONCE)
            except JournalError as error:
                logger.warning("%s", error)
                continue
            found = found or bool(new) or journal.is_behind
            journal.is_behind = len(new) == AT_ONCE
            if new:
                journal.place = new[-1].place
                self._take(journal, new)
        return found

    def tell(self) -> dict[str, Any]:
        """What the page shows of it."""
        runs = []
        for journal in self._journals.values():
            for one in journal.models.values():
                languages = {
                    code: {"done": sum(counts.values()), "total": self._totals[code], "verdicts": dict(counts)}
                    for code, counts in sorted(one.languages.items())
                }
                runs.append(
                    {
                        "journal": _name(journal.path, self._folders),
                        "model": one.model,
                        "languages": languages,
                        "others": one.others,
                        "newest": one.newest,
                        "behind": journal.is_behind,
                    }
                )
        return {"runs": runs, "newest": list(self._newest)}

    def _take(self, journal: Watched, new: Sequence[Newest]) -> None:
        told: dict[str, list[tuple[Newest, BenchmarkRow]]] = {}
        for one in new:
            running = journal.models.setdefault(one.model, Running(one.model))
            running.newest = max(running.newest, one.time)
            row = self._find_row(running, one.prompt)
            if row is None:
                running.others += 1
            else:
                running.rows.add((row.language, row.id))
                told.setdefault(row.language, []).append((one, row))
        shown = []
        for language, own in told.items():
            verdicts = judge_answers(
                [
                    FidelityAnswer(one.answer.text, row.instruction, row.expected, one.answer.finish_reason)
                    for one, row in own
                ],
                language,
            )
            for (one, row), verdict in zip(own, verdicts, strict=True):
                counts = journal.models[one.model].languages.setdefault(language, Counter())
                counts[verdict.verdict] += 1
                shown.append((one.place, _show(one, row, verdict.verdict, verdict.note)))
        self._newest.extendleft(told for _, told in sorted(shown, key=lambda pair: pair[0])[-SHOWN:])

    def _find_row(self, running: Running, prompt: str) -> BenchmarkRow | None:
        """The benchmark's row of a prompt; of several with one text, one that is not answered yet."""
        rows = self._prompts.get(prompt, ())
        return next((row for row in rows if (row.language, row.id) not in running.rows), None)


def find_journals(folders: Sequence[Path]) -> list[Path]:
    """The journals in the folders and directly under them, where the verbs put them."""
    places = [place for folder in folders for place in (folder, *_list_folders(folder))]
    return list(dict.fromkeys(place / ".journal.sqlite" for place in places if (place / ".journal.sqlite").is_file()))


def _list_folders(folder: Path) -> list[Path]:
    return sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []


def _name(path: Path, folders: Sequence[Path]) -> str:
    """How the page names a journal: the folder that it is in, without what is above the results."""
    own = next(folder for folder in folders if path.is_relative_to(folder))
    return str(Path(own.name or own.resolve().name) / path.parent.relative_to(own))


def _show(one: Newest, row: BenchmarkRow, verdict: str, note: str) -> dict[str, Any]:
    return {
        "model": one.model,
        "language": row.language,
        "id": row.id,
        "instruction": row.instruction[:CHARACTERS],
        "output": one.answer.text[:CHARACTERS],
        "cut": len(one.answer.text) > CHARACTERS,
        "verdict": verdict,
        "note": note,
        "time": one.time,
    }
