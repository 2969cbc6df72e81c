"""Group commit: a thread that writes answers to the journal, as many at a time as have come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from xl_suite.chat.journal import Journal, StoredAnswer, StoredFailure
from xl_suite.errors import JournalError

# A group is written when this time has passed since its first answer, or sooner when half the slots wait for it.
LINGER_SECONDS = 0.01
LARGEST_GROUP = 512


@dataclass(slots=True)
class Group:
    """What one commit writes, and what is called in the event loop, with how many answers were new, after it."""

    answers: list[StoredAnswer] = field(default_factory=list)
    failures: list[StoredFailure] = field(default_factory=list)
    callbacks: list[Callable[[], None]] = field(default_factory=list)


class Writer:
    """Hands answers to the journal's thread. All methods but the thread's own are called in the event loop."""

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        on_repeated: Callable[[int], None],
        on_error: Callable[[JournalError], None],
    ):
        self._journal, self._loop = journal, loop
        self._on_repeated, self._on_error = on_repeated, on_error
        self._pending = Group()
        self._changed = threading.Condition()
        self._closing = False
        self._hurry_at = 1
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def set_slots(self, slots: int) -> None:
        self._hurry_at = max(1, min(slots // 2, LARGEST_GROUP))

    def add_answer(self, answer: StoredAnswer, callback: Callable[[], None]) -> None:
        """Takes an answer; `callback` is called in the event loop when it is durable."""
        with self._changed:
            self._pending.answers.append(answer)
            self._pending.callbacks.append(callback)
            count = len(self._pending.callbacks)
            if count == 1 or count == self._hurry_at:
                self._changed.notify()

    def add_failure(self, failure: StoredFailure, callback: Callable[[], None]) -> None:
        with self._changed:
            self._pending.failures.append(failure)
            self._pending.callbacks.append(callback)
            self._changed.notify()

    async def close(self) -> None:
        """Writes what is left and ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._pending.callbacks and not self._closing:
                    self._changed.wait()
                if not self._closing and len(self._pending.callbacks) < self._hurry_at:
                    self._changed.wait_for(
                        lambda: self._closing or len(self._pending.callbacks) >= self._hurry_at, LINGER_SECONDS
                    )
                group, self._pending = self._pending, Group()
                if not group.callbacks and self._closing:
                    return
            try:
                new = self._journal.add(group.answers, group.failures)
            except JournalError as error:
                self._call(self._on_error, error)
                return
            except BaseException as error:
                self._call(
                    self._on_error, JournalError(f"{self._journal.path}: the journal's writer broke: {error!r}")
                )
                return
            self._call(self._deliver, group, len(group.answers) - new)

    def _deliver(self, group: Group, repeated: int) -> None:
        if repeated:
            self._on_repeated(repeated)
        for callback in group.callbacks:
            callback()

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)
