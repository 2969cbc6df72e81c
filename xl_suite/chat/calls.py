"""What is asked of a model and what comes back: plain values, shared by the client, the journal and the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat. role: `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters as the OpenAI API names them; the defaults are the paper's (section 3, "Models").

    `None` leaves a parameter out of the request, so that the server's own default holds.
    `extra` holds any further body fields as (name, JSON value) pairs, for example `("reasoning_effort", "low")`.
    """

    temperature: float | None = 0.7
    max_tokens: int = 2048
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model.

    row: how messages and lists of failures name it, for example `deu/17`; it is not part of the journal's key.
    sample: tells apart several answers to the same messages and parameters.
    """

    row: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    sample: int = 0


def extend_call(call: Call, extra: Sequence[tuple[str, Any]]) -> Call:
    """The call with further fields in its request's body, which win over its own."""
    if not extra:
        return call
    fields = tuple(sorted((dict(call.sampling.extra) | dict(extra)).items()))
    return replace(call, sampling=replace(call.sampling, extra=fields))


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer, without its reasoning. `finish_reason` is `stop`, `length` (truncated) or `withheld`.

    logprobs: the `content` list of the OpenAI API's `logprobs`, as it came, or None where none was asked or given.
    model: the model as the server names it, which can be a dated version of the one asked for.
    reasoning: what the model thought before, or None. said: the words of a server that withholds the answer.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    model: str = ""
    logprobs: list[dict[str, Any]] | None = None
    reasoning: str | None = None
    said: str = ""

    @property
    def is_withheld(self) -> bool:
        return self.finish_reason == "withheld"


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that failed for good: why, and after how many attempts. The next run tries it again."""

    row: str
    reason: str
    attempts: int


class AnswerSource(Protocol):
    """What answers calls without a model, by the keys of their requests: a journal, or the text of one.

    facts: what it knows of its models beside their answers, as (key of the model, kind, JSON). holds: whether it has
    answers of the model of that key.
    """

    def look_up(self, keys: list[bytes]) -> Mapping[bytes, Answer]: ...

    def facts(self) -> Sequence[tuple[str, str, str]]: ...

    def holds(self, key: str) -> bool: ...
