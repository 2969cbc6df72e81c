"""m-AlpacaEval's rows, and the English prompts that they are translated from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import find_language, table
from xl_suite.records import BenchmarkRow

NAME = "m-alpacaeval"
ENGLISH = "eng"


@dataclass(frozen=True, slots=True)
class SourcePrompt:
    """An English prompt that is to be put into `language` (ISO 639-3); id: 1-based AlpacaEval ID.

    text: with the name of `language` where the prompt asks for an answer in a certain one.
    """

    id: int
    dataset: str
    language: str
    text: str
    expected: str

    @property
    def row(self) -> str:
        """How messages name it: `deu/17`."""
        return f"{self.language}/{self.id}"


@dataclass(frozen=True, slots=True)
class TranslatedRow:
    """A row of m-AlpacaEval: XL-AlpacaEval's columns, in which `instruction` and `prompt` are the translation and
    `template` is empty, and where the row comes from.

    translator: the model, `human`, or the model and `edited`; empty for `eng`. qe_score: of the translation by
    `qe_model`; both None where none was asked.
    """

    id: int
    dataset: str
    instruction: str
    prompt: str
    template: str
    language: str
    expected: str
    source_instruction: str
    translator: str
    qe_score: float | None = None
    qe_model: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is translated: the English rows of XL-AlpacaEval and, by language, the prompts."""

    english: tuple[BenchmarkRow, ...]
    prompts: Mapping[str, Sequence[SourcePrompt]]
    name: str


def default_languages() -> list[str]:
    """The paper's eight."""
    return [row.code for row in table() if NAME in row.benchmarks and row.code != ENGLISH]


def read_sources(folder: Path, languages: Sequence[str]) -> Sources:
    """The prompts of XL-AlpacaEval's folder for each of `languages`.

    Raises BadInput for a folder that is not XL-AlpacaEval's, or that has English alone: where a prompt asks for an
    answer in English can only be seen beside another language, which has its own name there.
    """
    known = list_languages(folder)
    if ENGLISH not in known:
        raise BadInput(f"{folder} has no {ENGLISH}: the prompts are translated from English. It has {known}.")
    rows = {code: read_benchmark(folder, [code]) for code in known if len(code) == 3}
    return collect_sources(rows, languages, folder.resolve().name)


def collect_sources(rows: Mapping[str, Sequence[BenchmarkRow]], languages: Sequence[str], name: str) -> Sources:
    """The prompts for each of `languages`, from XL-AlpacaEval's rows by language."""
    english = rows[ENGLISH]
    model = next((code for code in rows if code != ENGLISH), None)
    if model is None:
        raise BadInput(
            f"{name} has {ENGLISH} alone. Build it with another language as well (any will do: `xl-suite build "
            "xl-alpacaeval --languages deu`): only then can it be seen which prompts ask for an answer in English."
        )
    others = {row.id: row.prompt for row in rows[model]}
    if {row.id for row in english} != set(others):
        raise BadInput(f"{name}: {ENGLISH} and {model} do not have the same prompts. Build the folder again.")
    prompts = {}
    for code in languages:
        language, like = find_language(code).name, find_language(model).name
        prompts[code] = [
            SourcePrompt(
                row.id, row.dataset, code, fill_language(row.prompt, others[row.id], like, language), row.expected
            )
            for row in english
        ]
    return Sources(tuple(english), prompts, name)


def fill_language(english: str, other: str, other_name: str, name: str) -> str:
    """The English prompt with `name` where `other` has `other_name` for it: `Answer in English` and `in German`.

    Raises BadInput where the two differ in anything else.
    """
    if english == other:
        return english
    start = english.find("English")
    while start >= 0:
        before, after = english[:start], english[start + len("English") :]
        if before + other_name + after == other:
            return before + name + after
        start = english.find("English", start + 1)
    raise BadInput(f"The prompts differ in more than a language's name: {english[:80]!r} and {other[:80]!r}.")


def make_english(row: BenchmarkRow) -> TranslatedRow:
    """The row of `eng`: the prompt as it is."""
    return TranslatedRow(
        row.id, row.dataset, row.instruction, row.prompt, "", ENGLISH, row.expected, row.instruction, ""
    )


def make_row(
    prompt: SourcePrompt,
    translation: str,
    translator: str,
    qe_score: float | None = None,
    qe_model: str | None = None,
) -> TranslatedRow:
    return TranslatedRow(
        prompt.id,
        prompt.dataset,
        translation,
        translation,
        "",
        prompt.language,
        prompt.expected,
        prompt.text.rstrip(),
        translator,
        qe_score,
        qe_model,
    )
