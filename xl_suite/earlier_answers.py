"""Files that hold more rows than a run with `--limit` asks: answers to the same calls stay, for they are paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.chat.calls import Call
from xl_suite.records import BenchmarkRow, ModelOutput, read_records

if TYPE_CHECKING:
    from xl_suite.chat.models import Model
    from xl_suite.chat.settings import ChatOptions


@dataclass(frozen=True, slots=True)
class Earlier:
    """kept: rows beyond the limit that the files hold and the journal answers, with their calls. lost: by language,
    how many rows the files held that were asked in another way, or that no journal at hand has."""

    kept: tuple[tuple[BenchmarkRow, Call], ...]
    lost: Counter[str]

    def count_kept(self) -> Counter[str]:
        return Counter(row.language for row, _ in self.kept)


def find_earlier(
    later: Sequence[tuple[BenchmarkRow, Call]],
    locate: Callable[[int, str], Path],
    model: Model,
    options: ChatOptions,
) -> Earlier:
    """Of `later`, the rows beyond the limit, those to write again. locate: the file of a sample and language."""
    from xl_suite.chat.estimates import find_answered

    held: dict[tuple[int, str], set[int | None]] = {}
    for row, call in later:
        path = locate(call.sample, row.language)
        if (call.sample, row.language) not in held:
            rows = read_records(path, ModelOutput) if path.exists() else []
            held[call.sample, row.language] = {one.id for one in rows}
    known = [(row, call) for row, call in later if row.id in held[call.sample, row.language]]
    answered = find_answered(model, [call for _, call in known], options) if known else set()
    kept = tuple((row, call) for row, call in known if call.row in answered)
    lost = Counter(row.language for row, call in known if call.row not in answered)
    return Earlier(kept, lost)
