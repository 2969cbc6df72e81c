"""The document arm: a whole response, or a window of it, in one call, aligned back to segments.

Each segment is marked with its number, and the answer has the same marks, so that a translation belongs to its
segment by number and not by its place. What is not marked in the answer has no translation of its own. The paper left
such an arm out as unreliable; here it stands beside naive and best-of-k and never mixes with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from xl_instruct.config import TRUNCATED, Document, Translation
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import Row, Summary
from xl_instruct.stages.prompts import load_prompt
from xl_instruct.stages.translation import Worker, judge_texts
from xl_suite.chat.calls import Answer, Call, FailedCall, Message
from xl_suite.chat.reading import Unreadable, ask_until_read
from xl_suite.languages import find_language
from xl_suite.tags import escape_tags, restore_tags
from xl_suite.translation.reading import unwrap_translation

# Refusals that no guard sees: the answer has no part with the segment's number, or there was no answer.
UNALIGNED, NO_ANSWER = "unaligned", "call failed"
TAGS = ("text", "context", r"s\d+")
_PART = re.compile(r"<s(\d+)>(.*?)(?:</s\1>|(?=<s\d+>)|\Z)", re.DOTALL)
_CONTEXT = (
    "\n\nThe sentences that come before it in the same document are between <context> and </context>; they are not "
    "translated.\n\n<context>{}</context>"
)

Window = tuple[int, ...]  # places among the segments that are translated


def cut_windows(count: int, size: int | None) -> list[Window]:
    """The places of `count` segments in windows of `size`; one window for None."""
    size = size or max(1, count)
    return [tuple(range(start, min(count, start + size))) for start in range(0, count, size)]


def build_document_call(
    segments: Sequence[Row], window: Window, language: str, settings: Document, sample: int
) -> Call:
    """The call for the segments at the places of a window, in the text that they stand in."""
    places = [place for place, part in enumerate(segments) if part["kind"] in TRANSLATABLE]
    first, last = places[window[0]], places[window[-1]]
    # The whole response has what is before its first sentence and after its last, such as code.
    whole = len(window) == len(places)
    numbers = {places[place]: place + 1 for place in window}
    shown = []
    for place, part in enumerate(segments):
        if not whole and not first <= place <= last:
            continue
        text = escape_tags(part["text"], *TAGS)
        shown.append(f"<s{numbers[place]}>{text}</s{numbers[place]}>" if place in numbers else text)
    before = [segments[places[place]]["text"] for place in range(max(0, window[0] - settings.before), window[0])]
    values = {
        "language": find_language(language).name,
        "text": "".join(shown).strip("\n"),
        "before": _CONTEXT.format(escape_tags(" ".join(before), *TAGS)) if before else "",
    }
    message = Message("user", load_prompt("translate_document").fill(values))
    return Call(f"{language}/document", (message,), settings.sampling(sample), sample)


def read_document(answer: Answer, sources: Sequence[tuple[int, str]]) -> dict[int, str]:
    """The translations in an answer by number. sources: number and text of the segments that were asked for.

    A number that is there twice is left out, since nothing tells which one is meant, and so is one out of its order.
    """
    wanted = dict(sources)
    found: dict[int, str] = {}
    twice: set[int] = set()
    last = 0
    for part in _PART.finditer(answer.text):
        number = int(part[1])
        if number not in wanted or number in twice:
            continue
        if number in found:
            twice.add(number)
            del found[number]
        elif number > last:
            found[number] = _read_part(part[2], wanted[number])
            last = number
    return found


def _read_part(text: str, source: str) -> str:
    text = unwrap_translation(text, source)
    return restore_tags(text, *TAGS) if escape_tags(source, *TAGS) != source else text


async def translate_document(
    row: Row, language: str, worker: Worker, settings: tuple[Document, Translation], attempts: int, summary: Summary
) -> dict[str, Any]:
    """The row with a candidate `document` for every segment that is translated; its other candidates stay.

    A window is asked for again, `attempts` times at most, while one of its segments has no sound translation; each
    keeps its first sound one. Where a call failed or a part is missing, the candidate says so.
    """
    document, translation = settings
    segments = [dict(part) for part in row["segments"]]
    todo = [part for part in segments if part["kind"] in TRANSLATABLE]
    name = worker.client.model.name
    best: dict[int, dict[str, Any]] = {}

    def make_calls(window: Window, sample: int) -> list[Call]:
        return [build_document_call(segments, window, language, document, sample)]

    def read(answered: Sequence[tuple[Window, tuple[Answer, ...]]], sample: int) -> list[bool | Unreadable]:
        results: list[bool | Unreadable] = []
        for window, (answer,) in answered:
            summary.note(name, answer)
            found = read_document(answer, [(place + 1, todo[place]["text"]) for place in window])
            missing = TRUNCATED if answer.finish_reason == "length" else UNALIGNED
            own = [todo[place] for place in window]
            texts = [found.get(place + 1, "") for place in window]
            refused = [[] if place + 1 in found else [missing] for place in window]
            if answer.finish_reason == "length" and found:  # the last part ends where the answer does
                refused[[place + 1 for place in window].index(max(found))] = [TRUNCATED]
            made = judge_texts(own, texts, refused, (name, sample), language, translation)
            for place, candidate in zip(window, made, strict=True):
                if place not in best or (best[place]["refused"] and not candidate["refused"]):
                    best[place] = candidate
            sound = not any(best[place]["refused"] for place in window)
            results.append(sound or Unreadable("a segment without a sound translation"))
        return results

    windows = cut_windows(len(todo), document.window)
    results = await ask_until_read(worker.client, windows, make_calls, read, tries=range(attempts))
    for window, result in zip(windows, results, strict=True):
        for place in window:
            if place not in best:
                assert isinstance(result, FailedCall)
                empty = {"model": name, "text": "", "refused": [NO_ANSWER], "sample": 0, "flags": [], "verdict": ""}
                best[place] = empty
    for place, part in enumerate(todo):
        part["document"] = best[place]
    return {"id": row["id"], "segments": segments}


def lacks_sound(row: Row) -> bool:
    """Whether new samples could still help the document arm of a row."""
    return any(part["document"]["refused"] for part in row["segments"] if "document" in part)
