"""Keys and passwords: here alone a key is put on the wire, and here alone it is hidden in what is shown or kept.

A key that was sent is known from then on, and hidden wherever it comes back: in a server's words, in errors of the
HTTP library, in answers. Hidden are a key as it is, parts of a long one, and a key in base64, with percent signs, or
with the escapes of JSON and HTML. A server that means harm has the key anyway, and can write it in other ways.
"""

from __future__ import annotations

import base64
import os
import re
from functools import cache

HIDDEN = "***"
# Shorter ones are placeholders ("EMPTY", "none"), and words of texts.
SHORTEST = 8
# A part of a key that an error cuts; so many characters of it say nothing about the rest.
_PART = 12
_LONG = 20
# In a model's answer only a key that cannot be a word is hidden.
_SHORTEST_IN_ANSWERS = 16
VARIABLES = (
    *("OPENAI_API_KEY", "XL_SUITE_API_KEY", "ANTHROPIC_API_KEY"),
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
)
_known: dict[str, None] = {}

_GAP = r"(?:\\+[nrt/]|[\s\"'+])*"
_NAME = r"[A-Za-z0-9_.~-]*"
_SECRET_NAME = (
    rf"(?:{_NAME}(?:key|token|secret|signature|password|passwd|credential){_NAME}|code|sig|pass|pwd|auth|jwt|apikey)"
)
# Whatever a query is called, its value may be a secret; these are known to be none.
_PLAIN_NAME = r"(?:api-version|limit|after|download|revision|config|split|page)"
_VALUE = r"[^&;#\s'\"<>)\]}]+"
_PASSWORD = re.compile(r"(?<=://)[^/\s@'\"?#]+(?=@)")
_QUERY = re.compile(rf"(?<=[?&;])({_SECRET_NAME})=(?!\*\*\*){_VALUE}", re.IGNORECASE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]*\?[^\s'\"<>]*")
_FIELD = re.compile(rf"(?<=[?&;])(?!{_PLAIN_NAME}=)({_NAME})=(?!\*\*\*){_VALUE}", re.IGNORECASE)


def note_key(key: str | None) -> None:
    """Has a key hidden from now on, in this process."""
    if key and len(key) >= SHORTEST:
        _known[key] = None


def make_headers(key: str | None, *, azure: bool = False) -> dict[str, str]:
    """The headers that carry a key to its server; none without one. azure: Azure's own form as well."""
    if not key:
        return {}
    note_key(key)
    headers = {"Authorization": f"Bearer {key}"}
    return headers | {"api-key": key} if azure else headers


def hide_secrets(text: str) -> str:
    """A message without our keys, and without the passwords and the values of queries in its URLs."""
    return hide_urls(hide_keys(text))


def hide_keys(text: str) -> str:
    """A text without our keys: those that were put on the wire, and those in the environment."""
    spans = [span for key in _list_keys() for span in _find_key(key, text)]
    if not spans:
        return text
    parts, end = [], 0
    for start, stop in sorted(spans):
        if start > end or (start == end == 0):
            parts += [text[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def hide_urls(text: str) -> str:
    """A text whose URLs have neither user and password nor values in their queries but for harmless ones."""
    if "@" in text:
        text = _PASSWORD.sub(HIDDEN, text)
    if "=" in text and "?" in text:
        text = _URL.sub(lambda found: _FIELD.sub(rf"\1={HIDDEN}", found[0]), text)
        text = _QUERY.sub(rf"\1={HIDDEN}", text)
    return text


def hide_in_answer(text: str) -> str:
    """A model's answer without a whole key that was put on the wire: as it is where it quotes none."""
    for key in _known:
        if len(key) >= _SHORTEST_IN_ANSWERS and key in text:
            text = text.replace(key, HIDDEN)
    return text


def _list_keys() -> list[str]:
    ours = (os.environ.get(name, "") for name in VARIABLES)
    return [*_known, *(key for key in ours if len(key) >= SHORTEST and key not in _known)]


def _find_key(key: str, text: str) -> list[tuple[int, int]]:
    """Where a key is in a text, or a part of it; the places may overlap."""
    pattern, parts = _prepare(key)
    spans = [found.span() for found in pattern.finditer(text)]
    for part in parts:
        start = text.find(part)
        while start >= 0:
            spans.append((start, start + len(part)))
            start = text.find(part, start + 1)
    return spans


@cache
def _prepare(key: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """(the key with any escapes, the parts of it and of its forms in base64 that are looked for)."""
    pattern = re.compile(_GAP.join(map(_escape, key)))
    parts = []
    if len(key) >= _LONG:
        parts += _cut(key, _PART)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                whole = encode(b"\0" * shift + key.encode()).decode().rstrip("=")
                bits = (shift + len(key.encode())) * 8
                parts += _cut(whole[(shift * 8 + 5) // 6 : bits // 6], _PART)
    return pattern, tuple(dict.fromkeys(parts))


def _cut(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(len(text) - length + 1)]


def _escape(character: str) -> str:
    code = "".join(f"[{one.lower()}{one.upper()}]" if one.isalpha() else one for one in f"{ord(character):02x}")
    return rf"(?:{re.escape(character)}|\\+u00{code}|\\+x{code}|%{code}|&#0*{ord(character)};|&#[xX]0*{code};)"
