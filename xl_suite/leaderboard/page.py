"""Writes the leaderboard's pages: template, style, script and the tables' data in one file.

Everything that models, judges and people named is data: it reaches the page as JSON in which no tag can begin, and
the scripts show it with textContent alone. The content security policy names the hash of the one style and of the
one script that may act; beside it only the folder's own data files are loaded, and nothing is sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
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

    style = pages.read_style("xl_suite.leaderboard", "page.css")
    script = "\n".join(read_part(name) for name in scripts)
    return pages.render(
        "xl_suite.leaderboard",
        template,
        policy=policy(style, script),
        title=clean_title(title),
        style=style,
        # A browser takes what a script holds as it is, without entities.
        script=Markup(script),
        data=Markup(data),
    )


@cache
def policy(style: str, script: str) -> str:
    """The content security policy under which only this style and this script count."""
    return (
        # `self` is the site's own server; `file:` counts only for a page that was opened from a file.
        f"default-src 'none'; script-src '{_hash(script)}' 'self' file:; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def embed(value: Any) -> str:
    """JSON that can be in a <script type="application/json">: no character of it can begin a tag or a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return escape_surrogates(text)


def clean_title(text: str) -> str:
    return _BIDI.sub("", text)


@cache
def read_part(name: str) -> str:
    return files("xl_suite.leaderboard").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
