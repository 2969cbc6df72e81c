"""What a run would cost, before it costs anything: exact where a stage's input is there, else from the passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from xl_instruct.config import Document, ModelSettings, Splitting
from xl_instruct.stages.documents import build_document_call, cut_windows
from xl_instruct.stages.files import LeftOut, Row, StageFile
from xl_instruct.stages.pipeline import Pipeline
from xl_instruct.stages.preparing import Preparation, count_units, prepare_rows
from xl_instruct.stages.teaching import build_instruct_call, build_refine_call
from xl_instruct.stages.translation import build_calls
from xl_suite.chat.calls import Call
from xl_suite.chat.estimates import Estimate, estimate
from xl_suite.chat.models import Model

# Passages whose calls are reckoned out; the sums are scaled up.
LOOKED_AT = 400
# What the answers of each stage are, as `typical_lengths.tsv` names it.
KINDS = {"instructions": "instruction", "refined": "answer", "translated": "translation", "documented": "answer"}
# Of a passage that stands in for those of a corpus on the Hub, which an estimate does not read.
SENTENCES, WORDS = 15, 20
STAND_IN = "What does the text tell, and which of its details matter most to someone who wants to know about it?"


def estimate_run(pipeline: Pipeline) -> list[Estimate]:
    """An estimate for each stage and model. Samples the passages if that is not done yet; makes no call.

    Where a stage has not run, the passages are counted instead of the responses that will be made of them. Retries
    are not counted. A corpus on the Hub, which may be gated, is not read for this: a made-up passage stands in for
    each of its own. Raises BadInput as the sampling does.
    """
    corpus = pipeline.config.passages
    unread = not pipeline.passages_file().exists() and is_on_hub(corpus.source)
    passages = pipeline.passages_file() if unread else pipeline.sample_passages()
    teacher = pipeline.config.teacher
    instructions, refined = pipeline.pair_files(passages)
    texts = [make_passage()] if unread else _rows(passages)
    known = _rows(instructions) or [{**row, "instruction": STAND_IN} for row in texts]
    stages: list[tuple[str, Model, ModelSettings, StageFile, Sequence[Row], Any]] = [
        ("instructions", pipeline.models.teacher, teacher, passages, texts, build_instruct_call),
        ("refined", pipeline.models.teacher, teacher, instructions, known, build_refine_call),
    ]
    count = min(corpus.count, pipeline.limit or corpus.count) if unread else passages.summary().rows
    found = []
    for stage, model, settings, source, rows, build in stages:
        calls = [build(row, settings) for row in rows]
        found.append(_estimate(pipeline, stage, model, calls, _scale(source, count, len(rows)), source.exists()))
    pairs = _rows(refined) or [{**row, "response": row["text"]} for row in known]
    splitter = Splitting(name="sentencex") if unread else pipeline.config.splitter
    preparation = Preparation(splitter, pipeline.config.translation.unit, None)
    prepared = [row for row in prepare_rows(pairs, preparation) if not isinstance(row, LeftOut)]
    scale = _scale(refined, count, len(pairs))
    for model, settings in zip(pipeline.models.translators, pipeline.config.translators, strict=True):
        calls = list(_translate(pipeline, prepared, settings))
        found.append(_estimate(pipeline, "translated", model, calls, scale, refined.exists()))
    if pipeline.config.document is not None and pipeline.models.document is not None:
        calls = list(_translate_documents(pipeline, prepared, pipeline.config.document))
        found.append(_estimate(pipeline, "documented", pipeline.models.document, calls, scale, refined.exists()))
    return found


def is_on_hub(source: str) -> bool:
    """Whether a corpus's name is that of a dataset on the Hub, and not of a file, a folder or a plug-in."""
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not re.search(r"\.(?:jsonl?|parquet|txt|gz|zst)$", source)
    return bool(is_id) and not Path(source).exists()


def make_passage() -> Row:
    """A passage of SENTENCES sentences of WORDS words, all of them different."""
    filler = "the writer tells of it in plain words for those who want to know more about the matter at hand"
    words = ["Sentence", "{number}", *filler.split()][:WORDS]
    text = " ".join(" ".join(words).format(number=number) + "." for number in range(1, SENTENCES + 1))
    return {"id": 1, "text": text, "passage_id": "1", "passage_source": ""}


def _rows(file: StageFile) -> list[dict[str, Any]]:
    return list(islice(file.rows(), LOOKED_AT)) if file.exists() else []


def _scale(file: StageFile, count: int, looked_at: int) -> float:
    rows = file.summary().rows if file.exists() else count
    return rows / looked_at if looked_at else 0.0


def _translate(pipeline: Pipeline, rows: Iterable[Row], settings: Any) -> Iterator[Call]:
    for row in rows:
        for language in pipeline.config.languages:
            yield from build_calls(row["segments"], language, settings, pipeline.config.translation)


def _translate_documents(pipeline: Pipeline, rows: Iterable[Row], settings: Document) -> Iterator[Call]:
    for row in rows:
        for window in cut_windows(count_units(row), settings.window):
            for language in pipeline.config.languages:
                yield build_document_call(row["segments"], window, language, settings, 0)


def _estimate(
    pipeline: Pipeline, stage: str, model: Model, calls: Sequence[Call], scale: float, exact: bool
) -> Estimate:
    own = estimate(model, calls, pipeline.options, KINDS[stage], (1, pipeline.config.attempts))
    basis = own.basis if exact else f"{own.basis}; passages are counted instead of what is not made yet"
    if not pipeline.passages_file().exists():
        basis += f"; the corpus is not read: passages of {SENTENCES} sentences of {WORDS} words"
    elif scale != 1:
        basis += f"; {LOOKED_AT} passages, scaled up"
    return own.scale(scale, model=f"{stage}, {own.model}", basis=basis)
