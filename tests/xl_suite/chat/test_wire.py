"""Requests, their keys, and what a response means."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xl_suite.chat.answers import ErrorInside, answer_from_json, answer_to_json, parse_answer
from xl_suite.chat.calls import Answer, Call, Message, Sampling
from xl_suite.chat.faults import Fault, Kind, choose_wait
from xl_suite.chat.reasoning import split_reasoning
from xl_suite.chat.replay import read_text
from xl_suite.chat.waits import parse_reset, parse_retry_after
from xl_suite.chat.wire import build_request, dump, hash_request, load


def parse(data: bytes) -> Answer | Fault:
    try:
        return parse_answer(data)[0]
    except ErrorInside as error:
        return Fault(Kind.BROKEN, str(error))


LARGE = (2**53 + 1, 2**63, 2**64 - 1, 2**64, 10**30, -(2**63), -(2**63) - 1, -(10**30))
texts = st.text(st.characters(codec=None), max_size=40)  # lone surrogates too
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
samplings = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.integers(1, 10_000),
    top_p=st.none() | st.floats(0.01, 1),
    seed=st.none() | st.integers(0, 2**40),
    stop=st.lists(texts, max_size=2).map(tuple),
    logprobs=st.booleans(),
    top_logprobs=st.none() | st.integers(0, 20),
    extra=st.dictionaries(st.sampled_from(["effort", "top_k", "penalty"]), json_values, max_size=2).map(
        lambda extra: tuple(extra.items())
    ),
)
messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), min_size=1, max_size=3
)
calls = st.builds(Call, texts, messages.map(tuple), samplings, st.integers(0, 5))


@given(calls, texts)
def test_the_row_and_the_name_are_no_part_of_the_key(call: Call, row: str) -> None:
    one = build_request(call, "a", "key")
    assert build_request(replace(call, row=row), "b", "key").key == one.key


@given(calls, st.data())
def test_everything_else_is_part_of_the_key(call: Call, data: st.DataObject) -> None:
    sampling = call.sampling
    others = [
        replace(call, messages=(*call.messages, Message("user", "more"))),
        replace(
            call, messages=(replace(call.messages[0], content=call.messages[0].content + "."), *call.messages[1:])
        ),
        replace(call, messages=(replace(call.messages[0], role="tool"), *call.messages[1:])),
        replace(call, sample=call.sample + 1),
        replace(call, sampling=replace(sampling, temperature=(sampling.temperature or 0) + 0.125)),
        replace(call, sampling=replace(sampling, max_tokens=sampling.max_tokens + 1)),
        replace(call, sampling=replace(sampling, top_p=(sampling.top_p or 0) / 2 + 1e-3)),
        replace(call, sampling=replace(sampling, seed=(sampling.seed or 0) + 1)),
        replace(call, sampling=replace(sampling, stop=(*sampling.stop, "END"))),
        replace(call, sampling=replace(sampling, logprobs=not sampling.logprobs)),
        replace(call, sampling=replace(sampling, top_logprobs=(sampling.top_logprobs or 0) + 1)),
        replace(call, sampling=replace(sampling, extra=(*sampling.extra, ("min_p", 0.1)))),
    ]
    key = build_request(call, "m", "m").key
    other = data.draw(st.sampled_from(others))
    assert build_request(other, "m", "m").key != key
    assert build_request(call, "m", "other weights").key != key


@given(st.dictionaries(texts, json_values, min_size=2, max_size=4), st.randoms())
def test_the_order_of_a_dictionary_does_not_count(extra: dict[str, Any], random: Any) -> None:
    shuffled = list(extra.items())
    random.shuffle(shuffled)
    one = Call("r", (Message("user", "x"),), Sampling(extra=(("extra", extra),)))
    two = Call("r", (Message("user", "x"),), Sampling(extra=(("extra", dict(shuffled)),)))
    assert build_request(one, "m", "m").key == build_request(two, "m", "m").key


def test_equal_numbers_give_one_key() -> None:
    one = Call("r", (Message("user", "x"),), Sampling(temperature=0))
    two = Call("r", (Message("user", "x"),), Sampling(temperature=0.0))
    assert one == two
    assert build_request(one, "m", "m").key == build_request(two, "m", "m").key


def call_with(extra: Any) -> Call:
    return Call("r", (Message("user", "x"),), Sampling(extra=(("top_k", extra),)))


@given(calls)
@example(call_with(-(2**63) - 1))
@example(call_with(2**64))
@example(call_with({"deep": [list(LARGE), {"deeper": -(10**30)}]}))
@example(call_with({"half": "\ud83d", "large": 2**64, "small": 1e-7}))
@example(call_with("both halves of one character: \ud83d\ude00"))
def test_the_key_follows_from_the_stored_request(call: Call) -> None:
    request = build_request(call, "name", "key")
    stored = load(request.canonical)
    assert hash_request(stored["model"], stored["request"], stored["sample"]) == (request.key, request.canonical)
    assert {**stored["request"], "model": "name"} == load(request.payload)


@given(json_values)
@example(list(LARGE))
@example({"text": f"a long number in a text: {2**64}", "after the point": [0.00012340980408667956, -1.5e-300]})
def test_json_comes_back_as_it_was(value: Any) -> None:
    def with_kinds(value: Any) -> str:
        return repr(json.loads(json.dumps(value, sort_keys=True)))  # 1 and 1.0 are equal, their texts are not

    assert with_kinds(load(dump(value))) == with_kinds(value)
    assert with_kinds(load(dump(value).decode())) == with_kinds(value)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (40, "7af94b9eb67e144a7e762e690f6792d9bbd708416999cb8f36f486a87d3a573c"),
        (0.5, "7994ac25ac27ae4e6bac96b9ee11ab093eae3e550d2aa9241e695e529f32e7cd"),
        (2**64, "9647294c8e9594222380fca9aefcc7f55e3ebb4dcd8bddac1def570a7c42e1c7"),
        ("\ud83d", "d42f8503eaf1cb33f80b36e3a67c38f4f56743f56be1494db912c0c2104d91e1"),
    ],
)
def test_keys_are_those_of_the_first_version(value: Any, key: str) -> None:
    sampling = Sampling(0.7, 5, seed=3, stop=("\n",), extra=(("top_k", value),))
    assert build_request(Call("r", (Message("user", "häh"),), sampling, 2), "m", "m").key.hex() == key


@given(calls)
def test_the_bound_on_prompt_tokens_holds_for_bytes(call: Call) -> None:
    total = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in call.messages)
    request = build_request(call, "m", "m")
    assert request.most_prompt_tokens >= total + 4 * len(call.messages)
    assert request.most_completion_tokens == call.sampling.max_tokens


def test_max_completion_tokens_takes_the_place_of_max_tokens() -> None:
    call = Call("r", (Message("user", "x"),), Sampling(extra=(("max_completion_tokens", 77),)))
    request = build_request(call, "m", "m")
    body = load(request.payload)
    assert body["max_completion_tokens"] == 77
    assert "max_tokens" not in body
    assert request.most_completion_tokens == 77


@given(st.builds(Answer, texts, texts, st.integers(0, 10**9), st.integers(0, 10**9), texts))
def test_an_answer_comes_back_from_the_journals_json(answer: Answer) -> None:
    text, reasoning = split_reasoning(answer.text)
    known = replace(answer, text=text, reasoning=reasoning or None, finish_reason="stop")
    assert answer_from_json(load(dump(answer_to_json(known)).decode())) == known


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_malformed(data: bytes) -> None:
    assert isinstance(parse(data), Fault)


@given(json_values)
def test_any_json_is_an_answer_or_malformed(value: Any) -> None:
    for body in (value, {"choices": value}, {"choices": [value]}, {"choices": [{"message": value}]}):
        result = parse(dump(body))
        assert isinstance(result, Fault) or not result.text


@given(json_values, json_values, json_values, json_values)
def test_odd_fields_beside_a_text_do_no_harm(usage: Any, logprobs: Any, model: Any, reason: Any) -> None:
    choice = {"message": {"content": "text"}, "logprobs": logprobs, "finish_reason": reason}
    answer, _ = parse_answer(dump({"choices": [choice], "usage": usage, "model": model}))
    assert isinstance(answer, Answer)
    assert answer.text == "text"
    assert answer.prompt_tokens >= 0
    assert answer.finish_reason in ("stop", "length")


@pytest.mark.parametrize("count", [-1, 2**53, 2**64, 10**30, 1.5, "7", None])
def test_a_count_of_tokens_that_cannot_be_one_is_not_taken(count: Any) -> None:
    body = {"choices": [{"message": {"content": "t"}}], "usage": {"prompt_tokens": count, "completion_tokens": 2}}
    answer, is_counted = parse_answer(dump(body))
    assert isinstance(answer, Answer)
    assert (answer.prompt_tokens, answer.completion_tokens, is_counted) == (0, 2, False)


@pytest.mark.parametrize("count", [2**63, -(10**30), 1e400, "9" * 30, None, [1]])
def test_a_stored_count_of_tokens_that_no_journal_holds_is_refused(count: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        answer_from_json({"text": "t", "completion_tokens": count})


def test_a_response_with_half_a_pair_is_read() -> None:
    data = b'{"choices": [{"message": {"content": "\\ud83d"}}]}'
    result = parse(data)
    assert isinstance(result, Answer)
    assert result.text == "\ud83d"


def test_deep_nesting_is_malformed() -> None:
    assert isinstance(parse(b"[" * 100_000), Fault)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("1e9", 1e9),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 09:28:10 +0200", 10.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("12ms", 0.012), ("6m0s", 360.0), ("1s", 1.0), ("1777420860000", 60.0), ("1777420860", 60.0), ("3", 3.0)],
)
def test_a_reset_has_its_unit_or_is_a_time(value: str, seconds: float) -> None:
    assert parse_reset(value, now=1777420800.0) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["soon", "", "5 apples", "1h soon"])
def test_a_reset_that_says_nothing(value: str) -> None:
    assert parse_reset(value) is None


def test_waits_grow_with_jitter_and_keep_to_retry_after() -> None:
    plain = Fault(Kind.BROKEN, "x")
    for failures, most in ((1, 0.5), (2, 1.0), (3, 2.0), (20, 30.0)):
        waits = {choose_wait(failures, plain) for _ in range(50)}
        assert len(waits) > 40
        assert most / 2 <= min(waits) <= max(waits) <= most
    asked = [choose_wait(9, Fault(Kind.THROTTLED, "x", 2.0)) for _ in range(50)]
    assert 2.0 <= min(asked) <= max(asked) <= 2.2


def test_a_line_of_text_gives_the_key_of_its_call(tmp_path: Any) -> None:
    call = Call("r", (Message("system", "be brief"), Message("user", "häh")), Sampling(0.7, 5, stop=("\n",)), 2)
    request = build_request(call, "m", "m")
    body = load(request.canonical)["request"]
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"answer": {"text": "t"}, "sample": 2, "request": body, "model": "m"}, indent=None))
    assert [key for _, key, _, _ in read_text(path)] == [request.key]
