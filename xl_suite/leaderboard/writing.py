"""Boards as JSON, as lines of a table, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from xl_suite.leaderboard.metrics import AVERAGE, BOUNDED, Cell, list_metrics
from xl_suite.leaderboard.ranks import RATES
from xl_suite.leaderboard.table import Board, Row


def boards_to_json(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """What the page's script reads; numbers have six decimals.

    The page rounds to what it shows, once: 62.148 rounded to 62.15 here would be shown as 62.2 there.
    """
    return [
        {
            "benchmark": board.benchmark,
            "judge": board.annotator,
            "method": board.method,
            "order": board.order,
            "reference": board.reference,
            "reference_fidelity": _round(board.reference_fidelity),
            "paper": board.paper,
            "tables": board.tables,
            "rater": board.rater,
            "through": dict(board.through),
            "audited": {code: list(defects) for code, defects in board.audited.items()},
            "languages": board.languages,
            "rows": [_row_to_json(row) for row in board.rows],
        }
        for board in boards
    ]


def _row_to_json(row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": row.name,
        "billions": row.model.billions,
        "training": row.model.training,
        "place": row.place,
        "tables": row.tables,
        "warnings": row.warnings,
        "complete": row.complete,
        "missing": row.missing,
        "ranks": row.ranks,
        "cells": {
            # Costs are summed on the page, so they are rounded there, after the sum.
            metric: {language: cell[:1] if metric == "cost" else _trim(cell) for language, cell in cells.items()}
            for metric, cells in row.cells.items()
        },
    }
    return said | {"languages": row.languages, "covariance": row.covariance}


def _trim(cell: Cell) -> list[float | None]:
    return [_round(value) for value in (cell if cell[1] is not None else cell[:1])]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def list_lines(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Every number, a line for each table, model and language; `avg` is the macro average without English."""
    metrics = [
        metric.key for metric in list_metrics(key for board in boards for row in board.rows for key in row.cells)
    ]
    lines = []
    for board in boards:
        head = dict(zip(("benchmark", "judge", "method", "order", "reference"), board.key, strict=True))
        for row in board.rows:
            model = row.model
            for language in (*board.languages, AVERAGE):
                own = [row.cells.get(metric, {}).get(language, (None, None, None)) for metric in metrics]
                if not any(value is not None for value, *_ in own):
                    continue
                line: dict[str, Any] = {**head, "paper_tables": " ".join(map(str, row.tables)), "model": row.name}
                line |= {"hub_id": model.hub_id, "billions": model.billions, "training": model.training}
                line |= {"complete": "yes" if row.complete else "no", "language": language}
                for rate in RATES:
                    best, worst = row.ranks.get(rate, {}).get(language, ("", ""))
                    line |= {f"{rate}_best_rank": best, f"{rate}_worst_rank": worst}
                for metric, (value, low, high) in zip(metrics, own, strict=True):
                    # Sums of costs agree with their total, also those of a spreadsheet.
                    line |= {metric: str(round(value, 10)) if metric == "cost" and value is not None else value}
                    line |= {f"{metric}_low": low, f"{metric}_high": high} if metric in BOUNDED else {}
                lines.append(line)
    return lines


def write_csv(boards: Sequence[Board]) -> str:
    """The lines as CSV. A name that a spreadsheet would take for a formula gets an apostrophe before it."""
    lines = list_lines(boards)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(lines[0] if lines else [])
    writer.writerows([_guard(value) for value in line.values()] for line in lines)
    return out.getvalue()


def _guard(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return round(value, 4) if isinstance(value, float) else value
