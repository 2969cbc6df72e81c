"""The pairs of an audit, made from outputs: an original answer and a changed one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xl_suite.auditing.defects import DEFECTS, Case, Defect, repeat_sentences
from xl_suite.errors import BadInput
from xl_suite.fidelity.verdicts import FidelityAnswer, judge_answers, knows_language
from xl_suite.judging.pairs import Pair
from xl_suite.records import ModelOutput

ENGLISH = "eng"
CLEAN = "as it was"
ITSELF = "itself"
# The length ratios of probes made by a rule. One ratio does not identify the slope, so there are four.
RATIOS = (1.25, 1.5, 2.0, 3.0)
LENGTH = "length"
RULE = "rule"
# The length ratios of probes written by models: condensed and padded.
REWRITTEN = (0.5, 0.75, 1.5, 2.0)

# The pairs of an audit by language and defect.
Probes = Mapping[tuple[str, str], Sequence[Pair]]


@dataclass(frozen=True, slots=True)
class Material:
    """The texts of an audit. answers: by language, those in the language asked for. left_out: how many are not.

    english: by ID, the same model's answers to the same prompts in English. reference: by language and ID.
    """

    answers: Mapping[str, Sequence[ModelOutput]]
    left_out: Mapping[str, int]
    reference: Mapping[str, Mapping[int | str, ModelOutput]]
    english: Mapping[int | str, str]

    @property
    def reference_name(self) -> str:
        """The generator of the reference; empty where there is none."""
        return next((row.generator for rows in self.reference.values() for row in rows.values()), "")


def make_material(
    outputs: Mapping[str, Sequence[ModelOutput]],
    reference: Mapping[str, Sequence[ModelOutput]],
    languages: Sequence[str] | None,
    rows: int,
    seed: int,
) -> Material:
    """The texts for an audit of these languages; None means all languages of the outputs except `eng`. rows: the
    number for each language.

    Raises BadInput for a language that the outputs lack, and as `choose_answers`.
    """
    codes = list(languages or (code for code in outputs if code != ENGLISH))
    missing = [code for code in codes if code not in outputs]
    if missing or not codes:
        raise BadInput(
            f"no {', '.join(missing) or 'language but eng'} in the outputs, which have: {', '.join(outputs)}."
        )
    chosen, left_out = choose_answers(outputs, codes, rows, seed)
    by_prompt = {code: {name_prompt(row): row for row in own} for code, own in reference.items()}
    return Material(chosen, left_out, by_prompt, {name_prompt(row): row.output for row in outputs.get(ENGLISH, ())})


def choose_answers(
    outputs: Mapping[str, Sequence[ModelOutput]], languages: Sequence[str], rows: int, seed: int
) -> tuple[dict[str, list[ModelOutput]], dict[str, int]]:
    """At most `rows` answers of each language, drawn at random, and how many in another language were left out.

    Defects need an answer in the right language. Raises BadInput for a language with fewer than two answers.
    """
    chosen: dict[str, list[ModelOutput]] = {}
    left_out: dict[str, int] = {}
    for language in languages:
        known = knows_language(language)
        asked = [
            FidelityAnswer(row.output, row.instruction, finish_reason=row.finish_reason) for row in outputs[language]
        ]
        verdicts = judge_answers(asked, language) if known else []
        right = [
            row
            for place, row in enumerate(outputs[language])
            if row.output.strip() and (not known or verdicts[place].verdict == "right")
        ]
        left_out[language] = len(outputs[language]) - len(right)
        if len(right) < 2:
            raise BadInput(f"{language}: {len(right)} answers are in the language; an audit needs at least 2.")
        drawn = random.Random(f"audit/{seed}/{language}").sample(range(len(right)), min(rows, len(right)))
        chosen[language] = [right[place] for place in sorted(drawn)]
    return chosen, left_out


def name_prompt(row: ModelOutput) -> int | str:
    return row.instruction if row.id is None else row.id


def plant_defects(
    material: Material, seed: int = 0, defects: Sequence[Defect] = DEFECTS
) -> dict[tuple[str, str], list[Pair]]:
    """The pairs of every language and defect; an answer that does not fit a defect is left out there."""
    probes: dict[tuple[str, str], list[Pair]] = {}
    for language, rows in material.answers.items():
        for defect in defects:
            probes[language, defect.name] = [
                pair
                for place, row in enumerate(rows)
                if (pair := _plant(material, defect, row, rows[place - 1], language, seed)) is not None
            ]
    return probes


def probe_itself(material: Material) -> dict[tuple[str, str], list[Pair]]:
    """The reference's answer against itself, or the answer against itself without a reference: only the position
    differs.

    A space at the end makes the texts different, since identical texts are not judged.
    """
    return {
        (language, ITSELF): [
            _pair(row, language, text, f"{text} ", ITSELF)
            for row in rows
            if (text := _find_reference(material, language, row).output.strip())
        ]
        for language, rows in material.answers.items()
    }


def probe_length(material: Material) -> dict[tuple[str, str], list[Pair]]:
    """The same content at several lengths, by repeated sentences."""
    probes: dict[tuple[str, str], list[Pair]] = {}
    for language, rows in material.answers.items():
        for ratio in RATIOS:
            probes[language, name_length(RULE, ratio)] = [
                _pair(row, language, row.output, text, name_length(RULE, ratio))
                for row in rows
                if (text := repeat_sentences(row.output, language, ratio)) is not None
            ]
    return probes


def probe_rewritten(material: Material, texts: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, str], list[Pair]]:
    """The same content at several lengths, as models wrote it. texts: by rewriter and by the row's name."""
    probes: dict[tuple[str, str], list[Pair]] = {}
    for rewriter, by_row in texts.items():
        for language, rows in material.answers.items():
            for ratio in REWRITTEN:
                name = name_length(rewriter, ratio)
                probes[language, name] = [
                    _pair(row, language, row.output, text, name)
                    for row in rows
                    if (text := by_row.get(f"{name}/{language}/{name_prompt(row)}")) is not None
                ]
    return probes


def name_length(rewriter: str, ratio: float) -> str:
    return f"{LENGTH} {rewriter} x{ratio:g}"


def read_length(name: str) -> tuple[str, float]:
    """The rewriter and the ratio of `name_length`."""
    rewriter, _, ratio = name.removeprefix(f"{LENGTH} ").rpartition(" x")
    return rewriter, float(ratio)


def probe_reference(material: Material) -> dict[str, list[Pair]]:
    """The answers against the reference's, as in `judge`, to measure the noise of repeated calls."""
    return {
        language: [
            Pair(
                row.id,
                row.dataset,
                language,
                row.instruction,
                base.output,
                base.generator,
                row.output,
                row.generator,
                row.benchmark,
            )
            for row in rows
            if (base := material.reference.get(language, {}).get(name_prompt(row))) is not None
        ]
        for language, rows in material.answers.items()
    }


def _find_reference(material: Material, language: str, row: ModelOutput) -> ModelOutput:
    return material.reference.get(language, {}).get(name_prompt(row), row)


def _plant(
    material: Material, defect: Defect, row: ModelOutput, other: ModelOutput, language: str, seed: int
) -> Pair | None:
    prompt = name_prompt(row)
    english = material.english.get(prompt) if language != ENGLISH else None
    source = random.Random(f"audit/{seed}/{defect.name}/{language}/{prompt}")
    text = defect.plant(Case(row.output, language, other.output, english, source))
    return None if text is None or text == row.output else _pair(row, language, row.output, text, defect.name)


def _pair(row: ModelOutput, language: str, clean: str, changed: str, name: str) -> Pair:
    return Pair(row.id, row.dataset, language, row.instruction, clean, CLEAN, changed, name, row.benchmark)
