"""`xl-suite rate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xl_suite.cli.options import add_judging_options, print_json

SUMMARY = "Have a judge rate outputs from 1 to 5 on precision, informativeness, naturalness and objectivity."
EXAMPLES = """\
examples:
  xl-suite rate outputs/my-model --out ratings --estimate
  xl-suite rate outputs/my-model --out ratings --budget 20
  xl-suite rate outputs/my-model --model Qwen2.5-72B@http://localhost:8000/v1 --languages deu --out ratings
  xl-suite rate outputs/my-model --rubrics my-rubrics --out ratings      a .txt a criterion
then: xl-suite score ratings/my-model/gpt-4o-2024-08-06"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="gpt-4o-2024-08-06", metavar="MODEL", help="the judge (default: gpt-4o-2024-08-06)"
    )
    parser.add_argument("--rubrics", type=Path, metavar="DIR", help="other rubrics than those that ship")
    add_judging_options(parser, read="score", auto="weighed by probability where the judge gives log probabilities")


def run(args: argparse.Namespace) -> int:
    from xl_suite.chat.estimates import estimate
    from xl_suite.chat.models import parse_model
    from xl_suite.cli.options import print_estimates, read_chat_options
    from xl_suite.rating.rate import choose_method, plan_calls, rate_outputs, select_outputs, write_ratings
    from xl_suite.rating.rubric import read_rubrics
    from xl_suite.responding.outputs import read_outputs

    rubrics = read_rubrics(args.rubrics)
    model = parse_model(args.model)
    options = read_chat_options(args, args.out / ".journal.sqlite")
    outputs = select_outputs(read_outputs(args.outputs, args.language), args.languages, args.limit)
    if args.estimate:
        calls = plan_calls(outputs, rubrics, choose_method(args.method, args.samples, args.max_tokens))
        print_estimates([estimate(model, calls, options)], json=args.json)
        return 0
    ratings = rate_outputs(
        outputs,
        rubrics,
        model,
        options,
        method=args.method,
        samples=args.samples,
        max_tokens=args.max_tokens,
    )
    folder = write_ratings(args.out, ratings)
    for note in ratings.noted:
        print(f"note: {note}", file=sys.stderr)
    print(ratings.describe(folder), file=sys.stderr)
    if args.json:
        print_json(ratings.to_dict(folder))
    return 1 if any(ratings.failures.values()) else 0
