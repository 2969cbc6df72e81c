"""`xl-suite compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import add_json, add_languages, positive_int, print_json
from xl_suite.dataset.expected import find_expected, list_benchmarks

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
    parser.add_argument(
        "--gate",
        choices=("both", "model", "none"),
        default="none",
        help="compare gated win rates: whose answers must be in the target language (default none: raw win rates)",
    )
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="DIR",
        help="with --gate: its folder says which prompts expect the target language (default as in `score`)",
    )
    parser.add_argument("--resamples", type=positive_int, default=10_000, metavar="N", help="of the prompts (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (0)")
    add_languages(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from xl_suite.judging.annotations import read_annotations, select_languages
    from xl_suite.languages import parse_languages
    from xl_suite.scoring.compare import compare_models

    sides = [read_annotations(path) for path in (args.a, args.b)]
    if args.languages != "all":
        codes = [language.code for language in parse_languages(args.languages, [])]
        sides = [select_languages(rows, codes) for rows in sides]
    expected = find_expected(args.benchmark, list_benchmarks([*sides[0], *sides[1]])) if args.gate != "none" else None
    answer = compare_models(
        *sides, gate=args.gate, expected=expected, resamples=args.resamples, seed=args.seed
    ).to_json()
    if args.json:
        print_json(answer)
    else:
        from xl_suite.scoring.tables import show_comparison

        print(show_comparison(answer))
    return 0
