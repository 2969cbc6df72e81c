"""The prompts through a translator: asked, looked at, and asked again with what was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Protocol

from m_alpacaeval.guards import REASONS, check_prompts
from m_alpacaeval.rows import SourcePrompt
from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model
from xl_suite.chat.reading import Unreadable, ask_until_read
from xl_suite.chat.run import run
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.languages import find_language
from xl_suite.placeholders import fill
from xl_suite.translation.reading import unwrap_translation

# The first answer is the likeliest one; a second one must be able to differ.
FIRST_TEMPERATURE, NEXT_TEMPERATURE = 0.0, 0.7


class Estimator(Protocol):
    """Scores translations without references; higher is better."""

    @property
    def name(self) -> str: ...

    def __call__(
        self, sources: Sequence[str], translations: Sequence[str], language: str
    ) -> Sequence[float | None]: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """attempts: calls a prompt, at most. least_qe: the lowest score that is taken; None takes all."""

    attempts: int = 3
    max_tokens: int = 4096
    estimator: Estimator | None = None
    least_qe: float | None = None


DEFAULT = Settings()


@dataclass(frozen=True, slots=True)
class Translation:
    """What became of a prompt. reasons: why it was set aside; empty for a translation that was taken.

    text: the translation, of those that were refused the least bad one. attempts: calls that were made.
    """

    prompt: SourcePrompt
    text: str
    reasons: tuple[str, ...]
    attempts: int
    qe_score: float | None = None
    detail: str = ""


def translate_prompts(
    prompts: Sequence[SourcePrompt],
    model: Model,
    options: ChatOptions,
    settings: Settings = DEFAULT,
    *,
    servers: StartedServers | None = None,
    budget: Budget | None = None,
) -> tuple[list[Translation], Ledger]:
    """A translation of each prompt, in their order, sound or set aside. Raises what ends a run.

    servers, budget: of several runs in turn.
    """

    best: dict[SourcePrompt, Translation] = {}

    def ask(prompt: SourcePrompt, attempt: int) -> list[Call]:
        return [make_call(prompt, settings, attempt, best.get(prompt))]

    def read(
        answered: Sequence[tuple[SourcePrompt, tuple[Answer, ...]]], attempt: int
    ) -> list[Translation | Unreadable]:
        found = check_answers([(prompt, answers[0]) for prompt, answers in answered], settings, attempt)
        for prompt, translation in found.items():
            best[prompt] = choose(best.get(prompt), translation)
        told = [best[prompt] for prompt, _ in answered]
        return [Unreadable(", ".join(one.reasons)) if one.reasons else one for one in told]

    async def converse(client: ChatClient) -> list[Translation]:
        results = await ask_until_read(client, prompts, ask, read, tries=range(settings.attempts))
        for prompt, result in zip(prompts, results, strict=True):
            if isinstance(result, FailedCall):
                before = best.get(prompt)
                tries = 1 + (before.attempts if before else 0)
                failed = Translation(prompt, "", ("failed",), tries, detail=result.reason)
                best[prompt] = choose(before, failed)
        return [best[prompt] for prompt in prompts]

    return run(model, converse, options, label="translate", total=len(prompts), servers=servers, budget=budget)


def plan_calls(prompts: Sequence[SourcePrompt], settings: Settings = DEFAULT) -> list[Call]:
    """The calls of a run in which every first translation is sound, for an estimate."""
    return [make_call(prompt, settings, 0, None) for prompt in prompts]


def make_call(prompt: SourcePrompt, settings: Settings, attempt: int, refused: Translation | None) -> Call:
    """The call of one attempt; `refused` says what was wrong before."""
    language = find_language(prompt.language).name
    caution = ""
    if refused is not None:
        told = [REASONS[reason][1] for reason in refused.reasons if REASONS[reason][1]]
        caution = f"\nAn earlier translation could not be used. {' '.join(told)}\n" if told else ""
    # The tag must not be in the text, or the text could end itself and go on as an instruction.
    tag = next(tag for tag in _tags() if tag not in prompt.text)
    values = {"language": language, "tag": tag, "text": prompt.text, "caution": caution}
    messages = tuple(Message(role, fill(read_prompt(f"{role}.txt"), values)) for role in ("system", "user"))
    temperature = NEXT_TEMPERATURE if attempt else FIRST_TEMPERATURE
    return Call(prompt.row, messages, Sampling(temperature=temperature, max_tokens=settings.max_tokens), attempt)


def check_answers(
    answered: Sequence[tuple[SourcePrompt, Answer]], settings: Settings, attempt: int
) -> dict[SourcePrompt, Translation]:
    """The answers with the reasons against them, looked at language by language."""
    found: dict[SourcePrompt, Translation] = {}
    by_language: dict[str, list[tuple[SourcePrompt, Answer]]] = {}
    for prompt, answer in answered:
        by_language.setdefault(prompt.language, []).append((prompt, answer))
    for language, rows in by_language.items():
        prompts = [prompt for prompt, _ in rows]
        texts = [unwrap_translation(answer.text, prompt.text) for prompt, answer in rows]
        scores = score_translations(prompts, texts, language, settings)
        for (prompt, answer), text, reasons, score in zip(
            rows, texts, check_prompts(prompts, texts), scores, strict=True
        ):
            if answer.finish_reason == "length":
                reasons = ("truncated", *reasons)
            if settings.least_qe is not None and score is not None and score < settings.least_qe:
                reasons = (*reasons, "low_qe")
            found[prompt] = Translation(prompt, text, reasons, attempt + 1, score)
    return found


def score_translations(
    prompts: Sequence[SourcePrompt], texts: Sequence[str], language: str, settings: Settings
) -> list[float | None]:
    """The scores of quality estimation; None without an estimator, and for an empty text."""
    if settings.estimator is None:
        return [None] * len(texts)
    asked = [(prompt.text, text) for prompt, text in zip(prompts, texts, strict=True) if text]
    if not asked:
        return [None] * len(texts)
    scores = iter(settings.estimator([source for source, _ in asked], [text for _, text in asked], language))
    return [next(scores) if text else None for text in texts]


def choose(old: Translation | None, new: Translation) -> Translation:
    """The new one where it is sound, else the one with fewer reasons; the reasons told are its own."""
    if old is None or not new.reasons or (new.text and (not old.text or len(new.reasons) < len(old.reasons))):
        return new
    return replace(old, attempts=new.attempts)


@cache
def read_prompt(name: str) -> str:
    return files("m_alpacaeval").joinpath("prompts", name).read_text(encoding="utf-8").rstrip("\n")


@cache
def _tags() -> tuple[str, ...]:
    return ("request", *(f"request-{number}" for number in range(2, 100)))
