"""The sentences that ask for an answer in a language (paper, Table 5), and which of them a prompt gets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from xl_suite.tables import read_table

# Between prompt and template. What the release has there is unknown. Many prompts end without a full stop and some
# with text to work on; AlpacaEval itself sets such parts off with a blank line, so the template is set off likewise.
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Template:
    """A row of templates.tsv. `text` holds {language}, for the English name of the language asked for."""

    id: str
    text: str

    def fill(self, language: str) -> str:
        """The text with a language's English name: `Answer in German`."""
        return self.text.replace("{language}", language)


@cache
def templates() -> tuple[Template, ...]:
    """Table 5's six, each with and without the word "language" (Appendix A.2)."""
    return read_table("xl_suite", "templates.tsv", Template)


def draw_template(seed: int, prompt_id: int) -> Template:
    """The template of a prompt, by seed and ID alone: the same in every language, whatever other prompts there are.

    The draw is the SHA-256 of `seed:prompt_id`, as a number, modulo twelve, so it can be repeated anywhere.
    """
    digest = hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest()
    return templates()[int.from_bytes(digest) % len(templates())]


def append_template(prompt: str, template: str) -> str:
    """What a model is given: the prompt, without whitespace at its end, and the filled template below it."""
    return prompt.rstrip() + SEPARATOR + template if template else prompt.rstrip()
