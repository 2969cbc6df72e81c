"""Calls that depend on earlier answers: a talk with one model, within one session and one start of its server."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model, serve
from xl_suite.chat.session import ChatSession
from xl_suite.chat.settings import ChatOptions, choose_log
from xl_suite.errors import ReplayMiss

Value = TypeVar("Value")
Talk = Callable[[ChatClient], Awaitable[Value]]


def run_talk(
    model: Model, talk: Talk[Value], options: ChatOptions, *, label: str = "calls", total: int | None = None
) -> tuple[Value, Ledger]:
    """What `talk` returns, and the ledger. It may run twice, so it must keep nothing from run to run.

    The journal is tried alone first: where it holds every answer, no key is needed and no server is started.
    Raises what ends a run: ModelUnavailable, BudgetReached, JournalError, ReplayMiss.
    """

    async def begin(asked: Model, alive: Callable[[], str | None], how: ChatOptions) -> tuple[Value, Ledger]:
        async with ChatSession(how, label, total) as chat:
            value = await talk(await chat.open(asked, alive))
        return value, chat.ledger

    def replay(how: ChatOptions) -> tuple[Value, Ledger]:
        return asyncio.run(begin(model, lambda: None, how))

    if options.replay is not None or model.kind == "replay":
        return replay(options)
    if options.journal is not None and options.journal.exists() and options.journal.stat().st_size:
        try:
            return replay(replace(options, journal=None, replay=options.journal, progress=False))
        except ReplayMiss:
            pass
    with (
        tempfile.TemporaryDirectory(prefix="xl-suite-") as scratch,
        serve(model, choose_log(options, scratch)) as (served, alive),
    ):
        return asyncio.run(begin(served, alive, options))


async def ask_each(client: ChatClient, calls: Sequence[Call]) -> list[Answer | FailedCall]:
    """The result of each call, in the order of the calls."""
    places = {id(call): place for place, call in enumerate(calls)}
    results: list[Answer | FailedCall | None] = [None] * len(calls)

    def take(call: Call, result: Answer | FailedCall) -> None:
        results[places[id(call)]] = result

    await client.ask_all(calls, take)
    return [result for result in results if result is not None]
