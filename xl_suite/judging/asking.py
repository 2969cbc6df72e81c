"""Asking a judge: by log probabilities or from text, one way for all rows; and how often a row is asked.

What judges give can be told only by asking. A run learns it from its first rows, in rounds that grow; each round is
waited for, so that the decision does not depend on the order in which answers return. A row is asked once by log
probabilities before that is decided.

A row that cannot be read is asked again as a new sample, at most RETRIES times, by this run and all later ones. Only
`retry_unread` goes on, with samples that the journal lacks. Samples that a run with it has paid for are read by every
later run, and by a replay, in their order: the first that can be read counts.
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

# Under this kind a journal keeps for which prompts a judge is read from text.
FROM_TEXT = "judge_from_text"
# More than this share of first tokens without a verdict, and at least two of them: the judge begins its answers
# otherwise (with its reasoning, with Markdown). Fewer are asked again.
MOST_UNUSABLE = 0.1
FIRST_ROUND, GROWTH = 1, 8


@dataclass(frozen=True, slots=True)
class Samples:
    """Of the rows of a language that a judge answered: how many were read at their first sample, their second, and so
    on, and how many stayed unread."""

    read: Mapping[int, int]
    unread: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `judge` and `rate`, beside what failed."""
        again = {str(tries): count for tries, count in self.read.items() if tries > 1}
        return ({"n_asked_again": again} if again else {}) | ({"n_unread": self.unread} if self.unread else {})

    def describe(self) -> str:
        """A few words on what needed more than one sample; empty where nothing did."""
        again = [f"{count} at sample {tries}" for tries, count in self.read.items() if tries > 1]
        parts = [f"read only {', '.join(again)}"] if again else []
        parts += [f"{self.unread} unread"] if self.unread else []
        return ", ".join(parts)


def count_samples(results: Sequence[Result[Any]]) -> Samples:
    read = Counter(one.tries for one in results if isinstance(one, Read))
    return Samples(dict(sorted(read.items())), sum(isinstance(one, Unread) for one in results))


def describe_cap(unread: int) -> str:
    """What is said of rows that stay unread, for the summary of a run."""
    return (
        f"{unread} of them {'was' if unread == 1 else 'were'} answered and could not be read: the same command does "
        "not ask these again. --retry-unread does, with new samples."
    )


@dataclass(frozen=True, slots=True)
class Ways(Generic[Item, Way]):
    """How a verb asks and reads. make_calls: of an item's n-th try. read: what answers say.

    prompts: tells apart what a journal knows of a judge, such as a hash of its instructions.
    """

    make_calls: Callable[[Item, int, Way], Sequence[Call]]
    read: Callable[[Item, tuple[Answer, ...], Way], float | Unreadable]
    prompts: str


@dataclass(frozen=True, slots=True)
class Asked(Generic[Way]):
    """way: how the results were read. why: why it is not the way to begin with, or empty."""

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

    way: to begin with. text: the way that follows where the judge gives no log probabilities that can be used; None
    where `way` is kept whatever comes. retry_unread: ask on where a row is unread after all its samples.
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
    """Why the verdicts of these results cannot come from log probabilities; empty where they can, or may yet.

    final: whether these are all rows. A call that failed, or whose answer was withheld, says nothing.
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
    """How many batches of a judge follow one after the other, at least and at most.

    calls: of the first samples. learnt: whether the first rows tell how all are read.
    """
    least = 1 if options.batch is None else options.batch.least
    rounds = sum(len(part) >= least for part in _split(range(calls))) if learnt else int(calls >= least)
    return rounds, rounds + RETRIES + learnt


async def _recall(client: ChatClient, prompts: str) -> str:
    """Why the judge is read from text, as far as that is known before it is asked."""
    for value in await client.recall(FROM_TEXT):
        kept = json.loads(value)
        if isinstance(kept, dict) and kept.get("prompts") == prompts:
            return str(kept.get("why"))
    return "gives no log probabilities" if client.shape.drops("logprobs") else ""


class _Conversation(Generic[Item, Way]):
    def __init__(self, client: ChatClient, ways: Ways[Item, Way], retry_unread: bool):
        self._client, self._ways, self._retry_unread = client, ways, retry_unread

    async def holds(self, items: Sequence[Item], way: Way) -> bool:
        """Whether what is replayed was asked in this way: journals of earlier versions don't say how they went on."""
        calls = [call for item in items for call in self._ways.make_calls(item, 0, way)]
        return any(answer is not None for answer in await self._client.look_up(calls))

    async def try_rounds(self, items: Sequence[Item], way: Way) -> tuple[list[Result[float]], str]:
        """One sample of each item, until a round shows that the way cannot be gone: the results, and why not."""
        results: list[Result[float]] = []
        for part in _split(items):
            results += await self._ask_tries(part, way, (0,))
            why = find_reason(results, final=len(results) == len(items))
            if why:
                return results, why
        return results, ""

    async def ask(self, items: Sequence[Item], way: Way, first: int = 0) -> list[Result[float]]:
        """All samples of the items from their `first` one on, and those beyond the cap that there are."""
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
        """Reads the samples beyond the cap that the journal holds; for what stays unread, its first unused number."""
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
    """The result with its samples counted from the first of all, not from that of its round."""
    return result if isinstance(result, FailedCall) else replace(result, tries=result.tries + first)


def _split(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in parts that grow: what a few rows show is not paid for on all."""
    start, size = 0, FIRST_ROUND
    while start < len(items):
        size = size if size < GROWTH**3 else len(items)
        yield items[start : start + size]
        start, size = start + size, size * GROWTH
