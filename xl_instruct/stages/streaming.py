"""Rows through an asynchronous function, many at once, results in the order of the rows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

# Finished rows that may wait for an earlier one, so that one slow row does not leave the slots idle.
MOST_WAITING = 1024


async def run_together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs all at the same time. The first error ends the others, and is raised when they have ended."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stream_rows(
    rows: Iterable[In],
    work: Callable[[In], Awaitable[Out]],
    *,
    in_flight: int,
    weigh: Callable[[In], int] = lambda row: 1,
    most_waiting: int = MOST_WAITING,
) -> AsyncIterator[Out]:
    """The results of `work` for every row, in the rows' order.

    in_flight: calls that the rows under way may make together, as `weigh` counts them for a row; one row is
    always under way, whatever its weight. Rows are taken from `rows` only as there is room, so memory is bounded by
    `in_flight` and `most_waiting`. An error of `work` ends the stream and all rows under way.
    """
    tasks: deque[asyncio.Task[Out]] = deque()
    under_way = 0

    async def run(row: In, weight: int) -> Out:
        nonlocal under_way
        try:
            return await work(row)
        finally:
            under_way -= weight
            room.set()

    room = asyncio.Event()
    source = iter(rows)
    left = True
    try:
        while left or tasks:
            while left and len(tasks) < most_waiting and (under_way < in_flight or not tasks):
                try:
                    row = next(source)
                except StopIteration:
                    left = False
                    break
                weight = weigh(row)
                under_way += weight
                tasks.append(asyncio.create_task(run(row, weight)))
            if not tasks:
                break
            if tasks[0].done():
                yield tasks.popleft().result()
                continue
            room.clear()
            await room.wait()
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
