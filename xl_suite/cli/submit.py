"""`xl-suite submit`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from xl_suite.cli.options import (
    Outcome,
    add_annotator,
    add_benchmark,
    add_json,
    add_languages,
    add_limit,
    add_name,
    add_out,
    add_reference,
)

SUMMARY = "Check a model's results as a leaderboard's maintainer would, and write a submission."
EXAMPLES = """\
examples:
  xl-suite submit results --reference outputs/gpt-4o-mini --benchmark xl-alpacaeval --out submission
  xl-suite submit --outputs outputs/MODEL --annotations annotations/MODEL/xl_gpt4o \\
      --reference outputs/gpt-4o-mini --benchmark xl-alpacaeval --out submission
  xl-suite submit received/MODEL --reference outputs/gpt-4o-mini --benchmark xl-alpacaeval --annotator xl_gpt4o

RESULTS contains the files of `respond --out RESULTS/outputs` and `judge --out RESULTS/annotations`, or it is the
folder of a submission. Without --out it is only checked. OUT/pull-request is for the leaderboard, OUT/model for the
model's repository. Refused results give status 2 and a line for each reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", type=Path, nargs="?", metavar="RESULTS", help="a folder of outputs and annotations"
    )
    add_benchmark(parser, "the benchmark of the outputs", required=True)
    add_reference(parser, "the reference outputs of the annotations", required=True)
    add_out(parser, required=False)
    add_name(parser, "the generator, if RESULTS contains several")
    parser.add_argument(
        "--outputs", type=Path, metavar="DIR", help="the generator's outputs, if they are in another place"
    )
    parser.add_argument("--annotations", type=Path, metavar="DIR", help="the annotator's folder, likewise")
    parser.add_argument(
        "--journal",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="for the manifest; RESULTS' are found",
    )
    needs = parser.add_argument_group("what is required")
    add_annotator(needs, "the judge, as in the annotations (default: any one)")
    add_limit(needs, "only the first N prompts of each language")
    needs.add_argument(
        "--min-fidelity", type=_share, default=0.5, metavar="RATE", help="least pass rate in each language (0.5)"
    )
    needs.add_argument("--allow-emails", action="store_true", help="accept outputs with e-mail addresses")
    add_languages(needs)
    about = parser.add_argument_group("what is beside the scores")
    about.add_argument("--model-id", default="", metavar="ORG/NAME", help="the model's repository on the Hub")
    about.add_argument("--billions", type=float, metavar="N", help="its parameters")
    about.add_argument("--training", default="", metavar="TEXT", help="its training data, in a few words")
    about.add_argument("--benchmark-id", metavar="ORG/NAME", help="on the Hub (default: xl-suite/<its name>)")
    about.add_argument("--benchmark-revision", default="", metavar="COMMIT", help="of the benchmark on the Hub")
    about.add_argument("--date", default="", metavar="ISO8601", help="of the run (default: when it is uploaded)")
    about.add_argument("--source-url", default="", metavar="URL", help="a link to the results")
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import submit
    from xl_suite.submission.writer import ABOUT

    submission = submit(
        args.results,
        benchmark=args.benchmark,
        reference=args.reference,
        out=args.out,
        name=args.name,
        outputs=args.outputs,
        annotations=args.annotations,
        annotator=args.annotator,
        journals=args.journal,
        languages=args.languages,
        limit=args.limit,
        min_fidelity=args.min_fidelity,
        allow_emails=args.allow_emails,
        about={key: getattr(args, key) for key in ABOUT},
    )
    answer: dict[str, Any] = {
        "generator": submission.generator,
        "benchmark": submission.benchmark,
        "accepted": not submission.problems,
        "problems": list(submission.problems),
        "notes": list(submission.notes),
    }
    if submission.problems:
        who = submission.generator or args.outputs or args.results
        problems = [f"  {problem}" for problem in submission.problems]
        return Outcome(answer, notes=(*problems, f"{who}: refused, for the reasons above."), status=2)
    answer["manifest"] = submission.manifest
    place = f", {submission.folder}" if submission.folder else ""
    if submission.folder:
        answer["folder"] = str(submission.folder)
    notes = tuple(f"note: {note}" for note in submission.notes)
    return Outcome(answer, f"{submission.generator} on {submission.benchmark}: accepted{place}", notes)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is outside 0 to 1")
    return value
