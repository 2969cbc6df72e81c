"""Published rows from the stages' rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xl_instruct.config import DOCUMENT_PROMPT, PROMPTS, Config, describe_model
from xl_instruct.dataset.rows import (
    Candidate,
    LanguageScore,
    RowSegment,
    ScoredRow,
    SyntheticRow,
    UsedModel,
    UsedPrompt,
)
from xl_instruct.dataset.selection import Choice
from xl_instruct.segments import TRANSLATABLE, Segment, reassemble
from xl_instruct.stages.files import Row
from xl_instruct.stages.prompts import load_prompt
from xl_suite.languages import find_language
from xl_suite.templates import append_template, draw_template


@dataclass(frozen=True, slots=True)
class Provenance:
    """What all rows of a run have in common."""

    teacher: str
    translators: tuple[str, ...]
    models: tuple[UsedModel, ...]
    prompts: tuple[UsedPrompt, ...]
    qe_model: str
    report_model: str
    fingerprint: str
    seed: int
    document: str = ""  # the model of the document arm


def describe_provenance(
    config: Config, teacher: str, translators: Sequence[str], qe_model: str, report_model: str, fingerprint: str
) -> Provenance:
    """teacher, translators, qe_model, report_model: names as the answers and scores have them."""
    document = describe_model(config.document).name if config.document is not None else ""
    models = [
        UsedModel("teacher", teacher, config.teacher.revision),
        *(
            UsedModel("translator", name, settings.revision)
            for name, settings in zip(translators, config.translators, strict=True)
        ),
        UsedModel("estimator", qe_model, ""),
    ]
    if config.document is not None:
        models.append(UsedModel("translator", document, config.document.revision))
    if report_model:
        models.append(UsedModel("reporting estimator", report_model, ""))
    names = [name for name in PROMPTS if name != "translate_in_context" or config.translation.context]
    if config.document is not None:
        names.append(DOCUMENT_PROMPT)
    prompts = tuple(UsedPrompt(name, load_prompt(name).sha256) for name in names)
    return Provenance(
        teacher,
        tuple(translators),
        tuple(models),
        prompts,
        qe_model,
        report_model,
        fingerprint,
        config.seed,
        document,
    )


def draw_for_passage(seed: int, passage_id: str) -> int:
    """The number by which a passage draws its template: of its ID alone, not of its place in a sample."""
    digest = hashlib.sha256(passage_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def compose(
    pair: Row, scored: Row, choice: Choice, language: str, report_score: float | None, common: Provenance, first: int
) -> SyntheticRow:
    """A row of the dataset. pair: the refined row. scored: its segments with scored candidates. first: how many of
    the translators were asked for this config's rows (1 for `naive`); only their candidates are shown."""
    winners = iter(choice.winners)
    segments = list(_resolve(scored["segments"], winners, first))
    parts = [Segment(part.kind, part.text, tuple(part.protected)) for part in segments]
    response = reassemble(parts, [part.translation for part in segments if part.kind in TRANSLATABLE])
    template = draw_template(common.seed, draw_for_passage(common.seed, pair["passage_id"]))
    filled = template.fill(find_language(language).name)
    return SyntheticRow(
        id=pair["id"],
        instruction=append_template(pair["instruction"], filled),
        response=response,
        language=language,
        qe_score=choice.score,
        qe_model=common.qe_model,
        n_segments=choice.n_segments,
        lowest_score=choice.lowest,
        report_score=report_score,
        report_model=common.report_model,
        prompt=pair["instruction"],
        template=filled,
        source_response=pair["response"],
        draft=pair["draft"],
        passage_id=pair["passage_id"],
        passage_source=pair["passage_source"],
        teacher=common.teacher,
        translators=list(common.translators[:first]),
        segments=segments,
        models=[
            model for model in common.models if model.role != "translator" or model.name in common.translators[:first]
        ],
        prompts=list(common.prompts),
        fingerprint=common.fingerprint,
    )


def compose_scored(pair: Row, score: float, scores: Sequence[LanguageScore], common: Provenance) -> ScoredRow:
    return ScoredRow(
        id=pair["id"],
        instruction=pair["instruction"],
        response=pair["response"],
        language="eng",
        qe_score=score,
        qe_model=common.qe_model,
        scores=list(scores),
        draft=pair["draft"],
        passage_id=pair["passage_id"],
        passage_source=pair["passage_source"],
        teacher=common.teacher,
        fingerprint=common.fingerprint,
    )


def _resolve(segments: Sequence[Row], winners: Iterator[int], first: int) -> Iterator[RowSegment]:
    for segment in segments:
        kind, text, protected = segment["kind"], segment["text"], list(segment["protected"])
        if kind not in TRANSLATABLE:
            yield RowSegment(kind, text, protected, text, "", None, [])
            continue
        candidates = [
            Candidate(**{name: one for name, one in candidate.items() if name != "verdict"})
            for candidate in segment["candidates"][:first]
        ]
        won = candidates[next(winners)]
        yield RowSegment(kind, text, protected, won.text, won.model, won.score, candidates)
