"""A hook of mkdocs: the page of the command line, made from the parsers of the verbs when the site is built."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File, Files

from xl_suite.cli.main import build_parser

COLUMNS = "100"


def on_files(files: Files, config: Any) -> Files:
    """Adds `reference/cli.md` to the pages."""
    files.append(File.generated(config, "reference/cli.md", content=render_reference()))
    return files


def render_reference() -> str:
    """The help of each verb as the verb prints it, 100 columns wide."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        parser = build_parser()
        lines = ["# Command line", "", "`xl-suite VERB --help` prints the same.", ""]
        for name, verb in list_verbs(parser, ""):
            lines += [f"## xl-suite {name}", "", "```text", verb.format_help().rstrip(), "```", ""]
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(lines)


def list_verbs(parser: argparse.ArgumentParser, prefix: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(name, parser) of each verb, and of each action of a verb, as in `build xl-alpacaeval`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                yield f"{prefix}{name}", verb
                yield from list_verbs(verb, f"{prefix}{name} ")
