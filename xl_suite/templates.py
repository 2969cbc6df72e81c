"""The sentences that ask for an answer in a language (paper, Table 5), and which of them a prompt gets.

templates.tsv holds them in the twelve languages of the table: the paper's twelve in English, six in each other
language. `in German` inflects, so that a sentence in another language holds {in_language}, which phrases.tsv fills.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from xl_suite.errors import BadInput
from xl_suite.placeholders import fill
from xl_suite.tables import read_table

# Between prompt and template. What the release has there is unknown. Many prompts end without a full stop and some
# with text to work on; AlpacaEval itself sets such parts off with a blank line, so the template is set off likewise.
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Template:
    """A row of templates.tsv. language: of the text, ISO 639-3.

    `text` holds {language}, for the English name of the language asked for, in English, and {in_language} elsewhere.
    """

    id: str
    language: str
    text: str

    def fill(self, language: str) -> str:
        """The text with a language's English name: `Answer in German`."""
        return fill(self.text, {"language": language})

    def fill_phrase(self, phrase: str) -> str:
        """The text with a phrase of `find_phrase`: `Antworte auf Hindi`."""
        return fill(self.text, {"in_language": phrase})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A row of phrases.tsv: how `language` says that something is to be in the language `target`."""

    language: str
    target: str
    phrase: str


@cache
def templates(language: str = "eng") -> tuple[Template, ...]:
    """The templates in one language. In English: Table 5's six, each with and without the word "language"
    (Appendix A.2). Raises BadInput for a language without templates."""
    rows = read_table("xl_suite", "templates.tsv", Template)
    found = tuple(row for row in rows if row.language == language)
    if not found:
        known = ", ".join(dict.fromkeys(row.language for row in rows))
        raise BadInput(f"There are no templates in {language!r}, only in {known}. Rows of templates.tsv add them.")
    return found


@cache
def phrases() -> tuple[Phrase, ...]:
    """The table of phrases, each of the twelve languages in each."""
    return read_table("xl_suite", "phrases.tsv", Phrase)


def find_phrase(language: str, target: str) -> str:
    """`auf Hindi` for deu and hin. Raises BadInput where the table has no such row."""
    for row in phrases():
        if (row.language, row.target) == (language, target):
            return row.phrase
    known = ", ".join(dict.fromkeys(row.target for row in phrases()))
    raise BadInput(
        f"How {language!r} says that an answer is to be in {target!r} is not in phrases.tsv, which has {known}. "
        "A row of that table adds it."
    )


def draw_template(seed: int, prompt_id: int, language: str = "eng") -> Template:
    """The template of a prompt, by seed and ID alone: the same in every language, whatever other prompts there are.

    The draw is the SHA-256 of `seed:prompt_id`, as a number, modulo twelve (or as many templates as `language`, that
    of the prompts, has), so it can be repeated anywhere.
    """
    digest = hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest()
    return templates(language)[int.from_bytes(digest) % len(templates(language))]


def append_template(prompt: str, template: str) -> str:
    """What a model is given: the prompt, without whitespace at its end, and the filled template below it."""
    return prompt.rstrip() + SEPARATOR + template if template else prompt.rstrip()
