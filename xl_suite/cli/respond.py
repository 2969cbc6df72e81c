"""`xl-suite respond`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import (
    Outcome,
    add_batch_options,
    add_chat_options,
    add_json,
    add_languages,
    add_limit,
    add_max_tokens,
    add_model,
    add_name,
    add_out,
    add_rank_options,
    add_replace,
    add_seed,
    read_chat_settings,
)
from xl_suite.cli.values import positive_int

SUMMARY = "Have a model answer a benchmark, one file per language."
EXAMPLES = """\
models:
  gpt-4o-2024-08-06                 OpenAI, or the server of OPENAI_BASE_URL; the key is in OPENAI_API_KEY
  MODEL@http://host:8000/v1         any OpenAI-compatible server; more URLs after commas; a key is in XL_SUITE_API_KEY
  transformers:ID_OR_DIR            started on a free port and stopped at the end; further arguments for the server
  vllm:ID_OR_DIR                    are in XL_SUITE_SERVER_ARGS; vllm is on the PATH or named by XL_SUITE_VLLM
  replay:JOURNAL#MODEL              the answers of a journal, without any network

examples:
  xl-suite respond xl-alpacaeval --model gpt-4o-2024-08-06 --out outputs --estimate
  xl-suite respond xl-alpacaeval --model Qwen/Qwen2.5-7B@http://localhost:8000/v1 --languages deu,zho --out outputs
  xl-suite respond xl-alpacaeval --model vllm:my-model --system @system.txt --name my-model-brief --out outputs
  xl-suite respond xl-alpacaeval --model transformers:my-model --limit 5 --out tried
  xl-suite respond xl-alpacaeval --model vllm:my-model --samples 3 --out outputs
  xl-suite respond xl-alpacaeval --model vllm:my-model --strategy reason-then-translate --out outputs

Outputs are OUT/<generator>/<language>.json, in AlpacaEval's format. The same command again pays only for calls that
the journal (OUT/.journal.sqlite) lacks; failed rows are listed in failed.json and tried again. With --limit, the
files keep the rows of earlier runs with the same settings."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("benchmark", metavar="BENCHMARK", help="a folder that `xl-suite build` made, or a Hub ID")
    add_model(parser, "see below", required=True)
    add_out(parser)
    add_languages(parser)
    add_limit(parser)
    parser.add_argument(
        "--samples",
        type=positive_int,
        default=1,
        metavar="N",
        help="answers to each prompt (default: 1); further ones go to OUT/sample-2/<generator> and so on, and show "
        "the model's own spread in `score`",
    )
    add_name(parser, "name of the outputs' generator (default: the model's name)")
    parser.add_argument(
        "--strategy",
        choices=("direct", "reason-then-translate", "reason-then-translate-2-calls"),
        default="direct",
        help="answer directly, or in English first and then translated, in one call or in two (default: direct); "
        "part of the generator's name",
    )
    asking = parser.add_argument_group("how the model is asked (defaults: the paper's)")
    asking.add_argument("--system", default="", metavar="TEXT_OR_@FILE", help="the system prompt (default: none)")
    asking.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="the user's turn, with {instruction} where the instruction goes (default: the instruction alone)",
    )
    asking.add_argument(
        "--temperature",
        type=_temperature,
        default=0.7,
        metavar="T",
        help="default: 0.7; none leaves it to the server",
    )
    add_max_tokens(asking, "an answer", 2048, 2048)
    asking.add_argument("--top-p", type=_share, metavar="P", help="above 0, at most 1 (default: the server's)")
    add_seed(asking, "derives a seed for each row (default: none is sent)", None)
    add_replace(parser)
    add_chat_options(parser)
    add_batch_options(parser)
    add_rank_options(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import respond
    from xl_suite.responding.plan import read_prompt
    from xl_suite.results import Outputs

    job = respond.plan(
        args.benchmark,
        args.model,
        out=args.out,
        languages=args.languages,
        limit=args.limit,
        samples=args.samples,
        name=args.name,
        strategy=args.strategy,
        system=read_prompt(Path(args.system[1:])) if args.system.startswith("@") else args.system,
        template=read_prompt(args.template) if args.template else "{instruction}",
        temperature=args.temperature,
        max_tokens=args.max_tokens,
        top_p=args.top_p,
        seed=args.seed,
        **read_chat_settings(args),
    )

    def finish(outputs: Outputs) -> Outcome:
        assert outputs.report is not None
        report = outputs.report
        return Outcome(report.to_dict(), notes=(report.describe(),), status=1 if report.failed else 0)

    return run_job(args, job, finish)


def _temperature(text: str) -> float | None:
    if text == "none":
        return None
    value = float(text)
    if not 0 <= value <= 2:
        raise argparse.ArgumentTypeError(f"{text} is outside 0 to 2")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value
