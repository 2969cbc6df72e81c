"""Which judges are asked: `--annotator` names one, or the judges of a panel with commas between."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xl_suite.errors import BadInput


@dataclass(frozen=True, slots=True)
class Member:
    """A judge of a panel. annotator: a built-in name or a folder. model: another judge than its own, or None."""

    annotator: str
    model: str | None = None


def parse_members(text: str) -> list[Member]:
    """The judges of `NAME_OR_DIR[=MODEL],...`; a part that begins with http is a further URL of the model before it.

    Raises BadInput for an empty part, and for a judge that is named twice.
    """
    parts: list[str] = []
    for part in (one.strip() for one in text.split(",")):
        if part.startswith(("http://", "https://")) and parts:
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    members = []
    for part in parts:
        name, _, model = (part, "", "") if Path(part).is_dir() else part.partition("=")
        if not name or ("=" in part and not model and not Path(part).is_dir()):
            raise BadInput(
                f"--annotator {text!r}: each judge is NAME_OR_DIR, or NAME_OR_DIR=MODEL, with commas between."
            )
        members.append(Member(name, model or None))
    doubled = [one.annotator for one in members if members.count(one) > 1]
    if doubled:
        raise BadInput(f"--annotator: {doubled[0]} is named twice; a judge counts once in a panel.")
    return members
