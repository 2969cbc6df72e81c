"""What a server means by a refusal: a structured code decides first, its words second, and the status last.

Some servers answer 400 for a bad key, 403 for a flagged prompt, 429 for an empty account, 500 for a missing system
role and 200 for an error; `loopback/servers` has the forms of each, and what a user should get.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xl_suite.chat.faults import Fault, Kind
from xl_suite.chat.shapes import Shape, adapt
from xl_suite.chat.waits import MOST_WAIT, find_wait
from xl_suite.chat.wire import excerpt, load

# Nothing that a server says is read beyond this.
_READ = 20_000
_WITHHELD_CODES = {
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
    "datainspectionfailed",
    "invalid_prompt",
    "moderation_blocked",
    "prohibited_content",
    "safety",
    "sensitive",
}
_WITHHELD = re.compile(
    r"content management policy|contentpolicyviolation|content policy|content_filter|content exists risk|flagged"
    r"|inappropriate content|prompt injection|safety (?:system|policy|filter)|violat\w+ (?:our|the) usage polic",
    re.IGNORECASE,
)
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
_CONTEXT = re.compile(
    r"context (?:length|window|size)|maximum context|max_model_len|(?:prompt|input) is too long|too many tokens"
    r"|exceeds the maximum number of tokens|range of input length|max_new_tokens. must be|longer than the model"
    r"|max_tokens must be at least 1, got -",
    re.IGNORECASE,
)
_SIZE = re.compile(r"request too large .* tokens per min", re.IGNORECASE | re.DOTALL)
_MOST_OUTPUT = re.compile(
    r"at most (\d+) completion tokens|> (\d+), which is the maximum allowed number of output tokens"
    r"|valid range of max_tokens is \[1, (\d+)\]",
    re.IGNORECASE,
)
_UNFINISHED = "max_tokens or model output limit was reached"
_CREDIT_CODES = {"insufficient_quota", "budget_exceeded", "arrearage"}
_CREDIT = re.compile(
    r"insufficient (?:balance|credits)|credit balance is too low|requires more credits|no quota|included credits"
    r"|exceeded budget|good standing",
    re.IGNORECASE,
)
_DAY = re.compile(r"per[-_ ]?day|daily|per 24 ?h", re.IGNORECASE)
_KEY_CODES = {"invalid_api_key", "api_key_invalid", "authentication_error", "token_not_found_in_db"}
_KEY = re.compile(r"api key not valid|invalid (?:x-)?api[- ]key|incorrect api key", re.IGNORECASE)
_MODEL_CODES = {"model_not_found", "deploymentnotfound", "resource_does_not_exist", "invalid_model"}
_MODEL = re.compile(
    r"not a valid model|not supported by any provider|invalid model|model .{1,200} (?:does not exist|not found)"
    r"|^model: ",
    re.IGNORECASE,
)
_NOT_LOADED = re.compile("no models? loaded", re.IGNORECASE)
_NOT_CHAT = re.compile("does not support chat", re.IGNORECASE)
_NOT_NOW = (
    (
        "waiting_loading",
        re.compile(r"loading model|model is (?:currently )?loading|unhealthy|starting", re.IGNORECASE),
    ),
    (
        "waiting_rate",
        re.compile(r"server (?:is )?busy|queue is full|pending requests|too many requests", re.IGNORECASE),
    ),
)
_KEPT_AS_CODE = {"code", "type", "status", "error_type", "error_code", "reason", "quotaId"}
_KEPT_AS_WORDS = {"message", "msg", "detail", "error", "raw", "description"}


@dataclass(frozen=True, slots=True)
class Said:
    """What the body of a refusal says. codes: in lower case. words: its messages. param: the field that it names.

    forbidden: whether that field is not known. page: whether it is a web page, which no model's server sends.
    """

    codes: frozenset[str]
    words: str
    param: str
    forbidden: bool
    page: bool
    shown: str


def read_said(data: bytes) -> Said:
    """Reads a body of any form; what is not JSON is taken as words."""
    head = data[:_READ]
    shown = excerpt(head)
    if head.lstrip().removeprefix(b"\xef\xbb\xbf")[:1] == b"<":
        return Said(frozenset(), "", "", False, True, shown)
    try:
        value = load(head, exact=False)
    except (ValueError, RecursionError):
        return Said(frozenset(), head.decode("utf-8", "replace"), "", False, False, shown)
    codes: set[str] = set()
    words: list[str] = []
    params: list[str] = []
    try:
        for key, text in _walk(value):
            if key in _KEPT_AS_CODE:
                codes.add(text.lower())
            if key in _KEPT_AS_WORDS:
                words.append(text)
            if key in ("param", "loc"):
                params.append(text)
    except RecursionError:
        words.append(head.decode("utf-8", "replace"))
    told = "\n".join(words)
    return Said(
        frozenset(codes),
        told,
        params[-1] if params else "",
        "extra_forbidden" in codes,
        False,
        excerpt(words[-1] if words and words[-1].strip() else shown),
    )


def _walk(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, text) of every string and number in a value; JSON inside a string is read too."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name in ("fieldViolations", "input"):
                continue
            yield from _walk(part, str(name))
    elif isinstance(value, list):
        if key == "loc" and value:
            yield key, str(value[-1])
            return
        for part in value:
            yield from _walk(part, key)
    elif isinstance(value, str):
        if key == "raw" and value.lstrip().startswith("{"):
            try:
                yield from _walk(load(value, exact=False))
                return
            except ValueError:
                pass
        yield key, value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, str(value)


def judge_refusal(
    status: int,
    headers: Mapping[str, str],
    data: bytes,
    *,
    shape: Shape,
    body: Mapping[str, Any],
    proven: bool,
) -> Fault:
    """The fault of a response that refuses.

    data: its body. shape, body: of the request. proven: whether the model has given an answer in
    this run. A fault of kind ENDED says with `line` what ends the run.
    """
    said = read_said(data)
    reason = f"HTTP {status}: {said.shown}"
    wait = find_wait(headers, data, said.words)
    if said.page:
        return Fault(Kind.BROKEN, f"HTTP {status}, a web page instead of an answer: {said.shown}", wait)
    if status in (400, 403, 404, 422, 500):
        adapted = adapt(shape, body, said.words, said.param, said.forbidden)
        if adapted is not None:
            return Fault(Kind.ADAPTED, reason, adapted=adapted)
    end = _find_end(status, said)
    if _UNFINISHED in said.words:
        return Fault(Kind.UNFINISHED, reason)
    if status < 500 and status != 401 and end is None and _withholds(said):
        return Fault(Kind.WITHHELD, reason, own_fault=True, line="withheld")
    if status < 500 and _SIZE.search(said.words):
        return Fault(Kind.REFUSED, reason, own_fault=True, line="failed_size")
    if status == 429 and end is None:
        if _DAY.search(said.words) or any(map(_DAY.search, said.codes)) or (wait or 0) > MOST_WAIT:
            return Fault(Kind.ENDED, reason, wait, line="ended_quota", said=said.shown)
        return Fault(Kind.THROTTLED, reason, wait)
    if end is not None:
        line, limit = end
        return Fault(Kind.ENDED, reason, line=line, said=said.shown, limit=limit)
    if status == 413 or (status < 500 and (said.codes & _CONTEXT_CODES or _CONTEXT.search(said.words))):
        return Fault(Kind.REFUSED, reason, own_fault=True, line="failed_context")
    if status == 503:
        line = "waiting_broken" if said.words.strip() else "waiting_unready"
        line = next((told for told, words in _NOT_NOW if words.search(said.words)), line)
        return Fault(Kind.WAITING, reason, wait, line=line)
    if status >= 500 or status in (408, 409, 424, 425):
        return Fault(Kind.BROKEN, reason, wait)
    if status in (403, 404) and not proven:
        line = "ended_permission" if status == 403 else "ended_path"
        return Fault(Kind.ENDED, reason, line=line, said=said.shown)
    return Fault(Kind.REFUSED, reason)


def _withholds(said: Said) -> bool:
    return bool(said.codes & _WITHHELD_CODES or _WITHHELD.search(said.words))


def _find_end(status: int, said: Said) -> tuple[str, str] | None:
    """(line, limit) of what would refuse every other call as well; None where nothing says so."""
    most = _MOST_OUTPUT.search(said.words)
    if status < 500 and most is not None:
        return "ended_budget", next(filter(None, most.groups()))
    if status == 402 or said.codes & _CREDIT_CODES or (status < 500 and _CREDIT.search(said.words)):
        return "ended_credit", ""
    if status >= 500 or status == 429:
        return None
    if status == 401 or said.codes & _KEY_CODES or _KEY.search(said.words):
        return "ended_key", ""
    if "permission_error" in said.codes:
        return "ended_permission", ""
    if _NOT_LOADED.search(said.words):
        return "ended_not_loaded", ""
    if _NOT_CHAT.search(said.words):
        return "ended_not_chat", ""
    if said.codes & _MODEL_CODES or _MODEL.search(said.words):
        return "ended_model", ""
    return None
