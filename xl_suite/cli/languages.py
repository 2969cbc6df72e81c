"""`xl-suite languages`."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from xl_suite.cli.options import Outcome, add_json
from xl_suite.languages import table

SUMMARY = "List the languages of the benchmarks. Any other ISO 639-3 code works too."
EXAMPLES = """\
examples:
  xl-suite languages
  xl-suite languages --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    lines = [f"{'code':<6}{'name':<12}{'script':<8}{'resource':<11}benchmarks"]
    for row in table():
        lines.append(f"{row.code:<6}{row.name:<12}{row.script:<8}{row.resource:<11}{', '.join(row.benchmarks)}")
    return Outcome({"languages": [asdict(language) for language in table()]}, "\n".join(lines))
