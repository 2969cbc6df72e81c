"""Converts a judge's answer to a preference."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from xl_suite.judging.plain import strip_reasoning
from xl_suite.judging.reading import read_verdict
from xl_suite.judging.values import TIE

# The minimum total probability of the two labels in a verdict's first token.
LEAST_MASS = 0.5


def draw_order(instruction: str, seed: int = 0) -> bool:
    """Whether the two answers change places before the judge sees them: AlpacaEval's draw, to the bit.

    A preference read from the judge's answer is turned back with `turn` where this is True.
    """
    return random.Random(f"is_switched_outputs{instruction}{seed}").choices([False, True], k=1)[0]


def turn(preference: float) -> float:
    """The same preference with the two answers swapped: 1 becomes 2."""
    return 3 - preference


def parse_logprobs(
    content: Any,
    *,
    numerator: str = "m",
    denominators: Sequence[str] = ("m", "M"),
    position: int = 0,
) -> float | None:
    """The preference, 1 to 2, of the answers as shown, from the log probabilities of the token that names one.

    content: the list `logprobs.content` of a chat completion; `position` is the index of the verdict's token.
    The rule is AlpacaEval's: 2 - P(numerator) / sum of P(denominators), where a token that is not among the
    top ones counts 0. None where no named token is among them, or where the list is malformed.
    """
    logprobs = _find_logprobs(content, position)
    named = {token: logprobs[token] for token in (*denominators, numerator) if token in logprobs}
    total = _add_logs([logprobs[token] for token in denominators if token in logprobs])
    if not named or total == -math.inf:
        return None
    return 2 - math.exp(logprobs.get(numerator, -math.inf) - total)


def weigh_labels(content: Any, labels: Sequence[str], position: int = 0) -> float | None:
    """The preference, 1 to 2, of the answers as shown, from the shares of two labels in the verdict's token.

    Unlike AlpacaEval's rule, which `parse_logprobs` keeps, a token counts for its label without white space and
    without the word-start marks `▁` and `Ġ`, and tokens of one label add up. labels: those of the first and the
    second answer. None where the two have less than LEAST_MASS of the probability together, or where the list is
    malformed.
    """
    shares = _share_labels(content, labels, position)
    mass = sum(shares.values())
    return None if mass < LEAST_MASS else 1.0 + shares[labels[1]] / mass


def explain_labels(content: Any, labels: Sequence[str], position: int = 0) -> str:
    """Why `weigh_labels` gives no preference."""
    mass = sum(_share_labels(content, labels, position).values())
    if mass == 0:
        return "the verdict's tokens are not among the top log probabilities"
    return f"the verdict's tokens have {mass:.1%} of the probability, less than {LEAST_MASS:.0%},"


def _share_labels(content: Any, labels: Sequence[str], position: int) -> dict[str, float]:
    """The probability of each label, summed over its tokens."""
    shares = dict.fromkeys(labels, 0.0)
    for token, logprob in _list_logprobs(content, position):
        label = token.strip().lstrip("▁Ġ").strip()
        if label in shares:
            shares[label] += math.exp(min(logprob, 0.0))
    return shares


def _find_logprobs(content: Any, position: int) -> dict[str, float]:
    """Token to log probability at `position`; empty where the response is malformed."""
    return dict(_list_logprobs(content, position))


def _list_logprobs(content: Any, position: int) -> list[tuple[str, float]]:
    """(token, log probability) of the top tokens at `position`; empty where the response is malformed."""
    if not isinstance(content, Sequence) or isinstance(content, str) or not -len(content) <= position < len(content):
        return []
    entry = content[position]
    top = entry.get("top_logprobs") if isinstance(entry, Mapping) else None
    if not isinstance(top, Sequence) or isinstance(top, str):
        return []
    found = []
    for item in top:
        logprob = item.get("logprob") if isinstance(item, Mapping) else None
        if isinstance(logprob, int | float) and not isinstance(logprob, bool) and not math.isnan(logprob):
            found.append((str(item.get("token")), float(logprob)))
    return found


def _add_logs(values: Sequence[float]) -> float:
    """log(sum(exp(values))), without overflow."""
    largest = max(values, default=-math.inf)
    if largest == -math.inf:
        return largest
    return largest + math.log(sum(math.exp(value - largest) for value in values))


def parse_text(text: str, labels: Sequence[str], allow_tie: bool = False) -> float | None:
    """The preference, 1 to 2, of the answers as shown, from a judge's verdict in text, one of two labels.

    labels: those of the first and the second answer. None where the verdict is not clear (see `reading`). A tie is
    1.5 where it is allowed, else None.
    """
    label = read_verdict(text, labels, allow_tie).value
    if label is None:
        return None
    return 1.5 if label == TIE else 1.0 + list(labels).index(label)


def explain_label(text: str, labels: Sequence[str]) -> str:
    """Why a text has no verdict: see `reading.Reading`."""
    return read_verdict(text, labels).why


def match_text(text: str, patterns: Sequence[tuple[float, str]]) -> float | None:
    """The preference of the first match among an annotator's regular expressions.

    Reasoning in the text is ignored; a text that is cut off within its reasoning has no verdict.
    """
    answer = strip_reasoning(text)
    found = [(match.start(), preference) for preference, p in patterns if (match := re.search(p, answer or ""))]
    return min(found)[1] if found else None
