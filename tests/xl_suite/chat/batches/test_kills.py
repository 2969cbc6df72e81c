"""Half-price batches of a run that is killed: the next one goes on with them, or tells what to do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.xl_suite.chat.batches.conftest import CALLS, FAST, ask, ask_online, check_done, serve, texts
from xl_suite.chat.batches.overview import list_batches
from xl_suite.chat.batches.service import BatchService
from xl_suite.chat.calls import Message
from xl_suite.chat.locking import JournalBusy
from xl_suite.chat.loopback.batching import BatchDesk
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.store import Store
from xl_suite.cli.main import run_verb
from xl_suite.errors import BadInput, BatchesStopped, ModelUnavailable


def act_at(step: int, act: Callable[[], None]) -> None:
    """Has `act` happen before the step-th request to the server or change of the tables, for as long as we live."""
    taken = 0

    def wrap(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        async def stepped(*arguments: Any, **values: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == step:
                act()
            return await original(*arguments, **values)

        setattr(owner, name, stepped)

    for name in ("upload", "create", "get", "fetch", "delete_file"):
        wrap(BatchService, name)
    wrap(Store, "change")


def run_and_die(server: Loopback, options: ChatOptions, step: int) -> int:
    """Runs in a process that kills itself at a step; the signal that ended it, 0 for one that came to its end."""
    child = os.fork()
    if child == 0:
        try:
            os.close(1)
            act_at(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
            ask(server, options)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def test_killed_before_every_step(tmp_path: Path) -> None:
    """A step is a request to the server or a change of the tables."""
    expected = ask_online(tmp_path)
    step, killed = 1, True
    while killed:
        options = ChatOptions(tmp_path / f"{step}" / ".journal.sqlite", progress=False, batch=FAST)
        with serve() as server:
            killed = run_and_die(server, options, step) == signal.SIGKILL
            found, _ = ask(server, options)
            assert texts(found) == expected, step
            assert (server.calls, server.repeated) == (100, 0), step
        check_done(options)
        step += 1
    assert step > 9


def test_an_open_batch_is_not_paid_again_online(options: ChatOptions) -> None:
    with serve() as server:
        assert run_and_die(server, options, 7) == signal.SIGKILL
        assert options.journal is not None
        (open_one,) = list_batches(options.journal)
        assert (open_one.plan.state, open_one.unanswered) == ("created", 100)
        with pytest.raises(BadInput, match="in a batch that is still open"):
            ask(server, replace(options, batch=None))
        assert len(ask(server, options)[0]) == 100
        assert server.calls == 100


def test_answers_of_calls_that_the_next_run_does_not_ask_are_kept(options: ChatOptions) -> None:
    with serve() as server:
        assert run_and_die(server, options, 7) == signal.SIGKILL
        more = [replace(CALLS[0], row=f"fra/{n}", messages=(Message("user", f"Dis {n}"),)) for n in range(8)]
        found, _ = ask(server, options, [*CALLS[:1], *more])
        assert len(texts(found)) == 9
        _, ledger = ask(server, options)
        assert (server.calls, ledger.from_journal) == (108, 100)


def test_a_second_process_does_not_take_over_what_the_first_one_waits_for(options: ChatOptions) -> None:
    with serve_loopback(desk=BatchDesk(looks=10**9)) as server:
        child = os.fork()
        if child == 0:
            try:
                os.close(1)
                ask(server, options)
            finally:
                os._exit(0)
        try:
            deadline = time.monotonic() + 120
            while not server.desk.batches and time.monotonic() < deadline:
                time.sleep(0.01)
            with pytest.raises(JournalBusy, match="another run writes to this journal"):
                ask(server, options)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        server.desk.looks = 2
        assert len(ask(server, options)[0]) == 100
        assert (server.calls, server.repeated, server.desk.made) == (100, 0, 1)


def test_another_server_does_not_take_over_a_batch(options: ChatOptions) -> None:
    with serve() as server, serve() as other:
        assert run_and_die(server, options, 7) == signal.SIGKILL
        with pytest.raises(BadInput, match="are in a batch at"):
            ask(other, options)
        assert other.calls == 0


def test_batches_verb_shows_and_cancels(options: ChatOptions, tmp_path: Path) -> None:
    with serve_loopback(desk=BatchDesk(looks=10**9)) as server:
        assert run_and_die(server, options, 7) == signal.SIGKILL
        shown = run_verb(["batches", str(tmp_path), "--json"])
        assert [(one["batch"], one["unanswered"]) for one in shown.answer["batches"]] == [("batch_1", 100)]
        refused = run_verb(["batches", str(tmp_path), "--cancel", "all"])
        assert refused.status == 2
        assert f"--model tiny@{server.url}" in refused.notes[0]
        cancelled = run_verb(["batches", str(tmp_path), "--cancel", "batch_1", "--model", f"tiny@{server.url}"])
        assert cancelled.notes == ("batch_1: cancelling",)
        server.desk.looks = 2
        found, _ = ask(server, options)
        assert len(texts(found)) == 100
        assert (server.calls, server.repeated) == (100, 0)  # half of them by the cancelled batch
    assert [one.plan.note.partition(",")[0] for one in list_batches(tmp_path / ".journal.sqlite")] == [
        "cancelled",
        "completed",
    ]


def test_a_batch_that_is_cancelled_while_the_run_waits_ends_it(options: ChatOptions) -> None:
    with serve_loopback(desk=BatchDesk(looks=10**9)) as server:
        server.desk.faults.look = []
        advance = BatchDesk._advance

        def cancel(batch: Any, answer: Any) -> None:
            batch.cancelled = batch.looks > 2
            advance(server.desk, batch, answer)

        server.desk._advance = cancel  # type: ignore[method-assign]
        with pytest.raises(BatchesStopped, match="was cancelled"):
            ask(server, options)
        del server.desk._advance
        server.desk.looks = 2
        assert len(ask(server, options)[0]) == 100
        assert server.repeated == 0


def test_a_batch_that_the_server_forgot_is_told_and_let_go(options: ChatOptions, tmp_path: Path) -> None:
    with serve() as server:
        assert run_and_die(server, options, 7) == signal.SIGKILL
        server.desk.batches.clear()
        with pytest.raises(ModelUnavailable, match="--forget"):
            ask(server, options)
        told = run_verb(["batches", str(tmp_path), "--forget", "all"])
        assert told.notes == ("batch_1: forgotten, 100 calls may be asked again",)
        assert len(ask(server, options)[0]) == 100
