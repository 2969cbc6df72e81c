"""`xl-suite generate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xl_suite.cli.options import add_chat_options, add_json, positive_int, print_json, read_chat_options
from xl_suite.errors import BadInput

SUMMARY = "Make cross-lingual training data from English passages: XL-Instruct's four stages."
EXAMPLES = """\
examples:
  xl-suite generate smoke --show > my-run.yaml             # then put your own names in
  xl-suite generate my-run.yaml --out xl-instruct --estimate
  xl-suite generate my-run.yaml --out xl-instruct
  xl-suite generate my-run.yaml --out tried --limit 20

CONFIG is a YAML file, or the name of one that comes with the package: paper, permissive, smoke. A copy of one is the
easiest beginning; a key that is wrong is named together with those that are valid.
OUT becomes a dataset's folder (README.md, default/, bestof3/, scored/), with report.html and quarantine.jsonl. The
same command goes on after Ctrl-C, kill -9 or a budget's end; a changed configuration pays only for what is new."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or: paper, permissive, smoke")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to write")
    parser.add_argument("--show", action="store_true", help="print CONFIG with its comments, and do nothing else")
    parser.add_argument("--limit", type=positive_int, metavar="N", help="only the first N passages of the sample")
    add_chat_options(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from xl_instruct.config import read_config, read_text
    from xl_instruct.stages.generate import check_out, generate

    if args.show:
        print(read_text(args.config)[0], end="")
        return 0
    if args.out is None:
        raise BadInput("--out is missing: name the folder to write.")

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    config = read_config(args.config)
    options = read_chat_options(args, args.out / ".journal.sqlite")
    if args.estimate:
        from xl_instruct.stages.costs import estimate_run
        from xl_instruct.stages.pipeline import open_pipeline
        from xl_suite.cli.options import print_estimates

        check_out(args.out)
        pipeline = open_pipeline(config, args.out, options, limit=args.limit, say=say)
        print_estimates(estimate_run(pipeline), json=args.json)
        return 0
    made = generate(config, args.out, options, limit=args.limit, say=say)
    print(made.describe(), file=sys.stderr)
    if args.json:
        print_json(made.to_dict())
    return 1 if made.quarantined else 0
