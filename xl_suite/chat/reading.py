"""Asking until the answers can be read, at most so many times, and the same for every model and language.

Asking on until something can be read would select what is easy to read; so what stays unread after the last try is
counted as that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import ChatClient

# An answer that cannot be read is asked for again, as a new sample, this many times.
RETRIES = 2

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What a reader gives for answers that it cannot read, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Read(Generic[Value]):
    """value: what `answers` say, which came at the last of so many `tries`."""

    value: Value
    answers: tuple[Answer, ...]
    tries: int


@dataclass(frozen=True, slots=True)
class Unread:
    """reason, answers: of the last of so many `tries`, none of which could be read."""

    reason: str
    answers: tuple[Answer, ...]
    tries: int


Result = Read[Value] | Unread | FailedCall
# Given the items of a round with their answers, and the number of the try: what the answers say.
Reader = Callable[[Sequence[tuple[Item, tuple[Answer, ...]]], int], Sequence[Value | Unreadable]]


async def ask_until_read(
    client: ChatClient,
    items: Sequence[Item],
    make_calls: Callable[[Item, int], Sequence[Call]],
    read: Reader[Item, Value],
    *,
    tries: Sequence[int] = range(RETRIES + 1),
) -> list[Result[Value]]:
    """The result of each item, in their order: read, unread, or failed, which is not asked again.

    make_calls: the calls of an item's n-th try, n from 0. read: what the answers of a round say, of all items
    together; `each` makes it of a function for one item. A call that failed fails its item. tries: the numbers of the
    tries. Each is a round: all items that are left are asked at once.
    """
    results: dict[int, Result[Value]] = {}
    left = list(range(len(items)))
    # The numbers of the samples follow from those of the tries, here and nowhere else: a run that goes on, or a
    # replay, asks the same calls in the same order as the first run did.
    for count, number in enumerate(tries, start=1):
        if not left:
            break
        made = [make_calls(items[place], number) for place in left]
        came = iter(await client.ask_each([call for calls in made for call in calls]))
        answered: list[tuple[int, tuple[Answer, ...]]] = []
        for place, calls in zip(left, made, strict=True):
            own = [next(came) for _ in calls]
            failed = next((one for one in map(_fail_withheld, own, calls) if isinstance(one, FailedCall)), None)
            if failed is not None:
                results[place] = failed
            else:
                answered.append((place, tuple(one for one in own if isinstance(one, Answer))))
        values = read([(items[place], answers) for place, answers in answered], number)
        left = []
        for (place, answers), value in zip(answered, values, strict=True):
            if isinstance(value, Unreadable):
                results[place] = Unread(value.reason, answers, count)
                left.append(place)
            else:
                results[place] = Read(value, answers, count)
    return [results[place] for place in range(len(items))]


def _fail_withheld(result: Answer | FailedCall, call: Call) -> Answer | FailedCall:
    """A withheld answer says nothing, and asking again would be refused again."""
    if isinstance(result, Answer) and result.is_withheld:
        return FailedCall(call.row, f"withheld: {result.said}", 1)
    return result


def each(
    read: Callable[[Item, tuple[Answer, ...]], Value | Unreadable],
) -> Reader[Item, Value]:
    """A reader of a round that reads one item after the other."""
    return lambda answered, number: [read(item, answers) for item, answers in answered]


def count_tries(results: Iterable[Result[Value]]) -> dict[int, int]:
    """How many items could be read at their first try, their second, and so on."""
    return dict(sorted(Counter(one.tries for one in results if isinstance(one, Read)).items()))
