"""`xl-suite fidelity`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.cli.options import (
    Outcome,
    add_benchmark,
    add_format,
    add_json,
    add_language,
    add_languages,
    describe_rows,
)
from xl_suite.display import align_columns

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity

SUMMARY = "Check whether model outputs are in the language asked for."
EXAMPLES = """\
examples:
  xl-suite fidelity outputs/MODEL                          all languages of a generator
  xl-suite fidelity outputs/MODEL/deu.json --json
  xl-suite fidelity outputs --details details.json         all generators; every verdict with the lines that show it
  xl-suite fidelity model_outputs.json --language eng      a file whose rows have no language

verdicts: right, wrong, mixed (text in another language beside right text), empty, undetermined (too short, all code),
withheld (kept back by a moderation); failed: prompts without an output, in failed.json
pass rate: right / (right + wrong + mixed + empty)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "outputs",
        type=Path,
        metavar="OUTPUTS",
        help="a file of outputs, a generator's folder, or a folder of those; or lm-eval's samples",
    )
    add_language(parser)
    add_languages(parser)
    add_benchmark(
        parser,
        "it says whose answers may be in another language (default for XL-AlpacaEval and m-AlpacaEval: the packaged "
        "list)",
    )
    parser.add_argument(
        "--details", type=Path, metavar="FILE", help="write every verdict and its lines to a JSON file"
    )
    add_format(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import fidelity
    from xl_suite.records import write_json

    found = fidelity(args.outputs, benchmark=args.benchmark, language=args.language or None, languages=args.languages)
    if args.details:
        write_json(args.details, found.details())
    return Outcome(found.to_dict(), describe_rows(found, args.format) or _describe(found.scores))


def _describe(scores: Mapping[tuple[str, str], Fidelity]) -> str:
    counts = ("right", "wrong", "mixed", "empty", "undetermined", "withheld", "failed")
    rows = [["generator", "language", "pass rate", *counts, "truncated", "constant"]]
    notes = []
    for (generator, language), score in scores.items():
        rate = "–" if score.pass_rate is None else f"{100 * score.pass_rate:.1f} %"
        constant = f"{score.constant} !" if score.is_constant else str(score.constant)
        numbers = [str(getattr(score, f"n_{name}")) for name in (*counts, "truncated")]
        rows.append([generator, language, rate, *numbers, constant])
        notes += [f"{generator}, {language}: {note}: {n}" for note, n in score.notes.items()]
    return "\n".join([*align_columns(rows, keys=2), *([""] if notes else []), *notes])
