"""What went wrong with an attempt, and how long to wait before the next one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from xl_suite.chat.shapes import Adapted
from xl_suite.errors import ModelUnavailable
from xl_suite.keys import hide_secrets

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


class Kind(Enum):
    """unreachable: no connection. throttled: 429. waiting: the server starts, loads or is full. broken: 5xx, cut
    connection, time-out, a web page. malformed: no answer in it. empty: an answer without content, once more.

    refused: this row alone can never be answered. withheld: moderation or safety keeps this row's answer back.
    unfinished: all tokens went into reasoning. adapted: the request is wanted otherwise. ended: every call would be
    refused.
    """

    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    WAITING = "waiting"
    BROKEN = "broken"
    MALFORMED = "malformed"
    EMPTY = "empty"
    REFUSED = "refused"
    WITHHELD = "withheld"
    UNFINISHED = "unfinished"
    ADAPTED = "adapted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Fault:
    """An attempt that gave no answer.

    maybe_paid: the server may have computed an answer all the same. own_fault: the prompt is why, says the server.
    tokens: (prompt, completion) that the response says it cost. line: of `lines.yaml`. said, limit: what it tells.
    """

    kind: Kind
    reason: str
    retry_after: float | None = None
    maybe_paid: bool = False
    own_fault: bool = False
    tokens: tuple[int, int] | None = None
    adapted: Adapted | None = None
    line: str = ""
    said: str = ""
    limit: str = ""

    def __post_init__(self) -> None:
        # Whatever gave no answer, our key is not in what is told and kept of it.
        for name in ("reason", "said", "limit"):
            object.__setattr__(self, name, hide_secrets(getattr(self, name)))


class ModelLost(ModelUnavailable):
    """A model that answered, or should have, and does so no longer; the same command goes on from there."""

    exit_status = 1


def choose_wait(failures: int, fault: Fault) -> float:
    """Seconds before the next attempt, after `failures` of them: what the server asks for, or a jittered power of 2.

    The jitter keeps calls that failed together from coming back together; it is not part of any result.
    """
    if fault.retry_after is not None:
        return fault.retry_after * (1 + 0.1 * random.random())
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * random.random())
