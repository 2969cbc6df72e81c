"""A session: one journal, one budget, one ledger and one progress line for any number of models."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from xl_suite.chat.attempts import Sender
from xl_suite.chat.batches.batcher import Batcher, check_batching
from xl_suite.chat.batches.tables import list_held_keys
from xl_suite.chat.budget import Budget, find_price, require_price
from xl_suite.chat.calls import AnswerSource
from xl_suite.chat.client import ChatClient
from xl_suite.chat.http import open_http
from xl_suite.chat.identity import Guard, recall_identities
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.locking import Lock
from xl_suite.chat.models import STARTED, Model, require_key
from xl_suite.chat.pool import Host, Pool
from xl_suite.chat.progress import Progress
from xl_suite.chat.replay import choose_model, open_replay
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions, raise_file_limit
from xl_suite.chat.shapes import recall_shape
from xl_suite.chat.state import SessionState
from xl_suite.errors import XLSuiteError

if TYPE_CHECKING:
    import aiohttp

TICK_SECONDS = 0.5
# With a thousand calls in flight, Python's usual 700 has it search for cyclic garbage more than a third of the time.
GARBAGE_THRESHOLD = 20_000


class ChatSession:
    """The clients of a run; `chat.run` opens it.

    A model is connected to at the first call that the journal does not answer: only then its server is started, and
    its key and its price are needed. At the end everything that was answered is durable. An error that ends the run
    is raised by every call that waits and by every later one.
    """

    def __init__(
        self,
        options: ChatOptions,
        servers: StartedServers,
        *,
        label: str = "calls",
        total: int | None = None,
        ledger: Ledger | None = None,
        budget: Budget | None = None,
        lock: Lock | None = None,
    ):
        self.options = options
        self.ledger = Ledger() if ledger is None else ledger
        self.budget = Budget(options.budget) if budget is None else budget
        self._lock = lock
        self._state = SessionState(options, self.ledger)
        self._servers = servers
        self._label, self._total = label, total
        self._clients: list[ChatClient] = []
        self._replays: dict[Path, tuple[AnswerSource, Callable[[], None], list[tuple[str, str]]]] = {}
        self._https: list[aiohttp.ClientSession] = []
        self._ticker: asyncio.Task[None] | None = None
        self._progress = Progress(self.ledger, label, total, shown=False, seconds=0.0)
        self._garbage_thresholds = gc.get_threshold()

    async def __aenter__(self) -> ChatSession:
        shown, seconds = self.options.progress, self.options.tell_seconds
        self._progress = Progress(self.ledger, self._label, self._total, shown=shown, seconds=seconds)
        self.budget.begin()
        self._ticker = asyncio.create_task(self._tick())
        gc.set_threshold(max(GARBAGE_THRESHOLD, self._garbage_thresholds[0]), *self._garbage_thresholds[1:])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.set_threshold(*self._garbage_thresholds)
        try:
            ending = {task for client in self._clients for task in client.ending}
            if ending and kind is None:
                await asyncio.wait(ending)
            tasks = [task for client in self._clients for task in client.stop()]
            if self._ticker is not None:
                self._ticker.cancel()
                tasks.append(self._ticker)
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            try:
                await self._state.store.close()
            finally:
                for http in self._https:
                    await http.close()
                for _, close, _ in self._replays.values():
                    close()
                self._progress.close()

    async def open(self, model: Model) -> ChatClient:
        """A client of `model`. Raises JournalError for an unusable journal, ReplayMiss for a replay without it."""
        self._state.check()
        replay = self.options.replay or (Path(model.source) if model.kind == "replay" else None)
        answers = None
        if replay is None:
            await self._state.store.open()
        else:
            answers, model = await self._open_replay(replay, model)
        source = answers or self._state.store.journal
        shape = await self._state.store.read(recall_shape, source, model.name, model.key)
        known = await self._state.store.read(recall_identities, source, model.key)
        options, place = self.options, str(self.options.journal)
        guard = Guard(model, options.generator, known, same_model=options.same_model, place=place)
        batching = options.batch if answers is None else None
        if batching is not None:
            check_batching(model, options.journal)
        if answers is None:
            await guard.check_early()
        journal = self._state.store.journal if answers is None and batching is None else None
        held = frozenset() if journal is None else await self._state.store.read(list_held_keys, journal)
        client = ChatClient(self._state, model, lambda: self._connect(client), answers, shape, guard, held)
        if batching is not None:
            Batcher(client, self._state, self.budget, batching)
        self._clients.append(client)
        self._state.stops.append(client.stop)
        return client

    async def _open_replay(self, path: Path, model: Model) -> tuple[AnswerSource, Model]:
        if path not in self._replays:
            self._replays[path] = await self._state.store.read(open_replay, path)
        answers, _, models = self._replays[path]
        if model.kind != "replay":
            return answers, model
        name, key = choose_model(path, models, model.name)
        return answers, replace(model, name=name, key=key)

    async def _connect(self, client: ChatClient) -> Sender:
        """Makes the client's model ready to be called. What can be told at once is told before a server starts.

        Raises BadInput when a budget is set and the model's price is unknown, ModelUnavailable without a key or
        server, JournalError where the journal cannot be written.
        """
        model = client.model
        limited = self.budget.limit is not None
        price = (require_price if limited else find_price)(model, self.options.price)
        require_key(model)
        await self._state.store.begin_writing(self.options.slots)
        client.keep_shape()
        served, explain_death = await self._servers.start(model, self._progress.write)
        hosts = [Host.at(url) for url in served.urls]
        pool = Pool(hosts, served.name, explain_death, self.options.patience, self.options.wait_for_server)
        http = self._open_http(served)
        if model.kind in STARTED:
            client.guard.note_folder()
        else:
            await client.guard.settle(http, last=False)
        confirm = partial(client.confirm, http)
        self.ledger.slots = self.options.slots * len(self._https)
        return Sender(served, pool, http, self.options, self.ledger, self.budget, price, confirm)

    def _open_http(self, model: Model) -> aiohttp.ClientSession:
        raise_file_limit((len(self._https) + 1) * self.options.slots + 256)
        http = open_http(model)
        self._https.append(http)
        return http

    async def _tick(self) -> None:
        """Keeps the progress line, and notices when a server that was started for us died or our lock is lost."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._progress.show()
            try:
                if self._lock is not None:
                    self._lock.check()
                for client in self._clients:
                    client.check_alive()
            except XLSuiteError as error:
                self._state.fail(error)
