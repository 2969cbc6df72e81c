"""`xl-suite demo`."""

from __future__ import annotations

import argparse
import sys

from xl_suite.cli.options import add_json, add_out, print_json

SUMMARY = "Run the whole main job on embedded demo data: no network, no key, under a minute."
EXAMPLES = """\
examples:
  xl-suite demo --out demo-out
  xl-suite demo --out demo-out --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_out(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from xl_suite.demo.steps import run_demo
    from xl_suite.demo.summary import describe, to_json

    demo = run_demo(args.out, report=lambda line: print(line, file=sys.stderr))
    if args.json:
        print_json(to_json(demo))
    else:
        print("\n" + describe(demo))
    return 0
