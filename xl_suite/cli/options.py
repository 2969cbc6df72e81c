"""Options that several verbs share, so that they are spelled and explained in one way."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


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
