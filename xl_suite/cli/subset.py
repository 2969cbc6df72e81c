"""`xl-suite subset`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json, add_languages, add_out, add_seed

SUMMARY = "Choose a training subset of XL-Instruct or of other instruction data."
EXAMPLES = """\
examples:
  xl-suite subset xl-instruct --size 8000 --translations best-of-3 --out subsets/8k
  xl-suite subset xl-instruct --size 32 --translations best-of-3 --out subsets/32          # among the 8,000
  xl-suite subset xl-instruct --size 8K --translations naive --sampling random --seed 1 --out subsets/8k-random
  xl-suite subset X-Instruction --format x-instruction --languages hin,fin,tur --size 40K --sampling random --out x40k

A subset is a dataset in trl's prompt/completion and conversational forms; `xl-suite train` takes it. Subsets chosen
in the same way are nested. Format x-instruction takes instruction data of others, a file or a folder: Alpaca and
X-Instruction, ShareGPT, messages, prompt/completion, Aya, MURI. The language of a row is in a column `language` or
`language_code`, else in the name of its file or folder (fi.json, data/pt-BR/train-00000-of-00001.parquet)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="DIR", help="a folder that `xl-suite generate` made")
    add_out(parser)
    parser.add_argument("--size", type=parse_size, metavar="N", help="rows: 32, 8000, 8K; default: all")
    parser.add_argument(
        "--translations",
        default="best-of-k",
        metavar="KIND",
        help="naive, or best-of-k (default), as the folder has it",
    )
    parser.add_argument("--sampling", default="best", choices=("best", "random"), help="best: by QE score (default)")
    parser.add_argument(
        "--balance",
        default="balanced",
        choices=("balanced", "proportional", "per-language"),
        help="as many rows of each language (default); as the source has them; or --size rows of each",
    )
    add_seed(parser, "the seed of random sampling", 1)
    parser.add_argument(
        "--format", default="xl-instruct", choices=("xl-instruct", "x-instruction"), help="the format of the source"
    )
    add_languages(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_instruct.dataset.subsets import describe_subset, to_json
    from xl_suite.api import subset

    chosen = subset(
        args.source,
        out=args.out,
        size=args.size,
        translations=args.translations,
        sampling=args.sampling,
        balance=args.balance,
        seed=args.seed,
        format=args.format,
        languages=args.languages,
    )
    return Outcome(to_json(chosen, args.out), notes=(describe_subset(chosen, args.out),))


def parse_size(text: str) -> int:
    try:
        value = int(text[:-1]) * 1000 if text[-1:] in ("k", "K") else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows such as 32, 8000 or 8K") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is too small; the minimum is 1")
    return value
