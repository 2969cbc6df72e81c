"""Group commit: a thread writes answers to the journal, as many at a time as came while it wrote the last ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from xl_suite.chat.journal import Journal
from xl_suite.chat.journal_rows import Fact, StoredAnswer, StoredFailure
from xl_suite.errors import JournalError

# A group is written when this time has passed since its first answer, or sooner when a quarter of the
# slots wait for it: with half of them, slots stand still while a slow disk writes.
LINGER_SECONDS = 0.01
LARGEST_GROUP = 512


@dataclass(slots=True)
class Group:
    """What one commit writes, and what is called in the event loop after it."""

    answers: list[StoredAnswer] = field(default_factory=list)
    failures: list[StoredFailure] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    callbacks: list[Callable[[], None]] = field(default_factory=list)
    operations: list[tuple[Callable[[Journal], Any], asyncio.Future[Any]]] = field(default_factory=list)


class Writer:
    """Hands answers to the thread that writes. Called in the event loop, but for what runs in the thread."""

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
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._broken = False
        self._enough = 1
        self._groups: SimpleQueue[Group | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def set_slots(self, slots: int) -> None:
        self._enough = max(1, min(slots // 4, LARGEST_GROUP))

    def add_answer(self, answer: StoredAnswer, callback: Callable[[], None]) -> None:
        """Takes an answer; `callback` is called in the event loop when it is durable."""
        self._pending.answers.append(answer)
        self._note(callback)

    def add_failure(self, failure: StoredFailure, callback: Callable[[], None]) -> None:
        self._pending.failures.append(failure)
        self._note(callback)

    def add_fact(self, fact: Fact) -> None:
        """Takes a fact; it is written before any answer that is added after it."""
        self._pending.facts.append(fact)
        self._note(_nothing)

    def operate(self, operation: Callable[[Journal], Any]) -> asyncio.Future[Any]:
        """Runs `operation` in the thread that writes, after all that was added before it; its value."""
        done: asyncio.Future[Any] = self._loop.create_future()
        self._pending.operations.append((operation, done))
        self._note(_nothing)
        return done

    async def close(self) -> None:
        """Writes what is left and ends the thread."""
        if self._timer is not None:
            self._timer.cancel()
        if self._pending.callbacks and not self._broken:
            self._groups.put(self._pending)
        self._pending = Group()
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # the last groups are delivered

    def _note(self, callback: Callable[[], None]) -> None:
        callbacks = self._pending.callbacks
        callbacks.append(callback)
        if not self._writing:
            self._plan()

    def _plan(self) -> None:
        if len(self._pending.callbacks) >= self._enough:
            self._write()
        elif self._timer is None:
            self._timer = self._loop.call_later(LINGER_SECONDS, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing or self._broken or not self._pending.callbacks:
            return
        group, self._pending = self._pending, Group()
        self._writing = True
        self._groups.put(group)

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            try:
                new = self._journal.add(group.answers, group.failures, group.facts)
                values = [(done, operation(self._journal)) for operation, done in group.operations]
            except JournalError as error:
                self._call(self._fail, error)
                return
            except BaseException as error:
                problem = JournalError(f"{self._journal.path}: the journal's writer broke: {error!r}")
                self._call(self._fail, problem)
                return
            self._call(self._deliver, group, len(group.answers) - new, values)

    def _deliver(self, group: Group, repeated: int, values: list[tuple[asyncio.Future[Any], Any]]) -> None:
        self._writing = False
        for done, value in values:
            if not done.done():
                done.set_result(value)
        if repeated:
            self._on_repeated(repeated)
        if self._pending.callbacks:
            self._plan()
        for callback in group.callbacks:
            callback()

    def _fail(self, error: JournalError) -> None:
        self._broken = True
        self._on_error(error)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)


def _nothing() -> None:
    """What follows when a fact is durable."""
