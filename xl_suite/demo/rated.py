"""The demo's rubric scores: a made-up judge's levels for both generators in one language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.wire import build_body
from xl_suite.errors import BadInput
from xl_suite.rating.rate import choose_method, rate_outputs
from xl_suite.rating.results import write_ratings
from xl_suite.rating.rubric import make_calls, read_rubrics
from xl_suite.records import ModelOutput, write_jsonl
from xl_suite.scoring.folders import score_folders
from xl_suite.tables import read_table

JUDGE = "demo-judge"
LANGUAGE = "deu"


@dataclass(frozen=True, slots=True)
class DemoLevels:
    """A row of levels.tsv: the judge's score of a German answer, 1 to 5."""

    generator: str
    id: int
    precision: float
    informativeness: float
    naturalness: float
    objectivity: float
    reason: str


def write_rating_journal(path: Path, outputs: Mapping[str, Sequence[ModelOutput]]) -> None:
    """Writes the judge's journal: the calls that `xl-suite rate` makes for the outputs, each with its level.

    outputs: by generator. The probabilities of the two neighbouring digits express a fractional level.
    """
    levels = {(row.generator, row.id): row for row in read_table("xl_suite.demo", "levels.tsv", DemoLevels)}
    rubrics, method = read_rubrics(), choose_method("auto")
    lines: list[dict[str, Any]] = []
    for generator, rows in outputs.items():
        for row in rows:
            given = levels.get((generator, row.id or 0))
            if given is None:
                raise BadInput(f"levels.tsv has no levels of {generator}'s answer {row.id}.")
            for criterion in rubrics.criteria:
                level = float(getattr(given, criterion))
                low = min(4, int(level))
                chances = {str(low): low + 1 - level, str(low + 1): level - low}
                top = [{"token": t, "logprob": math.log(chance)} for t, chance in chances.items() if chance > 1e-9]
                said = max(top, key=lambda one: float(str(one["logprob"])))
                (call,) = make_calls(row, criterion, rubrics, method)
                answer = {"text": said["token"], "finish_reason": "length"}
                answer |= {"logprobs": [{**said, "top_logprobs": top}]}
                lines.append({"model": JUDGE, "request": build_body(call), "answer": answer})
    write_jsonl(path, lines)


def rate_demo(outputs: Mapping[str, Sequence[ModelOutput]], journal: Path, out: Path) -> dict[str, Any]:
    """Rates each generator's outputs; returns the objects of `xl-suite score --json` by generator."""
    write_rating_journal(journal, outputs)
    judge = parse_model(f"replay:{journal}#{JUDGE}")
    scores = {}
    for generator, rows in outputs.items():
        ratings = rate_outputs({LANGUAGE: rows}, read_rubrics(), judge, ChatOptions(progress=False))
        scores[generator] = dict(score_folders([write_ratings(out, ratings).parent]).answer)
    return scores


def show_scores(scores: Mapping[str, Any]) -> list[str]:
    """A table of the means with a row for each generator, 80 columns wide."""
    names = ["average", *next(iter(scores.values()))["criteria"]]
    lines = [f"{'':<16}" + "".join(f"{name.replace('informativeness', 'informative'):>12}" for name in names)]
    for generator, score in scores.items():
        lines.append(f"{generator:<16}" + "".join(f"{score[name]['mean']:>12.2f}" for name in names))
    return lines
