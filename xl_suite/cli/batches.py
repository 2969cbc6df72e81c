"""`xl-suite batches`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json, add_model
from xl_suite.errors import BadInput

SUMMARY = "Show, cancel or release the half-price batches of a run with --batch."
EXAMPLES = """\
examples:
  xl-suite respond xl-alpacaeval --model gpt-4o-2024-08-06 --out outputs --batch     # makes them, and waits
  xl-suite batches outputs
  xl-suite batches outputs --cancel batch_abc123
  xl-suite batches outputs --forget all

When a run is stopped, its batches go on at the server, and the same command fetches their answers. It also fetches
the answers of a cancelled batch and asks the rest again. After --forget the next run asks all calls again and may pay
twice: use it only for batches that the server no longer knows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", type=Path, metavar="OUT", help="the folder that the run wrote, or its journal")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--cancel", metavar="BATCH", help="cancel this batch at its server, or all")
    doing.add_argument("--forget", metavar="BATCH", help="release the calls of this batch, or of all")
    add_model(parser, "MODEL@URL of the batch's server, for --cancel, where the environment does not name it")
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.chat.batches.overview import (
        cancel_batches,
        choose_batches,
        find_journal,
        forget_batches,
        list_batches,
    )

    if args.model and not args.cancel:
        raise BadInput("--model names the server for --cancel: add --cancel.")
    journal = find_journal(args.place)
    notes: tuple[str, ...] = ()
    if args.cancel:
        told = cancel_batches(choose_batches(list_batches(journal), args.cancel), args.model)
        notes = tuple(f"{batch.id}: {batch.status}" for batch in told)
    if args.forget:
        chosen = choose_batches(list_batches(journal), args.forget)
        forget_batches(journal, chosen)
        notes = tuple(f"{one.name}: forgotten, {one.unanswered:,} calls may be asked again" for one in chosen)
    listed = list_batches(journal)
    lines = [f"{'batch':<34}{'model':<28}{'state':<10}{'calls':>9}{'to come':>9}  since"]
    for one in listed:
        since = datetime.fromtimestamp(one.plan.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
        counts = f"{one.plan.calls:>9,}{one.unanswered:>9,}"
        lines.append(
            f"{one.name:<34}{one.plan.name:<28}{one.plan.state:<10}{counts}  {since}  {one.plan.note}".rstrip()
        )
    answer = {
        "journal": str(journal),
        "batches": [{**one.plan._asdict(), "unanswered": one.unanswered} for one in listed],
    }
    return Outcome(answer, "\n".join(lines) if listed else f"{journal}: no batches", notes)
