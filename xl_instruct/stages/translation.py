"""Stage 3: candidates for every segment of a response, from one translator or several (paper, section 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xl_instruct.config import TRUNCATED, Translation, Translator
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.answers import TAGS, Malformed, read_translation
from xl_instruct.stages.files import LeftOut, Row, Summary
from xl_instruct.stages.prompts import load_prompt
from xl_suite.chat.calls import Answer, Call, FailedCall, Message
from xl_suite.chat.client import ChatClient
from xl_suite.chat.reading import Unreadable, ask_until_read
from xl_suite.languages import find_language
from xl_suite.tags import escape_tags
from xl_suite.translation.guards import inspect_translations


@dataclass(frozen=True, slots=True)
class Worker:
    """A translator at work: its number (0 is the one that the naive dataset is from), settings and client."""

    number: int
    settings: Translator
    client: ChatClient


def build_calls(
    segments: Sequence[Row], language: str, translator: Translator, settings: Translation, sample: int = 0
) -> Iterator[Call]:
    """One call for each translatable segment, in order. Segments of equal text give equal calls, whatever row they
    are in, unless sentences before them are shown too."""
    name = find_language(language).name
    before: list[str] = []
    for segment in segments:
        if segment["kind"] not in TRANSLATABLE:
            continue
        source = segment["text"]
        shown = before[-settings.context :] if settings.context else []
        values = {"language": name, "text": escape_tags(source, *TAGS)}
        prompt = "translate"
        if shown:
            prompt = "translate_in_context"
            values["context"] = escape_tags(" ".join(shown), *TAGS)
        message = Message("user", load_prompt(prompt).fill(values))
        yield Call(f"{language}/translate", (message,), translator.sampling(sample), sample)
        before.append(source)


async def translate_row(
    row: Row, language: str, workers: Sequence[Worker], settings: Translation, attempts: int, summary: Summary
) -> dict[str, Any] | LeftOut:
    """The row with a candidate of each worker for every translatable segment, after those of earlier workers.

    row: with `segments`, each a dict with `kind`, `text`, `protected` and, of earlier workers, `candidates`.
    A refused candidate of the first translator is always tried again, since the naive dataset needs it; one of
    another only while no translator before it has a sound one. A failed call quarantines the row.
    """
    work = [dict(segment) for segment in row["segments"]]
    todo = [segment for segment in work if segment["kind"] in TRANSLATABLE]
    everywhere = range(len(todo))
    tasks = [_RowAtWorker(worker, work, todo, language, settings, summary) for worker in workers]
    failures = await asyncio.gather(*(task.ask(everywhere, (0,)) for task in tasks))
    failed = next((one for one in failures if one is not None), None)
    for task in tasks:
        if failed is None:
            again = [
                place
                for place in everywhere
                if task.candidates[place]["refused"] and (task.worker.number == 0 or not has_sound(todo[place]))
            ]
            failed = await task.ask(again, range(1, attempts))
        if failed is not None:
            return LeftOut(row["id"], "translated", "quarantined", "call failed", failed.reason, language)
        for place, segment in enumerate(todo):
            segment["candidates"] = [*segment.get("candidates", ()), task.candidates[place]]
    return {"id": row["id"], "segments": work}


def is_unsound(row: Row, numbers: Sequence[int], last: bool) -> bool:
    """Whether new samples could still help a row: the first translator, if it is among `numbers`, has a refused
    candidate, or a segment has no sound one when the `last` translator has been asked."""
    todo = [segment for segment in row["segments"] if segment["kind"] in TRANSLATABLE]
    naive = 0 in numbers and any(segment["candidates"][0]["refused"] for segment in todo)
    return naive or (last and not all(map(has_sound, todo)))


def has_sound(segment: Row) -> bool:
    return any(not candidate["refused"] for candidate in segment.get("candidates", ()))


class _RowAtWorker:
    """One worker's candidates for the segments of a row that are to be translated, by place: the first that is not
    refused, else the first."""

    def __init__(
        self,
        worker: Worker,
        work: Sequence[Row],
        todo: Sequence[Row],
        language: str,
        settings: Translation,
        summary: Summary,
    ):
        self.worker = worker
        self.candidates: dict[int, dict[str, Any]] = {}
        self._work, self._todo, self._language = work, todo, language
        self._settings, self._summary = settings, summary
        self._calls: dict[int, list[Call]] = {}

    async def ask(self, places: Sequence[int], samples: Sequence[int]) -> FailedCall | None:
        """Asks for the segments at `places`, and again for those that are refused. The first call that failed."""
        results = await ask_until_read(self.worker.client, places, self._make_calls, self._read, tries=samples)
        return next((result for result in results if isinstance(result, FailedCall)), None)

    def _make_calls(self, place: int, sample: int) -> list[Call]:
        if sample not in self._calls:
            calls = build_calls(self._work, self._language, self.worker.settings, self._settings, sample)
            self._calls[sample] = list(calls)
        return [self._calls[sample][place]]

    def _read(
        self, answered: Sequence[tuple[int, tuple[Answer, ...]]], sample: int
    ) -> list[dict[str, Any] | Unreadable]:
        for _, (answer,) in answered:
            self._summary.note(self.worker.client.model.name, answer)
        segments, answers = [self._todo[place] for place, _ in answered], [own[0] for _, own in answered]
        found = _judge(segments, answers, self.worker, self._language, self._settings, sample)
        for (place, _), candidate in zip(answered, found, strict=True):
            if place not in self.candidates or not candidate["refused"]:
                self.candidates[place] = candidate
        return [Unreadable(", ".join(one["refused"])) if one["refused"] else one for one in found]


def _judge(
    segments: Sequence[Row],
    answers: Sequence[Answer],
    worker: Worker,
    language: str,
    settings: Translation,
    sample: int,
) -> list[dict[str, Any]]:
    """The candidates of those segments; `refused` names the guards that refuse one."""
    texts: list[str] = []
    refused: list[list[str]] = []
    for segment, answer in zip(segments, answers, strict=True):
        try:
            texts.append(read_translation(answer, segment["text"]))
            refused.append([])
        except Malformed:
            texts.append(answer.text.strip())
            refused.append([TRUNCATED])
    return judge_texts(segments, texts, refused, (worker.client.model.name, sample), language, settings)


def judge_texts(
    segments: Sequence[Row],
    texts: Sequence[str],
    refused: Sequence[list[str]],
    origin: tuple[str, int],
    language: str,
    settings: Translation,
) -> list[dict[str, Any]]:
    """Candidates of these texts for the segments. refused: reasons known already. origin: model and sample."""
    sources = [segment["text"] for segment in segments]
    found = inspect_translations(sources, texts, language, [segment["protected"] for segment in segments])
    active = settings.guards
    return [
        {
            "model": origin[0],
            "text": text,
            "refused": [guard for guard in own + check.refused if active is None or guard in active],
            "sample": origin[1],
            "flags": check.flags,
            "verdict": check.verdict,
        }
        for text, own, check in zip(texts, refused, found, strict=True)
    ]
