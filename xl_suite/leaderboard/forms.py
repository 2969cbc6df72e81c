"""The leaderboard's tables for a paper: Markdown, LaTeX, CSV, JSON, and a figure."""

from __future__ import annotations

from collections.abc import Sequence

from xl_suite.display import escape_markdown, format_rate, format_rows
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.leaderboard.metrics import AVERAGE, Cell
from xl_suite.leaderboard.table import Board, Row
from xl_suite.leaderboard.writing import list_lines
from xl_suite.scoring.figure import Measured, draw_figure

SUMMED = (("win_rate", "win rate"), ("gated", "gated"), ("fidelity", "fidelity"))


def format_boards(boards: Sequence[Board], form: str) -> str:
    """form: `csv` and `json` have all numbers, a line for each model and language; `markdown` and `latex` a table for
    each board: a line per model with its means and its win rate in each language.
    """
    if form in ("csv", "json"):
        return format_rows(list_lines(boards), form)
    tables = []
    for board in boards:
        said = f"{board.benchmark or 'benchmark not named'}; judge {board.annotator}; reference {board.reference}"
        said = " ".join(said.split())
        said += "; published in the paper" if board.paper else ""
        head = f"% {said}" if form == "latex" else escape_markdown(said)
        tables.append(f"{head}\n\n{format_rows(_list_models(board), form)}")
    return "\n\n".join(tables)


def draw_boards(boards: Sequence[Board]) -> str:
    """The SVG of the first table that was measured here. Raises BadInput where there is none."""
    board = next((board for board in boards if any(row.told_apart for row in board.rows)), None)
    if board is None:
        raise BadInput("there is nothing to plot: no table has win rates and answers whose language can be told.")
    return draw_figure({row.name: _measure(row) for row in board.rows}, board.reference)


def _list_models(board: Board) -> list[dict[str, str]]:
    shown = [(key, label) for key, label in SUMMED if any(AVERAGE in row.cells.get(key, {}) for row in board.rows)]
    rows = []
    for row in board.rows:
        line = {"model": f"{row.name} ({row.model.training})" if board.paper and row.model.training else row.name}
        line |= {label: _tell(row.cells.get(key, {}).get(AVERAGE)) for key, label in shown}
        if len(board.languages) > 1:
            cells = row.cells.get("win_rate", {})
            line |= {find_language(code).name: _tell(cells.get(code), bounds=False) for code in board.languages}
        rows.append(line)
    return rows


def _tell(cell: Cell | None, *, bounds: bool = True) -> str:
    value, low, high = cell or (None, None, None)
    return format_rate(value, low, high) if bounds else format_rate(value)


def _measure(row: Row) -> list[Measured]:
    found = []
    for language, (right, counted) in row.told_apart.items():
        rate, low, high = row.cells.get("win_rate", {}).get(language, (None, None, None))
        if counted and rate is not None and low is not None and high is not None:
            found.append(Measured(language, rate, low, high, right, counted))
    return found
