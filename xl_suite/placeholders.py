"""Text with {placeholders}, filled in one pass: what a value holds is never taken for a placeholder.

Prompts write {name}; cards, whose text may hold braces, write {{name}}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from xl_suite.errors import BadInput

_SINGLE = re.compile(r"\{(\w+)\}")
_DOUBLE = re.compile(r"\{\{(\w+)\}\}")


def find_names(template: str, *, double: bool = False) -> frozenset[str]:
    """The names of the placeholders; with `double`, of those in two braces."""
    return frozenset((_DOUBLE if double else _SINGLE).findall(template))


def fill(template: str, values: Mapping[str, str], *, double: bool = False) -> str:
    """The template with each placeholder that has a value replaced; all others stay as they are."""
    pattern = _DOUBLE if double else _SINGLE
    return pattern.sub(lambda place: values.get(place[1], place[0]), template)


def fill_all(template: str, values: Mapping[str, str], what: str, *, double: bool = False) -> str:
    """The same for a template whose placeholders are exactly `values`; else BadInput, which names `what`."""
    names = find_names(template, double=double)
    if names != set(values):
        odd = ", ".join(sorted(names ^ set(values)))
        raise BadInput(f"{what}: placeholders and values do not match: {odd}.")
    return fill(template, values, double=double)
