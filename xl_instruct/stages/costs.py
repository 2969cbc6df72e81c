"""What a run would cost, before it costs anything: exact where a stage's input is there, else from the passages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from xl_instruct.config import ModelSettings
from xl_instruct.stages.files import LeftOut, Row, StageFile
from xl_instruct.stages.pipeline import Pipeline
from xl_instruct.stages.preparing import Preparation, prepare_rows
from xl_instruct.stages.teaching import build_instruct_call, build_refine_call
from xl_instruct.stages.translation import build_calls
from xl_suite.chat.calls import Call
from xl_suite.chat.estimates import Estimate, estimate
from xl_suite.chat.models import Model

# Passages whose calls are reckoned out; the sums are scaled up.
LOOKED_AT = 400
# What the answers of each stage are, as `typical_lengths.tsv` names it.
KINDS = {"instructions": "instruction", "refined": "answer", "translated": "translation"}
STAND_IN = "What does the text tell, and which of its details matter most to someone who wants to know about it?"


def estimate_run(pipeline: Pipeline) -> list[Estimate]:
    """An estimate for each stage and model. Samples the passages if that is not done yet; makes no call.

    Where a stage has not run, the passages are counted instead of the responses that will be made of them. Retries
    are not counted. Raises BadInput as the sampling does.
    """
    passages = pipeline.passages()
    teacher = pipeline.config.teacher
    instructions, refined = pipeline.pair_files(passages)
    known = _rows(instructions) or [{**row, "instruction": STAND_IN} for row in _rows(passages)]
    stages: list[tuple[str, Model, ModelSettings, StageFile, Sequence[Row], Any]] = [
        ("instructions", pipeline.teacher, teacher, passages, _rows(passages), build_instruct_call),
        ("refined", pipeline.teacher, teacher, instructions, known, build_refine_call),
    ]
    count = passages.summary().rows
    found = []
    for stage, model, settings, source, rows, build in stages:
        calls = [build(row, settings) for row in rows]
        found.append(_estimate(pipeline, stage, model, calls, _scale(source, count, len(rows)), source.exists()))
    pairs = _rows(refined) or [{**row, "response": row["text"]} for row in known]
    preparation = Preparation(pipeline.config.splitter, pipeline.config.translation.unit, None)
    prepared = [row for row in prepare_rows(pairs, preparation) if not isinstance(row, LeftOut)]
    scale = _scale(refined, count, len(pairs))
    for model, settings in zip(pipeline.translators, pipeline.config.translators, strict=True):
        calls = list(_translate(pipeline, prepared, settings))
        found.append(_estimate(pipeline, "translated", model, calls, scale, refined.exists()))
    return found


def _rows(file: StageFile) -> list[dict[str, Any]]:
    return list(islice(file.rows(), LOOKED_AT)) if file.exists() else []


def _scale(file: StageFile, count: int, looked_at: int) -> float:
    rows = file.summary().rows if file.exists() else count
    return rows / looked_at if looked_at else 0.0


def _translate(pipeline: Pipeline, rows: Iterable[Row], settings: Any) -> Iterator[Call]:
    for row in rows:
        for language in pipeline.config.languages:
            yield from build_calls(row["segments"], language, settings, pipeline.config.translation)


def _estimate(
    pipeline: Pipeline, stage: str, model: Model, calls: Sequence[Call], scale: float, exact: bool
) -> Estimate:
    own = estimate(model, calls, pipeline.options, KINDS[stage])
    basis = own.basis if exact else f"{own.basis}; passages are counted instead of what is not made yet"
    basis += "" if scale == 1 else f"; {LOOKED_AT} passages, scaled up"
    return own.scale(scale, model=f"{stage}, {own.model}", basis=basis)
