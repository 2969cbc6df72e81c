"""`xl-suite generate`."""

from __future__ import annotations

import argparse

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import (
    Outcome,
    add_batch_options,
    add_chat_options,
    add_json,
    add_limit,
    add_out,
    read_chat_settings,
)
from xl_suite.errors import BadInput

SUMMARY = "Make cross-lingual training data from English passages: XL-Instruct's four stages."
EXAMPLES = """\
examples:
  xl-suite generate smoke --show > my-run.yaml             # then put your own names in
  xl-suite generate my-run.yaml --out xl-instruct --estimate
  xl-suite generate my-run.yaml --out xl-instruct
  xl-suite generate my-run.yaml --out tried --limit 20
  xl-suite generate my-run.yaml --out tried --explain 7    # a row's life, refused candidates included

CONFIG is a YAML file, or the name of one that comes with the package: paper, permissive, smoke. A copy of one is the
easiest beginning; a key that is wrong is named together with those that are valid.
OUT becomes a dataset's folder (README.md, default/, bestof3/, scored/), with report.html and quarantine.jsonl. The
same command goes on after Ctrl-C, kill -9 or a budget's end; a changed configuration pays only for what is new."""


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
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_instruct.config import read_text
    from xl_suite.api import generate

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
    job = generate.plan(args.config, out=args.out, limit=args.limit, **read_chat_settings(args))
    return run_job(
        args,
        job,
        lambda made: Outcome(made.to_dict(), notes=(made.describe(),), status=1 if made.quarantined else 0),
    )
