"""Options that several verbs share, so that they are spelled and explained in one way."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.settings import ChatOptions


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")


def add_languages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--languages",
        default="all",
        metavar="CODES",
        help="ISO 639-3 codes with commas between: deu,zho; or all (default)",
    )


def add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=positive_int, metavar="N", help="only the first N rows of each language")


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")


def positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small; 1 or more is needed")
    return value


def print_json(value: Any) -> None:
    from xl_suite.records import dump_json

    print(dump_json(value), end="")


def add_chat_options(parser: argparse.ArgumentParser) -> None:
    """The options of every verb that asks models; `read_chat_options` reads them."""
    group = parser.add_argument_group("calls of the model")
    group.add_argument(
        "--journal", type=Path, metavar="FILE", help="where every answer is kept (default: OUT/.journal.sqlite)"
    )
    group.add_argument(
        "--replay", type=Path, metavar="JOURNAL", help="answer every call from this journal, without any network"
    )
    group.add_argument(
        "--estimate", action="store_true", help="print calls, tokens and dollars to come, and make no call"
    )
    group.add_argument(
        "--budget",
        type=non_negative,
        metavar="USD",
        help="stop before this run could cost more; the next run goes on from there",
    )
    group.add_argument(
        "--price",
        type=price_pair,
        metavar="PROMPT,COMPLETION",
        help="dollars per million tokens, for a model that the price list lacks",
    )
    group.add_argument("--slots", type=positive_int, default=64, metavar="N", help="calls in flight (default: 64)")
    group.add_argument(
        "--timeout", type=positive, default=600.0, metavar="SECONDS", help="for one attempt (default: 600)"
    )
    group.add_argument(
        "--attempts", type=positive_int, default=6, metavar="N", help="before a call is given up (default: 6)"
    )


def add_judging_options(parser: argparse.ArgumentParser, *, read: str, auto: str) -> None:
    """OUTPUTS and what every judge of them takes. read: what is read of its answers, in the singular. auto: how."""
    parser.add_argument(
        "outputs", type=Path, metavar="OUTPUTS", help="a generator's folder, a file, or lm-eval samples"
    )
    add_out(parser)
    parser.add_argument(
        "--method",
        default="auto",
        choices=["auto", "logprobs", "sampled", "parsed"],
        help=f"how a {read} is read; auto (default): {auto}",
    )
    parser.add_argument("--samples", type=positive_int, default=1, metavar="N", help=f"{read}s a row where sampled")
    parser.add_argument("--max-tokens", type=positive_int, metavar="N", help=f"of a {read} in text; default 4096")
    parser.add_argument("--language", default="", metavar="CODE", help="of outputs that name none")
    add_languages(parser)
    add_limit(parser)
    add_chat_options(parser)
    add_json(parser)


def read_chat_options(args: argparse.Namespace, journal: Path | None = None) -> ChatOptions:
    """How calls are made, as the arguments say; `journal` is the default of --journal."""
    from xl_suite.chat.settings import ChatOptions

    if args.replay is not None and args.journal is not None:
        raise BadInput("--replay reads a journal and --journal writes one: give one of the two.")
    return ChatOptions(
        journal=None if args.replay is not None else args.journal or journal,
        replay=args.replay,
        slots=args.slots,
        timeout=args.timeout,
        attempts=args.attempts,
        budget=args.budget,
        price=args.price,
    )


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def non_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of 0 or more")
    return value


def price_pair(text: str) -> tuple[float, float]:
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair of prices, such as 2.5,10")
    return non_negative(parts[0]), non_negative(parts[1])


def print_estimates(estimates: Sequence[Estimate], *, json: bool) -> None:
    """What --estimate prints, for one model or several: text, or one object with `estimates` and their sums."""
    if not json:
        for one in estimates:
            print(one.describe())
        return
    unknown = any(one.dollars is None for one in estimates)
    totals = {
        "calls": sum(one.calls for one in estimates),
        "new": sum(one.new for one in estimates),
        "in_journal": sum(one.in_journal for one in estimates),
        "prompt_tokens": sum(one.prompt_tokens for one in estimates),
        "completion_tokens": sum(one.completion_tokens for one in estimates),
        "dollars": None if unknown else sum(one.dollars or 0 for one in estimates),
        "most_dollars": None if unknown else sum(one.most_dollars or 0 for one in estimates),
    }
    print_json({**totals, "estimates": [one.to_dict() for one in estimates]})
