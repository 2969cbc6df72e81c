"""The client gives a user what the table of real servers says that a user should get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import xl_suite.chat
from xl_suite.chat.answers import ErrorInside, parse_answer
from xl_suite.chat.calls import Answer
from xl_suite.chat.faults import Fault, Kind
from xl_suite.chat.refusals import judge_refusal
from xl_suite.chat.shapes import PLAIN

SERVERS = Path(xl_suite.chat.__file__).parent / "loopback" / "servers"
TABLES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(SERVERS.glob("*.yaml"))}
BODY: dict[str, Any] = {
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "häh"}],
    "temperature": 0.7,
    "top_p": 1.0,
    "seed": 1,
    "logprobs": True,
    "top_logprobs": 5,
    "reasoning_effort": "x",
    "max_tokens": 1,
    "name": "x",
}
KINDS = {
    "withheld": {Kind.WITHHELD},
    "failed": {Kind.REFUSED, Kind.EMPTY},
    "ended": {Kind.ENDED},
    "adapted": {Kind.ADAPTED},
    "retried": {Kind.THROTTLED, Kind.WAITING, Kind.BROKEN},
    "answered": {Kind.UNFINISHED},
}


def list_cases(*parts: str) -> list[Any]:
    return [
        pytest.param(fact, id=f"{server}.{part}.{name}")
        for server, table in TABLES.items()
        for part in parts
        for name, fact in table[part].items()
    ]


def encode(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) and body.startswith("<") else json.dumps(body).encode()


def judge(status: int, headers: dict[str, str], data: bytes, line: str) -> Fault:
    body = dict(BODY)
    if "max_completion_tokens" in line or (b"max_completion_tokens" in data and "minimum" in line):
        body["max_completion_tokens"] = body.pop("max_tokens")
    if line == "ended_budget":
        body["max_tokens"] = 200_000
    return judge_refusal(status, headers, data, shape=PLAIN, body=body, proven=False)


@pytest.mark.parametrize("fact", list_cases("refusals", "waits"))
def test_a_refusal_has_its_outcome(fact: dict[str, Any]) -> None:
    data = encode(fact["body"])
    status = fact["status"]
    if status == 200:
        with pytest.raises(ErrorInside) as caught:
            parse_answer(data)
        status = caught.value.status
    fault = judge(status, fact["headers"], data, fact.get("line", ""))
    assert fault.kind in KINDS[fact["outcome"]], fault
    if fact["outcome"] in ("ended", "withheld"):
        assert fault.line == fact["line"]
    if fact["outcome"] == "adapted":
        assert fault.adapted is not None
        assert fault.adapted.line == fact["line"]
        body = BODY | {"max_completion_tokens": 1}
        assert fault.adapted.shape.apply(dict(body)) != body
    if fact.get("seconds") and fact["outcome"] == "retried":
        assert fault.retry_after == pytest.approx(fact["seconds"])


@pytest.mark.parametrize("fact", list_cases("answers"))
def test_an_answer_has_its_outcome(fact: dict[str, Any]) -> None:
    body = fact.get("body")
    if body is None:
        choice = {"message": fact["message"], "finish_reason": fact["finish_reason"]}
        body = {"choices": [choice], "usage": fact.get("usage")}
    data = fact.get("raw_before", "").encode() + encode(body)
    try:
        result, _ = parse_answer(data)
    except ErrorInside as error:
        result = judge(error.status, {}, data, "")
    if fact["outcome"] == "answered":
        assert isinstance(result, Answer)
        assert (result.text, result.reasoning) == (fact["text"], fact.get("reasoning"))
        assert result.finish_reason == ("length" if fact.get("line") == "truncated" else fact["finish_reason"])
    elif fact["outcome"] == "withheld" and isinstance(result, Answer):
        assert (result.text, result.finish_reason) == ("", "withheld")
        assert result.said
    else:
        assert isinstance(result, Fault)
        assert result.kind in KINDS[fact["outcome"]], result


@pytest.mark.parametrize(
    ("reason", "outcome"),
    sorted(
        {(reason, fact["outcome"]) for table in TABLES.values() for reason, fact in table["finish_reasons"].items()}
    ),
)
def test_a_finish_reason_has_its_outcome(reason: str, outcome: str) -> None:
    data = json.dumps({"choices": [{"message": {"content": "Eine Antwort"}, "finish_reason": reason}]}).encode()
    result, _ = parse_answer(data)
    if outcome == "answered":
        assert isinstance(result, Answer)
        assert result.finish_reason in ("stop", "length")
        assert result.text == "Eine Antwort"
    elif outcome == "withheld":
        assert isinstance(result, Answer)
        assert (result.text, result.finish_reason) == ("", "withheld")
    else:
        assert isinstance(result, Fault)
        assert result.kind is Kind.BROKEN
