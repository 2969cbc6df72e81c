"""`xl-suite audit`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import (
    Outcome,
    add_chat_options,
    add_json,
    add_language,
    add_languages,
    add_model,
    add_out,
    add_reference,
    add_seed,
    read_chat_settings,
)
from xl_suite.cli.values import positive_int

if TYPE_CHECKING:
    from xl_suite.auditing.card import Card

SUMMARY = "Plant defects in answers and measure how many of them a judge finds in each language."
EXAMPLES = """\
examples:
  xl-suite audit xl_gpt4o outputs/my-model --reference outputs/gpt-4o-mini --out audit --estimate
  xl-suite audit xl_local outputs/my-model --model JUDGE@http://localhost:8000/v1 --languages deu,zho --out audit
  xl-suite audit xl_gpt4o outputs/my-model --only length --out audit-length
  xl-suite audit xl_gpt4o outputs/my-model --only swap --translator NAME@http://localhost:8000/v1 --out audit-swap
then: open audit/index.html"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("annotator", metavar="ANNOTATOR", help="see `xl-suite annotators`, or a folder")
    parser.add_argument("outputs", type=Path, metavar="OUTPUTS", help="good answers: a generator's folder or a file")
    add_reference(parser, "other answers, which measure the noise of repeated calls")
    add_model(parser, "another judge than the annotator's own")
    parser.add_argument(
        "--only",
        choices=["defects", "length", "swap"],
        help="length: the same content at several lengths, which gives length_slope.json; swap: the same answers in "
        "English and in the language, with --translator (default: defects)",
    )
    parser.add_argument(
        "--translator", metavar="MODEL", help="translates answers to and from English, for --only swap"
    )
    parser.add_argument(
        "--rewriter",
        action="append",
        default=[],
        metavar="MODEL",
        help="condenses and pads answers, for --only length; repeatable (default: a rule that repeats sentences)",
    )
    parser.add_argument(
        "--people",
        action="append",
        default=[],
        type=Path,
        metavar="ANNOTATIONS",
        help="a model's folder of annotations with this judge's and people's (annotate --import), for the judge's "
        "preference for its own family; repeatable",
    )
    parser.add_argument(
        "--rows",
        type=positive_int,
        default=100,
        metavar="N",
        help="answers of each language, at random (default: 100)",
    )
    parser.add_argument(
        "--method",
        default="auto",
        choices=["auto", "logprobs", "parsed"],
        help="how a verdict is read (default: auto)",
    )
    add_seed(parser, "the seed for rows and defects", 0)
    add_out(parser)
    add_language(parser)
    add_languages(parser)
    add_chat_options(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import audit

    job = audit.plan(
        args.annotator,
        args.outputs,
        reference=args.reference,
        out=args.out,
        model=args.model,
        only=args.only,
        translator=args.translator,
        rewriters=args.rewriter,
        people=args.people,
        rows=args.rows,
        method=args.method,
        languages=args.languages,
        language=args.language,
        seed=args.seed,
        **read_chat_settings(args),
    )

    def finish(card: Card) -> Outcome:
        notes = (f"card: {args.out / 'index.html'}",)
        return Outcome(card.to_dict(), card.describe(), notes, 1 if card.n_failed else 0)

    return run_job(args, job, finish)
