"""Hooks of mkdocs: the page of the command line, made from the parsers of the verbs, and formulas as MathML.

Browsers show MathML themselves, so that the pages need no script for formulas and no network.
"""

from __future__ import annotations

import argparse
import html
import os
import re
from collections.abc import Iterator
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

from xl_suite.cli.main import build_parser

COLUMNS = "100"
# As pymdownx.arithmatex leaves them with `generic: true`.
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_files(files: Files, config: Any) -> Files:
    """Adds `reference/cli.md` to the pages."""
    files.append(File.generated(config, "reference/cli.md", content=render_reference()))
    return files


def on_page_content(text: str, **_: Any) -> str:
    """The page with each formula of TeX as MathML."""
    return FORMULA.sub(_render_formula, text)


def _render_formula(found: re.Match[str]) -> str:
    tag, shown = found["tag"], "block" if found["open"] == "[" else "inline"
    return f'<{tag} class="formula">{convert(html.unescape(found["tex"]), display=shown)}</{tag}>'


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
