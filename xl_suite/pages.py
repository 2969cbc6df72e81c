"""HTML from templates, through Jinja2 with autoescape: every value is text unless the caller marks it as markup."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup


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
