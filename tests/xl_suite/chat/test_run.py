"""A run: what starts when, inside a running event loop too, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.journal import Journal
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.loopback.server import Loopback, Reply, serve_loopback
from xl_suite.chat.models import OPENAI_URL, Model
from xl_suite.chat.run import run, run_calls
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, BudgetReached, ModelUnavailable

LOCAL = Model("tiny", "tiny", (), "vllm", source="weights")


def make_calls(*numbers: int) -> list[Call]:
    return [Call(f"deu/{n}", (Message("user", f"Say {n}"),), Sampling(max_tokens=16)) for n in numbers]


def make_model(server: Loopback, name: str = "tiny") -> Model:
    return Model(name, name, (server.url,), "server")


def ask(*numbers: int) -> Callable[[ChatClient], object]:
    async def converse(client: ChatClient) -> list[str]:
        results = await client.ask_each(make_calls(*numbers))
        return [result.text for result in results if isinstance(result, Answer)]

    return converse


@pytest.fixture
def options(tmp_path: Path) -> ChatOptions:
    return ChatOptions(tmp_path / "j.sqlite", progress=False, same_model=True)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What becomes of the servers of `LOCAL`, whose place a loopback server takes."""
    events: list[str] = []

    @contextmanager
    def pretend(
        model: Model, log: Path, report: Callable[[str], None], stop: threading.Event
    ) -> Iterator[tuple[Model, Callable[[], str | None]]]:
        assert threading.current_thread() is not threading.main_thread()
        events.append(f"start {model.name}")
        yield replace(model, urls=(server.url,)), lambda: None
        events.append(f"stop {model.name}")

    monkeypatch.setattr("xl_suite.chat.serving.started.run_server", pretend)
    with serve_loopback() as server:
        yield events


def test_a_server_is_started_at_the_first_call_that_the_journal_lacks(
    options: ChatOptions, started: list[str]
) -> None:
    first, ledger = run(LOCAL, ask(1, 2), options)
    assert (started, ledger.paid) == (["start tiny", "stop tiny"], 2)
    again, ledger = run(LOCAL, ask(1, 2), options)
    assert again == first
    assert (len(started), ledger.from_journal, ledger.paid, ledger.utilisation) == (2, 2, 0, None)
    times = []

    async def converse(client: ChatClient) -> None:
        times.append(1)
        assert await client.ask(make_calls(1)[0])
        assert len(started) == 2, "the journal answered"
        await client.ask(make_calls(3)[0])

    run(LOCAL, converse, options)
    assert times == [1], "no conversation runs twice"
    assert started[2:] == ["start tiny", "stop tiny"]


def test_answers_of_the_journal_come_while_a_server_starts(
    options: ChatOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is not up before an answer of the journal has arrived."""
    arrived = threading.Event()

    @contextmanager
    def start_late(model: Model, *_: object) -> Iterator[tuple[Model, Callable[[], str | None]]]:
        assert arrived.wait(20)
        yield replace(model, urls=(server.url,)), lambda: None

    monkeypatch.setattr("xl_suite.chat.serving.started.run_server", start_late)

    async def converse(client: ChatClient) -> None:
        async def listen() -> None:
            await client.ask(make_calls(1)[0])
            arrived.set()

        new = asyncio.create_task(client.ask(make_calls(2)[0]))
        await asyncio.gather(listen(), new)

    with serve_loopback() as server:
        run(make_model(server), ask(1), options)
        _, ledger = run(LOCAL, converse, options)
    assert (ledger.from_journal, ledger.paid) == (1, 1)


def test_a_start_is_given_up_when_the_run_ends(options: ChatOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    begun = threading.Event()

    @contextmanager
    def hang(
        model: Model, log: Path, report: Callable[[str], None], stop: threading.Event
    ) -> Iterator[tuple[Model, Callable[[], str | None]]]:
        begun.set()
        ended.append(stop.wait(20))
        raise ModelUnavailable("stopped")
        yield

    monkeypatch.setattr("xl_suite.chat.serving.started.run_server", hang)

    async def converse(client: ChatClient) -> None:
        asking = asyncio.create_task(client.ask(make_calls(1)[0]))
        assert await asyncio.to_thread(begun.wait, 20)
        asking.cancel()
        raise TimeoutError

    with pytest.raises(TimeoutError):
        run(LOCAL, converse, options)
    assert ended == [True]


def test_a_server_that_does_not_start_ends_the_run(options: ChatOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def break_down(model: Model, *_: object) -> Iterator[tuple[Model, Callable[[], str | None]]]:
        raise ModelUnavailable("out of memory")
        yield

    monkeypatch.setattr("xl_suite.chat.serving.started.run_server", break_down)
    with pytest.raises(ModelUnavailable, match="out of memory"):
        run(LOCAL, ask(*range(200)), options)


def test_servers_live_as_long_as_their_block(options: ChatOptions, started: list[str]) -> None:
    with StartedServers(options) as servers:
        run(LOCAL, ask(1), options, servers=servers)
        run(LOCAL, ask(2), options, servers=servers)
        assert started == ["start tiny"]
    assert started == ["start tiny", "stop tiny"]


def test_key_and_price_are_needed_at_the_first_call_that_the_journal_lacks(options: ChatOptions) -> None:
    """And without one nothing is written, not even an empty journal."""
    openai = Model("tiny", "tiny", (OPENAI_URL,), "openai")
    assert options.journal is not None
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
        run(openai, ask(1), options)
    assert not options.journal.exists()
    with serve_loopback() as server:
        run(make_model(server), ask(1), options)
        limited = replace(options, budget=1.0)
        assert run(openai, ask(1), limited)[1].from_journal == 1
        with pytest.raises(BadInput, match="--price"):
            run(make_model(server), ask(1, 2), limited)
        with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
            run(openai, ask(1, 2), options)
        assert server.calls == 1


def test_a_journal_that_cannot_be_written_still_answers(
    options: ChatOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_loopback() as server:
        run(make_model(server), ask(1), options)
        opened: list[bool] = []
        real = Journal.__init__

        def watch(self: Journal, path: Path, *, read_only: bool = False) -> None:
            opened.append(read_only)
            real(self, path, read_only=read_only)

        monkeypatch.setattr(Journal, "__init__", watch)
        monkeypatch.setattr(os, "access", lambda *_: False)
        assert run(make_model(server), ask(1), options)[1].from_journal == 1
        assert opened == [True]
        assert run(make_model(server), ask(1, 2), options)[1].paid == 1
        assert opened == [True, True, False]
        monkeypatch.undo()
        assert run(make_model(server), ask(1, 2), options)[1].from_journal == 2


def test_several_models_share_slots_journal_and_ledger(options: ChatOptions) -> None:
    async def converse(clients: dict[str, ChatClient]) -> list[str]:
        asked = [client.ask_each(make_calls(*range(20))) for client in clients.values()]
        return [type(result).__name__ for results in await asyncio.gather(*asked) for result in results]

    with serve_loopback(latency=0.01) as one, serve_loopback(latency=0.01) as two:
        models = {"teacher": make_model(one, "a"), "translator": make_model(two, "b")}
        kinds, ledger = run(models, converse, replace(options, slots=8))
        assert (one.calls, two.calls) == (20, 20)
    assert kinds == ["Answer"] * 40
    assert (ledger.paid, ledger.slots) == (40, 8)


def test_a_budget_covers_several_runs_and_a_ledger_counts_in_spite_of_errors(options: ChatOptions) -> None:
    def reply(request: object) -> Reply:
        return Reply("x", prompt_tokens=10, completion_tokens=10)

    limited = replace(options, price=(10.0, 10.0), slots=1)
    budget = Budget(0.001)
    ledger = Ledger()
    with serve_loopback(reply) as server:
        run(make_model(server), ask(1, 2), limited, budget=budget)
        with pytest.raises(BudgetReached, match=r"\$0.001 is reached"):
            run(make_model(server), ask(*range(3, 20)), limited, budget=budget, ledger=ledger)
        assert server.calls == 2 + ledger.paid
    assert budget.spent == pytest.approx(0.0002 * (2 + ledger.paid))
    assert 1 <= ledger.paid <= 3


def test_a_run_works_inside_a_running_event_loop(options: ChatOptions) -> None:
    async def notebook(server: Loopback) -> tuple[list[str], Ledger]:
        return run(make_model(server), ask(1, 2), options)

    with serve_loopback(lambda request: "hello") as server:
        texts, ledger = asyncio.run(notebook(server))
        assert (texts, ledger.paid) == (["hello", "hello"], 2)
        wrong = replace(options, journal=None, attempts=1)

        async def break_off() -> None:
            def refuse(call: Call, result: Answer | FailedCall) -> None:
                raise OSError("no space left on device")

            run_calls(make_model(server), make_calls(1), refuse, wrong)

        with pytest.raises(OSError, match="no space"):
            asyncio.run(break_off())


@pytest.mark.parametrize("handled", ["by asyncio", "by Python"])
def test_ctrl_c_inside_a_running_event_loop_keeps_what_was_answered(options: ChatOptions, handled: str) -> None:
    """`asyncio.run` cancels its task at Ctrl-C; a notebook's loop leaves it to Python, which raises."""

    def answer(request: dict[str, list[dict[str, str]]]) -> str | Reply:
        if request["messages"][-1]["content"] == "Say 5":
            os.kill(os.getpid(), signal.SIGINT)
            return Reply(stall=True)
        return "hello"

    async def notebook(server: Loopback) -> None:
        run(make_model(server), ask(*range(6)), replace(options, slots=1))

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with serve_loopback(answer) as server, pytest.raises(KeyboardInterrupt):
            if handled == "by asyncio":
                asyncio.run(notebook(server))
            else:
                loop = asyncio.new_event_loop()
                try:
                    loop.run_until_complete(notebook(server))
                finally:
                    loop.close()
    finally:
        signal.signal(signal.SIGINT, previous)
    assert options.journal is not None
    with Journal(options.journal) as journal:
        assert len(list(journal.answers())) == 5


def test_ctrl_c_keeps_what_was_answered(options: ChatOptions) -> None:
    def answer(request: dict[str, list[dict[str, str]]]) -> str | Reply:
        if request["messages"][-1]["content"] == "Say 5":
            os.kill(os.getpid(), signal.SIGINT)
            return Reply(stall=True)
        return "hello"

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with serve_loopback(answer) as server, pytest.raises(KeyboardInterrupt):
            run(make_model(server), ask(*range(6)), replace(options, slots=1))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert options.journal is not None
    with Journal(options.journal) as journal:
        assert len(list(journal.answers())) == 5
