"""A panel's outdated annotations: those whose judges were asked again afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from xl_suite.judging.annotations import Annotation, read_file
from xl_suite.listing import read_head
from xl_suite.responding.outputs import name_folder
from xl_suite.scoring.judges import PANEL
from xl_suite.scoring.preferences import tabulate_preferences

logger = logging.getLogger("xl_suite.scoring")
_SAME = 1e-9


def warn_of_stale(files: Iterable[Path]) -> None:
    """Warns of panels that differ from the present verdicts of a judge beside them; other files are ignored.

    Verdicts are compared, not the dates of files, which a copy does not keep. A judge whose folder is not beside the
    panel's is not checked.
    """
    for path in files:
        if (read_head(path) or {}).get("method") != PANEL:
            continue
        for name, count in _compare(path).items():
            logger.warning(
                "%s: %d verdicts of %s differ from its present file, so the panel's mean is outdated. "
                "`xl-suite judge` with the same --annotator list updates it.",
                path,
                count,
                name,
            )


def _compare(path: Path) -> dict[str, int]:
    """By judge, how many of a panel's rows differ from the share of the win in the judge's present file."""
    rows = read_file(path)
    asked: dict[str, dict[Any, float | None]] = {}
    for row in rows:
        known = row.raw_completion.get("judges") if isinstance(row.raw_completion, dict) else None
        for name, share in (known or {}).items():
            asked.setdefault(str(name), {})[_name(row)] = share
    changed: dict[str, int] = {}
    for name, shares in asked.items():
        own = path.parent.parent / name_folder(name) / path.name
        if own.is_file() and own.parent != path.parent:
            now = _read_shares(read_file(own))
            different = [key for key, share in shares.items() if not _is_same(share, now.get(key))]
            if different:
                changed[name] = len(different)
    return changed


def _read_shares(rows: list[Annotation]) -> dict[Any, float | None]:
    """The judge's share for each row, over both orders, as a panel takes it."""
    if not rows:
        return {}
    table = tabulate_preferences(rows)
    places = {prompt: place for place, prompt in enumerate(table.prompts)}
    found: dict[Any, float | None] = {}
    for (run, prompt, language), row in table.rows.items():
        value = table.values[run, places[prompt], table.languages.index(language)]
        found[_name(row)] = None if np.isnan(value) else float(value)
    return found


def _is_same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) < _SAME


def _name(row: Annotation) -> tuple[int, int | str, str]:
    return row.sample, row.prompt, row.language
