"""What a response with status 200 means: an answer, one that is withheld, or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from xl_suite.chat.calls import Answer
from xl_suite.chat.faults import Fault, Kind
from xl_suite.chat.reasoning import split_reasoning
from xl_suite.chat.wire import excerpt, load
from xl_suite.keys import hide_in_answer

logger = logging.getLogger("xl_suite.chat")
# The largest count of tokens that is taken from a server: the largest integer that every reader of JSON keeps.
MOST_TOKENS = 2**53 - 1
WITHHELD = "withheld"
# Finish reasons as servers spell them, in lower case. What is in none of these counts as `stop`, and is told once.
_STOP = {"stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "finished", "end"}
_STOP |= {"tool_calls", "function_call", ""}
_LENGTH = {"length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_length", "model_length", "token_limit"}
_KEPT_BACK = {"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"}
_KEPT_BACK |= {"refusal", "content_filtered", "guardrail_intervened", WITHHELD}
_NO_ANSWER = {"error", "network_error", "abort", "aborted", "cancelled", "insufficient_system_resource", "timeout"}
_told: set[str] = set()


class ErrorInside(ValueError):
    """A response with status 200 that holds an error instead of an answer; `status` is the error's own."""

    def __init__(self, status: int):
        super().__init__(f"an error inside a response with status 200: {status}")
        self.status = status


def parse_answer(data: bytes) -> tuple[Answer | Fault, bool]:
    """(the answer in a response's body or why there is none, whether the body says how many tokens it cost).

    The text is without reasoning, and the finish reason is `stop`, `length`, or `withheld` with an empty text. An
    answer without text that ended for length is an empty, truncated answer: a reasoning model used up its tokens, and
    asking again would pay again. Raises ErrorInside.
    """
    if data[:64].lstrip().removeprefix(b"\xef\xbb\xbf")[:1] == b"<":
        return Fault(Kind.BROKEN, f"a web page instead of an answer: {excerpt(data)}"), False
    try:
        response = load(data, exact=False)  # it has no number of that size that is kept
    except (ValueError, RecursionError) as error:
        return Fault(Kind.MALFORMED, f"the response is not JSON ({error}): {excerpt(data)}"), False
    if not isinstance(response, dict):
        return Fault(Kind.MALFORMED, f"the response has no choices: {excerpt(data)}"), False
    choices = response.get("choices")
    if not choices and response.get("error"):
        raise ErrorInside(_find_status(response["error"]))
    prompt_tokens, completion_tokens = _read_usage(response.get("usage"))
    counted = prompt_tokens is not None and completion_tokens is not None
    tokens = prompt_tokens or 0, completion_tokens or 0
    name = response.get("model")
    model = hide_in_answer(name) if isinstance(name, str) else ""

    def lack(reason: str) -> tuple[Fault, bool]:
        return Fault(Kind.EMPTY, f"{reason}: {excerpt(data)}", tokens=tokens), counted

    if choices is None or choices == []:
        return lack("the response has no choices")
    choice = choices[0] if isinstance(choices, list) else None
    if not isinstance(choice, dict):
        return Fault(Kind.MALFORMED, f"the response has no choices: {excerpt(data)}", tokens=tokens), counted
    told = choice.get("finish_reason")
    finish = _read_finish(told)
    message = choice.get("message")
    if finish == "error":
        return Fault(Kind.BROKEN, f"the answer ended with {told!r}: {excerpt(data)}", tokens=tokens), counted
    if finish != WITHHELD and message is None and "message" in choice:
        return lack("the answer's message is null")
    if not isinstance(message, dict):
        if finish != WITHHELD:
            return Fault(Kind.MALFORMED, f"the response has no message: {excerpt(data)}", tokens=tokens), counted
        message = {}
    text, thought = _read_content(message.get("content"))
    refusal = message.get("refusal")
    if finish == WITHHELD or (isinstance(refusal, str) and refusal and not text):
        said = refusal if isinstance(refusal, str) and refusal else f"finish_reason {told}"
        return Answer("", WITHHELD, *tokens, model, said=excerpt(said)), counted
    if text is None:
        content = message.get("content")
        if content is not None:
            kind = type(content).__name__
            return Fault(
                Kind.MALFORMED, f"the answer's content is {kind}, not text: {excerpt(data)}", tokens=tokens
            ), counted
        if finish != "length":
            return lack("the answer's content is null")
        text = ""
    elif not text and told is None:
        return lack("the answer is empty and has no finish_reason")
    text, inside = split_reasoning(text)
    reasoning = "\n".join(filter(None, (_read_field(message), thought, inside))) or None
    if reasoning is not None and not text.strip():
        text, finish = "", "length"
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    content = content if isinstance(content, list) else None
    if (hidden := hide_in_answer(text)) != text:
        text, content = hidden, None  # its tokens would spell the key
    reasoning = hide_in_answer(reasoning) if reasoning else reasoning
    return Answer(text, finish, *tokens, model, content, reasoning), counted


def _read_finish(told: Any) -> str:
    """`stop`, `length`, `withheld`, or `error` for what is not an answer."""
    if told == "stop" or not isinstance(told, str):
        return "stop"
    value = told.lower()
    if value in _LENGTH:
        return "length"
    if value in _KEPT_BACK:
        return WITHHELD
    if value in _NO_ANSWER:
        return "error"
    if value not in _STOP and value not in _told:
        _told.add(value)
        logger.warning("a server ends answers with finish_reason %s, which is unknown: they count as answers.", value)
    return "stop"


def _read_content(content: Any) -> tuple[str | None, str | None]:
    """(text, reasoning) of a message's content: text, or a list of chunks; (None, None) where it is neither."""
    if isinstance(content, str):
        return content, None
    if not isinstance(content, list):
        return None, None
    texts: list[str] = []
    thoughts: list[str] = []
    for chunk in content:
        if isinstance(chunk, str):
            texts.append(chunk)
            continue
        if not isinstance(chunk, Mapping):
            return None, None
        kind = str(chunk.get("type", ""))
        if kind in ("text", "output_text") and isinstance(chunk.get("text"), str):
            texts.append(chunk["text"])
        elif kind in ("thinking", "reasoning"):
            thoughts.append(_join_texts(chunk))
        else:
            return None, None
    return "".join(texts), "\n".join(filter(None, thoughts)) or None


def _join_texts(value: Any) -> str:
    """All texts inside a chunk of reasoning, which nests them in several ways."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_join_texts, value))
    if isinstance(value, Mapping):
        return "".join(_join_texts(part) for key, part in value.items() if key not in ("type", "signature"))
    return ""


def _read_field(message: Mapping[str, Any]) -> str | None:
    for name in ("reasoning_content", "reasoning"):
        value = message.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _find_status(error: Any) -> int:
    code = error.get("code") if isinstance(error, Mapping) else None
    try:
        status = int(code) if code is not None else 502
    except (ValueError, TypeError):
        return 502
    return status if 400 <= status < 600 else 502


def _read_usage(usage: Any) -> tuple[int | None, int | None]:
    if not isinstance(usage, dict):
        return None, None
    return _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")


def _count(usage: dict[str, Any], name: str) -> int | None:
    """A number of tokens in a server's `usage`; None where there is none that can be one."""
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def answer_to_json(answer: Answer) -> dict[str, Any]:
    value: dict[str, Any] = {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "model": answer.model,
    }
    if answer.logprobs is not None:
        value["logprobs"] = answer.logprobs
    if answer.reasoning is not None:
        value["reasoning"] = answer.reasoning
    if answer.said:
        value["said"] = answer.said
    return value


def answer_from_json(value: dict[str, Any]) -> Answer:
    """An answer as a journal stores it; all but `text` may be missing. Older journals hold texts with reasoning.

    TypeError, KeyError or ValueError when it is none.
    """
    text = value["text"]
    if not isinstance(text, str):
        raise TypeError("`text` is not text")
    reasoning = value.get("reasoning")
    for name, kind in (("reasoning", str), ("model", str), ("said", str), ("logprobs", list)):
        if not isinstance(value.get(name), kind | None):
            raise TypeError(f"`{name}` is not {kind.__name__}")
    finish = str(value.get("finish_reason", "stop"))
    if finish.lower() in _LENGTH:
        finish = "length"
    if "reasoning" not in value:
        text, reasoning = split_reasoning(text)
        reasoning = reasoning or None
        if reasoning and not text:
            finish = "length"
    return Answer(
        text,
        finish,
        _read_count(value.get("prompt_tokens", 0)),
        _read_count(value.get("completion_tokens", 0)),
        value.get("model") or "",
        value.get("logprobs"),
        reasoning,
        value.get("said") or "",
    )


def _read_count(value: Any) -> int:
    number = int(value) if isinstance(value, str) else value
    if not abs(number) <= MOST_TOKENS:
        raise ValueError(f"{number} cannot be a number of tokens")
    return int(number)
