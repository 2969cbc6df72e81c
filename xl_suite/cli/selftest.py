"""`xl-suite selftest`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from xl_suite.cli.options import Outcome, add_json
from xl_suite.display import align_columns

if TYPE_CHECKING:
    from xl_suite.selftest.client import Trial
    from xl_suite.selftest.verbs import Stopped

PARTS = ("client", "verbs")
SUMMARY = "Test xl-suite on this machine: kills, signals, full disks, several processes, faults of the server."
EXAMPLES = """\
examples:
  xl-suite selftest                          # about two minutes
  xl-suite selftest --only client            # faults and kill -9 under load, fifteen seconds
  xl-suite selftest --only verbs --minutes 60
  xl-suite selftest --sweep                  # a kill at each file operation of each verb: half an hour

client: thousands of calls with faults, and with kill -9 between them. verbs: each command line that asks a model is
stopped at a file operation (kill, Ctrl-C, SIGTERM, a full disk), run in 2 and 5 processes at once, and asked against
a server with faults; then it is run again, and its files are compared with those of a run without a stop. With
--minutes the verbs, also those that ask no model, are stopped at random until the time is over. Needs no network and
no key. Exit status 1 when an answer was lost, doubled or paid twice beyond what a kill allows (two per slot), when
files differ, or when something was left over."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=PARTS, help="one part (default: both)")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop verbs at random for this time")
    parser.add_argument("--sweep", action="store_true", help="kill every verb at each of its file operations")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed of --minutes (default: 0)")
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from tqdm.auto import tqdm

    from xl_suite.selftest.client import run_selftest
    from xl_suite.selftest.verbs import sample, soak, sweep

    parts = ("verbs",) if args.sweep else (args.only,) if args.only else PARTS
    trials = run_selftest() if "client" in parts else []
    stops: list[Stopped] = []
    if "verbs" in parts:
        found = sweep() if args.sweep else sample() if args.minutes is None else soak(60 * args.minutes, args.seed)
        stops = list(tqdm(found, desc="verbs", unit=" trials", disable=None, file=sys.stderr))
    passed = all(trial.passed for trial in trials) and all(one.passed for one in stops)
    tables = [_show_client(trials)] * bool(trials) + [_show_verbs(stops)] * bool(stops)
    answer = {
        "passed": passed,
        "trials": [trial.to_dict() for trial in trials],
        "stops": [one.to_dict() for one in stops],
    }
    end = "passed: nothing lost, nothing doubled" if passed else "FAILED"
    return Outcome(answer, "\n\n".join([*tables, end]), status=0 if passed else 1)


def _show_client(trials: list[Trial]) -> str:
    columns = ("trial", "calls", "paid", "from journal", "retries", "repeated", "lost", "doubled", "seconds")
    rows: list[tuple[Any, ...]] = [
        (
            trial.name,
            trial.calls,
            trial.paid,
            trial.from_journal,
            trial.retries,
            f"{trial.repeated} (<={trial.allowed})",
            trial.lost,
            trial.doubled,
            trial.seconds,
        )
        for trial in trials
    ]
    return "\n".join(align_columns([columns, *([str(cell) for cell in row] for row in rows)], width=120))


def _show_verbs(stops: list[Stopped]) -> str:
    """A line for each verb and way; below, each trial that went wrong."""
    count, paid, repeated, bad = Counter[Any](), Counter[Any](), Counter[Any](), Counter[Any]()
    for one in stops:
        key = (one.name, one.way)
        count[key] += 1
        paid[key] += one.paid
        repeated[key] += one.repeated
        bad[key] += not one.passed
    rows = [
        (name, way, count[name, way], paid[name, way], repeated[name, way], bad[name, way]) for name, way in count
    ]
    header = ("verb", "stopped by", "trials", "paid", "repeated", "bad")
    lines = align_columns([header, *([str(cell) for cell in row] for row in rows)], keys=2)
    lines += [
        f"{one.name}, {one.way} at {one.operation} of {one.operations}: {one.wrong}" for one in stops if one.wrong
    ]
    return "\n".join(lines)
