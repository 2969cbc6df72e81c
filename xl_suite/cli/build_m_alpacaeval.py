"""`xl-suite build m-alpacaeval`."""

from __future__ import annotations

import argparse

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import (
    Outcome,
    add_batch_options,
    add_benchmark,
    add_chat_options,
    add_json,
    add_languages,
    add_max_tokens,
    add_model,
    add_out,
    add_rank_options,
    add_replace,
    asks_for_ranks,
    read_chat_settings,
)
from xl_suite.cli.values import positive_int
from xl_suite.errors import BadInput

HELP = "AlpacaEval's prompts translated by a model, or taken from an existing release"
EXAMPLES = """\
examples:
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --out m-alpacaeval --estimate
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --out m-alpacaeval --budget 30
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --model MODEL@http://localhost:8000/v1 --languages deu,fra \\
      --out m-alpacaeval
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --all-prompts alpaca_eval.json --out m-alpacaeval-805
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --source viyer98/m-AlpacaEval --out official

Prompts without a sound translation are listed in OUT/review.jsonl with the reason (status 1). Write a better
translation into `edited` there, for any row, and run the same command: edits need no calls. Other languages in OUT
than those of --languages are unchanged."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_benchmark(parser, "XL-AlpacaEval, whose prompts are taken", required=True)
    add_out(parser)
    add_model(parser, "the translator", default="gpt-4o-2024-08-06")
    parser.add_argument(
        "--source",
        metavar="HUB_ID_OR_DIR",
        help="use existing translations, without calls: viyer98/m-AlpacaEval, zhihz0535/X-AlpacaEval (PLUG), or a "
        "folder of that form, with german.json and so on",
    )
    parser.add_argument("--translator", default="", metavar="NAME", help="who made the translations of --source")
    parser.add_argument(
        "--all-prompts",
        metavar="FILE_OR_HUB_ID",
        help="translate all 805 prompts of this file of AlpacaEval, not only those that XL-AlpacaEval keeps",
    )
    add_languages(parser)
    parser.add_argument(
        "--retries",
        type=positive_int,
        default=2,
        metavar="N",
        help="further attempts for a refused translation (default: 2)",
    )
    add_max_tokens(parser, "a translation", 4096, 4096)
    parser.add_argument(
        "--qe", metavar="NAME", help="quality estimation: surface, or cometkiwi:Unbabel/wmt22-cometkiwi-da"
    )
    parser.add_argument("--least-qe", type=float, metavar="SCORE", help="translations with a lower score are refused")
    add_chat_options(parser)
    add_batch_options(parser)
    add_rank_options(parser)
    add_replace(parser)
    add_json(parser)
    parser.set_defaults(build=run)


def run(args: argparse.Namespace) -> Outcome:
    from m_alpacaeval.dataset import Benchmark, describe
    from m_alpacaeval.review import FILE_NAME
    from xl_suite.api import build_m_alpacaeval

    if args.source is not None and asks_for_ranks(args):
        raise BadInput("--source uses existing translations, without calls: leave out the options of ranks.")
    job = build_m_alpacaeval.plan(
        args.benchmark,
        out=args.out,
        model=args.model,
        source=args.source,
        translator=args.translator,
        all_prompts=args.all_prompts,
        languages=args.languages,
        retries=args.retries,
        max_tokens=args.max_tokens,
        qe=args.qe,
        least_qe=args.least_qe,
        **read_chat_settings(args),
    )

    def finish(made: Benchmark) -> Outcome:
        answer = {"out": str(args.out), "review": str(args.out / FILE_NAME), **made.to_dict()}
        notes = () if made.ledger is None else (made.ledger.describe(),)
        return Outcome(answer, describe(made, args.out), notes, 1 if made.aside else 0)

    return run_job(args, job, finish)
