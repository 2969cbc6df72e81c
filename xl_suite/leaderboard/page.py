"""Writes the leaderboard's pages: template, style, script and the tables' data in one file.

Everything that models, judges and people named is data: it reaches the page as JSON in which no tag can begin, and
the scripts show it with textContent alone. The content security policy names the hash of the one style and of the
one script that may act; beside it only the folder's own data files are loaded, and nothing is sent.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from xl_suite import pages


def render_page(template: str, scripts: tuple[str, ...], *, title: str, data: str) -> str:
    """The page of a template. data: JSON from `pages.embed`. scripts: files of this package, joined in this order."""
    from markupsafe import Markup

    style = pages.read_style("xl_suite.leaderboard", "page.css")
    script = "\n".join(read_part(name) for name in scripts)
    return pages.render(
        "xl_suite.leaderboard",
        template,
        policy=pages.policy(style, script),
        title=pages.clean_title(title),
        style=style,
        # A browser takes what a script holds as it is, without entities.
        script=Markup(script),
        data=Markup(data),
    )


@cache
def read_part(name: str) -> str:
    return files("xl_suite.leaderboard").joinpath(name).read_text(encoding="utf-8")
