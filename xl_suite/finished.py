"""A finished file is never replaced by less, or by something else, unless the user says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Call
from xl_suite.chat.estimates import find_answers
from xl_suite.chat.models import Model
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


@dataclass(frozen=True, slots=True)
class Held:
    """What a file that is there holds of a run's rows. n_rows: in all.

    calls: one call for each row that this run asks in the same way; all of them must be answered already. changed:
    the names of rows that are about another text than this run's.
    """

    n_rows: int
    calls: Sequence[Call] = ()
    changed: Sequence[str] = ()


def check_held(path: Path, held: Held, model: Model, options: ChatOptions) -> None:
    """Raises BadInput where rows of a file are about other texts, or came of answers that no journal has."""
    if held.changed:
        raise refuse_changed(path, held.n_rows, held.changed)
    answered = find_answers(model, held.calls, options) if held.calls else {}
    n_unpaid = sum(call.row not in answered for call in held.calls)
    if n_unpaid:
        raise refuse_unpaid(path, held.n_rows, n_unpaid, options.replay or options.journal)


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


def refuse_changed(path: Path, n_rows: int, changed: Sequence[str]) -> BadInput:
    """The error for a file that has rows about other texts than this run's. changed: their names."""
    first = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
    return BadInput(
        f"{path}: {len(changed)} of {n_rows} rows are about other texts than those that are there now ({first}). It "
        "stays as it is: give this run another --out (or --name, where there is one), or --replace to have it made "
        "anew."
    )


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
