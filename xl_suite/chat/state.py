"""What the clients of one session share: its options, its ledger, its journal, and whether the run is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from xl_suite.chat.ledger import Ledger
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.store import Store


class SessionState:
    """waiting: futures that get the error which ends the run. stops: what is called when it is over."""

    def __init__(self, options: ChatOptions, ledger: Ledger):
        self.options, self.ledger = options, ledger
        self.store = Store(options.journal, self._note_repeated, self.fail, options.further)
        self.waiting: set[asyncio.Future[Any]] = set()
        self.stops: list[Callable[[], object]] = []
        self._fatal: BaseException | None = None

    def check(self) -> None:
        """Raises what has ended the run, if anything has."""
        if self._fatal is not None:
            raise self._fatal

    def fail(self, error: BaseException) -> None:
        """Ends the run: every call that waits gets `error`, and what is in flight is dropped."""
        if self._fatal is not None:
            return
        self._fatal = error
        for stop in self.stops:
            stop()
        for future in list(self.waiting):
            if not future.done():
                future.set_exception(error)

    def _note_repeated(self, count: int) -> None:
        self.ledger.repeated += count
