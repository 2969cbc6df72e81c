"""Whether a judge favours answers of its own family, measured by people's labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import read_annotations
from xl_suite.scoring.judges import PANEL, PEOPLE, SelfPreference, group_by_judge, measure_self_preference
from xl_suite.scoring.panel import name_families


def measure_own(folders: Sequence[Path], annotator: str, model: str) -> tuple[SelfPreference, ...]:
    """The judge's preference for its own family beyond people's. folders: models' folders, `annotations/<model>`,
    each with the judge's folder and those of `people-<annotator>`, as `annotate --import` writes them.

    Empty where neither side belongs to the judge's family, or both do. Raises BadInput for a folder without the judge
    or without people.
    """
    found: list[SelfPreference] = []
    for folder in folders:
        judges = group_by_judge([row for row in read_annotations(folder) if row.method != PANEL])
        own = {name: rows for name, rows in judges.items() if name == annotator or name.startswith(PEOPLE)}
        if annotator not in own or len(own) < 2:
            missing = f"annotations of {annotator}" if annotator not in own else f"folders {PEOPLE}<annotator>"
            raise BadInput(
                f"{folder}: no {missing} in it. --people takes the folder of a model that this judge and people have "
                f"judged; it has: {', '.join(judges)}."
            )
        found += measure_self_preference(own, name_families({annotator: model}))
    return tuple(found)
