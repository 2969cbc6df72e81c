"""`xl-suite tasks`."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json
from xl_suite.errors import BadInput

SUMMARY = "Print the folder of the lm-eval tasks, for `lm_eval --include_path`."
EXAMPLES = """\
examples:
  lm_eval --include_path "$(xl-suite tasks)" --tasks xl_alpacaeval_deu --model hf \\
      --model_args pretrained=MODEL --apply_chat_template --log_samples --output_path results
  lm_eval --include_path "$(xl-suite tasks)" --tasks xl_alpacaeval --metadata '{"benchmark": "DIR"}' ..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    spec = find_spec("harness_tasks")
    if spec is None or spec.origin is None:
        raise BadInput("the package harness_tasks is not installed beside xl_suite. Install xl-suite again.")
    folder = Path(spec.origin).parent
    return Outcome({"folder": str(folder)}, str(folder))
