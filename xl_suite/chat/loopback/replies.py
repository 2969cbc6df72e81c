"""What the loopback server answers: scripts, rules, faults, and the JSON of an answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from xl_suite.errors import BadInput, BadRecord


@dataclass(frozen=True, slots=True)
class Reply:
    """One response of the loopback server.

    status other than 200 gives an error whose message is `text`. delay: further seconds before it.
    stall: never answers. cut: closes the connection; with `after` bytes of the response sent, if that is not 0.
    raw: this body instead of an answer's JSON. message: of the answer, instead of one with `text`. logprobs: as the
    OpenAI API has them, see `token_logprobs`.
    """

    text: str = ""
    status: int = 200
    finish_reason: str = "stop"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    stall: bool = False
    cut: bool = False
    after: int = 0
    raw: bytes | None = None
    message: dict[str, Any] | None = None
    logprobs: list[dict[str, Any]] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


Script = Callable[[dict[str, Any]], "str | Reply"]

WORDS = (
    "the",
    "river",
    "keeps",
    "its",
    "own",
    "slow",
    "count",
    "of",
    "stones",
    "and",
    "bridges",
    "while",
    "morning",
    "light",
    "finds",
    "every",
    "open",
    "window",
)


def last_message(request: dict[str, Any]) -> str:
    """The text of a request's last message: what most scripts look at."""
    return str(request["messages"][-1]["content"])


def echo_words(request: dict[str, Any]) -> str:
    """The answer without a script: a few words that depend on the whole request and on nothing else."""
    digest = hashlib.blake2b(_dump(request), digest_size=12).digest()
    return " ".join([WORDS[byte % len(WORDS)] for byte in digest]) + "."


def token_logprobs(chances: dict[str, float]) -> list[dict[str, Any]]:
    """The logprobs of a one-token answer with these log-probabilities; the first token is the one that was chosen."""
    top = [
        {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "surrogatepass"))}
        for token, logprob in chances.items()
    ]
    return [{**top[0], "top_logprobs": top}]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a rules file: what a request whose last message holds `match` (a regular expression) gets.

    model: only for this model. times: only for the first so many such requests; 0 for all. The rest as in Reply.
    """

    match: str = ""
    model: str = ""
    times: int = 0
    text: str = ""
    status: int = 200
    finish_reason: str = "stop"
    retry_after: str = ""
    delay: float = 0.0
    stall: bool = False
    cut: bool = False
    garbage: bool = False

    def to_reply(self) -> Reply:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        raw = b"<html>no JSON at all</html>" if self.garbage else None
        return Reply(self.text, self.status, self.finish_reason, headers, self.delay, self.stall, self.cut, raw=raw)


def read_rules(path: Path) -> Script:
    """The script of a rules file: a JSON array of objects with the fields of Rule; the first that fits answers."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(values, list):
        raise BadInput(f"{path}: expected a JSON array of rules.")
    known = {one.name for one in fields(Rule)}
    rules = []
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict) or not known.issuperset(value):
            raise BadRecord(
                path, f"expected an object with some of the fields {', '.join(sorted(known))}.", row=number
            )
        rules.append(Rule(**value))
    return follow_rules(rules)


def follow_rules(rules: Sequence[Rule]) -> Script:
    patterns = [re.compile(rule.match) for rule in rules]
    used = [0] * len(rules)

    def answer(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        for number, (rule, pattern) in enumerate(zip(rules, patterns, strict=True)):
            if rule.model and rule.model != request.get("model"):
                continue
            if (rule.times and used[number] >= rule.times) or not pattern.search(text):
                continue
            used[number] += 1
            return rule.to_reply()
        return echo_words(request)

    return answer


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Shares of the requests, from 0 to 1, that get a fault instead of an answer; which ones depends on `seed`.

    A request's fault follows from its body and how often it came before, not from the order of the requests.
    stall_seconds: 0 stalls for ever.
    """

    throttled: float = 0.0
    broken: float = 0.0
    stalled: float = 0.0
    cut: float = 0.0
    garbage: float = 0.0
    retry_after: str = "1"
    stall_seconds: float = 5.0
    seed: int = 0

    def choose(self, body: bytes, turn: int) -> Reply | None:
        """The fault of a body that comes for the `turn`-th time, or None. A stall that ends gives status 200."""
        digest = hashlib.blake2b(body, digest_size=8, key=f"{self.seed}/{turn}".encode()).digest()
        at = int.from_bytes(digest) / 2**64
        for name, rate in (
            ("throttled", self.throttled),
            ("broken", self.broken),
            ("stalled", self.stalled),
            ("cut", self.cut),
            ("garbage", self.garbage),
        ):
            if at < rate:
                return self._fault(name)
            at -= rate
        return None

    def any(self) -> bool:
        return self.throttled + self.broken + self.stalled + self.cut + self.garbage > 0

    def _fault(self, name: str) -> Reply:
        if name == "throttled":
            return Reply("slow down", 429, headers={"Retry-After": self.retry_after})
        if name == "broken":
            return Reply("the server stumbled", 500)
        if name == "stalled":
            return Reply(delay=self.stall_seconds, stall=self.stall_seconds == 0)
        if name == "cut":
            return Reply(cut=True)
        return Reply(raw=b'{"choices": [')


def encode_answer(request: dict[str, Any], reply: Reply) -> bytes:
    """The JSON body of a reply with status 200."""
    if reply.raw is not None:
        return reply.raw
    text = reply.text
    count = reply.completion_tokens if reply.completion_tokens is not None else max(1, len(text) // 4)
    prompt = reply.prompt_tokens
    if prompt is None:
        prompt = sum(len(str(message.get("content", ""))) for message in request["messages"]) // 4 + 1
    logprobs = reply.logprobs
    if logprobs is None and request.get("logprobs"):
        tokens = re.findall(r"\s*\S+", text) or [text]
        top = request.get("top_logprobs") or 0
        logprobs = [
            {
                "token": token,
                "logprob": -0.1,
                "bytes": None,
                "top_logprobs": [{"token": token, "logprob": -0.1, "bytes": None}][:top],
            }
            for token in tokens
        ]
    return _dump(
        {
            "id": "chatcmpl-loopback",
            "object": "chat.completion",
            "created": 0,
            "model": request.get("model", ""),
            "choices": [
                {
                    "index": 0,
                    "message": reply.message or {"role": "assistant", "content": text},
                    "logprobs": None if logprobs is None else {"content": logprobs},
                    "finish_reason": reply.finish_reason,
                }
            ],
            "usage": {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count},
        }
    )


def encode_error(status: int, message: str) -> bytes:
    return _dump({"error": {"message": message, "type": "loopback", "code": status}})


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate
        return json.dumps(value).encode("ascii")
