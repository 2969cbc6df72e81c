"""What pydantic finds wrong with a configuration, in words that name the key and what is valid."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel


def explain(error: Any, root: type[BaseModel]) -> str:
    """One of pydantic's errors as a sentence that names the key, the value and what is valid. root: all of it."""
    place = ".".join(str(part) for part in error["loc"]) or "the configuration"
    if error["type"] == "extra_forbidden":
        section = _find_section(error["loc"][:-1], root)
        valid = list(section.model_fields) if section else []
        near = difflib.get_close_matches(str(error["loc"][-1]), valid, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{place}: there is no such key.{hint} Valid keys: {', '.join(valid)}."
    if error["type"] == "missing":
        return f"{place}: missing."
    problem = error["msg"].removeprefix("Value error, ").rstrip(".")
    shown = repr(error["input"])
    found = f" (found {shown})" if len(shown) < 100 and error["type"] != "value_error" else ""
    return f"{place}: {problem[0].lower() + problem[1:]}{found}."


def _find_section(place: tuple[Any, ...], root: type[BaseModel]) -> type[BaseModel] | None:
    """The section that a place in the configuration is of: ("translators", 0) is of a Translator."""
    section = root
    for part in place:
        if isinstance(part, int):
            continue
        field = section.model_fields.get(str(part))
        if field is None:
            return None
        hints = [field.annotation, *getattr(field.annotation, "__args__", ())]
        own = [hint for hint in hints if isinstance(hint, type) and issubclass(hint, BaseModel)]
        if not own:
            return None
        section = own[0]
    return section
