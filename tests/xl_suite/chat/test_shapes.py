"""Request shapes: known ones, learnt ones, and runs that go on, are estimated and replay with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.estimates import estimate
from xl_suite.chat.journal import Journal
from xl_suite.chat.loopback.server import Reply, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.replay import export_journal
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.shapes import PLAIN, Shape, find_shape, read_shape

CALLS = [
    Call(f"deu/{number}", (Message("system", "be brief"), Message("user", f"Say {number}")), Sampling(0.7, 9))
    for number in range(6)
]


def refuse(param: str, message: str) -> Reply:
    body = f'{{"error": {{"message": "{message}", "param": "{param}", "code": "unsupported_parameter"}}}}'
    return Reply(status=400, raw=body.encode())


def picky(request: dict[str, Any]) -> str | Reply:
    """A server with the rules of GPT-5, and without a system role."""
    if "max_tokens" in request:
        return refuse("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    if request.get("temperature", 1) != 1:
        return refuse("temperature", "Unsupported value: 'temperature' does not support 0.7 with this model.")
    if request["messages"][0]["role"] == "system":
        return refuse("messages", "System role not supported")
    return str(request["messages"][0]["content"])


def ask(model: Model, options: ChatOptions) -> dict[str, str]:
    answers: dict[str, str] = {}

    def take(call: Call, result: Answer | FailedCall) -> None:
        assert isinstance(result, Answer), result
        answers[call.row] = result.text

    run_calls(model, CALLS, take, options)
    return answers


def test_a_shape_is_learnt_and_a_run_goes_on_is_estimated_and_replays_with_it(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    options = ChatOptions(journal, slots=2, progress=False, same_model=True)
    with serve_loopback(picky) as server:
        model = Model("new", "new", (server.url,), "server")
        first = ask(model, options)
        calls = server.calls
        assert first["deu/3"] == "be brief\n\nSay 3"
        assert ask(model, options) == first
        assert server.calls == calls, "the second run needs no call"
    assert estimate(model, CALLS, options).new == 0
    with Journal(journal, read_only=True) as read:
        assert {fact.kind for fact in read.facts()} == {"shape", "identity"}
    export_journal(journal, tmp_path / "j.jsonl")
    for replay in (journal, tmp_path / "j.jsonl"):
        assert ask(model, ChatOptions(replay=replay, progress=False)) == first


def test_known_shapes() -> None:
    assert find_shape("gpt-4o-2024-08-06") == find_shape("gpt-5-chat-latest") == PLAIN
    for name in ("gpt-5", "openai/gpt-5-mini", "gpt-6.1-sol", "o3-mini"):
        assert find_shape(name).rename == (("max_tokens", "max_completion_tokens"),)
        assert find_shape(name).drops("temperature")
        assert find_shape(name).drops("top_logprobs")
    assert find_shape("google/gemma-2-9b-it").merge_system


@pytest.mark.parametrize(
    "shape", [PLAIN, Shape((("a", "b"),), ("c", "d"), (("e", False),), 16, True), Shape(least_tokens=1)]
)
def test_a_shape_comes_back_from_its_json(shape: Shape) -> None:
    assert read_shape(shape.to_dict()) == shape


def test_extra_fields_are_sent_and_are_part_of_the_key(tmp_path: Path) -> None:
    with serve_loopback(keep_requests=True) as server:
        model = Model("m", "m", (server.url,), "server")
        extra = (("reasoning_effort", "low"),)
        ask(model, ChatOptions(tmp_path / "j", progress=False, extra=extra))
        assert {request["reasoning_effort"] for request in server.requests} == {"low"}
        assert estimate(model, CALLS, ChatOptions(tmp_path / "j", extra=extra)).new == 0
        assert estimate(model, CALLS, ChatOptions(tmp_path / "j")).new == len(CALLS)
