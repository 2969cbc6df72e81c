"""Options shared by several verbs, each defined once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.display import FORMATS, PAPER, Shown, format_rows

if TYPE_CHECKING:
    from xl_suite.api import ChatSettings
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.ledger import Ledger
from xl_suite.cli.values import extra_field, non_negative, positive, positive_int, price_entry

Parser = argparse._ActionsContainer  # a parser or a group of its options


@dataclass(frozen=True)
class Outcome:
    """The result of a verb: `answer` is printed with --json, `text` without it, `notes` go to stderr either way.

    status: 0 done, 1 finished with failed rows or stopped by the budget, 2 refused. ledger: the costs of all
    calls, which `run_verb` adds.
    """

    answer: Any = None
    text: str = ""
    notes: tuple[str, ...] = ()
    status: int = 0
    ledger: Ledger | None = None


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else")
    told = parser.add_mutually_exclusive_group()
    told.add_argument("-v", "--verbose", action="store_true", help="print more on stderr")
    told.add_argument("-q", "--quiet", action="store_true", help="print only warnings and errors on stderr")


def add_format(parser: Parser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="print the rows as a table for a paper or a spreadsheet; latex needs the package booktabs",
    )


def add_plot(parser: Parser) -> None:
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.svg",
        help="draw a figure too: win rate against fidelity, a dot for each language with its intervals",
    )


def add_languages(parser: Parser) -> None:
    parser.add_argument(
        "--languages",
        default="all",
        metavar="CODES",
        help="ISO 639-3 codes with commas between, such as deu,zho; or all (default: all)",
    )


def add_limit(parser: Parser, what: str = "only the first N rows of each language") -> None:
    parser.add_argument("--limit", type=positive_int, metavar="N", help=f"{what} (default: all)")


def add_out(parser: Parser, *, required: bool = True, default: Path | None = None) -> None:
    told = "the folder to write" + (f" (default: {default})" if default else "")
    parser.add_argument("--out", type=Path, required=required, default=default, metavar="DIR", help=told)


def add_model(parser: Parser, what: str, *, required: bool = False, default: str | None = None) -> None:
    told = f"{what} (default: {default})" if default else what
    parser.add_argument("--model", required=required, default=default, metavar="MODEL", help=told)


def add_name(parser: Parser, what: str) -> None:
    parser.add_argument("--name", default="", metavar="GENERATOR", help=what)


def add_language(parser: Parser) -> None:
    parser.add_argument(
        "--language", default="", metavar="CODE", help="ISO 639-3 code, for rows that name no language"
    )


def add_benchmark(parser: Parser, what: str, *, required: bool = False) -> None:
    parser.add_argument("--benchmark", required=required, metavar="DIR_OR_HUB_ID", help=what)


def add_reference(parser: Parser, what: str, *, required: bool = False) -> None:
    parser.add_argument("--reference", type=Path, required=required, metavar="OUTPUTS", help=what)


def add_annotator(parser: Parser, what: str, *, required: bool = False) -> None:
    parser.add_argument("--annotator", required=required, default="", metavar="NAME_OR_DIR", help=what)


def add_gate(parser: Parser, default: str) -> None:
    parser.add_argument(
        "--gate",
        choices=("both", "both-wrong-half", "model", "none"),
        default=default,
        help="whose answers must be in the language asked for, for the gated win rate; both-wrong-half: as both, but "
        f"a draw where both fail; none ignores the languages (default: {default})",
    )


def add_resampling(parser: Parser) -> None:
    parser.add_argument(
        "--resamples",
        type=positive_int,
        default=10_000,
        metavar="N",
        help="resamples of prompts (default: 10000)",
    )
    add_seed(parser, "the seed of the resampling", 0)


def add_seed(parser: Parser, what: str, default: int | None) -> None:
    told = f"seed {what}" + ("" if default is None else f" (default: {default})")
    parser.add_argument("--seed", type=int, default=default, metavar="N", help=told)


def add_max_tokens(parser: Parser, what: str, default: int | None, shown: int) -> None:
    parser.add_argument(
        "--max-tokens", type=positive_int, default=default, metavar="N", help=f"tokens of {what} (default: {shown})"
    )


def describe_rows(found: Shown, form: str | None) -> str:
    """The rows of a result in the format of `--format`, without nested values; empty without the option."""
    if form is None:
        return ""
    every = found.to_paper() if form in PAPER else found.to_rows()
    rows = [{key: one for key, one in row.items() if not isinstance(one, dict | list)} for row in every]
    return format_rows(rows, form)


def add_chat_options(parser: argparse.ArgumentParser) -> None:
    """The options of every verb that asks models; `read_chat_settings` reads them."""
    group = parser.add_argument_group("calls of the model")
    group.add_argument(
        "--journal", type=Path, metavar="FILE", help="the file that keeps every answer (default: OUT/.journal.sqlite)"
    )
    group.add_argument(
        "--replay", type=Path, metavar="JOURNAL", help="answer every call from this journal, without any network"
    )
    group.add_argument(
        "--estimate", action="store_true", help="print the expected calls, tokens and dollars, and make no calls"
    )
    group.add_argument(
        "--budget",
        type=non_negative,
        metavar="USD",
        help="stop before this run could cost more; the next run goes on from there",
    )
    add_price(group)
    group.add_argument("--slots", type=positive_int, default=64, metavar="N", help="calls in flight (default: 64)")
    group.add_argument(
        "--timeout", type=positive, default=600.0, metavar="SECONDS", help="the limit of one attempt (default: 600)"
    )
    group.add_argument(
        "--wait-for-server",
        type=positive,
        default=900.0,
        metavar="SECONDS",
        help="how long a server may take to load or make room (default: 900)",
    )
    group.add_argument(
        "--wait",
        action="store_true",
        help="wait for another run that writes to the journal; without it such a run is named, with status 2",
    )
    group.add_argument(
        "--same-model",
        action="store_true",
        help="accept another server than the journal's, which serves the same model",
    )
    group.add_argument(
        "--extra",
        action="append",
        type=extra_field,
        metavar="KEY=JSON",
        help='a further field of every request, such as reasoning_effort="low"; repeatable',
    )
    group.add_argument(
        "--attempts", type=positive_int, default=6, metavar="N", help="before a call is given up (default: 6)"
    )


def add_batch_options(parser: argparse.ArgumentParser) -> None:
    """The options of verbs whose calls can go out as batches."""
    group = parser.add_argument_group("half-price batches")
    group.add_argument(
        "--batch",
        action="store_true",
        help="ask in half-price batches, which can take a day; fewer than 100 at a time go one by one",
    )
    group.add_argument(
        "--batch-tail",
        choices=("batch", "online"),
        help="how to repeat calls that a batch left unanswered (default: batch)",
    )


def add_replace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replace",
        action="store_true",
        help="replace finished files that have other settings, or whose answers the journal lacks; "
        "without it such a run ends with status 2 and changes nothing",
    )


def add_rank_options(parser: argparse.ArgumentParser) -> None:
    """The options of verbs that can be divided among processes or machines; `jobs.run_job` obeys them."""
    group = parser.add_argument_group("many processes or machines")
    doing = group.add_mutually_exclusive_group()
    doing.add_argument(
        "--ranks",
        type=positive_int,
        metavar="N",
        help="do the work as N ranks, then write the results (default: one process)",
    )
    doing.add_argument(
        "--rank",
        metavar="R/N",
        help="do the share of rank R of N, from 0, in OUT/.parts; write no result yet",
    )
    doing.add_argument("--finish", action="store_true", help="write the results of the ranks, and make no calls")
    doing.add_argument("--status", action="store_true", help="show the progress of the ranks, and do nothing else")
    group.add_argument(
        "--executor",
        choices=("local", "ray", "parsl"),
        help="the engine of the ranks: processes on this machine (local, the default), tasks of a Ray cluster, or a "
        "scheduler such as Slurm by parsl",
    )
    group.add_argument("--executor-config", type=Path, metavar="FILE", help="YAML for ray or parsl; see the docs")
    group.add_argument(
        "--print-only", action="store_true", help="print the commands of the ranks, and do nothing else"
    )
    group.add_argument(
        "--detach", action="store_true", help="with --ranks: run in the background; --status shows the progress"
    )


def asks_for_ranks(args: argparse.Namespace) -> bool:
    """Whether any option of `add_rank_options` is given."""
    own = (args.rank, args.finish, args.ranks, args.executor, args.status, args.print_only, args.detach)
    return any(own)


def add_price(parser: Parser) -> None:
    parser.add_argument(
        "--price",
        action="append",
        type=price_entry,
        metavar="MODEL=PROMPT,COMPLETION",
        help="dollars per million tokens of a model; repeatable; without MODEL= of the only one that the price list "
        "lacks",
    )


def add_judging_options(parser: argparse.ArgumentParser, *, read: str, auto: str) -> None:
    """OUTPUTS and the options of every judge. read: the noun for a judge's result. auto: what `auto` means."""
    parser.add_argument(
        "outputs", type=Path, metavar="OUTPUTS", help="a generator's folder, a file, or lm-eval samples"
    )
    add_out(parser)
    parser.add_argument(
        "--method",
        default="auto",
        choices=["auto", "logprobs", "sampled", "parsed"],
        help=f"how a {read} is read; auto: {auto} (default: auto)",
    )
    parser.add_argument(
        "--samples", type=positive_int, default=1, metavar="N", help=f"{read}s per row where sampled (default: 1)"
    )
    add_max_tokens(parser, f"a {read} in text", None, 4096)
    parser.add_argument(
        "--retry-unread",
        action="store_true",
        help=f"ask again, with new samples, for every {read} that is unread after three samples",
    )
    add_language(parser)
    add_languages(parser)
    add_limit(parser)
    add_replace(parser)
    add_chat_options(parser)
    add_batch_options(parser)
    add_rank_options(parser)
    add_json(parser)


def read_chat_settings(args: argparse.Namespace) -> ChatSettings:
    """The settings of calls from the arguments of `add_chat_options`."""
    return {
        "journal": args.journal,
        "replay": args.replay,
        "slots": args.slots,
        "timeout": args.timeout,
        "attempts": args.attempts,
        "budget": args.budget,
        "price": dict(args.price or ()),
        "extra": dict(args.extra or ()),
        "wait_for_server": args.wait_for_server,
        "same_model": args.same_model,
        "batch": getattr(args, "batch", False),
        "batch_tail": getattr(args, "batch_tail", None),
        "wait": args.wait,
        "replace": getattr(args, "replace", False),
    }


def describe_estimates(estimates: Sequence[Estimate]) -> Outcome:
    """The output of --estimate for one model or several: text, or one object with `estimates` and their sums."""
    unknown = any(one.dollars is None for one in estimates)
    totals = {
        "calls": sum(one.calls for one in estimates),
        "new": sum(one.new for one in estimates),
        "in_journal": sum(one.in_journal for one in estimates),
        "prompt_tokens": sum(one.prompt_tokens for one in estimates),
        "completion_tokens": sum(one.completion_tokens for one in estimates),
        **{
            name: None if unknown else sum(getattr(one, name) or 0 for one in estimates)
            for name in ("dollars", "low_dollars", "high_dollars", "most_dollars")
        },
    }
    answer = {**totals, "estimates": [one.to_dict() for one in estimates]}
    return Outcome(answer, "\n".join(one.describe() for one in estimates))
