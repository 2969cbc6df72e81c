"""The servers that a run starts: each at the first call that needs it, all stopped at the end."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from xl_suite.chat.models import STARTED, Model
from xl_suite.chat.serving.servers import run_server
from xl_suite.chat.settings import ChatOptions, choose_log

# A model with its URLs, and a check that says None while its server runs, or why it is gone.
Served = tuple[Model, Callable[[], str | None]]


class StartedServers:
    """`with StartedServers(options) as servers: run(..., servers=servers)`: the servers live as long as the block.

    They are started in a thread of their own, one after another, since two would share one machine's memory.
    """

    def __init__(self, options: ChatOptions):
        self._options = options
        self._stack = ExitStack()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="server-start")
        self._stop = threading.Event()
        self._starts: dict[tuple[str, str], Future[Served]] = {}

    async def start(self, model: Model, report: Callable[[str], None]) -> Served:
        """The model, ready to be called: with a server of its own where it is of a kind that needs one.

        Raises ModelUnavailable where the server does not start, and MissingExtra where its package is missing.
        """
        if model.kind not in STARTED:
            return model, lambda: None
        name = model.kind, model.source
        if name not in self._starts:
            self._starts[name] = self._thread.submit(self._start, model, report)
        return await asyncio.wrap_future(self._starts[name])

    def _start(self, model: Model, report: Callable[[str], None]) -> Served:
        log = choose_log(self._options, self._stack.enter_context(tempfile.TemporaryDirectory(prefix="xl-suite-")))
        return self._stack.enter_context(run_server(model, log, report, self._stop))

    def __enter__(self) -> StartedServers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        try:
            self._thread.shutdown(cancel_futures=True)
        finally:
            self._stack.close()
