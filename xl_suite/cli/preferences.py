"""`xl-suite preferences`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json, add_languages, add_out
from xl_suite.cli.values import non_negative

SUMMARY = "Make preference pairs of best-of-k translations: the best against the worst sound ones."
EXAMPLES = """\
examples:
  xl-suite preferences xl-instruct --out pairs
  xl-suite preferences xl-instruct --margin 0.05 --languages deu,hun --out pairs
then: xl-suite train train_dpo --data pairs --out my-dpo-model

The pairs are a dataset in trl's preference format. Rows without a clear difference are left out and counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="DIR", help="a folder that `xl-suite generate` made")
    add_out(parser)
    parser.add_argument(
        "--margin",
        type=non_negative,
        default=0.02,
        metavar="POINTS",
        help="the least difference of the two QE scores (default: 0.02, for scores from 0 to 1)",
    )
    parser.add_argument("--translations", default="best-of-k", metavar="KIND", help="best-of-k, as the folder has it")
    add_languages(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import preferences

    pairs = preferences(
        args.source, out=args.out, translations=args.translations, margin=args.margin, languages=args.languages
    )
    left_out = ", ".join(f"{reason} {count}" for reason, count in pairs.left_out.items())
    told = f"{args.out}: {len(pairs.rows)} pairs; left out: {left_out}."
    return Outcome({"out": str(args.out), **pairs.to_dict()}, notes=(told,))
