"""Deadlines for thousands of requests, at the price of one timer: requests that hang are found a little later."""

from __future__ import annotations

import asyncio

# Requests are looked over this many times in the time that each may take, but no more than so often.
LOOKS_PER_TIMEOUT = 8
SHORTEST_INTERVAL = 0.02
LONGEST_INTERVAL = 0.5


class Deadlines:
    """Gives each block the same time, from `enter` to `leave`; its CancelledError goes through `explain`.

    asyncio.timeout does so too, with a timer for each block, which costs a busy client some percent of its calls.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._interval = min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, seconds / LOOKS_PER_TIMEOUT))
        self._running: dict[asyncio.Task[object], float] = {}  # in the order of their ends, since all have equal time
        self._expired: set[asyncio.Task[object]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> asyncio.Task[object]:
        """Starts the time of a block; there is one at a time in each task."""
        task = asyncio.current_task()
        assert task is not None
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(self._interval, self._look)
        self._running[task] = self._loop.time() + self._seconds
        return task

    def leave(self, task: asyncio.Task[object]) -> None:
        self._running.pop(task, None)
        self._expired.discard(task)

    def explain(self, task: asyncio.Task[object]) -> None:
        """Raises TimeoutError when the cancellation of `task` was ours alone."""
        if task in self._expired and task.uncancel() == 0:
            raise TimeoutError

    def _look(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        for task, end in list(self._running.items()) if self._any_before(now) else ():
            if end > now:
                break
            del self._running[task]
            self._expired.add(task)
            task.cancel()
        if self._running:
            self._loop.call_later(self._interval, self._look)
        else:
            self._loop = None

    def _any_before(self, now: float) -> bool:
        return next(iter(self._running.values()), now + 1) <= now
