"""A run: the one way to ask models, for all verbs. It opens the session, the servers and the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sized
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, TypeVar, cast, overload

from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import Call
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger, note_ledger
from xl_suite.chat.locking import hold_for
from xl_suite.chat.models import Model
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.session import ChatSession
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.work import Deliver

Value = TypeVar("Value")
Name = TypeVar("Name")
# How often a thread that waits for a run looks whether it was interrupted.
POLL_SECONDS = 0.2


@overload
def run(
    models: Model,
    conversation: Callable[[ChatClient], Awaitable[Value]],
    options: ChatOptions,
    *,
    label: str = ...,
    total: int | None = ...,
    servers: StartedServers | None = ...,
    budget: Budget | None = ...,
    ledger: Ledger | None = ...,
) -> tuple[Value, Ledger]: ...


@overload
def run(
    models: Mapping[Name, Model],
    conversation: Callable[[dict[Name, ChatClient]], Awaitable[Value]],
    options: ChatOptions,
    *,
    label: str = ...,
    total: int | None = ...,
    servers: StartedServers | None = ...,
    budget: Budget | None = ...,
    ledger: Ledger | None = ...,
) -> tuple[Value, Ledger]: ...


def run(
    models: Model | Mapping[Any, Model],
    conversation: Callable[[Any], Awaitable[Value]],
    options: ChatOptions,
    *,
    label: str = "calls",
    total: int | None = None,
    servers: StartedServers | None = None,
    budget: Budget | None = None,
    ledger: Ledger | None = None,
) -> tuple[Value, Ledger]:
    """What `conversation` returns, given a client of the model, or of each of several by name; and the ledger.

    The conversation runs once. A call that the journal answers costs nothing and needs nothing: a model's server is
    started, and its key and (with a budget) its price are asked for, at the first call that the journal lacks.
    Several models share the slots. label, total: of the progress line, in calls. servers: of runs that use the same
    ones in turn; by default a run stops its own. budget: one that covers several runs. ledger: to count in, which
    has its counts also when the run ends with an error.

    No other run writes to the journal meanwhile: raises JournalBusy where one does, unless options.wait.
    Works inside a running event loop too, as in a notebook: then it runs in a thread of its own. Raises what ends a
    run: ModelUnavailable, BudgetReached, JournalError, ReplayMiss. Ctrl-C ends it with everything answered kept.
    """
    ledger = Ledger() if ledger is None else ledger
    note_ledger(ledger)
    if not isinstance(models, Model):
        options = replace(options, slots=max(1, options.slots // max(1, len(models))))

    async def converse(own: StartedServers) -> tuple[Value, Ledger]:
        session = ChatSession(options, own, label=label, total=total, budget=budget, ledger=ledger, lock=lock)
        async with session as chat:
            if isinstance(models, Model):
                clients: Any = await chat.open(models)
            else:
                clients = {name: await chat.open(model) for name, model in models.items()}
            return await conversation(clients), chat.ledger

    with ExitStack() as stack:
        lock = stack.enter_context(hold_for(options))
        own = stack.enter_context(StartedServers(options)) if servers is None else servers
        return complete(converse(own))


def run_calls(
    model: Model,
    calls: Iterable[Call],
    on_result: Deliver,
    options: ChatOptions,
    *,
    label: str = "calls",
    total: int | None = None,
) -> Ledger:
    """A run that asks `model` every call and calls `on_result` with the results as they become durable."""
    if total is None and isinstance(calls, Sized):
        total = len(calls)
    return run(model, lambda client: client.ask_all(calls, on_result), options, label=label, total=total)[1]


def complete(work: Coroutine[Any, Any, Value]) -> Value:
    """Runs `work` to its end: in this thread, or in another one where this one's event loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    begun = threading.Event()
    ours = asyncio.current_task()
    task: list[asyncio.Task[Any]] = []

    async def watch() -> Value:
        task.append(cast("asyncio.Task[Any]", asyncio.current_task()))
        begun.set()
        return await work

    def cancel() -> None:
        begun.wait()
        if task and not future.done():
            task[0].get_loop().call_soon_threadsafe(task[0].cancel)

    with ThreadPoolExecutor(1, thread_name_prefix="chat-run") as thread:
        future = thread.submit(asyncio.run, watch())
        future.add_done_callback(lambda _: begun.set())
        try:
            while not wait([future], POLL_SECONDS).done:
                # `asyncio.run` turns Ctrl-C into a cancellation of the task that waits here.
                if ours is not None and ours.cancelling():
                    cancel()
                    break
            return future.result()
        except KeyboardInterrupt:
            cancel()
            raise
