"""`xl-suite rate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import Outcome, add_judging_options, add_model, read_chat_settings

SUMMARY = "Have a judge rate outputs from 1 to 5 on precision, informativeness, naturalness and objectivity."
EXAMPLES = """\
examples:
  xl-suite rate outputs/my-model --out ratings --estimate
  xl-suite rate outputs/my-model --out ratings --budget 20
  xl-suite rate outputs/my-model --model Qwen2.5-72B@http://localhost:8000/v1 --languages deu --out ratings
  xl-suite rate outputs/my-model --rubrics my-rubrics --out ratings      a .txt for each criterion
then: xl-suite score ratings/my-model/gpt-4o-2024-08-06"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "the judge", default="gpt-4o-2024-08-06")
    parser.add_argument("--rubrics", type=Path, metavar="DIR", help="your own rubrics instead of the built-in ones")
    add_judging_options(parser, read="score", auto="weighted by probability where the judge gives log probabilities")


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import rate
    from xl_suite.results import Rated

    job = rate.plan(
        args.outputs,
        out=args.out,
        model=args.model,
        rubrics=args.rubrics,
        method=args.method,
        samples=args.samples,
        max_tokens=args.max_tokens,
        retry_unread=args.retry_unread,
        languages=args.languages,
        limit=args.limit,
        language=args.language,
        **read_chat_settings(args),
    )

    def finish(rated: Rated) -> Outcome:
        failed = any(rated.ratings.failures.values())
        return Outcome(rated.to_dict(), notes=(rated.ratings.describe(rated.folder),), status=1 if failed else 0)

    return run_job(args, job, finish)
