"""Ratings on rubrics as cells of the leaderboard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.leaderboard.metrics import AVERAGE, RUBRIC, Cell, Cells
from xl_suite.leaderboard.results import Found
from xl_suite.rating.ratings import read_ratings
from xl_suite.rating.scores import score_ratings as score

MEAN = "average"  # what `score` calls the mean of the criteria


@dataclass(frozen=True, slots=True)
class Rated:
    """One generator's rubric scores. rater: judge, method and digest of the rubrics. benchmark: may be empty."""

    generator: str
    benchmark: str
    rater: str
    cells: Mapping[str, Cells]


def score_ratings(
    found: Sequence[Found], outputs: Mapping[str, Sequence[Found]], scores: Path, resamples: int
) -> tuple[list[Rated], set[str]]:
    """The rubric scores of all generators, and the names in `scores` under which they are kept."""
    groups: dict[tuple[str, str, str], list[Path]] = {}
    for one in found:
        head = one.head
        method = head.get("method") or "method not named"
        rater = f"{head['judge']}, {method}, rubrics {head.get('rubrics') or 'not named'}"
        generator = str(head["generator"])
        names = {
            str(output.head.get("benchmark") or "")
            for output in outputs.get(generator, ())
            if output.language == one.language and output.head.get("instruction") == head.get("instruction")
        }
        groups.setdefault((generator, names.pop() if len(names) == 1 else "", rater), []).append(one.path)
    rated, kept = [], set()
    for (generator, benchmark, rater), paths in sorted(groups.items()):
        digest = hashlib.sha256(b"ratings 1" + resamples.to_bytes(4, "big"))
        for path in paths:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        place = scores / f"{digest.hexdigest()[:32]}.json"
        if not place.exists():
            place.write_bytes(json.dumps(_score(paths, resamples)).encode())
        kept.add(place.name)
        cells = {
            metric: {language: _to_cell(values) for language, values in by_language.items()}
            for metric, by_language in json.loads(place.read_bytes()).items()
        }
        rated.append(Rated(generator, benchmark, rater, cells))
    return rated, kept


def _to_cell(values: Sequence[float]) -> Cell:
    mean, low, high = values
    return mean, low, high


def _score(paths: Sequence[Path], resamples: int) -> dict[str, dict[str, list[float]]]:
    answer = score([row for path in paths for row in read_ratings(path)], resamples=resamples)
    languages = answer.get("languages") or {answer["language"] or "": answer}
    cells: dict[str, dict[str, list[float]]] = {}
    for language, keys in [*languages.items(), (AVERAGE, answer.get("overall") or answer)]:
        for name in (MEAN, *answer["criteria"]):
            if keys.get(name) and keys[name]["mean"] is not None:
                one = keys[name]
                metric = RUBRIC + ("mean" if name == MEAN else name)
                cells.setdefault(metric, {})[language] = [one["mean"], one["ci_low"], one["ci_high"]]
    return cells
