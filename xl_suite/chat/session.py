"""A session: one journal, one budget, one ledger and one progress line for any number of models."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Callable, Iterable, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from xl_suite.chat.attempts import Sender
from xl_suite.chat.budget import Budget, find_price, require_price
from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import AnswerSource, ChatClient, Deliver
from xl_suite.chat.estimates import estimate
from xl_suite.chat.journal import Journal
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model, serve
from xl_suite.chat.pool import Host, Pool
from xl_suite.chat.replay import choose_model, open_replay
from xl_suite.chat.settings import ChatOptions, choose_log, raise_file_limit
from xl_suite.chat.writer import Writer
from xl_suite.errors import BadInput, XLSuiteError

if TYPE_CHECKING:
    import aiohttp

Value = TypeVar("Value")
TICK_SECONDS = 0.5
# uvicorn, under vLLM and transformers, closes idle connections after 5 s; a call on such a connection would break.
KEEP_ALIVE_SECONDS = 4.0
CONNECT_SECONDS = 10.0
# With a thousand calls in flight, Python's usual 700 has it search for cyclic garbage more than a third of the time.
GARBAGE_THRESHOLD = 20_000


class ChatSession:
    """`async with ChatSession(options, label="respond", total=797) as chat: client = await chat.open(model)`.

    At its end everything that was answered is durable. An error that ends the run is raised by every call that waits
    and by every later one.
    """

    def __init__(self, options: ChatOptions, label: str = "calls", total: int | None = None):
        self.options = options
        self.ledger = Ledger()
        self.budget = Budget(options.budget)
        self.journal: Journal | None = None
        self.writer: Writer | None = None
        self.waiting: set[asyncio.Future[Any]] = set()
        self._label, self._total = label, total
        self._clients: list[ChatClient] = []
        self._sources: dict[Path, tuple[AnswerSource, Callable[[], None], list[tuple[str, str]]]] = {}
        self._https: list[aiohttp.ClientSession] = []
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._fatal: BaseException | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._bar: Any = None
        self._garbage_thresholds = gc.get_threshold()

    async def __aenter__(self) -> ChatSession:
        if self.options.progress:
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, desc=self._label, unit="call", disable=None, mininterval=0.2)
        self._ticker = asyncio.create_task(self._tick())
        gc.set_threshold(max(GARBAGE_THRESHOLD, self._garbage_thresholds[0]), *self._garbage_thresholds[1:])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.set_threshold(*self._garbage_thresholds)
        try:
            tasks = [task for client in self._clients for task in client.stop()]
            if self._ticker is not None:
                self._ticker.cancel()
                tasks.append(self._ticker)
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.writer is not None:
                await self.writer.close()
        finally:
            for http in self._https:
                await http.close()
            self._reader.shutdown()
            if self.journal is not None:
                self.journal.close()
            for _, close, _ in self._sources.values():
                close()
            if self._bar is not None:
                self._show()
                self._bar.close()

    async def open(self, model: Model, alive: Callable[[], str | None] = lambda: None) -> ChatClient:
        """A client of `model`. alive: says None while a server that was started for it lives, else why it died.

        Raises BadInput when a budget is set and the model's price is unknown, JournalError for an unusable journal.
        """
        self.check()
        replay = self.options.replay or (Path(model.source) if model.kind == "replay" else None)
        if replay is not None:
            source, model = await self._open_source(replay, model)
            client = ChatClient(self, model, None, source)
            self._clients.append(client)
            return client
        if not model.urls:
            raise BadInput(
                f"{model.name!r} has no URL yet: open it inside `with serve(model, log) as (model, alive)`."
            )
        price = find_price(model, self.options.price)
        if self.options.budget is not None:
            price = require_price(model, self.options.price)
        if self.journal is None and self.options.journal is not None:
            self.journal = await self.read(Journal, self.options.journal)
            self.writer = Writer(self.journal, asyncio.get_running_loop(), self._note_repeated, self.fail)
        http = self._open_http(model)
        import yarl

        hosts = [Host(url, yarl.URL(url + "/chat/completions")) for url in model.urls]
        pool = Pool(hosts, model.name, alive, self.options.patience)
        sender = Sender(model, pool, http, self.options, self.ledger, self.budget, price)
        client = ChatClient(self, model, sender, None)
        self._clients.append(client)
        slots = self.options.slots * len(self._clients)
        self.ledger.slots = slots
        if self.writer is not None:
            self.writer.set_slots(self.options.slots)
        return client

    def check(self) -> None:
        """Raises what has ended the run, if anything has."""
        if self._fatal is not None:
            raise self._fatal

    def fail(self, error: BaseException) -> None:
        """Ends the run: every call that waits gets `error`, and what is in flight is dropped."""
        if self._fatal is not None:
            return
        self._fatal = error
        for client in self._clients:
            client.stop()
        for future in list(self.waiting):
            if not future.done():
                future.set_exception(error)

    async def read(self, function: Callable[..., Value], *arguments: Any) -> Value:
        """Runs `function` in the thread that reads journals, so that the event loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, function, *arguments)

    def source_name(self, model: Model) -> str:
        return str(self.options.replay or model.source)

    def _note_repeated(self, count: int) -> None:
        self.ledger.repeated += count

    async def _open_source(self, path: Path, model: Model) -> tuple[AnswerSource, Model]:
        if path not in self._sources:
            self._sources[path] = await self.read(open_replay, path)
        source, _, models = self._sources[path]
        if model.kind != "replay":
            return source, model
        name, key = choose_model(path, models, model.name)
        return source, replace(model, name=name, key=key)

    def _open_http(self, model: Model) -> aiohttp.ClientSession:
        import aiohttp

        raise_file_limit((len(self._https) + 1) * self.options.slots + 256)
        headers = {"Accept": "application/json", "User-Agent": "xl-suite"}
        if model.api_key:
            headers["Authorization"] = f"Bearer {model.api_key}"
        http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            skip_auto_headers=("Accept-Encoding",),
        )
        self._https.append(http)
        return http

    async def _tick(self) -> None:
        """Keeps the progress line, and notices when a server that was started for us has died."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._show()
            try:
                for client in self._clients:
                    client.check_alive()
            except XLSuiteError as error:
                self.fail(error)

    def _show(self) -> None:
        if self._bar is None or self._bar.disable:
            return
        ledger = self.ledger
        cost = "?" if ledger.dollars is None else f"{ledger.dollars:.2f}"
        used = ledger.utilisation
        self._bar.set_postfix_str(
            f"{ledger.from_journal} from journal, {ledger.failed} failed, {ledger.retries} retries, ${cost}"
            + ("" if used is None else f", utilisation {used:.2f}"),
            refresh=False,
        )
        self._bar.update(ledger.done - self._bar.n)


def run_calls(
    model: Model,
    calls: Iterable[Call],
    on_result: Deliver,
    options: ChatOptions,
    label: str = "calls",
    total: int | None = None,
) -> Ledger:
    """Asks `model` every call, starting its server if it has one, and calls `on_result` as results become durable.

    Returns the ledger; `ledger.failed` says how many calls failed for good. Raises what ends a run: ModelUnavailable,
    BudgetReached, JournalError, ReplayMiss. Ctrl-C ends it with everything answered kept.
    """
    if total is None and isinstance(calls, Sized):
        total = len(calls)

    async def ask(served: Model, alive: Callable[[], str | None]) -> Ledger:
        async with ChatSession(options, label, total) as chat:
            client = await chat.open(served, alive)
            await client.ask_all(calls, on_result)
        return chat.ledger

    if options.replay is None and isinstance(calls, Sequence) and _needs_no_server(model, calls, options):
        options = replace(options, replay=options.journal, journal=None)
    if options.replay is not None or model.kind == "replay":
        return asyncio.run(ask(model, lambda: None))
    with (
        tempfile.TemporaryDirectory(prefix="xl-suite-") as scratch,
        serve(model, choose_log(options, scratch)) as (served, alive),
    ):
        return asyncio.run(ask(served, alive))


def _needs_no_server(model: Model, calls: Sequence[Call], options: ChatOptions) -> bool:
    """Whether a model's own server, which takes long to start, would find every call answered already."""
    if model.kind not in ("vllm", "transformers") or options.journal is None or not options.journal.exists():
        return False
    return estimate(model, calls, options).new == 0


__all__ = ["Answer", "ChatClient", "ChatOptions", "ChatSession", "FailedCall", "choose_log", "run_calls"]
