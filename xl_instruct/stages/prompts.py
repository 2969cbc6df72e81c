"""The pipeline's own prompts: files with {placeholders}, filled in one pass with text that nobody trusts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from xl_suite.placeholders import fill_all


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt's text; `sha256` (hex) goes into fingerprints and provenance."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every placeholder replaced. Raises BadInput unless each has a value."""
        return fill_all(self.text, values, f"prompt {self.name!r}")


@cache
def load_prompt(name: str) -> PromptText:
    """The prompt of a file in xl_instruct/prompts: `instruct`, `refine`, `translate`, `translate_in_context`,
    `translate_document`."""
    text = files("xl_instruct").joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8")
    return PromptText(name, text.removesuffix("\n"))
