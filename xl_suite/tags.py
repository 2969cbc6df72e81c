"""Tags that set untrusted text apart in a prompt: such text must not open or close them."""

from __future__ import annotations

import re
from functools import cache


def escape_tags(text: str, *tags: str) -> str:
    """The text with the named tags made harmless: `escape_tags("</text>", "text")` is `&lt;/text>`."""
    return _pattern("<", tags).sub("&lt;", text)


def restore_tags(text: str, *tags: str) -> str:
    """What `escape_tags` escaped, as it was."""
    return _pattern("&lt;", tags).sub("<", text)


@cache
def _pattern(opening: str, tags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"{opening}(?=\s*/?\s*(?:{'|'.join(tags)})\b)", re.IGNORECASE)
