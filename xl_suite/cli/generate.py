"""`xl-suite generate`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from xl_suite.cli.jobs import run_detached, run_job, run_phases, tell_detached
from xl_suite.cli.options import (
    Outcome,
    add_batch_options,
    add_chat_options,
    add_json,
    add_limit,
    add_out,
    add_rank_options,
    asks_for_ranks,
    read_chat_settings,
)
from xl_suite.cli.values import positive_int
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_instruct.stages.files import StageFile
    from xl_instruct.stages.generate import Generated
    from xl_suite.api.jobs import Job
    from xl_suite.executors.status import RunStatus

SUMMARY = "Make cross-lingual training data from English passages: XL-Instruct's four stages."
EXAMPLES = """\
examples:
  xl-suite generate smoke --show > my-run.yaml             # then insert your own names
  xl-suite generate my-run.yaml --out xl-instruct --estimate
  xl-suite generate my-run.yaml --out xl-instruct
  xl-suite generate my-run.yaml --out tried --limit 20
  xl-suite generate my-run.yaml --out xl-instruct --ranks 4
  xl-suite generate my-run.yaml --out tried --explain 7    # the history of a row, with refused candidates

CONFIG is a YAML file, or the name of one that comes with the package: paper, permissive, smoke. To begin, copy
one of these; an error message about a wrong key lists the valid ones.
OUT becomes a dataset's folder (README.md, default/, bestof3/, scored/), with report.html and quarantine.jsonl. The
same command continues after Ctrl-C, kill -9 or a reached budget; a changed configuration pays for new calls only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or: paper, permissive, smoke")
    add_out(parser, required=False)
    parser.add_argument("--show", action="store_true", help="print CONFIG with its comments, and do nothing else")
    parser.add_argument(
        "--explain",
        type=int,
        metavar="ID",
        help="show what each stage of the newest run in OUT made of this passage, and do nothing else",
    )
    add_limit(parser, "only the first N passages of the sample")
    add_chat_options(parser)
    add_batch_options(parser)
    add_rank_options(parser)
    parser.add_argument(
        "--phase",
        metavar="PHASE",
        help="the phase of --rank, --finish, --status and --print-only: pairs, then translated:1 and so on, one "
        "for each group of translators that are asked together, then documented (default: all, one after the other)",
    )
    parser.add_argument(
        "--shard-rows",
        type=positive_int,
        metavar="N",
        help="rows of a rank's unit; the same for all ranks of a run (default: 4096)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_instruct.config import read_text
    from xl_suite.api import generate
    from xl_suite.api.training import list_phases, read_phases

    if args.show:
        text = read_text(args.config)[0]
        return Outcome({"config": text}, text.removesuffix("\n"))
    if args.out is None:
        raise BadInput("--out is missing: name the folder to write.")
    if args.explain is not None:
        from xl_instruct.config import read_config
        from xl_instruct.stages.explaining import describe_life, explain_row

        life = explain_row(read_config(args.config), args.out, args.explain)
        return Outcome({"id": args.explain, "life": life}, describe_life(life))

    def plan(phase: str | None) -> Job[Any]:
        settings = read_chat_settings(args)
        return generate.plan(
            args.config, out=args.out, limit=args.limit, phase=phase, shard_rows=args.shard_rows, **settings
        )

    if args.phase is None and asks_for_ranks(args):
        if args.status:
            return tell_phases(read_phases(args.config, args.out, args.limit), tell_detached(args))
        phases = list_phases(args.config, args.out, args.limit)
        if args.rank or args.print_only:
            raise BadInput(f"--rank and --print-only are for one phase: add --phase with one of {', '.join(phases)}.")
        if args.ranks:
            return run_detached(args) if args.detach else run_phases(args, phases, plan, tell_made)
    if args.phase is not None and not asks_for_ranks(args):
        raise BadInput("--phase is for ranks: add --rank R/N, --ranks N, --finish, --status or --print-only.")
    return run_job(args, plan(args.phase), tell_made if args.phase is None else partial(tell_phase, args.phase))


def tell_made(made: Generated) -> Outcome:
    return Outcome(made.to_dict(), notes=(made.describe(),), status=1 if made.quarantined else 0)


def tell_phases(phases: Mapping[str, RunStatus | None], first: Sequence[str]) -> Outcome:
    waits = "waits for the phase before it"
    lines = [*first, *(f"{phase}: {told.describe() if told else waits}" for phase, told in phases.items())]
    return Outcome({phase: told and told.to_dict() for phase, told in phases.items()}, "\n".join(lines))


def tell_phase(phase: str, files: Mapping[str, StageFile]) -> Outcome:
    summaries = [file.summary() for file in files.values()]
    rows = {one.language or "rows": one.rows for one in summaries}
    return Outcome({"phase": phase, "rows": rows}, notes=tuple(one.describe() for one in summaries))
