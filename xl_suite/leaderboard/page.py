"""Writes the leaderboard's pages: template, style, script and data in one file that loads nothing else.

Everything that models, judges and people named is data: it reaches the page as JSON in which no tag can begin, and
the scripts show it with textContent alone. The content security policy names the hash of the one style and of the
one script that may act; nothing else is loaded or run, and nothing is sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from xl_suite import pages
from xl_suite.surrogates import escape_surrogates

# Characters that reorder text around them; a title has no element that could contain them.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def render_page(template: str, scripts: tuple[str, ...], *, title: str, data: str) -> str:
    """The page of a template. data: JSON from `embed`. scripts: files of this package, joined in this order."""
    from markupsafe import Markup

    style = read_part("page.css")
    script = "\n".join(read_part(name) for name in scripts)
    return pages.render(
        "xl_suite.leaderboard",
        template,
        policy=policy(style, script),
        title=clean_title(title),
        # A browser takes what a style or script holds as it is, without entities.
        style=Markup(style),
        script=Markup(script),
        data=Markup(data),
    )


@cache
def policy(style: str, script: str) -> str:
    """The content security policy under which only this style and this script count."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def embed(value: Any) -> str:
    """JSON that can stand in a <script type="application/json">: no character of it can begin a tag or a comment."""
    return embed_json(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def embed_json(text: str) -> str:
    """The same for JSON that is text already. `<`, `>` and `&` only ever stand in its strings."""
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return escape_surrogates(text)


def join_embedded(parts: Mapping[str, str]) -> str:
    """An object of parts that were embedded before, so that large ones need not be parsed again."""
    return "{" + ",".join(f"{embed(key)}:{text}" for key, text in parts.items()) + "}"


def clean_title(text: str) -> str:
    return _BIDI.sub("", text)


@cache
def read_part(name: str) -> str:
    return files("xl_suite.leaderboard").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
