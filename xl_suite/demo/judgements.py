"""The verdicts of the demo's made-up judge, and the journal from which they are replayed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.wire import build_body
from xl_suite.errors import BadInput
from xl_suite.judging.annotator import Annotator, read_annotator
from xl_suite.judging.judge import choose_method
from xl_suite.judging.pairs import Pair
from xl_suite.judging.pairwise import ask_questions, make_calls
from xl_suite.records import write_jsonl
from xl_suite.tables import read_table

JUDGE = "demo-judge"
ANNOTATOR = "xl_local"
ORDER = "random"


@dataclass(frozen=True, slots=True)
class DemoVerdict:
    """A row of verdicts.tsv. share: the share of the win, 0 to 1, that the judge gives the first generator's
    answer."""

    language: str
    id: int
    share: float
    reason: str


def write_judge_journal(path: Path, pairs: Mapping[str, Sequence[Pair]]) -> None:
    """Writes the judge's journal: the calls that `xl-suite judge` makes for the pairs, each with its verdict."""
    annotator: Annotator = read_annotator(ANNOTATOR)
    method = choose_method(annotator, "auto", 1, None)
    shares = {(row.language, row.id): row.share for row in read_table("xl_suite.demo", "verdicts.tsv", DemoVerdict)}
    lines: list[dict[str, Any]] = []
    for code, asked in pairs.items():
        for question in ask_questions(asked, ORDER):
            share = shares.get((code, question.pair.id or 0))
            if share is None:
                raise BadInput(f"verdicts.tsv has no verdict on {question.pair.row}.")
            (call,) = make_calls(question, annotator, method)
            # The model's answer is M where the reference is shown first, and m where it comes first itself.
            chances = {"m": share, "M": 1 - share} if question.switched else {"m": 1 - share, "M": share}
            top = [{"token": token, "logprob": math.log(chance)} for token, chance in chances.items()]
            said = max(chances, key=lambda token: chances[token])
            logprobs = [{"token": said, "logprob": math.log(chances[said]), "top_logprobs": top}]
            answer = {"text": said, "finish_reason": "length", "logprobs": logprobs}
            lines.append({"model": JUDGE, "request": build_body(call), "answer": answer})
    write_jsonl(path, lines)
