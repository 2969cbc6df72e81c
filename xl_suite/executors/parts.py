"""The journals of units, in `OUT/.parts`: ranks fill them, and the whole run merges them into its journal.

Ranks write no results. The whole run writes them from the merged journal, so that they equal those of one process
with the same answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from xl_suite.chat.budget import Budget
from xl_suite.chat.journal import Journal
from xl_suite.chat.ledger import Ledger, collect_ledgers, note_ledger, sum_ledgers
from xl_suite.chat.locking import hold
from xl_suite.chat.replay import GROUP
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, BudgetReached, Incomplete, ReplayMiss
from xl_suite.executors.status import note_done
from xl_suite.executors.units import Rank, Unit
from xl_suite.judging.asking import FROM_TEXT
from xl_suite.responding.outputs import name_folder

logger = logging.getLogger("xl_suite.executors")
PARTS = ".parts"
JOURNAL = ".journal.sqlite"


@dataclass(frozen=True, slots=True)
class Tools:
    """The common settings of a rank's units. folder: the unit's folder, which contains its journal."""

    folder: Path
    options: ChatOptions
    servers: StartedServers
    budget: Budget


# Processes a unit; returns the number of failed rows.
Work = Callable[[Unit, Tools], int]


@dataclass(frozen=True, slots=True)
class RankReport:
    """The result of a rank. units: the finished ones, of `total`. failed: rows without an answer or score.

    dollars: spent from its budget, None without one. stopped: why the budget stopped it. ledger: the costs of all
    calls.
    """

    rank: Rank
    units: tuple[str, ...]
    total: int
    failed: int
    dollars: float | None
    stopped: str = ""
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def is_done(self) -> bool:
        """Whether the same command has nothing left to do."""
        return not self.failed and not self.stopped

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `--json`."""
        return {
            "rank": str(self.rank),
            "units": list(self.units),
            "n_units": self.total,
            "n_failed": self.failed,
            **({} if self.dollars is None else {"dollars": self.dollars}),
            **({"stopped": self.stopped} if self.stopped else {}),
            "ledger": self.ledger.to_dict(),
        }

    def describe(self) -> str:
        if self.stopped:
            return f"rank {self.rank}: {self.stopped}"
        failed = f"; {self.failed} rows failed, and the same command tries them again" if self.failed else ""
        return (
            f"rank {self.rank}: {len(self.units)} of {self.total} units done{failed}. When all ranks are done, "
            "--finish writes the files."
        )


def run_rank(
    rank: Rank, units: Sequence[Unit], out: Path, label: str, options: ChatOptions, work: Work
) -> RankReport:
    """Processes the units of a rank one after the other, with one server for all. label: the run's name in `out`.

    Calls that the whole run's journal answers are not asked again. Raises BadInput, and the errors that end a run.
    """
    check_divisible(out, options)
    ledgers: list[Ledger] = []
    try:
        with collect_ledgers() as ledgers:
            report = _do_units(rank, units, name_parts(out, label), options, work)
    finally:  # for the code that collects the results
        for one in ledgers:
            note_ledger(one)
    return replace(report, ledger=sum_ledgers(ledgers))


def _do_units(rank: Rank, units: Sequence[Unit], parts: Path, options: ChatOptions, work: Work) -> RankReport:
    chosen = rank.choose(units)
    budget = Budget(options.budget)
    failed, done, stopped = 0, [], ""
    with StartedServers(options) as servers:
        for number, unit in enumerate(chosen, start=1):
            folder = parts / unit.name
            logger.info("rank %s: unit %s, %s of %s", rank, unit.name, number, len(chosen))
            own = replace(options, journal=folder / JOURNAL, further=options.journal)
            try:
                missing = work(unit, Tools(folder, own, servers, budget))
            except BudgetReached as error:
                stopped = str(error)
                break
            note_done(folder, unit, missing)
            failed += missing
            done.append(unit.name)
    spent = None if options.budget is None else budget.spent
    return RankReport(rank, tuple(done), len(units), failed, spent, stopped)


def name_parts(out: Path, label: str) -> Path:
    """The folder of a run's units. label: the run's name in `out`."""
    return out / PARTS / name_folder(label)


@contextmanager
def gather_parts(out: Path, label: str, options: ChatOptions, *, finish: bool = False) -> Iterator[ChatOptions]:
    """The options of the whole run, whose journal now contains the ranks' answers.

    finish: the run makes no calls. Raises Incomplete if calls are missing.
    """
    folder = name_parts(out, label)
    parts = sorted(folder.glob(f"*/{JOURNAL}")) if options.replay is None and options.journal is not None else []
    if finish and not parts:
        raise Incomplete(f"--finish: {folder} has no results of ranks. Run the ranks first, with --rank R/N.")
    if parts and options.journal is not None:
        _merge(parts, options.journal, wait=options.wait)
        logger.info("%s: holds the answers of units: %s", options.journal, len(parts))
    if not finish:
        yield options
        return
    try:
        yield replace(options, journal=None, replay=options.journal)
    except ReplayMiss as error:
        raise Incomplete(
            f"not finished: {error.args[0].partition(':')[0]} is not answered yet. Run the missing ranks again, or "
            "the command without --finish, which asks for what is missing."
        ) from error


def check_divisible(out: Path, options: ChatOptions) -> None:
    """Raises BadInput for options that ranks do not support."""
    if options.replay is not None or options.journal != out / JOURNAL:
        raise BadInput(
            f"--rank: ranks have a journal for each unit, in {out / PARTS}. Leave --journal and --replay out."
        )
    if options.batch is not None:
        raise BadInput("--rank: each unit would wait for a batch of its own, up to a day. Leave --batch out.")


def _merge(parts: Sequence[Path], path: Path, *, wait: bool) -> None:
    """Adds the answers of units to the journal of the whole run.

    Facts of a unit about the way to read its judge are left out: the whole run learns them from its own first rows.
    """
    with hold(path, wait=wait), Journal(path) as journal:
        for part in parts:
            with Journal(part, read_only=True) as read:
                journal.add([], facts=[fact for fact in read.facts() if fact.kind != FROM_TEXT])
                answers = read.answers()
                while group := list(islice(answers, GROUP)):
                    journal.add(group)
