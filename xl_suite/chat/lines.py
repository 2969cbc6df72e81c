"""The sentences that a user reads when a server refuses, waits or wants something else: `lines.yaml`, by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any


class _Values(dict[str, object]):
    """What a sentence's names stand for; a name without a value stays as it is."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def tell(line: str, **values: object) -> str:
    """The sentence `line` with its names filled in. KeyError for a name that is none.

    said: without its full stop, which the sentence has.
    """
    text: str = _read()[line]["text"]
    if isinstance(said := values.get("said"), str):
        values["said"] = said.rstrip(". ")
    return text.format_map(_Values(values))


@cache
def _read() -> dict[str, Any]:
    import yaml

    lines: dict[str, Any] = yaml.safe_load(files("xl_suite.chat").joinpath("lines.yaml").read_text(encoding="utf-8"))
    return lines
