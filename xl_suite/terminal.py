r"""Text for the terminal: strangers' names and messages can neither move its cursor nor turn its letters.

What verbs print and log goes through here, and so do usage errors and tracebacks: none of it shows a key. Control
characters, but for line breaks and tabs, and Unicode's bidirectional controls are shown as escapes, such as \x1b and
\u202e.
"""

from __future__ import annotations

import logging
import re

from xl_suite.keys import hide_keys, hide_urls

# C0 without tab and line feed, DEL, C1; then the characters with the property Bidi_Control, and the separators that
# some terminals take for line breaks.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def make_visible(text: str) -> str:
    """The text without our keys, and with escapes in the place of control and bidirectional characters.

    JSON text stays JSON text with the same values: it holds no control character below 32 but line breaks, and the
    escapes of the others are JSON's.
    """
    return _UNSAFE.sub(_escape, hide_keys(text))


def show_message(text: str) -> str:
    """A message about what a verb does, made visible, without passwords and values of queries in its URLs."""
    return make_visible(hide_urls(text))


class Formatter(logging.Formatter):
    """Lines of the log, and tracebacks, made visible."""

    def format(self, record: logging.LogRecord) -> str:
        return show_message(super().format(record))


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 32 else f"\\u{number:04x}"
