"""Lone surrogates: halves of a character that a Python string and a JSON text can hold, and that UTF-8 cannot.

A model's answer can contain them. One rule for all files: journals and JSON keep them, escaped. Where the text itself
must be UTF-8 (Parquet, pages, CSV, the terminal), U+FFFD takes the place of each, and the number is told.
"""

from __future__ import annotations

import codecs
import io
import logging
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

REPLACEMENT = "\ufffd"
_SURROGATE = re.compile("[\ud800-\udfff]")
_ERRORS = "xl_suite.replace_surrogates"


def escape_surrogates(text: str) -> str:
    r"""JSON text with each lone surrogate as its escape, such as \ud83d. A JSON reader gives the same string back."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def replace_surrogates(value: Any) -> tuple[Any, int]:
    """(`value` with U+FFFD in the place of each surrogate, how many there were).

    value: a string, or records of strings, lists and mappings; everything else comes back as it is. A string keeps
    its length.
    """
    if isinstance(value, str):
        return _SURROGATE.subn(REPLACEMENT, value)
    if isinstance(value, Mapping):
        names, parts = replace_surrogates(list(value)), replace_surrogates(list(value.values()))
        return dict(zip(names[0], parts[0], strict=True)), names[1] + parts[1]
    if isinstance(value, list | tuple):
        found = [replace_surrogates(part) for part in value]
        return type(value)(part for part, _ in found), sum(count for _, count in found)
    return value, 0


def encode_text(text: str, path: Path) -> bytes:
    """The UTF-8 of a text for the file `path`; a warning says how many surrogates were replaced, if any."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        replaced, count = replace_surrogates(text)
        tell_replaced(path.name, count)
        return bytes(replaced.encode("utf-8"))


def tell_replaced(place: str, count: int) -> None:
    """Logs a warning that `count` surrogates were replaced at `place`; nothing where there were none."""
    if count:
        logger.warning("%s: U+FFFD took the place of %d lone surrogates, which UTF-8 cannot hold.", place, count)


def prepare_terminal() -> Callable[[], int]:
    """Lets stdout and stderr take any text. Returns what tells how many surrogates they have replaced since then."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.closed and stream.errors != _ERRORS:
            stream.reconfigure(errors=_ERRORS)
    before = _handler.replaced
    return lambda: _handler.replaced - before


class _Handler:
    """Python's way to ask what a stream shall show for characters that its encoding lacks."""

    replaced = 0

    def __call__(self, error: UnicodeError) -> tuple[bytes, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        shown, count = replace_surrogates(error.object[error.start : error.end])
        self.replaced += count
        return shown.encode(error.encoding, "backslashreplace"), error.end


_handler = _Handler()
codecs.register_error(_ERRORS, _handler)
