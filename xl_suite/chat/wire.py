"""How a call travels: the request's JSON, and its key in the journal.

Every text survives: what orjson refuses (lone surrogates, integers over 64 bits) is written by the standard library
with escapes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import orjson

from xl_suite.chat.calls import Call
from xl_suite.chat.shapes import PLAIN, Shape
from xl_suite.keys import hide_keys

# Beyond the bytes of its content a message costs a few tokens (its role and separators; OpenAI's format: 3 to 4).
TOKENS_PER_MESSAGE = 8
# The shortest integer that orjson may read as a float has 19 digits (-2**63 - 1); each digit is looked for as a zero.
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19
# Of a body that is quoted in a message.
_READ = 20_000


@dataclass(frozen=True, slots=True)
class Request:
    """A call ready to be sent and stored.

    key: SHA-256 of `canonical`, which is the JSON of everything that determines the answer: the model's key, the
    body that is sent (but for the model's name) and the sample's number. URL and row are not part of it.
    """

    key: bytes
    canonical: bytes
    payload: bytes
    most_prompt_tokens: int
    most_completion_tokens: int


def build_request(call: Call, model_name: str, model_key: str, shape: Shape = PLAIN) -> Request:
    body = shape.apply(build_body(call))
    canonical = dump(canonical_form(model_key, body, call.sample))
    most = body.get("max_completion_tokens", body.get("max_tokens", 0))
    # A token of a byte-level tokenizer covers at least one byte, so the bytes are an upper bound.
    most_prompt = sum(TOKENS_PER_MESSAGE + byte_length(message.content) for message in call.messages)
    return Request(
        hashlib.sha256(canonical).digest(),
        canonical,
        dump({"model": model_name, **body}),
        most_prompt,
        most * max(1, int(body.get("n", 1))),
    )


def build_body(call: Call) -> dict[str, Any]:
    """The request's body but for `model`. Parameters that are None are left out.

    With a seed, sample k is asked with seed + k: a server that honours seeds would else repeat one answer.
    """
    sampling = call.sampling
    body: dict[str, Any] = {"messages": [{"role": one.role, "content": one.content} for one in call.messages]}
    if sampling.temperature is not None:
        body["temperature"] = float(sampling.temperature)
    body["max_tokens"] = sampling.max_tokens
    if sampling.top_p is not None:
        body["top_p"] = float(sampling.top_p)
    if sampling.seed is not None:
        body["seed"] = sampling.seed + call.sample
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.logprobs:
        body["logprobs"] = True
    if sampling.top_logprobs is not None:
        body["top_logprobs"] = sampling.top_logprobs
    if sampling.extra:
        body.update(sampling.extra)
        if "max_completion_tokens" in body:  # newer OpenAI models refuse a request that holds both
            del body["max_tokens"]
    return body


def canonical_form(model_key: str, body: dict[str, Any], sample: int) -> dict[str, Any]:
    return {"model": model_key, "request": body, "sample": sample}


def hash_request(model_key: str, body: dict[str, Any], sample: int) -> tuple[bytes, bytes]:
    """(key, canonical JSON) of a request as a journal holds it."""
    canonical = dump(canonical_form(model_key, body, sample))
    return hashlib.sha256(canonical).digest(), canonical


def dump(value: Any) -> bytes:
    """Compact JSON with sorted keys: the same bytes for equal values, and for what `load` makes of them."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        data = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    # Two surrogates in a row are read as one character, which orjson then writes in another way.
    return data if (read := load(data)) == value else dump(read)


def load(data: bytes | str, *, exact: bool = True) -> Any:
    """JSON as a value; ValueError when it is none.

    exact: integers of any size stay integers. Otherwise those below -2**63 and from 2**64 on may become floats.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data, parse_constant=_refuse_constant)
    if exact and _may_hold_large_integer(data):
        return json.loads(data, parse_constant=_refuse_constant)
    return value


def _may_hold_large_integer(data: bytes | str) -> bool:
    """Whether there are 19 and more digits in a row, but for those that follow a decimal point.

    A tenth of the time of a regular expression.
    """
    digits = (data.encode("utf-8") if isinstance(data, str) else data).translate(_ZEROS)
    place = digits.find(_LONG)
    while place >= 0:
        if digits[place - 1 : place] != b".":
            return True
        place = digits.find(_LONG, place + len(_LONG))
    return False


def byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def excerpt(data: bytes | str, length: int = 300) -> str:
    """The beginning of a body, in one line and without our key, for a message."""
    # Hidden first: a key that is cut, or whose escapes are, would be harder to see.
    text = data[:_READ].decode("utf-8", "replace") if isinstance(data, bytes) else data[:_READ]
    text = " ".join(hide_keys(text).split())
    return (text[:length] + " ...") if len(text) > length else (text or "(empty)")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
