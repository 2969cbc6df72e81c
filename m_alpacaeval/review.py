"""The review file, `OUT/review.jsonl`: what was set aside, for a person to mend, and what a person has mended.

One JSON object a line. Text in `edited` is taken as the row's translation by the next build, without a call; lines
for other rows can be added with `language`, `id` and `edited` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m_alpacaeval.guards import REASONS
from m_alpacaeval.rows import SourcePrompt
from m_alpacaeval.translate import Translation
from xl_suite.errors import BadRecord
from xl_suite.records import read_raw, read_records, write_jsonl

FILE_NAME = "review.jsonl"


@dataclass(frozen=True, slots=True)
class Review:
    """A line of the file. reasons: why the translation was set aside. detail: of a call that failed."""

    language: str
    id: int
    edited: str | None = None
    translation: str = ""
    source_instruction: str = ""
    reasons: Sequence[str] = ()
    explained: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Edits:
    """The edited translations by prompt, and the prompts that none was written for."""

    texts: Mapping[SourcePrompt, str]
    others: tuple[SourcePrompt, ...]


def read_edits(path: Path, prompts: Sequence[SourcePrompt]) -> Edits:
    """What people wrote into the file for these prompts; nothing where there is no file.

    Raises BadRecord for a line that does not fit, a doubled one, and one that was written for another source text.
    """
    texts: dict[SourcePrompt, str] = {}
    by_key = {(prompt.language, prompt.id): prompt for prompt in prompts}
    seen: set[tuple[str, int]] = set()
    for number, row in enumerate(read_reviews(path), start=1):
        key = (row.language, row.id)
        if key in seen:
            raise BadRecord(path, f"{row.language}/{row.id} is in an earlier line.", row=number)
        seen.add(key)
        prompt = by_key.get(key)
        if prompt is None or not (row.edited or "").strip():
            continue
        if row.source_instruction and row.source_instruction != prompt.text.rstrip():
            raise BadRecord(
                path,
                f"{row.language}/{row.id} was edited for another source text. Check it, and put the new text into "
                "source_instruction, or take it out.",
                row=number,
                field="source_instruction",
            )
        texts[prompt] = (row.edited or "").strip()
    return Edits(texts, tuple(prompt for prompt in prompts if prompt not in texts))


def read_reviews(path: Path) -> list[Review]:
    return read_records(path, Review) if path.exists() and path.stat().st_size and read_raw(path) else []


def write_reviews(path: Path, prompts: Sequence[SourcePrompt], edits: Edits, aside: Sequence[Translation]) -> None:
    """Writes what is set aside and what was edited, those of languages that were not built as they were.

    No file where there is nothing to tell.
    """
    built = {prompt.language for prompt in prompts}
    kept = {(row.language, row.id): row for row in read_reviews(path)}
    rows = {key: row for key, row in kept.items() if row.language not in built}
    for prompt, text in edits.texts.items():
        old = kept[prompt.language, prompt.id]
        rows[prompt.language, prompt.id] = Review(
            prompt.language, prompt.id, text, old.translation, prompt.text.rstrip(), tuple(old.reasons)
        )
    for one in aside:
        prompt = one.prompt
        explained = "; ".join(REASONS[reason][0] for reason in one.reasons)
        rows[prompt.language, prompt.id] = Review(
            prompt.language, prompt.id, "", one.text, prompt.text.rstrip(), one.reasons, explained, one.detail
        )
    if rows:
        write_jsonl(path, [rows[key] for key in sorted(rows)])
    else:
        path.unlink(missing_ok=True)
