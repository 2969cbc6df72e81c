"""`xl-suite build m-alpacaeval`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.cli.options import add_chat_options, add_json, add_languages, add_out, positive_int, print_json

if TYPE_CHECKING:
    from m_alpacaeval.rows import Sources

HELP = "AlpacaEval's prompts translated by a model, or taken from an existing release"
EXAMPLES = """\
examples:
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --out m-alpacaeval --estimate
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --out m-alpacaeval --budget 30
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --model MODEL@http://localhost:8000/v1 --languages deu,fra \\
      --out m-alpacaeval
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --all-prompts alpaca_eval.json --out m-alpacaeval-805
  xl-suite build m-alpacaeval --benchmark xl-alpacaeval --source viyer98/m-AlpacaEval --out official

Translations that no attempt made sound are listed in OUT/review.jsonl with the reason (status 1). Write a better one
into `edited` there, for any row, and run the same command: edits are put in without a call."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--benchmark", type=Path, required=True, metavar="DIR", help="XL-AlpacaEval's folder, whose prompts are taken"
    )
    add_out(parser)
    parser.add_argument(
        "--model", default="gpt-4o-2024-08-06", metavar="MODEL", help="the translator (default: gpt-4o-2024-08-06)"
    )
    parser.add_argument(
        "--source",
        metavar="HUB_ID_OR_DIR",
        help="take translations that exist, without calls: viyer98/m-AlpacaEval, zhihz0535/X-AlpacaEval (PLUG), or a "
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
        "--retries", type=positive_int, default=2, metavar="N", help="of a translation that is refused (default: 2)"
    )
    parser.add_argument("--max-tokens", type=positive_int, default=4096, metavar="N", help="default: 4096")
    parser.add_argument(
        "--qe", metavar="NAME", help="quality estimation: surface, or cometkiwi:Unbabel/wmt22-cometkiwi-da"
    )
    parser.add_argument("--least-qe", type=float, metavar="SCORE", help="translations below it are refused")
    add_chat_options(parser)
    add_json(parser)
    parser.set_defaults(build=run)


def run(args: argparse.Namespace) -> int:
    from m_alpacaeval.dataset import build_benchmark, describe, import_benchmark, write_folder
    from m_alpacaeval.release import read_release
    from m_alpacaeval.review import FILE_NAME, read_edits
    from m_alpacaeval.rows import NAME
    from m_alpacaeval.translate import Settings, plan_calls
    from xl_suite.chat.models import parse_model
    from xl_suite.cli.options import print_estimates, read_chat_options
    from xl_suite.dataset.folder import check_replaceable
    from xl_suite.errors import BadInput

    if args.least_qe is not None and args.qe is None:
        raise BadInput("--least-qe needs --qe, which says who scores the translations.")
    check_replaceable(args.out, NAME)
    sources = _read_sources(args)
    estimator = None
    if args.qe is not None:
        from xl_instruct.qe import load_estimator, warn_languages

        estimator = load_estimator(args.qe)
        for warning in warn_languages(estimator, sources.prompts):
            print(f"warning: {warning}", file=sys.stderr)
    settings = Settings(args.retries + 1, args.max_tokens, estimator, args.least_qe)
    if args.source is not None:
        release = read_release(args.source, sources, translator=args.translator)
        benchmark = import_benchmark(sources, release, out=args.out, settings=settings)
    else:
        model = parse_model(args.model)
        options = read_chat_options(args, args.out / ".journal.sqlite")
        if args.estimate:
            from xl_suite.chat.estimates import estimate

            prompts = [prompt for own in sources.prompts.values() for prompt in own]
            calls = plan_calls(read_edits(args.out / FILE_NAME, prompts).others, settings)
            print_estimates([estimate(model, calls, options)], json=args.json)
            return 0
        benchmark = build_benchmark(sources, model, options, out=args.out, settings=settings)
    write_folder(benchmark, args.out)
    if benchmark.ledger is not None:
        print(benchmark.ledger.describe(), file=sys.stderr)
    if args.json:
        print_json({"out": str(args.out), "review": str(args.out / FILE_NAME), **benchmark.to_dict()})
    else:
        print(describe(benchmark, args.out))
    return 1 if benchmark.aside else 0


def _read_sources(args: argparse.Namespace) -> Sources:
    from m_alpacaeval.release import list_release_languages
    from m_alpacaeval.rows import collect_sources, default_languages, read_sources
    from xl_suite.languages import parse_languages

    if args.languages != "all":
        languages = [row.code for row in parse_languages(args.languages, []) if row.code != "eng"]
    else:
        languages = default_languages() if args.source is None else list_release_languages(args.source)
    if args.all_prompts is None:
        return read_sources(args.benchmark, languages)
    from xl_alpacaeval.dataset import build_benchmark

    every = build_benchmark(args.all_prompts, languages=["deu"], variant="all")
    return collect_sources(every.rows, languages, every.source.name)
