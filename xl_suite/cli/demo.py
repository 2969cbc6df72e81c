"""`xl-suite demo`."""

from __future__ import annotations

import argparse
import logging

from xl_suite.cli.options import Outcome, add_json, add_out

SUMMARY = "Run the whole main job on embedded demo data: no network, no key, under a minute."
EXAMPLES = """\
examples:
  xl-suite demo --out demo-out
  xl-suite demo --out demo-out --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_out(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.demo.steps import run_demo
    from xl_suite.demo.summary import describe, to_json

    demo = run_demo(args.out, report=logging.getLogger("xl_suite.demo").info)
    return Outcome(to_json(demo), "\n" + describe(demo))
