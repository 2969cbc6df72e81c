"""`xl-suite judge`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import (
    Outcome,
    add_annotator,
    add_judging_options,
    add_model,
    add_reference,
    asks_for_ranks,
    read_chat_settings,
)
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.results import PanelAnnotations

SUMMARY = "Have a judge compare outputs with reference outputs, prompt by prompt."
EXAMPLES = """\
examples:
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --estimate
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --budget 20
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_local \\
      --model Qwen2.5-72B@http://localhost:8000/v1 --out annotations
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt6_sol,xl_qwen3 --out annotations
  xl-suite judge results/lm-eval --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations
then: xl-suite score annotations/my-model/xl_gpt4o"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_reference(parser, "outputs to compare with", required=True)
    add_annotator(
        parser,
        "see `xl-suite annotators`; the paper's is xl_gpt4o. Several with commas between, each NAME or NAME=MODEL, "
        "are a panel: each one's verdicts, their agreement, and the mean over families of judges",
        required=True,
    )
    add_model(parser, "another judge than the annotator's own")
    parser.add_argument(
        "--order",
        choices=["random", "both"],
        help="both: each pair in both orders, which shows position bias; random: one order per prompt, AlpacaEval's "
        "draw (default: both, but random for xl_gpt4o)",
    )
    parser.add_argument("--allow-partial", action="store_true", help="judge the rows that both sides have")
    parser.add_argument(
        "--card",
        type=Path,
        metavar="CARD",
        help="a card by `xl-suite audit`: report the languages in which it marks the judge, let the leaderboard "
        "mark it, and keep the judge's length slope (default: audit.json and length_slope.json in the annotator's "
        "folder)",
    )
    add_judging_options(parser, read="verdict", auto="by logprobs where the judge gives them")


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import judge
    from xl_suite.judging.members import parse_members
    from xl_suite.results import Annotations

    members = parse_members(args.annotator)
    if len(members) > 1:
        return _judge_with_panel(args)
    if args.model and members[0].model:
        raise BadInput(f"--annotator names {members[0].model} and --model {args.model}: give one of the two.")
    job = judge.plan(
        args.outputs,
        args.reference,
        annotator=members[0].annotator,
        out=args.out,
        model=args.model or members[0].model,
        **_read_asking(args),
    )

    def finish(annotations: Annotations) -> Outcome:
        assert annotations.judgement is not None
        told = annotations.judgement.describe(annotations.path)
        failed = any(annotations.judgement.failures.values())
        return Outcome(annotations.to_dict(), notes=(told,), status=1 if failed else 0)

    return run_job(args, job, finish)


def _judge_with_panel(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import judge_panel

    if args.model:
        raise BadInput("--model names one judge and --annotator several: write --annotator NAME=MODEL,NAME=MODEL.")
    if asks_for_ranks(args):
        raise BadInput(
            "--rank: name one annotator at a time; the same command with all of them then makes the panel."
        )
    job = judge_panel.plan(
        args.outputs, args.reference, annotators=args.annotator, out=args.out, **_read_asking(args)
    )

    def finish(found: PanelAnnotations) -> Outcome:
        told, failed = [], False
        for name, one in found.judged.items():
            assert one.judgement is not None
            told.append(f"{name}:\n{one.judgement.describe(one.path)}")
            failed = failed or any(one.judgement.failures.values())
        return Outcome(
            found.to_dict(), found.panel.describe(), (*told, f"panel: {found.path}"), status=1 if failed else 0
        )

    return run_job(args, job, finish)


def _read_asking(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "order": args.order,
        "method": args.method,
        "samples": args.samples,
        "max_tokens": args.max_tokens,
        "retry_unread": args.retry_unread,
        "languages": args.languages,
        "limit": args.limit,
        "card": args.card,
        "allow_partial": args.allow_partial,
        "language": args.language,
        **read_chat_settings(args),
    }
