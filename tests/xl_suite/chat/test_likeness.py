"""Every server of the table, in each way in which it answers, through the real client: the outcome and the line."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from xl_suite.chat import attempts, pool
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.lines import tell
from xl_suite.chat.loopback.likeness import find_plain, list_forms, list_paths, list_servers, play
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, ModelUnavailable

FORMS = [(server, form, fact) for server in list_servers() for form, fact in list_forms(server).items()]
each_form = pytest.mark.parametrize(
    ("server", "form", "fact"), [pytest.param(*one, id=".".join(one[:2])) for one in FORMS]
)
NAMED = [
    "url",
    "model",
    "models",
    "said",
    "variable",
    "option",
    "sent",
    "limit",
    "reset",
    "wait",
    "done",
    "row",
    "count",
]


@pytest.fixture(autouse=True)
def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits next to nothing where a server asks for a wait, and tells of every wait."""

    def trip(_: pool.Pool, host: pool.Host, now: float, pause: float | None = None) -> None:
        host.opens_at, host.tripped = now + 0.002, True

    monkeypatch.setattr(attempts, "choose_wait", lambda failures, fault: 0.002)
    monkeypatch.setattr(attempts, "SHOWN_WAIT", 0.001)
    monkeypatch.setattr(pool, "SHORTEST_POLL", 0.002)
    monkeypatch.setattr(pool.Pool, "_trip", trip)


def make_call(fact: dict[str, Any], number: int) -> Call:
    """A call that a refusal of the table fits: one of every field where the request is to be changed."""
    messages = (Message("system", "Be brief."), Message("user", f"Sag etwas zu {number}."))
    if fact.get("line") == "ended_budget":
        return Call(f"deu/{number}", messages, Sampling(max_tokens=200_000))
    if fact["outcome"] != "adapted":
        return Call(f"deu/{number}", messages, Sampling(max_tokens=400))
    extra: dict[str, Any] = {"reasoning_effort": "x", "name": "x"}
    if "max_completion_tokens" in json.dumps(fact) and fact["line"] != "adapted_max_tokens":
        extra["max_completion_tokens"] = 5
    tokens = 5 if "minimum" in fact["line"] else 400
    sampling = Sampling(0.7, tokens, 1.0, 1, (), True, 5, tuple(extra.items()))
    return Call(f"deu/{number}", messages, sampling)


def ask(server: Loopback, calls: list[Call], **options: Any) -> tuple[Ledger, list[Answer | FailedCall]]:
    results: list[Answer | FailedCall] = []
    model = Model("tiny", "tiny", (server.url,), "server", None)
    kept = ChatOptions(progress=False, attempts=2, slots=4, tell_seconds=0.0, **options)
    return run_calls(model, calls, lambda _, result: results.append(result), kept), results


def matches(line: str, text: str) -> bool:
    """Whether `text` holds the sentence `line` with anything in the place of its names."""
    marked = tell(line, **dict.fromkeys(NAMED, "\0"))
    return re.search(".*?".join(map(re.escape, marked.split("\0"))), text, re.DOTALL) is not None


@each_form
def test_a_user_gets_what_the_table_says(
    server: str, form: str, fact: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "xl_suite.chat")
    outcome, line = fact["outcome"], fact.get("line", "")
    times = 1 if outcome == "retried" else 0
    with serve_loopback(play(server, form, times=times), paths=list_paths(server), keep_requests=True) as played:
        if outcome == "ended":
            with pytest.raises(ModelUnavailable) as ended:
                ask(played, [make_call(fact, 1)])
            assert matches(line, str(ended.value))
            assert len(played.requests) == 1
            return
        ledger, results = ask(played, [make_call(fact, 1)])
    result = results[0]
    said = "\n".join(record.getMessage() for record in caplog.records)
    if outcome == "failed":
        assert isinstance(result, FailedCall)
        assert matches(line, result.reason)
        assert len(played.requests) == (2 if line == "failed_empty" else 1)
        return
    assert isinstance(result, Answer), result
    if line:
        assert matches(line, said)
    if outcome == "withheld":
        assert (result.text, result.finish_reason, len(played.requests)) == ("", "withheld", 1)
    elif outcome == "answered":
        told = fact if "text" in fact else find_plain(server)
        assert (result.text, result.reasoning or None) == (told["text"], told.get("reasoning"))
        cut = line == "truncated" or fact.get("finish_reason", form).lower().endswith(("length", "max_tokens"))
        assert result.finish_reason == ("length" if cut else "stop")
    elif outcome == "adapted":
        assert result.text
        assert played.requests[0] != played.requests[1]
        assert len(played.requests) == 2
    else:
        assert (ledger.retries, len(played.requests)) == (1, 2)


@pytest.mark.parametrize(
    ("server", "form"),
    [pytest.param(*one[:2], id=".".join(one[:2])) for one in FORMS if one[2]["outcome"] == "retried"],
)
def test_a_run_ends_where_a_server_only_ever_asks_to_try_again(server: str, form: str) -> None:
    with (
        serve_loopback(play(server, form), paths=list_paths(server)) as played,
        pytest.raises(ModelUnavailable) as ended,
    ):
        ask(played, [make_call({"outcome": "retried"}, number) for number in range(40)], wait_for_server=0.2)
    assert matches("ended_never", str(ended.value)) or matches("ended_waiting", str(ended.value))
    assert ended.value.exit_status == 1


@pytest.mark.parametrize("server", list_servers())
def test_a_server_takes_what_the_suite_sends_by_itself(server: str) -> None:
    with serve_loopback(play(server), paths=list_paths(server)) as played:
        _, results = ask(played, [Call("deu/1", (Message("user", "Sag etwas."),), Sampling(seed=1))])
    assert isinstance(results[0], Answer)
    assert results[0].text == find_plain(server)["text"]


def test_a_server_or_form_that_the_table_lacks_is_named() -> None:
    with pytest.raises(BadInput, match=r"no server 'vlllm'\. It has anthropic, azure,"):
        play("vlllm")
    with pytest.raises(BadInput, match=r"vllm has no form 'refusals\.day'\. It has answers\.plain,"):
        play("vllm", "refusals.day")
