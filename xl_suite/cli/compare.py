"""`xl-suite compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import (
    Outcome,
    add_benchmark,
    add_format,
    add_gate,
    add_json,
    add_languages,
    add_plot,
    describe_rows,
)

SUMMARY = "Compare two models that one judge measured against one reference: paired difference, interval, p-value."
EXAMPLES = """\
examples:
  xl-suite compare annotations/MODEL_A/xl_gpt4o annotations/MODEL_B/xl_gpt4o
  xl-suite compare annotations/MODEL_A/xl_gpt4o annotations/MODEL_B/xl_gpt4o --gate both   # gated win rates
  xl-suite compare a/annotations.json b/annotations.json --json

Different judges, methods, orders or reference outputs are refused: such scores cannot be compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name in ("a", "b"):
        parser.add_argument(name, type=Path, metavar=name.upper(), help=f"annotations of model {name.upper()}")
    add_gate(parser, "none")
    add_benchmark(parser, "with --gate: it says which prompts expect the target language (default as in `score`)")
    add_languages(parser)
    add_format(parser)
    add_plot(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import compare, score
    from xl_suite.scoring.figure import write_figure

    found = compare(
        args.a,
        args.b,
        gate=args.gate,
        benchmark=args.benchmark,
        languages=args.languages,
    )
    notes: tuple[str, ...] = ()
    if args.plot:
        a, b = (score(side, benchmark=args.benchmark, languages=args.languages) for side in (args.a, args.b))
        notes = (write_figure(args.plot, a.figure(b)),)
    return Outcome(found.to_dict(), describe_rows(found, args.format) or found.describe(), notes)
