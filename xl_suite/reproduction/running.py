"""A plan at work: its cells one after another, what exists already left alone."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.records import dump_json, write_text
from xl_suite.reproduction.plan import Cell, TablePlan, is_done

# Steps that may ask a paid model, whose verbs take --budget and answer with a ledger.
PAID = ("respond", "judge", "rate", "build", "generate")
# Runs a verb with these variables in its environment: its exit status, the object of its --json, and the dollars that
# it cost, whatever the status.
Execute = Callable[[Sequence[str], Mapping[str, str]], tuple[int, Any, float]]


@dataclass(frozen=True, slots=True)
class Result:
    """status: `done`, `skipped` (it existed), `failed`, or `waiting` (for one that failed)."""

    cell: str
    status: str
    dollars: float = 0.0


def choose_cells(plan: TablePlan, patterns: Sequence[str]) -> list[Cell]:
    """The cells whose IDs match one of the patterns (`respond/*`); all where no pattern is given.

    Raises BadInput where no cell matches.
    """
    if not patterns:
        return list(plan.cells)
    chosen = [cell for cell in plan.cells if any(fnmatch.fnmatchcase(cell.id, pattern) for pattern in patterns)]
    if not chosen:
        raise BadInput(f"No cell matches {', '.join(patterns)}. Cells: {', '.join(cell.id for cell in plan.cells)}.")
    return chosen


def run_cells(
    plan: TablePlan,
    out: Path,
    execute: Execute,
    *,
    only: Sequence[str] = (),
    budget: float | None = None,
    wait: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Result]:
    """Runs the cells that are not done, in order; one that needs a failed one waits.

    budget: dollars for all of them together; each paid command is given what is left, so that it is never passed.
    wait: commands wait for another run that writes to their journal.
    Raises BadInput where a cell could cost money and there is no budget.
    """
    cells = choose_cells(plan, only)
    costly = [cell.id for cell in cells if cell.cost.dollars != 0 and not is_done(cell, out)]
    if costly and budget is None:
        raise BadInput(
            f"{len(costly)} of these commands cost money ({', '.join(costly[:3])}, ...): give --budget USD."
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, text in plan.files:
        write_text(out / name, text)
    results: dict[str, Result] = {}
    left = budget
    for number, cell in enumerate(cells, start=1):
        if is_done(cell, out):
            results[cell.id] = Result(cell.id, "skipped")
            continue
        broken = [need for need in cell.needs if need in results and results[need].status in ("failed", "waiting")]
        absent = [need for need in cell.needs if need not in results and not _exists(plan, need, out)]
        if broken or absent:
            progress(f"[{number}/{len(cells)}] {cell.id}: waits for {', '.join(broken + absent)}")
            results[cell.id] = Result(cell.id, "waiting")
            continue
        progress(f"[{number}/{len(cells)}] {cell.shell()}")
        command = list(cell.command)
        if left is not None and cell.cost.dollars != 0 and cell.step in PAID:
            command += ["--budget", f"{left:g}"]
        if wait and cell.cost.calls and cell.step in PAID:
            command += ["--wait"]
        status, answer, spent = execute(command, dict(cell.environment))
        if cell.stdout and status == 0:
            write_text(Path(cell.stdout), dump_json(answer))
        left = None if left is None else max(0.0, left - spent)
        done = status == 0 and is_done(cell, out)
        results[cell.id] = Result(cell.id, "done" if done else "failed", spent)
        if not done:
            progress(f"{cell.id} ended with status {status}; the same command goes on from there.")
    return list(results.values())


def _exists(plan: TablePlan, name: str, out: Path) -> bool:
    return any(cell.id == name and is_done(cell, out) for cell in plan.cells)
