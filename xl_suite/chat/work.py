"""A call on its way, who waits for its answer, and how many calls may be on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.shapes import Shape
from xl_suite.chat.state import SessionState
from xl_suite.chat.wire import Request
from xl_suite.errors import XLSuiteError

Deliver = Callable[[Call, Answer | FailedCall], None]


class CallFailed(XLSuiteError):
    """A call that failed for good; `failed` says which and why. The next run tries it again."""

    exit_status = 1

    def __init__(self, failed: FailedCall):
        super().__init__(f"{failed.row}: {failed.reason} (after {failed.attempts} attempts)")
        self.failed = failed


class Work:
    """A call on its way, and everyone who waits for its answer. shape: that of `request`."""

    __slots__ = ("call", "request", "shape", "waiters")

    def __init__(self, call: Call, request: Request, shape: Shape, deliver: Deliver):
        self.call, self.request, self.shape = call, request, shape
        self.waiters: list[tuple[Call, Deliver]] = [(call, deliver)]


class Outstanding:
    """The calls of one `ask_all` that are not delivered yet. `deliver` hands each result on to `on_result`."""

    def __init__(self, state: SessionState, on_result: Deliver):
        self._state, self._on_result = state, on_result
        self.count = 0
        self._enough = 0
        self._room: asyncio.Future[None] | None = None

    def deliver(self, call: Call, result: Answer | FailedCall) -> None:
        self.count -= 1
        self._on_result(call, result)
        if self._room is not None and self.count <= self._enough and not self._room.done():
            self._room.set_result(None)

    async def wait(self, count: int) -> None:
        """Waits until at most `count` calls are left. Raises what has ended the run."""
        self._state.check()
        self._enough = count
        if self.count > count:
            self._room = asyncio.get_running_loop().create_future()
            self._state.waiting.add(self._room)
            try:
                await self._room
            finally:
                self._state.waiting.discard(self._room)
                self._room = None
