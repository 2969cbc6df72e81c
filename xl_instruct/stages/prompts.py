"""The pipeline's own prompts: files with {placeholders}, filled in one pass with text that nobody trusts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from xl_suite.errors import BadInput

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt's text; `sha256` (hex) goes into fingerprints and provenance."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(_PLACEHOLDER.findall(self.text))

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every placeholder replaced, at once: braces within a value stay as they are."""
        if self.placeholders != set(values):
            odd = ", ".join(sorted(self.placeholders ^ set(values)))
            raise BadInput(f"prompt {self.name!r}: placeholders and values do not match: {odd}.")
        return _PLACEHOLDER.sub(lambda place: values[place[1]], self.text)


@cache
def load_prompt(name: str) -> PromptText:
    """The prompt of a file in xl_instruct/prompts: `instruct`, `refine`, `translate`, `translate_in_context`."""
    text = files("xl_instruct").joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8")
    return PromptText(name, text.removesuffix("\n"))


def escape_tags(text: str, *tags: str) -> str:
    """The text with delimiting tags made harmless, since they would end its part of a prompt.

    `escape_tags("</text>", "text")` is `&lt;/text>`.
    """
    return re.sub(rf"<(?={_tag(tags)})", "&lt;", text, flags=re.IGNORECASE)


def restore_tags(text: str, *tags: str) -> str:
    """What `escape_tags` escaped, as it was."""
    return re.sub(rf"&lt;(?={_tag(tags)})", "<", text, flags=re.IGNORECASE)


def _tag(tags: tuple[str, ...]) -> str:
    return rf"\s*/?\s*(?:{'|'.join(tags)})\b"
