"""Files that hold more rows than a run with `--limit` asks: answers to the same calls stay, for they are paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Call
from xl_suite.chat.estimates import find_answers
from xl_suite.chat.models import Model
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput
from xl_suite.finished import check_settings, refuse_unpaid
from xl_suite.records import BenchmarkRow, ModelOutput, read_records
from xl_suite.responding.plan import Plan


@dataclass(frozen=True, slots=True)
class Earlier:
    """kept: rows beyond the limit that the files hold and the journal answers, with their calls. lost: by language,
    how many rows the files held that will not be in them: asked in another way, or of no prompt of this benchmark."""

    kept: tuple[tuple[BenchmarkRow, Call], ...]
    lost: Counter[str]

    def count_kept(self) -> Counter[str]:
        return Counter(row.language for row, _ in self.kept)


def find_earlier(plan: Plan, folders: Sequence[Path], model: Model, options: ChatOptions) -> Earlier:
    """What the files of a plan's languages hold beyond its rows. folders: of each sample."""
    held = {
        (sample, language): read_ids(folder / f"{language}.json")
        for sample, folder in enumerate(folders)
        for language in plan.languages
    }
    known = [(row, call) for row, call in plan.later if row.id in held[call.sample, row.language]]
    answered = find_answers(model, [call for _, call in known], options) if known else {}
    kept = tuple((row, call) for row, call in known if call.row in answered)
    for row, call in (*zip(plan.rows, plan.calls, strict=True), *kept):
        held[call.sample, row.language].discard(row.id)
    lost: Counter[str] = Counter()
    for (_, language), ids in held.items():
        lost[language] += len(ids)
    return Earlier(kept, lost)


def check_files(
    plan: Plan,
    folders: Sequence[Path],
    asked: Mapping[str, Any],
    earlier: Earlier,
    model: Model,
    options: ChatOptions,
) -> None:
    """Raises BadInput where a file that is there was asked for otherwise, or has rows that the journal lacks."""
    for sample, folder in enumerate(folders):
        files = {language: folder / f"{language}.json" for language in plan.languages}
        check_settings("outputs", files, {language: {**asked, "sample": sample} for language in plan.languages})
        held = {language: read_ids(path) for language, path in files.items()}
        asked_again = [
            (row.language, call)
            for row, call in zip(plan.rows, plan.calls, strict=True)
            if call.sample == sample and row.id in held[row.language]
        ]
        answered = find_answers(model, [call for _, call in asked_again], options) if asked_again else {}
        unpaid = Counter(language for language, call in asked_again if call.row not in answered)
        for language, path in files.items():
            n_unpaid = unpaid[language] + (earlier.lost[language] if sample == 0 else 0)
            if n_unpaid:
                raise refuse_unpaid(path, len(held[language]), n_unpaid, options.replay or options.journal)


def read_ids(path: Path) -> set[int | None]:
    """The IDs of a file's rows; none where it is not there or broken."""
    try:
        return {row.id for row in read_records(path, ModelOutput)} if path.exists() else set()
    except BadInput:  # a broken file is made anew
        return set()
