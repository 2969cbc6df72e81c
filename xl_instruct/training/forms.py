"""The forms that instruction data have in the field, read as a question and its answer.

Alpaca and X-Instruction (`instruction`, `input`, `output`), ShareGPT (`conversations` of `from` and `value`),
messages (`messages` of `role` and `content`), trl's prompt/completion as text or turns, Aya (`inputs`, `targets`),
MURI (`input`, `output`), Dolly (`instruction`, `context`, `response`); for preferences `prompt`, `chosen` and
`rejected`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xl_instruct.corpus.file_languages import LanguageTag, read_tag

# (question, what may be beside it, answers), the first that a row has.
_TEXTS: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]] = (
    ("instruction", ("input", "context"), ("output", "response", "answer", "completion")),
    ("prompt", (), ("completion", "response", "output", "answer")),
    ("inputs", (), ("targets",)),
    ("input", (), ("output",)),
    ("question", ("context",), ("answer", "response")),
)
_TURNS = ("messages", "conversations", "conversation")
_ROLES = {
    "system": "system", "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatgpt": "assistant",
}  # fmt: skip
_LANGUAGE_COLUMNS = ("language_code", "lang_code", "language", "lang", "locale")
FORMS = (
    "instruction/output, messages, conversations, prompt/completion, inputs/targets, input/output, question/answer"
)
PREFERENCE_FORMS = "prompt/chosen/rejected as text or turns, chosen/rejected as turns"


class NoForm(ValueError):
    """A row of no known form; the message says what its fields are."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer. language: None where the row names none. more: turns beyond these, left out."""

    asked: str
    answer: str
    language: LanguageTag | None = None
    more: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with a better and a worse answer."""

    asked: str
    chosen: str
    rejected: str
    language: LanguageTag | None = None
    more: int = 0


def read_exchange(row: Mapping[str, Any]) -> Exchange:
    """The question and answer of a row; texts are "" where they are missing or null. What the system is told stands
    before the question. Raises NoForm, also where its language is not known."""
    language = _read_language(row)
    for name in _TURNS:
        if isinstance(row.get(name), list):
            return _read_turns(row[name], language)
    for question, beside, answers in _TEXTS:
        if question not in row:
            continue
        answer = next((name for name in answers if name in row), None)
        if answer is None:
            continue
        if isinstance(row[question], list) and isinstance(row[answer], list):
            return _read_turns([*row[question], *row[answer]], language)
        texts = [_read_text(row[question], question), *(_read_text(row.get(name), name) for name in beside)]
        if isinstance(row.get("system"), str):
            texts.insert(0, row["system"])
        # An empty answer is kept apart from a second choice: instruction data have both `output` and `response`.
        given = [_read_text(row[name], name) for name in answers if name in row]
        return Exchange(_join(texts), next(filter(str.strip, given), ""), language)
    raise NoForm(_name_fields(row, FORMS))


def read_choice(row: Mapping[str, Any]) -> Choice:
    """The question and two answers of a row of preferences. Raises NoForm."""
    if "chosen" not in row or "rejected" not in row:
        raise NoForm(_name_fields(row, PREFERENCE_FORMS))
    language = _read_language(row)
    prompt = row.get("prompt")
    sides = []
    for name in ("chosen", "rejected"):
        value = row[name]
        if isinstance(value, list):
            before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}] if prompt else []
            own = value if any(role == "user" for role, _ in _list_turns(value)) else [*before, *value]
            sides.append(_read_turns(own, language))
        else:
            asked = (
                _read_turns([*prompt, {"role": "assistant", "content": ""}], language)
                if isinstance(prompt, list)
                else Exchange(_read_text(prompt, "prompt"), "")
            )
            sides.append(Exchange(asked.asked, _read_text(value, name), language, asked.more))
    better, worse = sides
    if better.asked != worse.asked:
        raise NoForm("chosen and rejected do not answer the same question")
    return Choice(better.asked, better.answer, worse.answer, language, max(better.more, worse.more))


def _read_turns(turns: Sequence[Any], language: LanguageTag | None) -> Exchange:
    """The first question and its answer of a conversation."""
    system: list[str] = []
    asked = None
    for place, (role, text) in enumerate(_list_turns(turns)):
        if role == "system" and asked is None:
            system.append(text)
        elif role == "user" and asked is None:
            asked = text
        elif role == "assistant" and asked is not None:
            return Exchange(_join([*system, asked]), text, language, len(turns) - place - 1)
        else:
            raise NoForm(f"a conversation whose turn {place + 1} is of {role!r}, not a question and its answer")
    raise NoForm("a conversation without a question and its answer")


def _list_turns(turns: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for turn in turns:
        if not isinstance(turn, Mapping):
            raise NoForm(f"a conversation with a turn that is {type(turn).__name__}")
        role = str(turn.get("role") or turn.get("from") or "").lower()
        if role not in _ROLES:
            raise NoForm(f"a conversation with a turn of {role!r}; known: {', '.join(_ROLES)}")
        yield _ROLES[role], _read_text(turn["content"] if "content" in turn else turn.get("value"), "content")


def _read_text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in value):
        return "".join(str(part.get("text") or "") for part in value)
    raise NoForm(f"{name} is {type(value).__name__}, not text")


def _read_language(row: Mapping[str, Any]) -> LanguageTag | None:
    told = [row[name] for name in _LANGUAGE_COLUMNS if isinstance(row.get(name), str) and row[name].strip()]
    if not told:
        return None
    tags = [tag for value in told if (tag := read_tag(value)) is not None]
    if not tags:
        raise NoForm(f"its language {told[0]!r} is not known")
    return tags[0]


def _join(texts: Sequence[str]) -> str:
    """Texts with a blank line between them; one alone stays as it is."""
    return "\n\n".join(text for text in texts if text.strip())


def _name_fields(row: Mapping[str, Any], forms: str) -> str:
    return f"no known form of data. Fields found: {', '.join(map(str, list(row)[:12])) or 'none'}. Known: {forms}."
