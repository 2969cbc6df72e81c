"""A whole run as ranks: starts them with an engine, divides the budget, and reports failed ranks."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput, BudgetReached, Incomplete
from xl_suite.executors.commands import Command, add_options, drop_options, share_budget
from xl_suite.executors.running import Ended, Run, Setting, describe_status, read_last_line
from xl_suite.executors.units import Rank, Unit
from xl_suite.foreign import parse_yaml, read_bytes

logger = logging.getLogger("xl_suite.executors")
# The folder of the ranks' logs, beside the units' folders.
LOGS = ".ranks"
# The maximum number of failed ranks in a message.
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """The ranks of a run. arguments: the whole command's. folder: the units' folder. budget: dollars.

    whole_budget: the command's budget, if these ranks are only a part of it.
    """

    arguments: tuple[str, ...]
    units: Sequence[Unit]
    folder: Path
    budget: float | None = None
    whole_budget: float | None = None

    def list_ranks(self, count: int) -> list[Rank]:
        """The ranks, of the given number, that have units."""
        return [Rank(number, count) for number in range(min(count, len(self.units)))]

    def weigh(self, rank: Rank) -> int:
        """The number of rows of a rank."""
        return sum(unit.end - unit.start for unit in rank.choose(self.units))

    def write_commands(self, ranks: Sequence[Rank], budget: float | None, *extra: str) -> list[Command]:
        """The commands of ranks. budget: the limit in dollars for all of them together. extra: further options."""
        own = drop_options(self.arguments)
        shares = [] if budget is None else share_budget(budget, [self.weigh(rank) for rank in ranks])
        return [
            Command(
                rank,
                add_options(own, "--rank", str(rank), *(["--budget", f"{shares[at]:.9f}"] if shares else []), *extra),
                Path.cwd(),
                self.folder.absolute() / LOGS / f"{rank.number}-of-{rank.count}.log",
            )
            for at, rank in enumerate(ranks)
        ]

    def write_finish(self) -> str:
        return Command(Rank(0, 1), add_options(drop_options(self.arguments), "--finish"), Path(), Path()).describe()


def run_ranks(plan: Plan, count: int, engine: str, config: Path | None = None) -> float | None:
    """Runs all ranks to their ends. Returns the rest of the budget, None without one.

    Failed rows do not end a rank; the whole run reports them when it writes the files. Raises Incomplete, which names
    the ranks that failed for other reasons, BudgetReached, and MissingExtra and BadInput if the engine cannot be
    opened.
    """
    setting = Setting(_read_config(config), plan.folder.absolute() / LOGS, plan.budget is None)
    shutil.rmtree(setting.folder, ignore_errors=True)
    with import_module(f"xl_suite.executors.{engine}").open_engine(setting) as run:
        return _run_rounds(plan, count, run, () if engine == "local" else ("--wait",))


def _run_rounds(plan: Plan, count: int, run: Run, extra: Sequence[str]) -> float | None:
    """Runs ranks; with a budget, runs those that it stopped again as long as some budget is left."""
    ranks, left = plan.list_ranks(count), plan.budget
    width = len(ranks)
    logger.info("ranks: %s, units: %s, logs: %s", width, len(plan.units), plan.folder / LOGS)
    while True:
        commands = plan.write_commands(ranks[:width], left, *extra, "--json")
        ended = _run_once(commands, run)
        failed = [one for one in ended if _has_failed(one)]
        if failed:
            raise Incomplete(_describe_failed(failed, {command.rank: command for command in commands}))
        stopped = [one.rank for one in ended if one.answer.get("stopped")]
        spent = sum(float(one.answer.get("dollars") or 0.0) for one in ended)
        if left is not None:
            left = max(0.0, left - spent)
        done = {one.rank for one in ended} - set(stopped)
        ranks = [rank for rank in ranks if rank not in done]
        if not ranks:
            return left
        # If the shares are too small for a call, fewer ranks get larger ones.
        width = len(ranks) if spent > 0 or done else width // 2
        if not width or not left:
            limit = plan.whole_budget or plan.budget or 0.0
            raise BudgetReached(
                f"The budget of ${limit:g} is reached: ${limit - (left or 0.0):.4f} is spent, and ranks that are not "
                f"done: {len(ranks)}. What was answered is kept; the same command with a budget for the rest goes on "
                "from here (a budget counts one run)."
            )


def _run_once(commands: Sequence[Command], run: Run) -> list[Ended]:
    ended = []
    for one in run(commands):
        ended.append(one)
        how = "failed" if _has_failed(one) else "stopped by its budget" if one.answer.get("stopped") else "done"
        logger.info("rank %s on %s: %s (%s of %s ended)", one.rank, one.host, how, len(ended), len(commands))
    ledgers = [one.answer.get("ledger") or {} for one in ended]
    costs = [one["dollars"] for one in ledgers if "dollars" in one]  # a killed rank reports none
    cost = "price unknown" if None in costs else f"${sum(one or 0.0 for one in costs):.4f}"
    logger.info("ranks: %s calls paid, %s", f"{sum(one.get('paid', 0) for one in ledgers):,}", cost)
    return sorted(ended, key=lambda one: one.rank.number)


def _has_failed(one: Ended) -> bool:
    """Whether a rank ended without its report, which lists failed rows and a reached budget."""
    return one.status not in (0, 1) or "rank" not in one.answer


def _describe_failed(failed: Sequence[Ended], commands: dict[Rank, Command]) -> str:
    lines: list[str] = []
    told: Counter[str] = Counter()
    for one in failed:
        log = commands[one.rank].log
        said = one.problem or read_last_line(log) or "its log is empty"
        told[said] += 1
        if len(lines) < MOST_NAMED and told[said] <= 2:
            where = f" on {one.host}" if one.host else ""
            lines.append(f"  rank {one.rank}{where}, {describe_status(one.status)}: {said}\n    log: {log}")
    if more := len(failed) - len(lines):
        lines.append(f"  and {more} more")
    listed = "\n".join(lines)
    return (
        f"ranks failed: {len(failed)} of {len(commands)}. No file was written. What was answered is kept: the same "
        f"command runs only what is missing.\n{listed}"
    )


def _read_config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = parse_yaml(read_bytes(path).decode(), path)
    except UnicodeDecodeError as error:
        raise BadInput(f"--executor-config {path}: it cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise BadInput(f"--executor-config {path}: it needs settings such as `options: {{num_gpus: 1}}`.")
    return found
