"""`xl-suite build prompts`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json, add_out, add_seed

HELP = "any prompt set: a column of a file or of a dataset on the Hub"
EXAMPLES = """\
examples:
  xl-suite build prompts --source prompts.jsonl --column prompt --languages deu,zho --name my-prompts --out my-prompts
  xl-suite build prompts --source hin.csv --column instruction --languages hin --template none --name mine --out mine
  xl-suite build prompts --source prompts.parquet --column prompt --id-column question_id --languages deu \\
      --expected expected.tsv --name my-prompts --out my-prompts"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        required=True,
        metavar="FILE_OR_HUB_ID",
        help="a .json, .jsonl, .csv or .parquet file, or a dataset on the Hub",
    )
    parser.add_argument("--file", default="", metavar="NAME", help="the file of the dataset on the Hub to take")
    parser.add_argument("--column", required=True, metavar="NAME", help="the column of the prompts")
    parser.add_argument(
        "--id-column",
        default="",
        metavar="NAME",
        help="the column of the IDs (default: IDs are computed from the prompts' texts)",
    )
    parser.add_argument("--name", required=True, metavar="NAME", help="the benchmark's name, such as my-prompts")
    parser.add_argument(
        "--languages", required=True, metavar="CODES", help="ISO 639-3 codes with commas between, such as deu,zho"
    )
    parser.add_argument(
        "--template",
        choices=("draw", "none"),
        default="draw",
        help='draw: put a sentence such as "Answer in German" below each English prompt (default); none: give the '
        "prompts as they are, in one language",
    )
    parser.add_argument(
        "--expected",
        type=Path,
        metavar="FILE",
        help="a table with tabs and the columns id, pattern, expected: prompts whose right answer is in any language "
        "(any) or another one (other:CODE), by ID or by a regular expression; an ID goes before a pattern",
    )
    parser.add_argument(
        "--license",
        default="",
        metavar="NAME",
        help="the prompts' licence, as the Hub names it (default: the licence on the dataset's card, else unknown)",
    )
    add_seed(parser, "the seed for choosing templates", 0)
    add_out(parser)
    add_json(parser)
    parser.set_defaults(build=run)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import build_prompts

    made = build_prompts(
        args.out,
        source=args.source,
        file=args.file,
        column=args.column,
        id_column=args.id_column,
        name=args.name,
        languages=args.languages,
        template=args.template,
        expected=args.expected,
        license=args.license,
        seed=args.seed,
    )
    rows = {code: len(of_language) for code, of_language in made.rows.items()}
    report = {
        "out": str(args.out),
        "name": made.name,
        "source": made.source,
        "file": made.file,
        "revision": made.revision,
        "sha256": made.sha256,
        "license": made.license,
        "duplicates": list(made.duplicates),
        "rows": rows,
    }
    counts = ", ".join(f"{code} {count}" for code, count in rows.items())
    notes = []
    if made.duplicates:
        places = ", ".join(map(str, made.duplicates[:10])) + (", ..." if len(made.duplicates) > 10 else "")
        notes.append(
            f"Left out, because an earlier record has the same prompt: {len(made.duplicates)} (record {places})."
        )
    if made.license == "unknown":
        notes.append("The licence of the prompts is not known: --license names it. Check it before you publish them.")
    return Outcome(report, f"{args.out}: {made.name}. Rows: {counts}.", tuple(notes))
