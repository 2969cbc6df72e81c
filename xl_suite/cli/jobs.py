"""A verb's work: all of it, its estimate, or by ranks."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from xl_suite.cli.options import Outcome, asks_for_ranks, describe_estimates
from xl_suite.errors import BadInput, Incomplete

if TYPE_CHECKING:
    from xl_suite.api.jobs import Division, Job
    from xl_suite.executors.coordinator import Plan

Value = TypeVar("Value")


def run_job(args: argparse.Namespace, job: Job[Value], finish: Callable[[Value], Outcome]) -> Outcome:
    """Runs a job and tells its result with `finish`; by ranks, only a rank's share, or only the end, where that is
    asked for. --estimate only estimates it.
    """
    divided = hasattr(args, "ranks") and asks_for_ranks(args)
    if args.estimate:
        if divided:
            raise BadInput("--estimate is for the whole run: leave the options of ranks out.")
        return describe_estimates(job.estimate())
    return _run_divided(args, job, finish) if divided else finish(job.run())


def _run_divided(args: argparse.Namespace, job: Job[Value], finish: Callable[[Value], Outcome]) -> Outcome:
    """What the options of `add_rank_options` ask for."""
    from xl_suite.chat.locking import hold_for
    from xl_suite.executors.coordinator import Plan, run_ranks
    from xl_suite.executors.running import end_with_starter
    from xl_suite.executors.status import read_status

    division = job.division
    assert division is not None
    engine = args.executor or "local"
    if args.detach and args.ranks is None:
        raise BadInput("--detach is for a whole run of ranks: add --ranks N.")
    alone = args.rank or args.finish or args.status
    if alone and (args.executor or args.print_only):
        raise BadInput("--executor and --print-only are for all ranks: leave --rank, --finish and --status out.")
    if args.executor_config and engine == "local":
        raise BadInput("--executor-config: --executor local takes none. Leave it out, or name ray or parsl.")
    if args.rank:
        end_with_starter()
        report = division.run_rank(args.rank)
        return Outcome(report.to_dict(), notes=(report.describe(),), status=0 if report.is_done else 1)
    if args.finish:
        return finish(division.finish())
    if args.status:
        status = read_status(division.units, division.folder)
        return Outcome(status.to_dict(), "\n".join([*tell_detached(args), status.describe()]))
    if args.ranks is None:
        if engine == "local" and not args.print_only:
            return finish(job.run())
        raise BadInput("How many ranks? --ranks N says it, such as --ranks 8.")
    division.check()
    plan = Plan(args.given, division.units, division.folder, args.budget)
    if args.print_only:
        return _print_commands(plan, args.ranks)
    if args.detach:
        return run_detached(args)
    assert job.options is not None
    with hold_for(job.options):  # no other run on the same folder meanwhile
        left = run_ranks(plan, args.ranks, engine, args.executor_config)
        return finish(_end(division, left))


def run_phases(
    args: argparse.Namespace,
    phases: Sequence[str],
    plan: Callable[[str | None], Job[Any]],
    finish: Callable[[Any], Outcome],
) -> Outcome:
    """Runs all phases of a verb by ranks, one phase after the other, within one budget; then the rest of the job."""
    from xl_suite.chat.ledger import collect_ledgers, sum_ledgers
    from xl_suite.chat.locking import hold_for
    from xl_suite.executors.commands import add_options
    from xl_suite.executors.coordinator import Plan, run_ranks

    left: float | None = args.budget
    for phase in phases:
        job = plan(phase)
        assert job.division is not None
        assert job.options is not None
        given = add_options(args.given, "--phase", phase)
        ranks = Plan(given, job.division.units, job.division.folder, left, args.budget)
        with hold_for(job.options), collect_ledgers() as ledgers:
            left = run_ranks(ranks, args.ranks, args.executor or "local", args.executor_config)
            _end(job.division, left)
        if left is not None:
            left = max(0.0, left - (sum_ledgers(ledgers).dollars or 0.0))
    job = plan(None)
    assert job.division is not None
    assert job.options is not None
    with hold_for(job.options):
        return finish(_end(job.division, left))


def run_detached(args: argparse.Namespace) -> Outcome:
    """Starts the same command in the background."""
    from xl_suite.executors.commands import drop_options
    from xl_suite.executors.detaching import detach
    from xl_suite.executors.parts import PARTS

    run = detach(drop_options(args.given, {"--detach": 0}), args.out / PARTS)
    told = {"process": run.process, "host": run.host, "log": str(run.log)}
    notes = (
        f"process {run.process} goes on in the background. Its log: {run.log}",
        "The same command with --status in place of --ranks tells how far it is; `kill` with its number ends it.",
    )
    return Outcome(told, notes=notes)


def tell_detached(args: argparse.Namespace) -> list[str]:
    """A line about the run in the background, where there was one."""
    from xl_suite.executors.detaching import read_detached
    from xl_suite.executors.parts import PARTS

    run = read_detached(args.out / PARTS)
    return [] if run is None else [run.describe()]


def _print_commands(plan: Plan, count: int) -> Outcome:
    commands = [one.describe() for one in plan.write_commands(plan.list_ranks(count), plan.budget)]
    end = plan.write_finish()
    return Outcome({"ranks": commands, "finish": end}, "\n".join([*commands, end]))


def _end(division: Division[Value], left: float | None) -> Value:
    """The files. Where they need answers that no rank has, such as those of rows that failed, it asks for them."""
    try:
        return division.finish()
    except Incomplete:
        return division.complete(left)
