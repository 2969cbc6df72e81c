"""A server with batches and a hundred calls to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.batches.overview import list_batches
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.loopback.batching import BatchDesk, BatchFaults
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import Batching, ChatOptions

FAST = Batching(least=8, linger=0.02, poll=0.005, settle=0.001)
CALLS = [Call(f"deu/{n}", (Message("user", f"Say {n}"),), Sampling(max_tokens=16)) for n in range(100)]


@contextmanager
def serve(faults: BatchFaults | None = None, **options: Any) -> Iterator[Loopback]:
    with serve_loopback(desk=BatchDesk(faults=faults or BatchFaults()), **options) as server:
        yield server


@pytest.fixture
def options(tmp_path: Path) -> ChatOptions:
    return ChatOptions(tmp_path / ".journal.sqlite", progress=False, batch=FAST)


def ask(
    server: Loopback, options: ChatOptions, calls: Sequence[Call] = CALLS
) -> tuple[dict[str, Answer | FailedCall], Ledger]:
    found: dict[str, Answer | FailedCall] = {}

    def take(call: Call, result: Answer | FailedCall) -> None:
        assert call.row not in found
        found[call.row] = result

    model = Model("tiny", "tiny", (server.url,), "server")
    ledger = run_calls(model, calls, take, options)
    return found, ledger


def texts(found: dict[str, Answer | FailedCall]) -> dict[str, str]:
    return {row: result.text for row, result in found.items() if isinstance(result, Answer)}


def ask_online(tmp_path: Path) -> dict[str, str]:
    with serve() as server:
        return texts(ask(server, ChatOptions(tmp_path / "online.sqlite", progress=False))[0])


def check_done(options: ChatOptions) -> None:
    """Nothing is left open, and no call is held."""
    assert options.journal is not None
    assert not any(one.is_open for one in list_batches(options.journal))
