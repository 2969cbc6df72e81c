"""`xl-suite annotators`."""

from __future__ import annotations

import argparse

from xl_suite.cli.options import Outcome, add_json

SUMMARY = "List the annotators, or print the folder of one for `alpaca_eval --annotators_config`."
EXAMPLES = """\
examples:
  xl-suite annotators
  alpaca_eval --annotators_config "$(xl-suite annotators xl_gpt4o)" \\
      --model_outputs outputs/my-model/deu.json --reference_outputs outputs/gpt-4o-mini/deu.json \\
      --caching_path cache.json --fn_metric get_winrate --sort_by win_rate
  xl-suite annotators xl_gpt4o_crosslingual --language deu"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a built-in annotator, or your own folder")
    parser.add_argument("--language", metavar="CODE", help="for annotators whose prompt names the language")
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.judging.annotator import list_annotators, write_for_alpaca_eval

    if args.name is None:
        names = list_annotators()
        return Outcome({"annotators": names}, "\n".join(names))
    folder = write_for_alpaca_eval(args.name, args.language)
    return Outcome({"annotator": args.name, "folder": str(folder)}, str(folder))
