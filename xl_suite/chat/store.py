"""A session's journal: looked up by one thread, written by another, and made only when there is a call to pay for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from xl_suite.chat.calls import Answer, AnswerSource
from xl_suite.chat.journal import Journal
from xl_suite.chat.writer import Writer
from xl_suite.errors import JournalError

Value = TypeVar("Value")


class Store:
    """journal: None as long as there is nothing to look up. writer: None until `begin_writing`, or without a path."""

    def __init__(
        self,
        path: Path | None,
        on_repeated: Callable[[int], None],
        on_error: Callable[[JournalError], None],
        further: Path | None = None,
    ):
        self.journal: Journal | None = None
        self.writer: Writer | None = None
        self._path, self._on_repeated, self._on_error = path, on_repeated, on_error
        self._writable = False
        self._further_path = further
        self._further: Journal | None = None
        self._begin = asyncio.Lock()
        self._replaced: list[Journal] = []
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")

    async def read(self, function: Callable[..., Value], *arguments: Any) -> Value:
        """Runs `function` in the thread that reads journals, so that the event loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, function, *arguments)

    async def change(self, function: Callable[..., Value], *arguments: Any, **values: Any) -> Value:
        """Runs `function` on the journal in the thread that writes, after all that was added before; only when
        writing has begun."""
        assert self.writer is not None
        value: Value = await self.writer.operate(lambda journal: function(journal, *arguments, **values))
        return value

    async def find(self, source: AnswerSource | None, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """The answers of those keys that `source` or the further journal holds."""
        found = {} if source is None else dict(await self.read(source.look_up, keys))
        if self._further is not None and len(found) < len(keys):
            left = [key for key in keys if key not in found]
            found |= await self.read(self._further.look_up, left)
        return found

    async def open(self) -> None:
        """Opens the journals for look-ups where they hold anything. Raises JournalError for an unusable one."""
        further = self._further_path
        if further is not None and self._further is None and further.exists():
            self._further = await self.read(lambda: Journal(further, read_only=True))
        path = self._path
        if path is None or self.journal is not None or not path.exists():
            return
        if not path.is_dir() and path.stat().st_size == 0:
            return
        # A journal in a place that cannot be written still answers a run that needs nothing else.
        self._writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        self.journal = await self.read(lambda: Journal(path, read_only=not self._writable))

    async def begin_writing(self, slots: int) -> None:
        """Opens the journal for answers, and makes it if need be. Raises JournalError where that cannot be done."""
        async with self._begin:
            if self._path is None or self.writer is not None:
                return
            if self.journal is None or not self._writable:
                journal = await self.read(Journal, self._path)
                self._replaced += [self.journal] if self.journal is not None else []
                self.journal, self._writable = journal, True
            self.writer = Writer(self.journal, asyncio.get_running_loop(), self._on_repeated, self._on_error)
            self.writer.set_slots(slots)

    async def close(self) -> None:
        """Writes what is left, and closes."""
        try:
            if self.writer is not None:
                await self.writer.close()
        finally:
            self._reader.shutdown()
            for journal in (*self._replaced, self.journal, self._further):
                if journal is not None:
                    journal.close()
