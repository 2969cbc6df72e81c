"""`xl-suite submit`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from xl_suite.cli.options import add_json, add_languages, positive_int, print_json

SUMMARY = "Check a model's results as a leaderboard's maintainer would, and write a submission."
EXAMPLES = """\
examples:
  xl-suite submit results --reference outputs/gpt-4o-mini --benchmark xl-alpacaeval --out submission
  xl-suite submit --outputs outputs/MODEL --annotations annotations/MODEL/xl_gpt4o \\
      --reference outputs/gpt-4o-mini --benchmark xl-alpacaeval --out submission
  xl-suite submit received/MODEL --reference outputs/gpt-4o-mini --benchmark xl-alpacaeval --annotator xl_gpt4o

RESULTS holds what `respond --out RESULTS/outputs` and `judge --out RESULTS/annotations` wrote, or it is the folder of
a submission. Without --out it is only checked. OUT/pull-request goes to the leaderboard, OUT/model to the model's own
repository. Status 2 where the results are refused, with a line for each reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", type=Path, nargs="?", metavar="RESULTS", help="a folder of outputs and annotations"
    )
    parser.add_argument("--benchmark", type=Path, required=True, metavar="DIR", help="the benchmark's dataset folder")
    parser.add_argument(
        "--reference", type=Path, required=True, metavar="OUTPUTS", help="the outputs that it was judged against"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to write")
    parser.add_argument("--name", default="", metavar="GENERATOR", help="where RESULTS holds several")
    parser.add_argument(
        "--outputs", type=Path, metavar="DIR", help="the generator's outputs, where they lie elsewhere"
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
    needs.add_argument(
        "--annotator", default="", metavar="NAME_OR_DIR", help="the judge, as in the annotations (default: any one)"
    )
    needs.add_argument("--limit", type=positive_int, metavar="N", help="only the first N prompts of each language")
    needs.add_argument(
        "--min-fidelity", type=_share, default=0.5, metavar="RATE", help="least pass rate in each language (0.5)"
    )
    needs.add_argument("--allow-emails", action="store_true", help="go on though the outputs hold e-mail addresses")
    add_languages(needs)  # type: ignore[arg-type]
    about = parser.add_argument_group("what stands beside the scores")
    about.add_argument("--model-id", default="", metavar="ORG/NAME", help="the model's repository on the Hub")
    about.add_argument("--billions", type=float, metavar="N", help="its parameters")
    about.add_argument("--training", default="", metavar="TEXT", help="what it was trained on, in a few words")
    about.add_argument("--benchmark-id", metavar="ORG/NAME", help="on the Hub (default: xl-suite/<its name>)")
    about.add_argument("--benchmark-revision", default="", metavar="COMMIT", help="of the benchmark on the Hub")
    about.add_argument("--date", default="", metavar="ISO8601", help="of the run (default: when it is uploaded)")
    about.add_argument("--source-url", default="", metavar="URL", help="where the results can be read")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from xl_suite.languages import parse_languages
    from xl_suite.submission.checks import Requirements
    from xl_suite.submission.model_results import ModelReport
    from xl_suite.submission.results import find_results
    from xl_suite.submission.submission import check_submission
    from xl_suite.submission.writer import ModelFacts, check_out, write_submission

    if args.out:
        check_out(args.out)
    judge = args.annotator if Path(args.annotator, "configs.yaml").is_file() else ""
    annotator = Path(judge).resolve().name if judge else args.annotator
    results = find_results(
        args.results, generator=args.name, annotator=annotator, outputs=args.outputs, annotations=args.annotations
    )
    languages = () if args.languages == "all" else tuple(one.code for one in parse_languages(args.languages, []))
    required = Requirements(
        languages=languages,
        limit=args.limit,
        annotator=annotator,
        min_fidelity=args.min_fidelity,
        allow_emails=args.allow_emails,
    )
    submission = check_submission(
        results, args.benchmark, args.reference, required, judge=judge, journals=args.journal
    )
    answer: dict[str, Any] = {
        "generator": submission.generator,
        "benchmark": submission.benchmark,
        "accepted": not submission.problems,
        "problems": list(submission.problems),
        "notes": list(submission.notes),
    }
    for problem in submission.problems:
        print(f"  {problem}", file=sys.stderr)
    if submission.problems:
        print(f"{submission.generator or results.outputs}: refused, for the reasons above.", file=sys.stderr)
        if args.json:
            print_json(answer)
        return 2
    answer["manifest"] = submission.manifest
    for note in submission.notes:
        print(f"note: {note}", file=sys.stderr)
    if args.out:
        report = ModelReport(
            generator=submission.generator,
            dataset=args.benchmark_id or f"xl-suite/{submission.benchmark}",
            title=submission.benchmark,
            scores=submission.metrics,
            revision=args.benchmark_revision,
            date=args.date,
            source_url=args.source_url,
        )
        folder = write_submission(
            submission, args.out, report, ModelFacts(args.model_id, args.billions, args.training)
        )
        answer["folder"] = str(folder)
    if args.json:
        print_json(answer)
    else:
        print(f"{submission.generator} on {submission.benchmark}: accepted" + (f", {folder}" if args.out else ""))
    return 0


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is outside 0 to 1")
    return value
