"""The chat client against the loopback server: faults, fatal answers, quarantine, load sharing, budgets."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat import faults, pool
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.journal import Journal
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.loopback.server import FaultRates, Loopback, Reply, last_message, serve_loopback, token_logprobs
from xl_suite.chat.models import Model
from xl_suite.chat.run import run, run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.work import CallFailed
from xl_suite.errors import BadInput, BudgetReached, ModelUnavailable


def make_calls(count: int, text: str = "Say {n}", **sampling: Any) -> list[Call]:
    settings = Sampling(max_tokens=16, **sampling)
    return [Call(f"deu/{n}", (Message("user", text.format(n=n)),), settings) for n in range(count)]


def make_model(*servers: Loopback, name: str = "tiny", key: str | None = None) -> Model:
    return Model(name, name, tuple(server.url for server in servers), "server", key)


def ask_all(
    model: Model, calls: Sequence[Call], **options: Any
) -> tuple[Ledger, dict[str, Answer], dict[str, FailedCall]]:
    answers: dict[str, Answer] = {}
    failed: dict[str, FailedCall] = {}

    def keep(call: Call, result: Answer | FailedCall) -> None:
        assert call.row not in answers, "delivered twice"
        if isinstance(result, Answer):
            answers[call.row] = result
        else:
            failed[call.row] = result

    ledger = run_calls(model, calls, keep, ChatOptions(progress=False, same_model=True, **options))
    return ledger, answers, failed


@pytest.fixture(autouse=True)
def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits a hundredth of the time between attempts."""
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.005)
    monkeypatch.setattr(pool, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(pool, "LONGEST_PAUSE", 0.05)


def fail_once(reply: Reply, good: str = "fine") -> Callable[[dict[str, Any]], str | Reply]:
    """A script whose first answer to each text is `reply`, and `good` from then on."""
    seen: set[str] = set()

    def script(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        if text in seen:
            return good
        seen.add(text)
        return reply

    return script


def test_answers_come_back_with_their_rows(tmp_path: Path) -> None:
    with serve_loopback(lambda request: "re: " + last_message(request)) as server:
        ledger, answers, failed = ask_all(make_model(server), make_calls(300), journal=tmp_path / "j.sqlite")
    assert {row: answer.text for row, answer in answers.items()} == {f"deu/{n}": f"re: Say {n}" for n in range(300)}
    assert not failed
    assert (ledger.paid, ledger.from_journal, server.calls) == (300, 0, 300)
    assert ledger.prompt_tokens > 0
    assert ledger.completion_tokens > 0


def test_a_second_run_asks_only_what_is_new(tmp_path: Path) -> None:
    with serve_loopback() as server:
        _, first, _ = ask_all(make_model(server), make_calls(50), journal=tmp_path / "j.sqlite")
        ledger, second, _ = ask_all(make_model(server), make_calls(60), journal=tmp_path / "j.sqlite")
    assert {row: second[row] for row in first} == first
    assert (ledger.paid, ledger.from_journal, server.calls) == (10, 50, 60)


@pytest.mark.parametrize(
    "fault",
    [
        Reply("busy", 429, headers={"Retry-After": "0.01"}),
        Reply("broken", 500),
        Reply("overloaded", 503),
        Reply(cut=True),
        Reply("long enough to be cut in the middle", cut=True, after=40),
        Reply(stall=True),
        Reply(raw=b"<html>not JSON</html>"),
        Reply(raw=b'{"choices": []}'),
        Reply(raw=b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'),
        Reply(raw=b'{"error": {"message": "upstream"}}'),
        Reply(raw=b"[]"),
        Reply(raw=b'{"choices": [{"message": {"content": "\xff"}}]}'),
        Reply(raw=b""),
    ],
    ids=lambda reply: str(reply.status) if reply.raw is None else repr(reply.raw)[:40],
)
def test_a_fault_is_retried(fault: Reply, tmp_path: Path) -> None:
    with serve_loopback(fail_once(fault)) as server:
        ledger, answers, failed = ask_all(
            make_model(server), make_calls(20), journal=tmp_path / "j.sqlite", timeout=0.3, slots=20
        )
    assert {answer.text for answer in answers.values()} == {"fine"}
    assert (len(answers), len(failed), ledger.retries) == (20, 0, 20)
    assert server.calls == 40


def test_retry_after_is_honoured() -> None:
    times: dict[str, list[float]] = {}

    def script(request: dict[str, Any]) -> str | Reply:
        moments = times.setdefault(last_message(request), [])
        moments.append(time.monotonic())
        return "fine" if len(moments) > 1 else Reply("busy", 429, headers={"Retry-After": "0.4"})

    with serve_loopback(script) as server:
        ask_all(make_model(server), make_calls(3))
    waits = [second - first for first, second in times.values()]
    assert len(waits) == 3
    assert min(waits) >= 0.4


def test_a_throttled_server_that_answers_others_uses_up_no_attempts() -> None:
    """Each text is refused ten times; with other calls answered in between, that is a busy server, not a bad row."""
    counts: dict[str, int] = {}

    def script(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        counts[text] = counts.get(text, 0) + 1
        if text == "Say 0" and counts[text] <= 10:
            return Reply("busy", 429, headers={"Retry-After": "0.01"})
        return "fine"

    with serve_loopback(script, latency=0.01) as server:
        _, answers, failed = ask_all(make_model(server), make_calls(400), attempts=3, slots=4)
    assert not failed
    assert len(answers) == 400
    assert counts["Say 0"] == 11


def test_a_row_that_fails_for_good_is_quarantined_and_retried_by_the_next_run(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    broken = True

    def script(request: dict[str, Any]) -> str | Reply:
        return Reply("cannot do that", 500) if broken and last_message(request).endswith("7") else "fine"

    with serve_loopback(script) as server:
        ledger, answers, failed = ask_all(make_model(server), make_calls(40), journal=journal, attempts=3)
        assert set(failed) == {"deu/7", "deu/17", "deu/27", "deu/37"}
        assert {(one.attempts, "cannot do that" in one.reason) for one in failed.values()} == {(3, True)}
        assert (ledger.failed, len(answers)) == (4, 36)
        with Journal(journal) as stored:
            assert {one.row for one in stored.failures()} == set(failed)
        broken = False
        before = server.calls
        ledger, answers, failed = ask_all(make_model(server), make_calls(40), journal=journal, attempts=3)
    assert (ledger.paid, ledger.from_journal, len(answers), failed) == (4, 36, 40, {})
    assert server.calls == before + 4
    with Journal(journal) as stored:
        assert stored.failures() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_what_would_fail_every_call_ends_the_run_at_once(status: int) -> None:
    with serve_loopback(lambda request: Reply("no such thing", status), latency=0.01) as server:
        with pytest.raises(ModelUnavailable) as caught:
            ask_all(make_model(server), make_calls(5000), slots=8)
        assert server.calls <= 32
        message = str(caught.value)
        assert server.url in message
        assert str(status) in message
        assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "text", ["This model's maximum context length is 4096 tokens", "blocked by content_filter", "input is too long"]
)
def test_a_prompt_that_is_itself_at_fault_stands_alone(text: str) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        return Reply(text, 400) if last_message(request) == "Say 0" else "fine"

    with serve_loopback(script) as server:
        ledger, answers, failed = ask_all(make_model(server), make_calls(10), slots=1)
    if "filter" in text:
        assert (answers["deu/0"].text, answers["deu/0"].finish_reason) == ("", "withheld")
        assert text in answers["deu/0"].said
    else:
        assert list(failed) == ["deu/0"]
        assert text in failed["deu/0"].reason
    assert (len(answers) + len(failed), ledger.retries, server.calls) == (10, 0, 10)


def test_a_400_after_good_answers_stands_alone() -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        return Reply("I do not like this", 400) if last_message(request) == "Say 5" else "fine"

    with serve_loopback(script) as server:
        _, answers, failed = ask_all(make_model(server), make_calls(10), slots=1)
    assert (list(failed), len(answers)) == (["deu/5"], 9)


def test_an_answer_withheld_by_a_filter_is_not_asked_for_again() -> None:
    raw = b'{"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}]}'
    with serve_loopback(lambda request: Reply(raw=raw)) as server:
        _, answers, _ = ask_all(make_model(server), make_calls(1))
        assert server.calls == 1
    assert answers["deu/0"].is_withheld
    assert "content_filter" in answers["deu/0"].said


def test_tokens_used_up_before_any_text_are_an_empty_truncated_answer() -> None:
    raw = b'{"choices": [{"message": {"content": null, "reasoning_content": "hm"}, "finish_reason": "length"}]}'
    with serve_loopback(lambda request: Reply(raw=raw)) as server:
        _, answers, _ = ask_all(make_model(server), make_calls(1))
    assert (answers["deu/0"].text, answers["deu/0"].finish_reason) == ("", "length")


def test_no_quota_ends_the_run() -> None:
    raw = b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}'
    with serve_loopback(lambda request: Reply(status=429, raw=raw)) as server:
        with pytest.raises(ModelUnavailable, match="quota"):
            ask_all(make_model(server), make_calls(100), slots=2)
        assert server.calls <= 4


def test_a_port_where_nothing_listens_ends_the_run_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FIRST_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    model = Model("tiny", "tiny", (f"http://127.0.0.1:{port}/v1",), "server")
    begun = time.monotonic()
    with pytest.raises(ModelUnavailable, match=rf"127\.0\.0\.1:{port}/v1, model tiny.*Check host and port") as caught:
        ask_all(model, make_calls(5000))
    assert caught.value.exit_status == 2
    assert time.monotonic() - begun < 20


def test_a_server_that_dies_ends_the_run_and_no_row_is_given_up(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    got: list[str] = []
    stop = threading.Event()
    with serve_loopback(latency=0.002) as server:
        model = make_model(server)

    def serve_until_told() -> None:
        port = int(model.urls[0].rsplit(":", 1)[1].removesuffix("/v1"))
        with serve_loopback(latency=0.002, port=port):
            ready.set()
            stop.wait()

    ready = threading.Event()
    thread = threading.Thread(target=serve_until_told)
    thread.start()
    ready.wait()

    def keep(call: Call, result: Answer | FailedCall) -> None:
        assert isinstance(result, Answer)
        got.append(call.row)
        if len(got) == 200:
            stop.set()

    options = ChatOptions(journal, slots=16, patience=0.3, progress=False)
    with pytest.raises(ModelUnavailable, match="out of reach") as caught:
        run_calls(model, make_calls(3000), keep, options)
    thread.join()
    assert caught.value.exit_status == 1
    with Journal(journal) as stored:
        assert stored.failures() == []
        assert len(list(stored.answers())) == len(set(got)) >= 200


def test_a_server_of_our_own_that_died_ends_the_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def pretend(model: Model, *_: object) -> Iterator[tuple[Model, Callable[[], str | None]]]:
        yield replace(model, urls=(server.url,)), lambda: "its server ended: out of memory"

    monkeypatch.setattr("xl_suite.chat.serving.started.run_server", pretend)
    model = Model("tiny", "tiny", (), "vllm", source="tiny")
    with serve_loopback(lambda request: Reply(stall=True)) as server, pytest.raises(ModelUnavailable) as caught:
        ask_all(model, make_calls(10), patience=600)
    assert "out of memory" in str(caught.value)
    assert caught.value.exit_status == 1


def test_a_server_where_nothing_succeeds_any_more_ends_the_run_early() -> None:
    with serve_loopback(lambda request: Reply("down", 500)) as server:
        with pytest.raises(ModelUnavailable, match=r"nothing has been answered and 1[2-9] calls"):
            ask_all(make_model(server), make_calls(5000), attempts=2, slots=16)
        assert server.calls < 500


def test_load_is_shared_and_a_broken_url_is_left_alone() -> None:
    with (
        serve_loopback(latency=0.005) as one,
        serve_loopback(latency=0.005) as two,
        serve_loopback(lambda request: Reply("down", 503)) as broken,
    ):
        _, answers, failed = ask_all(make_model(one, two, broken), make_calls(600), slots=12)
        assert len(answers) == 600
        assert not failed
        assert min(one.calls, two.calls) > 200
        assert broken.calls < 100


def test_a_url_where_nothing_listens_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    with serve_loopback() as server:
        model = Model("tiny", "tiny", (dead, server.url), "server")
        _, answers, failed = ask_all(model, make_calls(100))
    assert (len(answers), failed) == (100, {})


def test_identical_calls_in_flight_are_made_once(tmp_path: Path) -> None:
    async def ask(client: ChatClient) -> list[Answer]:
        same = [Call(f"row/{n}", (Message("user", "same"),)) for n in range(20)]
        return await asyncio.gather(*(client.ask(call) for call in same))

    with serve_loopback(latency=0.05) as server:
        answers, ledger = run(make_model(server), ask, ChatOptions(tmp_path / "j.sqlite", progress=False))
        assert server.calls == 1
    assert len({answer.text for answer in answers}) == 1
    assert (ledger.paid, ledger.shared) == (1, 19)


def test_samples_are_calls_of_their_own_with_seeds_of_their_own() -> None:
    calls = [Call("r", (Message("user", "hi"),), Sampling(seed=40), sample) for sample in range(3)]
    with serve_loopback(keep_requests=True) as server:
        run_calls(make_model(server), calls, lambda call, result: None, ChatOptions(progress=False))
        assert sorted(request["seed"] for request in server.requests) == [40, 41, 42]


def test_ask_raises_what_happened_to_its_row() -> None:
    async def ask(client: ChatClient) -> None:
        with pytest.raises(CallFailed) as caught:
            await client.ask(make_calls(1)[0])
        assert caught.value.failed == FailedCall("deu/0", caught.value.failed.reason, 2)
        assert "HTTP 500" in caught.value.failed.reason

    with serve_loopback(lambda request: Reply("no", 500)) as server:
        run(make_model(server), ask, ChatOptions(progress=False, attempts=2))


def test_logprobs_come_back_as_they_were_given(tmp_path: Path) -> None:
    chances = {"m": -0.1, "M": -2.4}
    reply = Reply("m", logprobs=token_logprobs(chances))
    calls = make_calls(1, logprobs=True, top_logprobs=5)
    with serve_loopback(lambda request: reply) as server:
        _, first, _ = ask_all(make_model(server), calls, journal=tmp_path / "j.sqlite")
        _, second, _ = ask_all(make_model(server), calls, journal=tmp_path / "j.sqlite")
    logprobs = first["deu/0"].logprobs
    assert logprobs is not None
    assert {one["token"]: one["logprob"] for one in logprobs[0]["top_logprobs"]} == chances
    assert first == second


def test_requests_are_taken_from_the_iterable_as_slots_need_them() -> None:
    taken = 0

    def produce() -> Iterator[Call]:
        nonlocal taken
        for call in make_calls(2000):
            taken += 1
            yield call

    most = 0

    def watch(call: Call, result: Answer | FailedCall) -> None:
        nonlocal most, done
        done += 1
        most = max(most, taken - done)

    done = 0
    with serve_loopback() as server:
        run_calls(make_model(server), produce(), watch, ChatOptions(slots=8, progress=False))
    assert done == 2000
    assert most <= 3 * 8 + 2 * 128


def test_an_error_of_the_caller_ends_the_run() -> None:
    def refuse(call: Call, result: Answer | FailedCall) -> None:
        raise OSError("no space left on device")

    with serve_loopback() as server, pytest.raises(OSError, match="no space"):
        run_calls(make_model(server), make_calls(500), refuse, ChatOptions(progress=False))


def test_random_faults_lose_nothing(tmp_path: Path) -> None:
    rates = FaultRates(0.05, 0.05, 0.01, 0.05, 0.05, retry_after="0.02", stall_seconds=0)
    with serve_loopback(latency=0.002, faults=rates) as server:
        ledger, answers, failed = ask_all(
            make_model(server), make_calls(1500), journal=tmp_path / "j.sqlite", timeout=0.5, attempts=10
        )
        stats = server.stats()
    assert (len(answers), failed) == (1500, {})
    assert ledger.retries > 150
    assert (stats["answered"], stats["repeated"]) == (1500, 0)


def test_no_slots_are_bad_input() -> None:
    with pytest.raises(BadInput, match="slots"):
        ChatOptions(slots=0)


def test_the_key_is_sent_and_stands_in_no_file_and_no_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = "sk-very-secret-0123456789"
    with serve_loopback(api_key=key) as server:
        ask_all(make_model(server, key=key), make_calls(20), journal=tmp_path / "j.sqlite")
        assert server.answered == 20
    with (
        serve_loopback(lambda request: Reply(f"Incorrect API key provided: {key}", 401)) as server,
        pytest.raises(ModelUnavailable) as caught,
    ):
        ask_all(make_model(server, key=key), make_calls(20, "new {n}"), journal=tmp_path / "j.sqlite")
    assert key not in str(caught.value)

    def refuse(request: dict[str, Any]) -> str | Reply:
        return Reply(f"key {key} broke me", 500)

    with serve_loopback(refuse) as server:
        ask_all(make_model(server, key=key), make_calls(3, "other {n}"), journal=tmp_path / "j.sqlite", attempts=1)
    for path in tmp_path.iterdir():
        assert key.encode() not in path.read_bytes(), path
    captured = capfd.readouterr()
    assert key not in captured.out + captured.err


def test_nothing_is_printed_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    with serve_loopback() as server:
        run_calls(make_model(server), make_calls(20), lambda call, result: None, ChatOptions())
    assert capfd.readouterr().out == ""


def test_the_budget_ends_the_run_and_the_next_run_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    with serve_loopback(lambda request: Reply("x", prompt_tokens=10, completion_tokens=10), latency=0.002) as server:
        model = make_model(server)
        got: list[str] = []
        options = ChatOptions(journal, budget=0.01, price=(10.0, 10.0), slots=8, progress=False)
        with pytest.raises(BudgetReached) as caught:
            run_calls(model, make_calls(200), lambda call, result: got.append(call.row), options)
        assert caught.value.exit_status == 1
        assert server.calls == len(got)
        assert 40 <= len(got) <= 50  # a call costs 0.0002 dollars, and up to 0.00029 is held back for it
        options = ChatOptions(journal, budget=1.0, price=(10.0, 10.0), progress=False)
        ledger = run_calls(model, make_calls(200), lambda call, result: None, options)
        assert (ledger.from_journal, ledger.paid) == (len(got), 200 - len(got))
        assert ledger.dollars == pytest.approx(0.0002 * ledger.paid)


def test_a_budget_needs_a_price() -> None:
    with serve_loopback() as server, pytest.raises(BadInput, match="--price"):
        ask_all(make_model(server), make_calls(1), budget=1.0)


def test_answers_that_end_in_an_error_do_not_hold_the_other_calls_back(tmp_path: Path) -> None:
    """A server that answers is not taken for one that is down, also where no call of a run can succeed."""

    def script(request: dict[str, Any]) -> str | Reply:
        return Reply("half an", finish_reason="error") if last_message(request) in ("Say 0", "Say 1") else "fine"

    journal = tmp_path / "j.sqlite"
    with serve_loopback(script) as server:
        model = make_model(server)
        for answered in (4, 0):
            ledger, answers, failed = ask_all(model, make_calls(6), journal=journal)
            assert (ledger.paid, ledger.retries, set(failed)) == (answered, 10, {"deu/0", "deu/1"})
            assert {answer.text for answer in answers.values()} == {"fine"}
        host = pool.Host.at(server.url)
    keeper = pool.Pool([host], "tiny", lambda: None)
    for _ in range(2 * pool.FAILURES_TO_OPEN):
        keeper.note_fault(host, faults.Fault(faults.Kind.BROKEN, "the answer ended with 'error'", tokens=(1, 1)))
    assert not host.tripped
