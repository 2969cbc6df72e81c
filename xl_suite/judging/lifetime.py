"""Whether a judge's server announces the judge's shutdown, after which its scores cannot be reproduced."""

from __future__ import annotations

import re
from typing import Any

from xl_suite.chat.http import join_path, open_http, request_json
from xl_suite.chat.models import Model
from xl_suite.chat.run import complete

_ENDING = re.compile(r"deprecat|shut_?down|sunset|retire|end_of_life|expir", re.IGNORECASE)
_SECONDS = 5.0


def find_announced_end(model: Model) -> str | None:
    """The model's shutdown in the server's `/v1/models`, for example `shutdown_date: 2027-01-14`, or None.

    Servers use different names for it or none; None also where the server does not answer.
    """
    if model.kind not in ("openai", "server"):
        return None
    listed = complete(_list_models(model))
    entries = listed.get("data") if isinstance(listed, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("id") == model.name:
            return describe_end(entry)
    return None


async def _list_models(model: Model) -> Any:
    async with open_http(model) as http:
        return (await request_json(http, join_path(model.urls[0], "/models"), _SECONDS))[1]


def describe_end(entry: dict[str, Any]) -> str | None:
    """The fields of a model's entry about its shutdown, also one level down, as `name: value`."""
    flat = dict(entry)
    for key, value in entry.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
    told = [
        f"{key}: {value}" for key, value in flat.items() if _ENDING.search(key) and value not in (None, False, "")
    ]
    return ", ".join(entry for entry in told if "{" not in entry) or None
