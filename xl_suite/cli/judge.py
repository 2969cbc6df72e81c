"""`xl-suite judge`."""

from __future__ import annotations

import argparse

from xl_suite.cli.options import (
    Outcome,
    add_annotator,
    add_judging_options,
    add_model,
    add_reference,
    read_chat_settings,
    run_job,
)

SUMMARY = "Have a judge compare outputs with reference outputs, prompt by prompt."
EXAMPLES = """\
examples:
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --estimate
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --budget 20
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_local \\
      --model Qwen2.5-72B@http://localhost:8000/v1 --order both --out annotations
  xl-suite judge results/lm-eval --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations
then: xl-suite score annotations/my-model/xl_gpt4o"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_reference(parser, "outputs to compare with", required=True)
    add_annotator(parser, "see `xl-suite annotators`; the paper's is xl_gpt4o", required=True)
    add_model(parser, "another judge than the annotator's own")
    parser.add_argument(
        "--order",
        default="random",
        choices=["random", "both"],
        help="random: one order per prompt, AlpacaEval's draw (default); both: twice the calls, shows position bias",
    )
    parser.add_argument("--allow-partial", action="store_true", help="judge the rows that both sides have")
    add_judging_options(parser, read="verdict", auto="by logprobs where the judge gives them")


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import judge
    from xl_suite.results import Annotations

    job = judge.plan(
        args.outputs,
        args.reference,
        annotator=args.annotator,
        out=args.out,
        model=args.model,
        order=args.order,
        method=args.method,
        samples=args.samples,
        max_tokens=args.max_tokens,
        retry_unread=args.retry_unread,
        languages=args.languages,
        limit=args.limit,
        allow_partial=args.allow_partial,
        language=args.language,
        **read_chat_settings(args),
    )

    def finish(annotations: Annotations) -> Outcome:
        assert annotations.judgement is not None
        told = annotations.judgement.describe(annotations.path)
        failed = any(annotations.judgement.failures.values())
        return Outcome(annotations.to_dict(), notes=(told,), status=1 if failed else 0)

    return run_job(args, job, finish)
