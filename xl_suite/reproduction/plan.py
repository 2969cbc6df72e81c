"""A plan: the commands that give the paper's tables, what they cost, and which of them are done."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.listing import FAILED
from xl_suite.reproduction.costs import Cost

# What the tables leave open, by the tables that it is about, and what the plan takes for it.
ASSUMPTIONS = (
    (
        (3, 6, 7, 8),
        "Tables 3, 6, 7 and 8 do not say how translations were selected: best-of-3, whose numbers Table 10 repeats.",
    ),
    ((10,), "Table 10's random arm: naive translations drawn at random; which ones it used is not said."),
    ((7, 8), "Tables 7 and 8: the best model is EuroLLM 9B at 8,000 instructions."),
    ((3, 6, 7, 8, 9, 10), "A size counts all languages together, as many of each."),
    ((9,), "Table 9: the 40,000 of X-Instruction are drawn at random, since it has no scores."),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One command of a plan. makes: the file or folder in OUT whose presence says that it is done; the last thing
    that the command writes. needs: IDs of cells that come first. stdout: the file that takes the output, if any.
    environment: variables that the command is run with."""

    id: str
    step: str
    command: tuple[str, ...]
    makes: str
    needs: tuple[str, ...] = ()
    stdout: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    cost: Cost = field(default_factory=Cost)

    def shell(self) -> str:
        """The command as one types it."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.environment]
        text = " ".join([*variables, "xl-suite", shlex.join(self.command)])
        return f"{text} > {shlex.quote(self.stdout)}" if self.stdout else text


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, and where its scores will be: what `score --json` prints."""

    table: int
    benchmark: str
    model: str
    training: str
    size: int
    strategy: str
    generator: str
    score: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """Cells in an order in which each comes after what it needs. files: texts that commands read."""

    tables: tuple[int, ...]
    cells: tuple[Cell, ...]
    lines: tuple[Line, ...]
    files: tuple[tuple[str, str], ...] = ()

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What these tables leave open, and what the plan takes for it."""
        return tuple(text for tables, text in ASSUMPTIONS if set(tables) & set(self.tables))

    def to_dict(self) -> dict[str, Any]:
        return {
            "tables": list(self.tables),
            "assumptions": list(self.assumptions),
            "cells": [{**asdict(cell), "shell": cell.shell()} for cell in self.cells],
            "lines": [asdict(line) for line in self.lines],
            "total": asdict(sum_costs(self.cells)),
        }


def sum_costs(cells: Iterable[Cell]) -> Cost:
    """Calls, dollars and GPU hours together; None where one of the dollars or hours is unknown."""
    costs = [cell.cost for cell in cells]
    dollars = [cost.dollars for cost in costs]
    hours = [cost.gpu_hours for cost in costs]
    return Cost(
        sum(cost.calls for cost in costs),
        None if None in dollars else sum(value or 0.0 for value in dollars),
        None if None in hours else sum(value or 0.0 for value in hours),
    )


def is_done(cell: Cell, out: Path) -> bool:
    """Whether a cell's result is there, and whole: no rows beside it that failed."""
    made = out / cell.makes
    return made.exists() and not (cell.step in ("respond", "judge", "rate") and (made.parent / FAILED).exists())


def list_done(plan: TablePlan, out: Path) -> Mapping[str, bool]:
    """Which cells are done, by ID."""
    return {cell.id: is_done(cell, out) for cell in plan.cells}
