"""The judgements of a run's pairs that exist in files already, so that no judgement is paid for twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.finished import Held
from xl_suite.judging.annotations import Annotation, read_file
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.pairs import Pair
from xl_suite.judging.pairwise import Method, Question, make_calls

# Files of older versions have an empty value.
_JUDGED = ("judged", "unread", "")


def find_held(path: Path, pairs: Sequence[Pair], annotator: Annotator, max_tokens: int | None) -> Held:
    """The file's judgements of `pairs`, with the first call of each; empty where it is missing or broken.

    max_tokens: the limit for verdicts in text; None for the default.
    """
    try:
        rows = read_file(path) if path.exists() else []
    except BadInput:  # a broken file is written again
        rows = []
    by_prompt = {pair.prompt: pair for pair in pairs}
    known = [(row, by_prompt[row.prompt]) for row in rows if row.prompt in by_prompt]
    changed = [pair.row for row, pair in known if _texts(row) != _texts(pair)]
    calls = [
        make_calls(Question(pair, row.order == "21"), annotator, _method(row, max_tokens))[0]
        for row, pair in known
        if row.status in _JUDGED and row.raw_completion and row.order in ("12", "21")
    ]
    return Held(len(rows), calls, list(dict.fromkeys(changed)))


def _texts(row: Annotation | Pair) -> tuple[str, str, str]:
    return row.instruction, row.output_1, row.output_2


def _method(row: Annotation, max_tokens: int | None) -> Method:
    samples = len(row.raw_completion) if isinstance(row.raw_completion, list) else 1
    return Method(row.method, samples, **({} if max_tokens is None else {"max_tokens": max_tokens}))
