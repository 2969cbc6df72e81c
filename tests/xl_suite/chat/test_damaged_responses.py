"""Responses of real servers with something wrong in them: an answer, or a reason why there is none."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.mutations import damage
from xl_suite.chat.answers import ErrorInside, answer_from_json, answer_to_json, parse_answer
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.faults import Fault
from xl_suite.chat.loopback.likeness import list_forms, list_servers, play
from xl_suite.chat.loopback.replies import Reply, encode_answer
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.chat.models import parse_model
from xl_suite.chat.run import run
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.wire import dump, load
from xl_suite.errors import XLSuiteError

REQUEST: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 9}
WAITS = ["", "-1", "1e9", "nan", "0", "soon", "9" * 5000, "Wed, 21 Oct 2015 07:28:00 GMT"]
RANDOM = st.randoms(use_true_random=False)


def _list_bodies() -> list[Any]:
    """What the servers of the table send, answers and refusals; `{}` for what is not JSON."""
    bodies = []
    for name in list_servers():
        for form in list_forms(name):
            told = play(name, form)(dict(REQUEST))
            assert isinstance(told, Reply)
            raw = told.raw if told.raw is not None else encode_answer(REQUEST, told)
            try:
                bodies.append(json.loads(raw))
            except ValueError:
                bodies.append({})
    return bodies


BODIES = _list_bodies()


@settings(max_examples=examples(300))
@given(body=st.sampled_from(BODIES), random=RANDOM)
def test_a_damaged_body_is_an_answer_or_none(body: Any, random: Random) -> None:
    for _ in range(random.choice([1, 1, 2, 3])):
        body = damage(body, random)
    try:
        found, _ = parse_answer(json.dumps(body).encode())
    except ErrorInside as error:
        assert isinstance(error.status, int)
        return
    if isinstance(found, Fault):
        assert found.reason
        return
    assert found.finish_reason in ("stop", "length", "withheld")
    assert found.text == "" or found.finish_reason != "withheld"
    assert min(found.prompt_tokens, found.completion_tokens) >= 0
    stored = dump(answer_to_json(found)).decode()
    assert dump(answer_to_json(answer_from_json(load(stored)))).decode() == stored, "the journal gives it back"


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with serve_loopback(lambda request: REPLY[0]) as running:
        yield running


REPLY = [Reply()]


@settings(max_examples=examples(60))
@given(body=st.sampled_from(BODIES), random=RANDOM)
def test_no_response_ends_a_run_otherwise_than_explained(server: Loopback, body: Any, random: Random) -> None:
    REPLY[0] = _spoil(json.dumps(damage(body, random) if random.random() < 0.7 else body).encode(), random)
    call = Call("row", (Message("user", "Why?"),), Sampling(max_tokens=9))

    async def converse(client: ChatClient) -> list[Answer | FailedCall]:
        return await client.ask_each([call])

    options = ChatOptions(attempts=1, slots=1, timeout=5, wait_for_server=0.05, progress=False)
    try:
        (found,), ledger = run(parse_model(f"m@{server.url}"), converse, options, label="test", total=1)
    except XLSuiteError as error:
        assert str(error)
        return
    assert ledger.paid + ledger.failed == 1
    assert isinstance(found, Answer) or found.reason


def _spoil(body: bytes, random: Random) -> Reply:
    """A response with any status and headers, cut off, or said to be packed when it is not, and the other way."""
    headers = {}
    if random.random() < 0.3:
        headers[random.choice(["Retry-After", "x-ratelimit-reset-requests", "retry-after-ms"])] = random.choice(
            WAITS[:-1]
        )
    packed = random.random()
    if packed < 0.1:
        headers["Content-Encoding"] = random.choice(["gzip", "br", "zstd", "deflate", "\\"])
    elif packed < 0.2:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        body = body[: len(body) // 2] if random.random() < 0.5 else body
    elif packed < 0.3:
        headers["Content-Type"] = random.choice(["text/html", "", "application/json; charset=utf-99"])
    if random.random() < 0.2:
        body = body[: random.randrange(len(body) + 1)]
    status = random.choice([200, 200, 200, 200, 201, 204, 301, 400, 401, 404, 418, 422, 429, 500, 502, 503, 529, 599])
    cut = random.random() < 0.1
    return Reply(
        status=status, headers=headers, raw=body, cut=cut, after=random.randrange(len(body) + 1) if cut else 0
    )


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("wait", ["1e9", "9" * 400, "inf"])
@pytest.mark.parametrize("header", ["Retry-After", "retry-after-ms", "x-ratelimit-reset-requests"])
def test_a_wait_without_end_is_not_waited_for(server: Loopback, status: int, wait: str, header: str) -> None:
    REPLY[0] = Reply("busy", status=status, headers={header: wait})

    async def converse(client: ChatClient) -> list[Answer | FailedCall]:
        return await client.ask_each([Call("row", (Message("user", "Why?"),), Sampling(max_tokens=9))])

    options = ChatOptions(attempts=2, slots=1, wait_for_server=0.1, progress=False)
    with contextlib.suppress(XLSuiteError):
        (found,), _ = run(parse_model(f"m@{server.url}"), converse, options, label="test", total=1)
        assert isinstance(found, FailedCall)
