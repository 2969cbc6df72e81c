"""Scores that `bridge apply` mapped from an old judge: tables of their own, never among measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xl_suite.errors import BadRecord
from xl_suite.leaderboard.metrics import AVERAGE, Cell, Cells
from xl_suite.leaderboard.models import Model, find_model
from xl_suite.leaderboard.results import Found
from xl_suite.leaderboard.table import Board, Row
from xl_suite.records import read_raw

METHOD = "mapped"


def mapped_boards(found: Sequence[Found], models: Mapping[str, Model]) -> list[Board]:
    """A table for each bridge and reference, a row for each model; what could not be mapped is a gap.

    Raises BadRecord for a file that `bridge apply --out` did not write.
    """
    boards: dict[tuple[str, ...], Board] = {}
    for one in found:
        for number, record in enumerate(read_raw(one.path), start=1):
            through, row = read_row(record, models, one.path, number)
            if not row.cells["win_rate"]:
                continue
            said = f"from {through['old']}, bridge of {through['date']} ({through['design_sha256'][:12]})"
            names = (str(record.get(name) or "") for name in ("benchmark", "annotator", "reference"))
            benchmark, annotator, reference = names
            board = Board(benchmark, annotator, METHOD, said, reference, through=dict(through))
            boards.setdefault(board.key, board).rows.append(row)
    for board in boards.values():
        board.rows.sort(key=lambda row: (-(row.cells["win_rate"].get(AVERAGE, (0, 0, 0))[0] or 0), row.name))
    return [board for _, board in sorted(boards.items())]


def read_row(
    record: Mapping[str, Any], models: Mapping[str, Model], path: Path, number: int
) -> tuple[Mapping[str, str], Row]:
    """(the bridge, the row) of a model's mapped scores."""
    try:
        name, through = str(record["model"]), {key: str(value) for key, value in record["through"].items()}
        cells: Cells = {
            code: _read_cell(one) for code, one in record["languages"].items() if one["mapped"] is not None
        }
        overall = record["overall"] or (next(iter(record["languages"].values())) if len(cells) == 1 else None)
        if overall is not None and overall["mapped"] is not None:
            cells[AVERAGE] = _read_cell(overall)
        missing = [str(key) for key in ("old", "new", "date", "design_sha256") if key not in through]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadRecord(path, f"no mapped scores ({type(error).__name__}: {error}).", row=number) from error
    if missing:
        raise BadRecord(path, f"{', '.join(missing)} is missing.", row=number, field="through")
    return through, Row(name, models.get(name) or find_model(name), {"win_rate": cells})


def _read_cell(one: Mapping[str, Any]) -> Cell:
    return float(one["mapped"]), float(one["low"]), float(one["high"])
