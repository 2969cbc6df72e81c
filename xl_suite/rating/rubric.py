"""Rubrics: the judge's prompt for one answer and one criterion, and how a score is read from its reply.

The criteria are the paper's (section 5, "Fine-Grained Evaluation", and Table 8); the words are this project's own.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Answer, Call, Message, Sampling
from xl_suite.errors import BadInput
from xl_suite.judging.pairwise import DELIMITERS, TEXT_TOKENS
from xl_suite.judging.reading import read_score as read_level
from xl_suite.languages import find_language
from xl_suite.placeholders import fill, find_names
from xl_suite.records import ModelOutput
from xl_suite.tags import escape_tags

# In the order of Table 8.
CRITERIA = ("precision", "informativeness", "naturalness", "objectivity")
LEVELS = (1, 2, 3, 4, 5)
METHODS = ("logprobs", "sampled", "parsed")
FRAME = "_frame.txt"
# The largest number that OpenAI and vLLM allow: five digits and room for their variants.
TOP_LOGPROBS = 20
# The least total probability of the five digits. With less, the judge tends to another text and gives no score.
LEAST_MASS = 0.5

_PLACEHOLDERS = {"language", "rubric", "instruction", "output"}


@dataclass(frozen=True, slots=True)
class Rubrics:
    """The texts of the criteria in their order, and the frame around them. digest: 12 digits, over all texts."""

    frame: str
    criteria: Mapping[str, str]
    digest: str


def read_rubrics(folder: Path | None = None) -> Rubrics:
    """The rubrics that ship, or those of a folder: a .txt file for each criterion, and optionally a `_frame.txt`.

    Raises BadInput for a folder without any, an unreadable file, an unknown placeholder in one, or a frame without
    the request or the answer.
    """
    if folder is None:
        with as_file(files("xl_suite.rating") / "rubrics") as own:
            return _read_folder(own, own / FRAME)
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder. --rubrics takes a folder with a .txt for each criterion.")
    with as_file(files("xl_suite.rating") / "rubrics" / FRAME) as shipped:
        return _read_folder(folder, folder / FRAME if (folder / FRAME).is_file() else shipped)


def _read_folder(folder: Path, frame_path: Path) -> Rubrics:
    found = {path.stem: path for path in sorted(folder.glob("*.txt")) if not path.name.startswith(("_", "."))}
    if not found:
        raise BadInput(f"{folder} holds no rubrics. Each criterion needs a file such as {CRITERIA[0]}.txt.")
    strange = [name for name in found if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", name)]
    if strange:
        raise BadInput(f"{folder}: {strange[0]!r} cannot name a criterion: lower-case letters, digits, - and _ only.")
    order = [name for name in CRITERIA if name in found] + [name for name in found if name not in CRITERIA]
    criteria = {name: _read_text(found[name], {"language"}) for name in order}
    frame = _read_text(frame_path, _PLACEHOLDERS)
    missing = {"rubric", "instruction", "output"} - find_names(frame)
    if missing:
        raise BadInput(f"{frame_path}: the frame lacks {{{'}, {'.join(sorted(missing))}}}.")
    parts = "\0".join((frame, *(f"{name}\0{text}" for name, text in criteria.items())))
    return Rubrics(frame, criteria, hashlib.sha256(parts.encode()).hexdigest()[:12])


def _read_text(path: Path, known: set[str]) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {error}.") from error
    unknown = find_names(text) - known
    if unknown or not text:
        problem = (
            f"unknown placeholder {{{sorted(unknown)[0]}}}; valid: {', '.join(sorted(known))}" if text else "empty"
        )
        raise BadInput(f"{path}: {problem}.")
    return text


@dataclass(frozen=True, slots=True)
class RatingMethod:
    """How scores are read: `logprobs` (the expected level), `sampled` (the mean of `samples`), `parsed` from text."""

    name: str
    samples: int = 1
    max_tokens: int = TEXT_TOKENS

    def sampling(self, attempt: int) -> Sampling:
        if self.name == "logprobs":
            return Sampling(temperature=0.0, max_tokens=1, logprobs=True, top_logprobs=TOP_LOGPROBS)
        # The same prompt would give the same answer.
        warm = self.name == "sampled" or attempt > 0
        return Sampling(temperature=1.0 if warm else 0.0, max_tokens=self.max_tokens)


def make_calls(
    output: ModelOutput, criterion: str, rubrics: Rubrics, method: RatingMethod, attempt: int = 0
) -> list[Call]:
    """The calls that rate one answer on one criterion; `attempt` counts earlier attempts without a readable score."""
    if not output.language:
        raise BadInput("the outputs name no language, which the rubrics need. Add --language CODE.")
    # Each text is put in whole, in one pass: an answer that holds {rubric} or </answer> stays an answer.
    values = {
        "language": find_language(output.language).name,
        "instruction": escape_tags(output.instruction, *DELIMITERS),
        "output": escape_tags(output.output, *DELIMITERS),
    }
    values["rubric"] = fill(rubrics.criteria[criterion], {"language": values["language"]})
    text = fill(rubrics.frame, values)
    row = f"{output.language}/{_shorten(output)} {criterion}"
    first = attempt * method.samples
    return [
        Call(row, (Message("user", text),), method.sampling(attempt), sample)
        for sample in range(first, first + method.samples)
    ]


def read_score(answers: Sequence[Answer], method: RatingMethod) -> float | None:
    """The score, 1 to 5, of one answer on one criterion; None where one of the judge's replies has none."""
    scores = [
        weigh_levels(answer.logprobs) if method.name == "logprobs" else read_level(answer.text, LEVELS).value
        for answer in answers
    ]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def describe_unread(answers: Sequence[Answer], method: RatingMethod) -> str:
    """Why an answer has no score: the reason of the first reply without one."""
    answer = next((one for one in answers if read_score([one], method) is None), answers[-1])
    why = "" if method.name == "logprobs" else f" ({read_level(answer.text, LEVELS).why})"
    return f"no score in {answer.text[:80]!r}{why}"


def weigh_levels(content: Any) -> float | None:
    """The expected level: the sum of the five digits, each times its share of their probability (Liu et al. 2023).

    content: the list `logprobs.content` of a chat completion, whose first token is the score. None where the list is
    malformed, or where the digits have less than LEAST_MASS of the probability.
    """
    chances = dict.fromkeys(LEVELS, 0.0)
    for token, logprob in _find_first(content):
        digit = unicodedata.normalize("NFKC", token).strip()
        if digit in {str(level) for level in LEVELS}:
            chances[int(digit)] += math.exp(min(logprob, 0.0))
    mass = sum(chances.values())
    if mass < LEAST_MASS:
        return None
    return sum(level * chance for level, chance in chances.items()) / mass


def replace_method(method: RatingMethod, samples: int) -> RatingMethod:
    """The method used where a judge gives no log probabilities."""
    return replace(method, name="sampled" if samples > 1 else "parsed", samples=samples)


def _find_first(content: Any) -> list[tuple[str, float]]:
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        return []
    top = content[0].get("top_logprobs") if isinstance(content[0], Mapping) else None
    if not isinstance(top, Sequence) or isinstance(top, str):
        return []
    return [
        (str(item["token"]), float(item["logprob"]))
        for item in top
        if isinstance(item, Mapping) and isinstance(item.get("logprob"), int | float) and "token" in item
    ]


def _shorten(output: ModelOutput) -> str:
    return str(output.id) if output.id is not None else output.instruction[:40]
