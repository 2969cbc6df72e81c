"""The slots of one model: as many calls are on their way at a time, and as many answers wait for the disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from xl_suite.chat.work import Work


class Slots:
    """Calls that wait for a slot, and the tasks that take them, one per slot. start: makes such a task."""

    def __init__(self, count: int, start: Callable[[], asyncio.Task[Any]]):
        self.count, self._start = count, start
        self.tasks: list[asyncio.Task[Any]] = []
        self.undurable = 0  # answers that are handed over and not on the disk yet
        self._queue: deque[Work] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._blocked: deque[asyncio.Future[None]] = deque()

    def put(self, work: Work) -> None:
        """Has a call wait for a slot; starts a task while there are fewer than slots, and none is idle."""
        self._queue.append(work)
        if self._idle:
            _wake(self._idle.popleft())
        elif len(self.tasks) < self.count:
            self.tasks.append(self._start())

    async def take(self) -> Work:
        """The call that has waited longest."""
        while not self._queue:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle
        return self._queue.popleft()

    async def wait_for_disk(self) -> None:
        """Waits while as many answers as there are slots are not on the disk."""
        while self.undurable >= self.count:
            blocked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._blocked.append(blocked)
            await blocked

    def note_durable(self) -> None:
        self.undurable -= 1
        while self._blocked and not _wake(self._blocked.popleft()):
            pass


def _wake(future: asyncio.Future[None]) -> bool:
    """Whether somebody still waits for it."""
    if future.done():
        return False
    future.set_result(None)
    return True
