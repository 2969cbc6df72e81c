"""`failed.json`: the rows that have no answer, verdict or score, beside the files of those that have one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.errors import BadInput
from xl_suite.listing import FAILED
from xl_suite.records import read_raw, write_json

SHOWN = 3
_VARIES = re.compile(r"\d+(?:[.,]\d+)*|'[^']*'|\"[^\"]*\"")

if TYPE_CHECKING:
    from xl_suite.chat.calls import FailedCall


def update_failed(
    folder: Path,
    failed: Iterable[Mapping[str, Any]],
    languages: Collection[str],
    stays: Callable[[Mapping[str, Any]], bool] = lambda row: False,
) -> None:
    """Brings a folder's `failed.json` up to date after a run over `languages`; the file is removed when it is empty.

    failed: what failed now, each with its `language`. stays: tells whether an earlier failure in one of `languages`
    belongs to a row that the run left alone. What the file says of other languages stays. A file that cannot be read
    is made anew: its rows have no result and are asked again.
    """
    path = folder / FAILED
    try:
        before = [row for row in read_raw(path) if isinstance(row, dict)] if path.exists() else []
    except BadInput:
        before = []
    kept = [row for row in before if row.get("language") not in languages or stays(row)]
    rows = sorted([*failed, *kept], key=_get_place)
    if rows:
        write_json(path, rows)
    else:
        path.unlink(missing_ok=True)


def list_failed_calls(failures: Mapping[str, Sequence[FailedCall]]) -> list[dict[str, Any]]:
    """The rows of `failed.json` for calls that failed, by language."""
    return [
        {"row": call.row, "language": language, "reason": call.reason, "attempts": call.attempts}
        for language, calls in failures.items()
        for call in calls
    ]


def count_reasons(reasons: Iterable[str]) -> list[str]:
    """`COUNT x REASON`, the most frequent first, and how many are left.

    Reasons that differ in numbers and quotations alone are counted together and told by the first one.
    """
    first: dict[str, str] = {}
    kinds = Counter[str]()
    alike: dict[str, set[str]] = {}
    for reason in reasons:
        kind = _VARIES.sub("#", reason)
        first.setdefault(kind, reason)
        alike.setdefault(kind, set()).add(reason)
        kinds[kind] += 1
    shown = kinds.most_common(SHOWN)
    lines = [f"{count} x {first[kind]}{' (or alike)' if len(alike[kind]) > 1 else ''}" for kind, count in shown]
    rest = kinds.total() - sum(count for _, count in shown)
    return [*lines, f"{rest} x other reasons"] if rest else lines


def _get_place(row: Mapping[str, Any]) -> tuple[str, int]:
    """By language and ID. Failed calls have no ID and keep their order within a language."""
    number = row.get("id")
    return str(row.get("language") or ""), number if isinstance(number, int) else 0
