"""Asking a judge, by log probabilities or from text (the same way for all rows), and how often a row is asked.

Only an answer shows whether a judge gives usable log probabilities. A run learns this from its first rows, in rounds
of growing size. It waits for each round, so that the decision does not depend on the order in which answers return.
Each row is asked once by log probabilities before the decision.

A row that cannot be read is asked again as a new sample, at most RETRIES times over this run and all later ones. Only
`retry_unread` asks more often, with samples that the journal lacks. Every later run and every replay reads these
samples too, in their order: the first readable one counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.reading import RETRIES, Read, Result, Unread, Unreadable, ask_until_read, each
from xl_suite.chat.settings import ChatOptions

Item = TypeVar("Item")
Way = TypeVar("Way")

# The kind of fact under which a journal stores the prompts whose verdicts are read from text.
FROM_TEXT = "judge_from_text"
# If more than this share of first tokens, and at least two, have no verdict, the judge begins its answers with
# something else (reasoning, Markdown). Fewer are asked again.
MOST_UNUSABLE = 0.1
FIRST_ROUND, GROWTH = 1, 8


@dataclass(frozen=True, slots=True)
class Samples:
    """For the rows of a language that a judge answered: how many were read at their first sample, their second, and
    so on, and how many stayed unread."""

    read: Mapping[int, int]
    unread: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `judge` and `rate`, beside what failed."""
        again = {str(tries): count for tries, count in self.read.items() if tries > 1}
        return ({"n_asked_again": again} if again else {}) | ({"n_unread": self.unread} if self.unread else {})

    def describe(self) -> str:
        """A short note on rows that needed more than one sample; empty if there are none."""
        again = [f"{count} at sample {tries}" for tries, count in self.read.items() if tries > 1]
        parts = [f"read only {', '.join(again)}"] if again else []
        parts += [f"{self.unread} unread"] if self.unread else []
        return ", ".join(parts)


def count_samples(results: Sequence[Result[Any]]) -> Samples:
    read = Counter(one.tries for one in results if isinstance(one, Read))
    return Samples(dict(sorted(read.items())), sum(isinstance(one, Unread) for one in results))


def describe_cap(unread: int) -> str:
    """The note on rows that stay unread, for the summary of a run."""
    return (
        f"{unread} of them {'was' if unread == 1 else 'were'} answered and could not be read: the same command does "
        "not ask these again. --retry-unread does, with new samples."
    )


@dataclass(frozen=True, slots=True)
class Ways(Generic[Item, Way]):
    """How a verb asks and reads. make_calls: the calls of an item's n-th try. read: the result of its answers.

    prompts: the key of a judge's facts in a journal, such as a hash of its instructions.
    """

    make_calls: Callable[[Item, int, Way], Sequence[Call]]
    read: Callable[[Item, tuple[Answer, ...], Way], float | Unreadable]
    prompts: str


@dataclass(frozen=True, slots=True)
class Asked(Generic[Way]):
    """way: how the results were read. why: the reason for leaving the first way, or empty."""

    results: list[Result[float]]
    way: Way
    why: str = ""


async def ask_judge(
    client: ChatClient,
    items: Sequence[Item],
    ways: Ways[Item, Way],
    way: Way,
    text: Way | None = None,
    *,
    retry_unread: bool = False,
) -> Asked[Way]:
    """The result of each item, in their order, all read in one way.

    way: the first way. text: the way used if the judge gives no usable log probabilities; None keeps `way` in any
    case. retry_unread: go on asking for a row that is unread after all its samples.
    """
    conversation = _Conversation(client, ways, retry_unread)
    why = "" if text is None else await _recall(client, ways.prompts)
    if text is None or (client.replays and not why and not await conversation.holds(items, text)):
        return Asked(await conversation.ask(items, way), way)
    results: list[Result[float]] = []
    if not why:
        results, why = await conversation.try_rounds(items, way)
    if not why:
        left = [place for place, result in enumerate(results) if isinstance(result, Unread)]
        again = await conversation.ask([items[place] for place in left], way, first=1)
        for place, result in zip(left, again, strict=True):
            results[place] = result
        why = find_reason(results, final=True)
    if not why:
        return Asked(results, way)
    client.keep(FROM_TEXT, {"prompts": ways.prompts, "why": why})
    return Asked(await conversation.ask(items, text), text, why)


def find_reason(results: Sequence[Result[Any]], *, final: bool) -> str:
    """Why log probabilities give no verdicts for these results; empty where they do, or still may.

    final: whether these are all rows. Failed calls and withheld answers are ignored.
    """
    answered = [one for one in results if not isinstance(one, FailedCall)]
    without = sum(not any(answer.logprobs for answer in one.answers) for one in answered)
    if without:
        return "gives no log probabilities" + ("" if without == len(answered) else " for some rows")
    unusable = sum(isinstance(one, Unread) for one in answered)
    begins = "begins its answers with something else than the verdict"
    if unusable > max(1.0, MOST_UNUSABLE * len(answered)) or (final and 0 < unusable == len(answered)):
        return begins
    return ""


def count_waves(calls: int, options: ChatOptions, *, learnt: bool) -> tuple[int, int]:
    """The minimum and maximum number of consecutive batches of a judge.

    calls: those of the first samples. learnt: whether the first rows decide how all are read.
    """
    least = 1 if options.batch is None else options.batch.least
    rounds = sum(len(part) >= least for part in _split(range(calls))) if learnt else int(calls >= least)
    return rounds, rounds + RETRIES + learnt


async def _recall(client: ChatClient, prompts: str) -> str:
    """The known reason, before any call, for reading the judge from text."""
    for value in await client.recall(FROM_TEXT):
        kept = json.loads(value)
        if isinstance(kept, dict) and kept.get("prompts") == prompts:
            return str(kept.get("why"))
    return "gives no log probabilities" if client.shape.drops("logprobs") else ""


class _Conversation(Generic[Item, Way]):
    def __init__(self, client: ChatClient, ways: Ways[Item, Way], retry_unread: bool):
        self._client, self._ways, self._retry_unread = client, ways, retry_unread

    async def holds(self, items: Sequence[Item], way: Way) -> bool:
        """Whether the replayed run asked in this way: journals of earlier versions do not record the decision."""
        calls = [call for item in items for call in self._ways.make_calls(item, 0, way)]
        return any(answer is not None for answer in await self._client.look_up(calls))

    async def try_rounds(self, items: Sequence[Item], way: Way) -> tuple[list[Result[float]], str]:
        """One sample of each item, until a round shows that this way does not work: the results and the reason."""
        results: list[Result[float]] = []
        for part in _split(items):
            results += await self._ask_tries(part, way, (0,))
            why = find_reason(results, final=len(results) == len(items))
            if why:
                return results, why
        return results, ""

    async def ask(self, items: Sequence[Item], way: Way, first: int = 0) -> list[Result[float]]:
        """All samples of the items from `first` on, and those beyond the cap that exist."""
        tries = range(first, RETRIES + 1)
        results = await self._ask_tries(items, way, tries)
        left = {place: RETRIES + 1 for place, result in enumerate(results) if isinstance(result, Unread)}
        left = await self._read_kept(items, way, results, left)
        if self._retry_unread and left:
            places = list(left)

            def make_calls(place: int, number: int) -> Sequence[Call]:
                return self._ways.make_calls(items[place], left[place] + number, way)

            def read(place: int, answers: tuple[Answer, ...]) -> float | Unreadable:
                return self._ways.read(items[place], answers, way)

            again = await ask_until_read(self._client, places, make_calls, each(read), tries=range(RETRIES))
            for place, result in zip(places, again, strict=True):
                results[place] = _count_from(result, left[place])
        return results

    async def _ask_tries(self, items: Sequence[Item], way: Way, tries: Sequence[int]) -> list[Result[float]]:
        results: list[Result[float]] = await ask_until_read(
            self._client,
            items,
            lambda item, number: self._ways.make_calls(item, number, way),
            each(lambda item, answers: self._ways.read(item, answers, way)),
            tries=tries,
        )
        return [_count_from(result, tries[0]) for result in results] if tries else results

    async def _read_kept(
        self, items: Sequence[Item], way: Way, results: list[Result[float]], left: dict[int, int]
    ) -> dict[int, int]:
        """Reads the journal's samples beyond the cap; returns the first unused number of each item that stays
        unread."""
        unused: dict[int, int] = {}
        while left:
            calls = {place: self._ways.make_calls(items[place], number, way) for place, number in left.items()}
            found = iter(await self._client.look_up([call for own in calls.values() for call in own]))
            following: dict[int, int] = {}
            for place, own in calls.items():
                answers = [next(found) for _ in own]
                kept = tuple(answer for answer in answers if answer is not None)
                if len(kept) < len(answers):
                    unused[place] = left[place]
                    continue
                withheld = any(answer.is_withheld for answer in kept)
                value = Unreadable("withheld") if withheld else self._ways.read(items[place], kept, way)
                tries = left[place] + 1
                if isinstance(value, Unreadable):
                    results[place] = Unread(value.reason, kept, tries)
                    following[place] = tries
                else:
                    results[place] = Read(value, kept, tries)
            left = following
        return dict(sorted(unused.items()))


def _count_from(result: Result[float], first: int) -> Result[float]:
    """The result with its samples counted over all rounds."""
    return result if isinstance(result, FailedCall) else replace(result, tries=result.tries + first)


def _split(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts of growing size, so that a wrong way is paid for on a few rows only."""
    start, size = 0, FIRST_ROUND
    while start < len(items):
        size = size if size < GROWTH**3 else len(items)
        yield items[start : start + size]
        start, size = start + size, size * GROWTH
