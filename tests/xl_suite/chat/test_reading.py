"""Asking until answers can be read: the cap, failed calls, rounds, and what a second run pays for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.reading import RETRIES, Read, Result, Unread, Unreadable, ask_until_read, count_tries, each
from xl_suite.chat.run import run
from xl_suite.chat.settings import ChatOptions


def make_calls(item: str, number: int) -> list[Call]:
    """Two calls for each try."""
    message = (Message("user", f"{item} {number}"),)
    return [Call(item, message, Sampling(max_tokens=4), 2 * number + place) for place in range(2)]


def read(item: str, answers: tuple[Answer, ...]) -> str | Unreadable:
    texts = [answer.text for answer in answers]
    return Unreadable(f"no verdict in {texts[0]!r}") if "unclear" in texts else "+".join(texts)


def ask(
    script: Callable[[dict[str, Any]], str | Reply], items: Sequence[str], journal: Path, **options: Any
) -> tuple[list[Result[str]], Ledger]:
    async def converse(client: ChatClient) -> list[Result[str]]:
        return await ask_until_read(client, items, make_calls, each(read), **options)

    with serve_loopback(script) as server:
        model = Model("tiny", "tiny", (server.url,), "server")
        return run(model, converse, ChatOptions(journal, attempts=1, progress=False, same_model=True))


def answer(request: dict[str, Any]) -> str | Reply:
    """What is asked of an item and a try: `good` at once, `late` at the third try, `never`, and what breaks."""
    item, number = last_message(request).split()
    if item == "broken" or (item == "breaks-later" and number == "1"):
        return Reply("the prompt is too long", 400)
    readable = item == "good" or (item == "late" and number == "2")
    return f"{item}{number}" if readable else "unclear"


def test_each_item_is_read_unread_or_failed(tmp_path: Path) -> None:
    items = ["never", "good", "late", "broken", "breaks-later"]
    results, ledger = ask(answer, items, tmp_path / "j.sqlite")
    never, good, late, broken, breaks_later = results
    assert isinstance(never, Unread)
    assert (never.reason, never.tries, len(never.answers)) == ("no verdict in 'unclear'", 1 + RETRIES, 2)
    assert isinstance(good, Read)
    assert (good.value, good.tries) == ("good0+good0", 1)
    assert isinstance(late, Read)
    assert (late.value, late.tries) == ("late2+late2", 3)
    assert isinstance(broken, FailedCall)
    assert "too long" in broken.reason
    assert isinstance(breaks_later, FailedCall), "and not what was unread before"
    assert count_tries(results) == {1: 1, 3: 1}
    assert ledger.failed == 2 + 2, "a failed call is not asked again"
    assert ledger.paid == 2 * (3 + 1 + 3 + 1)


def test_a_second_run_asks_the_same_calls_and_never_beyond_the_cap(tmp_path: Path) -> None:
    first, _ = ask(answer, ["never", "late"], tmp_path / "j.sqlite")
    again, ledger = ask(answer, ["never", "late"], tmp_path / "j.sqlite")
    assert again == first
    assert (ledger.paid, ledger.from_journal) == (0, 12)


def test_the_numbers_of_the_tries_can_be_given(tmp_path: Path) -> None:
    results, _ = ask(answer, ["late"], tmp_path / "j.sqlite", tries=range(2, 4))
    (late,) = results
    assert isinstance(late, Read)
    assert (late.value, late.tries) == ("late2+late2", 1)


def test_a_round_is_read_together_and_nothing_is_asked_of_nothing(tmp_path: Path) -> None:
    rounds: list[tuple[int, list[str]]] = []

    def read_round(answered: Sequence[tuple[str, tuple[Answer, ...]]], number: int) -> list[str | Unreadable]:
        rounds.append((number, [item for item, _ in answered]))
        return [read(item, answers) for item, answers in answered]

    async def converse(client: ChatClient) -> None:
        await ask_until_read(client, ["never", "good", "late"], make_calls, read_round)
        assert await ask_until_read(client, [], make_calls, read_round) == []

    with serve_loopback(answer) as server:
        run(Model("tiny", "tiny", (server.url,), "server"), converse, ChatOptions(progress=False))
    assert rounds == [(0, ["never", "good", "late"]), (1, ["never", "late"]), (2, ["never", "late"])]
