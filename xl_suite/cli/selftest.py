"""`xl-suite selftest`."""

from __future__ import annotations

import argparse

from xl_suite.cli.options import Outcome, add_json

SUMMARY = "Test the chat client on this machine: faults and kill -9 against the built-in loopback server."
EXAMPLES = """\
examples:
  xl-suite selftest
  xl-suite selftest --json

It takes about fifteen seconds, no network and no key. Exit status 1 when an answer was lost or came
twice, or when more calls were repeated than a kill allows (two per slot)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.selftest.client import run_selftest

    trials = run_selftest()
    passed = all(trial.passed for trial in trials)
    columns = ("trial", "calls", "paid", "from journal", "retries", "repeated", "lost", "doubled", "seconds")
    lines = ["".join(f"{column:>13}" for column in columns)]
    for trial in trials:
        repeated = f"{trial.repeated} (<={trial.allowed})"
        cells = (trial.name, trial.calls, trial.paid, trial.from_journal, trial.retries, repeated)
        lines.append("".join(f"{cell:>13}" for cell in (*cells, trial.lost, trial.doubled, trial.seconds)))
    lines.append("passed: nothing lost, nothing doubled" if passed else "FAILED")
    answer = {"passed": passed, "trials": [trial.to_dict() for trial in trials]}
    return Outcome(answer, "\n".join(lines), status=0 if passed else 1)
