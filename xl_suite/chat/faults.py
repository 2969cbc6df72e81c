"""What went wrong with an attempt, and what follows: try again, give the row up, or end the run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from xl_suite.chat.wire import excerpt
from xl_suite.errors import ModelUnavailable

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
# A server that asks for more than this is not waited for any longer.
LONGEST_RETRY_AFTER = 600.0

# What servers write when a prompt alone is at fault, so that the other rows can go on.
OWN_FAULT = (
    "context_length_exceeded",
    "context length",
    "context window",
    "maximum context",
    "max_model_len",
    "too many tokens",
    "too long",
    "string_above_max_length",
    "content_filter",
    "content management policy",
    "content_policy_violation",
    "invalid_prompt",
    "flagged",
    "safety",
)


class Kind(Enum):
    """unreachable: no connection. throttled: 429. broken: 5xx, cut connection, time-out. malformed: no answer in it.
    refused: this row alone can never be answered."""

    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    BROKEN = "broken"
    MALFORMED = "malformed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """An attempt that gave no answer.

    maybe_paid: the server may have computed an answer all the same. own_fault: the prompt is why, says the server.
    """

    kind: Kind
    reason: str
    retry_after: float | None = None
    maybe_paid: bool = False
    own_fault: bool = False


class ModelLost(ModelUnavailable):
    """A model that answered, or should have, and does so no longer; the same command goes on from there."""

    exit_status = 1


def judge_status(status: int, retry_after: str | None, data: bytes, *, place: str, proven: bool) -> Fault:
    """The fault of a response whose status is not 200.

    place: URL and model, for messages. proven: whether this model has given a good answer in this run.
    Raises ModelUnavailable where every other call would fail as well.
    """
    reason = f"HTTP {status}: {excerpt(data)}"
    if status == 429:
        if b"insufficient_quota" in data:
            raise ModelLost(f"{place}: the account has no quota left. {reason} Top it up, then run again.")
        return Fault(Kind.THROTTLED, reason, parse_retry_after(retry_after))
    if status >= 500 or status in (408, 409, 425):
        return Fault(Kind.BROKEN, reason, parse_retry_after(retry_after))
    if status in (400, 413, 422):
        lower = data[:4000].decode("utf-8", "replace").lower()
        own_fault = status == 413 or any(mark in lower for mark in OWN_FAULT)
        if proven or own_fault:
            return Fault(Kind.REFUSED, reason, own_fault=own_fault)
        raise ModelUnavailable(
            f"{place}: the server refuses the request. {reason} Check the sampling options and the model's name."
        )
    raise ModelUnavailable(f"{place}: {reason} {_way_out(status)}")


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait as a Retry-After header says, a number or an HTTP date; None when it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    if seconds != seconds:
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def choose_wait(failures: int, fault: Fault) -> float:
    """Seconds before the next attempt, after `failures` of them: what the server asks for, or a jittered power of 2.

    The jitter keeps calls that failed together from coming back together; it is no part of any result.
    """
    if fault.retry_after is not None:
        return fault.retry_after * (1 + 0.1 * random.random())
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * random.random())


def _way_out(status: int) -> str:
    if status in (401, 403):
        return (
            "The server does not accept the key. OPENAI_API_KEY holds OpenAI's, XL_SUITE_API_KEY that of another "
            "server."
        )
    if status == 404:
        return "It has no such model, or no /v1/chat/completions; the server lists its models at /v1/models."
    if 300 <= status < 400:
        return "The server points elsewhere. Give the URL that it points to, http or https."
    return "The same would happen to every call, so the run ends here."
