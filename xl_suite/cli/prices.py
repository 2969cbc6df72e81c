"""`xl-suite prices`."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from xl_suite.cli.options import Outcome, add_json

SUMMARY = "List the prices that --estimate and --budget use, with source and date."
EXAMPLES = """\
examples:
  xl-suite prices
  xl-suite prices gpt-4.1 claude
  xl-suite prices --json

Dollars per million tokens. The cost of a run is computed without the discount for cached prompts. Prices change:
--price sets your own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="NAME", help="only models whose names begin with these words")
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.chat.budget import prices
    from xl_suite.errors import BadInput

    chosen = [one for one in prices() if not args.models or one.model.startswith(tuple(args.models))]
    if not chosen:
        listed = ", ".join(one.model for one in prices())
        raise BadInput(f"no price for {', '.join(args.models)}: --price sets one for a run. Listed: {listed}.")
    lines = [f"{'model':<25}{'prompt':>8}{'cached':>8}{'completion':>12}{'batch':>7}  {'date':<10}  source"]
    for one in chosen:
        cached = "-" if one.cached is None else f"{one.cached:g}"
        numbers = f"{one.prompt:>8g}{cached:>8}{one.completion:>12g}{f'x {one.batch:g}':>7}"
        lines.append(f"{one.model:<25}{numbers}  {one.date:<10}  {one.source}")
    return Outcome({"prices": [asdict(one) for one in chosen]}, "\n".join(lines))
