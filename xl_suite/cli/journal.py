"""`xl-suite journal`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json
from xl_suite.errors import BadInput

SUMMARY = "Show, export, import and merge journals of paid answers."
EXAMPLES = """\
examples:
  xl-suite journal show outputs/.journal.sqlite
  xl-suite journal export outputs/.journal.sqlite journal.jsonl     # text that can be read, reviewed and published
  xl-suite journal import journal.jsonl outputs/.journal.sqlite
  xl-suite journal merge run1.sqlite run2.jsonl outputs/.journal.sqlite
then: xl-suite respond xl-alpacaeval --model MODEL --replay journal.jsonl --out again

import and merge only add: existing answers are unchanged. Keys, times and failed calls are not
exported, so that journals with the same answers give the same text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="models, answers, tokens and failed calls of a journal")
    show.add_argument("file", type=Path, metavar="FILE", help="a journal, SQLite or JSONL")
    export = actions.add_parser("export", help="write a journal as JSONL")
    export.add_argument("file", type=Path, metavar="FILE", help="a journal (SQLite)")
    export.add_argument("out", type=Path, metavar="OUT", help="the JSONL file to write")
    take = actions.add_parser("import", help="add the answers of a JSONL file to a journal")
    take.add_argument("sources", type=Path, nargs=1, metavar="SOURCE", help="a JSONL file that `export` wrote")
    take.add_argument("file", type=Path, metavar="FILE", help="the journal; created if missing")
    merge = actions.add_parser("merge", help="add the answers of several journals to one")
    merge.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="journals, SQLite or JSONL")
    merge.add_argument("file", type=Path, metavar="FILE", help="the journal; created if missing")
    for action in (show, export, take, merge):
        add_json(action)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.chat.replay import export_journal, merge_journals

    if args.action == "show":
        return _show(args.file)
    if args.action == "export":
        if args.out.resolve() == args.file.resolve():
            raise BadInput(f"{args.out} is the journal itself. Name another file for its text.")
        count = export_journal(args.file, args.out)
        return Outcome({"out": str(args.out), "answers": count}, f"{args.out}: {count} answers")
    if args.file.resolve() in {source.resolve() for source in args.sources}:
        raise BadInput(f"{args.file} is both a source and the journal to add to. Name it once, last.")
    new = merge_journals(args.sources, args.file)
    return Outcome({"journal": str(args.file), "new": new}, f"{args.file}: {new} answers added")


def _show(path: Path) -> Outcome:
    from xl_suite.chat.replay import summarize_journal

    models = summarize_journal(path)
    lines = [f"{'model':<40}{'answers':>9}{'failed':>8}{'prompt':>12}{'completion':>12}  last answer"]
    for one in models:
        last = "-" if one.last is None else datetime.fromtimestamp(one.last, UTC).strftime("%Y-%m-%d %H:%M UTC")
        counts = f"{one.answers:>9,}{one.failed:>8,}{one.prompt_tokens:>12,}{one.completion_tokens:>12,}"
        lines.append(f"{one.model:<40}{counts}  {last}")
    lines.append("prompt, completion: tokens")
    if damaged := sum(one.damaged for one in models):
        lines.append(f"{damaged:,} answers are damaged; the next run asks for them again")
    return Outcome({"journal": str(path), "models": [asdict(one) for one in models]}, "\n".join(lines))
