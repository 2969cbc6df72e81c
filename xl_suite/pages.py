"""HTML from templates, through Jinja2 with autoescape: every value is text unless the caller marks it as markup.

A page with a script has its data as JSON in which no tag can begin, and a policy that names the hash of its style and
of its script, so that nothing else acts in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from xl_suite.surrogates import escape_surrogates

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

# Characters that reorder text around them; a title has no element that could contain them.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def render(package: str, name: str, **values: Any) -> str:
    """The template `name` of a package, filled with `values`.

    Values are escaped but for those of markupsafe's type Markup, and are never taken for a template. A variable
    without a value raises jinja2.UndefinedError.
    """
    return _load_environment(package).get_template(name).render(values)


@cache
def read_style(package: str, name: str) -> Markup:
    """The style that all pages share, and after it the file `name` of a package, for a <style> element."""
    from markupsafe import Markup

    # A browser takes what a style holds as it is, without entities.
    return Markup(_read("xl_suite", "pages.css") + _read(package, name))


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
def _load_environment(package: str) -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _read(package, name)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
