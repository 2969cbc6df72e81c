"""XL-AlpacaEval's rows from AlpacaEval's prompts (paper, Appendix A). Pure: no files but the tables, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from xl_suite.errors import BadInput
from xl_suite.languages import Language, find_language
from xl_suite.placeholders import fill
from xl_suite.records import BenchmarkRow, Prompt
from xl_suite.tables import read_table
from xl_suite.templates import append_template, draw_template

# `release`: 797 prompts, as the paper says and the release has. `strict`: 795, all ten of Table 4 dropped.
# `all`: AlpacaEval's 805.
VARIANTS = ("release", "strict", "all")
# The language of the prompts themselves: its rows have no template.
ENGLISH = "eng"
# Where the tables of exclusions, edits and expected languages are. The demo's prompts bring tables of their own.
TABLES = "xl_alpacaeval"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A row of exclusions.tsv: a prompt of the paper's Table 4, and the variants that drop it."""

    id: int
    variants: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A row of edits.tsv: where a prompt asks for English, {language} goes in its place (Appendix A.1)."""

    id: int
    find: str
    replace: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """A row of expected.tsv: a prompt whose right answer need not be, or is not, in the language asked for.

    expected: `any`, where a complete right answer may hold next to no natural language (code, a formula, titles)
    or is right in English as well; `other:CODE`, where it is in that language whatever was asked.
    An explanation around code is expected in the target language, so prompts that ask for one are not listed,
    and neither are questions with a short answer: the check of fidelity leaves short answers open by itself.
    """

    id: int
    expected: str
    reason: str


@cache
def exclusions(tables: str = TABLES) -> tuple[Exclusion, ...]:
    return read_table(tables, "exclusions.tsv", Exclusion)


@cache
def edits(tables: str = TABLES) -> tuple[Edit, ...]:
    return read_table(tables, "edits.tsv", Edit)


@cache
def expectations(tables: str = TABLES) -> tuple[Expectation, ...]:
    return read_table(tables, "expected.tsv", Expectation)


def build_rows(
    prompts: Sequence[Prompt], language: str, *, seed: int = 0, variant: str = "release", tables: str = TABLES
) -> list[BenchmarkRow]:
    """The rows of one language in the order of the prompts, those that `variant` drops left out.

    language: an ISO 639-3 code; `eng` gives the prompts without template. A row depends on its own prompt, the
    language and the seed alone: another prompt or language more or less changes nothing in it.
    tables: the package that holds exclusions.tsv, edits.tsv and expected.tsv for these prompts.
    Raises UnknownLanguage, and BadInput for a variant that does not exist.
    """
    dropped = excluded_ids(variant, tables)
    target = find_language(language)
    return [build_row(prompt, target, seed, tables) for prompt in prompts if prompt.id not in dropped]


def build_row(prompt: Prompt, language: Language, seed: int, tables: str = TABLES) -> BenchmarkRow:
    text = edit_prompt(prompt, language, tables)
    template = "" if language.code == ENGLISH else draw_template(seed, prompt.id).fill(language.name)
    instruction = append_template(text, template)
    expected = expected_language(prompt.id, tables)
    return BenchmarkRow(prompt.id, prompt.dataset, instruction, text, template, language.code, expected)


def excluded_ids(variant: str, tables: str = TABLES) -> frozenset[int]:
    """The IDs that a variant drops: eight for `release`, ten for `strict`, none for `all`."""
    if variant not in VARIANTS:
        raise BadInput(f"{variant!r} is not a variant of XL-AlpacaEval. There are: {', '.join(VARIANTS)}.")
    return frozenset(row.id for row in exclusions(tables) if variant in row.variants)


def edit_prompt(prompt: Prompt, language: Language, tables: str = TABLES) -> str:
    """The prompt's text, with the language's name where it asked for English.

    Where the fragment is not in the prompt exactly once (in a changed source), the prompt stays as it is.
    """
    text = prompt.instruction
    for edit in edits(tables):
        if edit.id == prompt.id and text.count(edit.find) == 1:
            text = text.replace(edit.find, fill(edit.replace, {"language": language.name}))
    return text


def expected_language(prompt_id: int, tables: str = TABLES) -> str:
    """`target`, `any` or `other:CODE`."""
    return _expected(tables).get(prompt_id, "target")


@cache
def _expected(tables: str) -> dict[int, str]:
    return {row.id: row.expected for row in expectations(tables)}
