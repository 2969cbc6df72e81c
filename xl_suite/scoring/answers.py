"""Properties of the answers: their languages, their lengths, and whether they were cut off."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xl_suite.dataset.expected import Expected
from xl_suite.fidelity import score_fidelity
from xl_suite.records import ModelOutput
from xl_suite.responding.outputs import read_output_file
from xl_suite.scoring.context import Context, Reasons
from xl_suite.scoring.gating import Gate, Gated, gate_preferences
from xl_suite.scoring.preferences import Array, Preferences

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity

FidelityKey = tuple[
    tuple[ModelOutput, ...], str, tuple[tuple[int, str], ...]
]  # outputs, language, expected languages


@dataclass(frozen=True, slots=True)
class Answers:
    """Both sides' answers in one language: item i of each list belongs to the run and prompt at `cells[i]`.

    any_language: whether the prompt may be answered in any language. fidelity, reference_fidelity: None where the
    languages were not identified.
    """

    cells: tuple[tuple[int, int], ...]
    model: tuple[ModelOutput, ...]
    reference: tuple[ModelOutput, ...]
    any_language: tuple[bool, ...]
    fidelity: Fidelity | None
    reference_fidelity: Fidelity | None


@dataclass(slots=True)
class FidelityCache:
    """A cache of the answers' languages, since several judges see the same answers.

    workers: the number of processes; each handles one language of one side at a time (about 1 MB of text per second).
    """

    found: dict[FidelityKey, Fidelity] = field(default_factory=dict)
    workers: int = 1


def collect_answers(table: Preferences, language: str, context: Context) -> Answers:
    """The answers of a language; `look_at_languages` adds their identified languages."""
    own = context.expected.get(language, {})
    cells, model, reference = [], [], []
    for run in range(len(table.values)):
        for place, prompt in enumerate(table.prompts):
            row = table.rows.get((run, prompt, language))
            if row is None:
                continue
            cells.append((run, place))
            key = (language, row.prompt)
            # Output files have more information than annotations written by other programs.
            reason = context.reasons.get(key) or row.finish_reason_2
            reference_reason = context.reference_reasons.get(key) or row.finish_reason_1
            model.append(ModelOutput(row.instruction, row.output_2, row.generator_2, row.id, finish_reason=reason))
            reference.append(
                ModelOutput(row.instruction, row.output_1, row.generator_1, row.id, finish_reason=reference_reason)
            )
    return Answers(
        cells=tuple(cells),
        model=tuple(model),
        reference=tuple(reference),
        any_language=tuple(row.id is not None and own.get(row.id) == "any" for row in model),
        fidelity=None,
        reference_fidelity=None,
    )


def look_at_languages(
    answers: Mapping[str, Answers], expected: Expected, cache: FidelityCache | None = None
) -> dict[str, Answers]:
    """The answers with their fidelity, by language; answers without a language code are unchanged.

    cache: known results are read from it, new ones are added. Raises UnknownLanguage.
    """
    cache = FidelityCache() if cache is None else cache
    known = cache.found
    looks: dict[tuple[str, str], FidelityKey] = {}
    for language, one in answers.items():
        if language:
            own = tuple(sorted(expected.get(language, {}).items()))
            looks[language, "model"] = (one.model, language, own)
            looks[language, "reference"] = (one.reference, language, own)
    new = [look for look in dict.fromkeys(looks.values()) if look not in known]
    if cache.workers > 1 and len(new) > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(cache.workers, len(new)), mp_context=context) as pool:
            known.update(zip(new, pool.map(_look, new), strict=True))
    else:
        known.update((look, _look(look)) for look in new)
    return {
        language: replace(
            one,
            fidelity=known[looks[language, "model"]],
            reference_fidelity=known[looks[language, "reference"]],
        )
        if language
        else one
        for language, one in answers.items()
    }


def _look(look: FidelityKey) -> Fidelity:
    outputs, language, expected = look
    return score_fidelity(outputs, language, expected=dict(expected))


def gate_language(table: Preferences, column: int, answers: Answers, gate: Gate) -> Gated | None:
    """The gated preferences of a language, runs x prompts; None where its languages were not identified."""
    if answers.fidelity is None or answers.reference_fidelity is None or gate == "none":
        return None
    at = tuple(np.array(answers.cells).T)
    gated = gate_preferences(
        table.values[:, :, column][at],
        [verdict.verdict for verdict in answers.fidelity.verdicts],
        [verdict.verdict for verdict in answers.reference_fidelity.verdicts],
        gate,
    )

    def spread(values: Array) -> Array:
        cells = np.full(table.values.shape[:2], np.nan)
        cells[at] = values
        return cells

    return replace(
        gated,
        values=spread(gated.values),
        undetermined_lost=spread(gated.undetermined_lost),
        mixed_judged=spread(gated.mixed_judged),
    )


def measure_lengths(outputs: tuple[ModelOutput, ...]) -> int:
    """The mean length in characters, cut to a whole number as AlpacaEval does."""
    return int(np.mean([len(row.output) for row in outputs]))


def measure_truncation(outputs: tuple[ModelOutput, ...]) -> float | None:
    """The percentage of answers that the token limit cut off, among those where it is known; None if it is never
    known."""
    known = [row.finish_reason for row in outputs if row.finish_reason]
    return 100 * sum(reason == "length" for reason in known) / len(known) if known else None


def read_reasons(files: Iterable[Path]) -> Reasons:
    """Why each answer in files of outputs ended, by language and ID (or instruction)."""
    reasons = {}
    for file in files:
        stem = file.name.partition(".")[0]
        for row in read_output_file(file):
            language = row.language or (stem if re.fullmatch("[a-z]{3}", stem) else "")
            reasons[language, row.instruction if row.id is None else row.id] = row.finish_reason
    return reasons
