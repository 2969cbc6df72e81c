"""A small folder of XL-Instruct, of the shape that the pipeline writes, made without it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xl_instruct.dataset.rows import Candidate, RowSegment, SyntheticRow
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.languages import find_language

MODELS = ("translator-a", "translator-b", "translator-c")
CARD = """---
license: cc-by-sa-4.0
pretty_name: Synthetic test rows
task_categories:
- text-generation
---
# Synthetic test rows
"""


def make_row(number: int, language: str, scores: list[list[float | None]], *, best: bool = True) -> SyntheticRow:
    """A row of `len(scores)` sentences with a candidate for each score; None stands for a refused candidate."""
    segments: list[RowSegment] = []
    for place, own in enumerate(scores):
        if place:
            segments.append(RowSegment("space", " ", [], " ", "", None, []))
        candidates = [
            Candidate(
                model, f"{language} {number}.{place} by {model}.", score, [] if score is not None else ["copied"], 0
            )
            for model, score in zip(MODELS, own, strict=False)
        ]
        sound = [one for one in candidates if one.score is not None][: None if best else 1]
        won = max(sound, key=lambda one: one.score or 0)
        source = f"Sentence {place} of {number}."
        segments.append(RowSegment("text", source, [], won.text, won.model, won.score, candidates))
    won_scores = [part.score for part in segments if part.score is not None]
    name = find_language(language).name
    return SyntheticRow(
        id=number,
        instruction=f"Tell me about thing {number}.\n\nRespond in {name}.",
        response="".join(part.translation for part in segments),
        language=language,
        qe_score=sum(won_scores) / len(won_scores),
        qe_model="test-qe",
        n_segments=len(won_scores),
        lowest_score=min(won_scores),
        report_score=None,
        report_model="",
        prompt=f"Tell me about thing {number}.",
        template=f"Respond in {name}.",
        source_response="".join(part.text for part in segments),
        draft="",
        passage_id=f"p{number}",
        passage_source="test",
        teacher="teacher",
        translators=list(MODELS),
        segments=segments,
        models=[],
        prompts=[],
        fingerprint="0" * 64,
    )


def write_xl_instruct(
    out: Path, rows: Mapping[str, list[SyntheticRow]], naive: Mapping[str, Any] | None = None
) -> Path:
    """Writes `bestof3` (and `default`) with a split for each language."""
    configs: dict[str, Any] = {"bestof3": {find_language(code).split: own for code, own in rows.items()}}
    if naive is not None:
        configs["default"] = {find_language(code).split: own for code, own in naive.items()}

    def card(metadata: Mapping[str, Any]) -> str:
        codes = {"language": ["en", *(name_language(find_language(code)) for code in rows)]}
        return render_card(CARD, {**codes, **metadata}, {})

    write_dataset_folder(out, configs, name="xl-instruct", card=card)
    return out


def make_rows(language: str, count: int) -> list[SyntheticRow]:
    """Rows with scores that fall and rise, so that their order is not that of their IDs."""
    return [
        make_row(number, language, [[0.5 + (number * 7 % 11) / 50, 0.4, None], [0.3, 0.6, 0.6]])
        for number in range(count)
    ]
