"""Hooks of mkdocs: pages of the command line and of servers, made from parsers and tables, and formulas as MathML.

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

from xl_suite.chat.lines import tell
from xl_suite.chat.loopback.likeness import list_servers, read_server
from xl_suite.cli.main import build_parser

COLUMNS = "100"
# As pymdownx.arithmatex leaves them with `generic: true`.
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_files(files: Files, config: Any) -> Files:
    """Adds `reference/cli.md` and `reference/servers.md` to the pages."""
    files.append(File.generated(config, "reference/cli.md", content=render_reference()))
    files.append(File.generated(config, "reference/servers.md", content=render_servers()))
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


# Rows of `tests/xl_suite/chat/test_likeness_verbs.py`, which runs each verb with each server.
VERBS = ("respond", "judge", "rate", "build m-alpacaeval", "generate", "lm_eval with a judge")
OUTCOMES = {
    "answered": "an answer",
    "withheld": "a row without text, counted apart",
    "retried": "asked again",
    "failed": "the row fails; the next run tries it again",
    "ended": "the run ends",
    "adapted": "asked in another way, which the journal keeps",
}


def render_servers() -> str:
    """The page that says, for each kind of server, what a user gets."""
    lines = [_SERVERS.strip(), "", f"| server | {' | '.join(VERBS)} |", f"| --- |{' --- |' * len(VERBS)}"]
    tables = [read_server(name) for name in list_servers()]
    tables.sort(key=lambda table: (table["family"], table["title"]))
    lines += [f"| {table['title']} |{' ok |' * len(VERBS)}" for table in tables]
    for table in tables:
        lines += [
            "",
            f"## {table['title']}",
            "",
            "| what it does | HTTP | what you get | the line |",
            "| --- | --- | --- | --- |",
        ]
        for fact in [*table["refusals"].values(), *table["waits"].values()]:
            told = tell(fact["line"]) if fact.get("line") else ""
            what = fact.get("when") or fact.get("note") or "asks to wait"
            lines.append(f"| {_cell(what)} | {fact['status']} | {OUTCOMES[fact['outcome']]} | {_cell(told)} |")
        ends = [f"`{_cell(name)}` {OUTCOMES[fact['outcome']]}" for name, fact in table["finish_reasons"].items()]
        lines += ["", f"Finish reasons: {'; '.join(ends)}." if ends else "No finish reasons are documented."]
        lines += ["", f"Sources: {', '.join(_cite(one) for one in table['sources'].values())}."]
    return "\n".join(lines)


def _cite(source: dict[str, Any]) -> str:
    return f"[{_cell(source['title'])}]({source['url']}) ({source.get('date') or source.get('read')})"


def _cell(text: str) -> str:
    return html.escape(" ".join(str(text).split()), quote=False).replace("|", "\\|")


_SERVERS = """
# Servers

How real servers behave, by their documentation and issues, and what xl-suite makes of it. The tables are made from
`xl_suite/chat/loopback/servers/*.yaml`, and `python -m xl_suite.chat.loopback --like vllm` plays the server of a
table. Names in braces are filled in.

Each verb with a server that answers as it usually does (`tests/xl_suite/chat/test_likeness_verbs.py`) is in the first
table. What servers refuse is below. It is the same for all verbs, since they call models through one client
(`tests/xl_suite/chat/test_outcomes.py`).
"""
