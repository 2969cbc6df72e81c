"""The page on which people compare answers: one file, which works from a disk and sends nothing.

Answers are untrusted: they reach the page as JSON in which no tag can begin, and its script shows them as text.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from xl_suite import pages
from xl_suite.languages import find_language
from xl_suite.people.labels import COLUMNS
from xl_suite.people.sheet import KEY_ENDING, TASKS_ENDING, Sheet, list_tasks, write_key
from xl_suite.records import write_json, write_text
from xl_suite.surrogates import replace_surrogates


def write_page(path: Path, sheet: Sheet, title: str) -> Path:
    """Writes the page, and beside it its key and its rows as tasks for other tools; the key's file."""
    base = path.name.removesuffix(".html")
    key = path.with_name(base + KEY_ENDING)
    write_text(path, render_page(sheet, title))
    write_key(key, sheet)
    write_json(path.with_name(base + TASKS_ENDING), list_tasks(sheet))
    return key


def render_page(sheet: Sheet, title: str) -> str:
    """The page as HTML. Neither the models' names nor which answer is whose is in it."""
    from markupsafe import Markup

    style = pages.read_style("xl_suite.people", "page.css")
    script = files("xl_suite.people").joinpath("page.js").read_text(encoding="utf-8")
    # A planted row shows the probability of the others: without one it would be told from them.
    usual = {item.language: item.probability for item in sheet.items if not item.known}
    rows = [
        {**task, "probability": usual[item.language] if item.known else item.probability}
        for task, item in zip(list_tasks(sheet), sheet.items, strict=True)
    ]
    languages = {}
    for code in sheet.languages:
        language = find_language(code)
        languages[code] = {"name": language.name, "tag": language.code2 or code}
    data, _ = replace_surrogates(
        {
            "page": sheet.page,
            "seed": sheet.seed,
            "columns": list(COLUMNS),
            "languages": languages,
            "rows": rows,
        }
    )
    return pages.render(
        "xl_suite.people",
        "page.html",
        title=pages.clean_title(title),
        policy=pages.policy(style, script),
        style=style,
        script=Markup(script),
        data=Markup(pages.embed(data)),
    )
