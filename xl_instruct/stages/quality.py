"""Scores for candidates: each pair once, in batches of many rows, kept in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from xl_instruct.dataset.selection import list_candidates
from xl_instruct.qe import QualityEstimator, TakesVerdicts, load_estimator
from xl_instruct.qe.settling import TieBreak
from xl_instruct.qe.store import ScoreJournal, ScoreStore, score_pairs
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import Row, StageFile

# The reason of a candidate that no guard refused, but for which the estimator has no score.
UNSCORED = "unscored"
# Pairs that are scored together: enough for an estimator to sort by length, few enough for memory.
PAIRS_AT_ONCE = 4096


def score_rows(
    rows: Iterable[Row], language: str, estimator: QualityEstimator, store: ScoreStore | None
) -> Iterator[dict[str, Any]]:
    """The rows with `score` in every candidate; None where guards refused it and a sound one is beside it or
    the row has none at all. Rows are taken and given in their order, in groups that depend on the rows alone.
    Where the estimator has a `precise`, its scores are used in close contests."""
    break_ties = TieBreak(estimator, store)
    for group in _group(rows):
        wanted = [candidate for row in group for candidate in _candidates(row)]
        if isinstance(estimator, TakesVerdicts):
            estimator.take_verdicts(_list_verdicts(group))
        pairs = [(source, candidate["text"]) for source, candidate in wanted if not candidate["refused"]]
        scores = iter(score_pairs(estimator, pairs, language, store))
        for _, candidate in wanted:
            score = None if candidate["refused"] else next(scores)
            candidate["score"] = score
            if score is None and not candidate["refused"]:
                candidate["refused"] = [UNSCORED]
        break_ties(
            ((segment["text"], segment["candidates"]) for row in group for segment in _segments(row)), language
        )
        yield from group


def write_scores(
    files: Mapping[str, tuple[StageFile, StageFile]], model: str, options: Mapping[str, Any], journal: Path | None
) -> None:
    """Scores each language's translated file into the file beside it. journal: keeps scores, if it exists."""
    if not files:
        return
    estimator = load_estimator(model, **options)
    about = {"name": estimator.name, "licence": estimator.licence, "range": list(estimator.range)}
    with ScoreJournal(journal) if journal is not None and journal.exists() else nullcontext() as store:
        for language, (source, target) in files.items():
            with target.write() as writer:
                for row in score_rows(source.rows(), language, estimator, store):
                    writer.add(row)
                writer.summary.extra["estimator"] = about


def _group(rows: Iterable[Row]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    pairs = 0
    for row in rows:
        group.append(dict(row))
        pairs += sum(1 for _ in _candidates(row))
        if pairs >= PAIRS_AT_ONCE:
            yield group
            group, pairs = [], 0
    if group:
        yield group


def _list_verdicts(group: Iterable[Row]) -> dict[tuple[str, str], tuple[str | None, list[str]]]:
    return {
        (segment["text"], candidate["text"]): (candidate.get("verdict"), list(segment["protected"]))
        for row in group
        for segment in _segments(row)
        for candidate in list_candidates(segment)
    }


def _candidates(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((segment["text"], candidate) for segment in _segments(row) for candidate in list_candidates(segment))


def _segments(row: Row) -> Iterator[Row]:
    return (segment for segment in row["segments"] if segment["kind"] in TRANSLATABLE)
