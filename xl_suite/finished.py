"""A finished file is never replaced by less, or by something else, unless the user says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, BadRecord
from xl_suite.provenance import read_run

_SHOWN = 60


def check_settings(kind: str, files: Mapping[str, Path], asked: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises BadInput where a file that is there was made with other settings than a run has now.

    kind: of run.json. files: by language, in one folder. asked: by language, what is known of the settings before the
    run; what is not in it may differ. A file that run.json does not tell of passes: the journal has to have its rows.
    """
    for language, path in files.items():
        if not path.exists():
            continue
        try:
            entry = read_run(path.parent, kind).get(language)
        except BadRecord:
            continue
        different = [] if entry is None else find_differences(entry.asked, asked[language])
        if different:
            raise BadInput(
                f"{path} was made with other settings: {'; '.join(different)}. It stays as it is: give this run "
                "another --out (or --name, where there is one), or --replace to have the file made anew."
            )


def check_folder(
    kind: str, files: Mapping[str, Path], asked: Mapping[str, Mapping[str, Any]], options: ChatOptions
) -> None:
    """`check_settings`, and BadInput where files are there and the journal that answered them is not; not with
    options.replace."""
    if options.replace:
        return
    check_settings(kind, files, asked)
    if options.replay is None and (options.journal is None or not options.journal.exists()):
        for path in files.values():
            n_rows = _count_rows(path)
            if n_rows:
                raise refuse_unpaid(path, n_rows, n_rows, options.journal)


def _count_rows(path: Path) -> int:
    """How many records a file holds; 0 where it is not there or broken, for such a file is made anew."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return 0
    return len(found) if isinstance(found, list) else 0


def find_differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs in the settings of `now`, as `sampling.temperature 0.7, now 1.0`."""
    found = []
    for name in now:
        old, new = before.get(name), now[name]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            # A setting that one of them leaves out is another one there.
            both = {key: new.get(key) for key in sorted({*old, *new})}
            found += find_differences(old, both, f"{prefix}{name}.")
        elif _plain(old) != _plain(new):
            found.append(f"{prefix}{name} {_show(old)}, now {_show(new)}")
    return found


def refuse_unpaid(path: Path, n_rows: int, n_unpaid: int, journal: Path | None) -> BadInput:
    """The error for a file some of whose rows no journal answers, so that they would be paid again or lost."""
    where = "and no journal is named" if journal is None else f"which {journal} does not have"
    return BadInput(
        f"{path} has {n_rows} rows, and {n_unpaid} of them came of answers {where}: this run would ask for them "
        "again, or lose them. It stays as it is: name their journal with --journal, give another --out (or --name, "
        "where there is one), or --replace to have the file made anew."
    )


def _plain(value: Any) -> Any:
    """Nothing, in its several forms, is None; tuples are lists, as JSON has them."""
    if value in (None, "", (), [], {}):
        return None
    return list(value) if isinstance(value, tuple) else value


def _show(value: Any) -> str:
    text = "none" if _plain(value) is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
