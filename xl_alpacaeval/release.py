"""The official release (viyer98/XL-AlpacaEval): one JSON array of instructions per language, without IDs.

IDs, prompts and templates are recovered by matching its instructions with AlpacaEval's prompts; its own draws of
templates, separators and rows are kept as they are.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_alpacaeval.rows import ENGLISH, edit_prompt, expected_language
from xl_alpacaeval.sources import FILE_NAME, is_hub_id
from xl_suite.errors import BadInput, BadRecord
from xl_suite.languages import Language, table
from xl_suite.publishing.hub_files import HubFiles, download, find_on_hub
from xl_suite.records import BenchmarkRow, Prompt, read_raw
from xl_suite.templates import templates

OFFICIAL = "viyer98/XL-AlpacaEval"
# How alike a prompt must be to one of AlpacaEval's that no other row took: the release's own edits are small.
_ALIKE = 0.85


@dataclass(frozen=True, slots=True)
class Release:
    """The rows of a release by language, in its order.

    name, revision: as in Source. sha256: over its files. unmatched: by language, the 1-based places of the rows
    whose prompt was not found among AlpacaEval's; they are not among the rows.
    """

    rows: Mapping[str, Sequence[BenchmarkRow]]
    name: str
    revision: str
    sha256: str
    unmatched: Mapping[str, Sequence[int]]


def find_release(source: str, find: Callable[[str], HubFiles] = find_on_hub) -> tuple[dict[str, Path], str] | None:
    """The files of a release by language, and its revision; None where `source` does not have that shape."""
    names = {f"{language.split}{ending}": language.code for language in table() for ending in (".json", ".jsonl")}
    folder = Path(source)
    if folder.is_dir():
        if (folder / FILE_NAME).is_file():
            return None
        files = sorted(path for path in folder.rglob("*.json*") if path.name in names)
        return ({names[path.name]: path for path in files}, "") if files else None
    if folder.exists() or not is_hub_id(source):
        return None
    hub = find(source)
    found = {names[name]: file for file in hub.files if (name := file.rpartition("/")[2]) in names}
    if not found or FILE_NAME in hub.files:
        return None
    return {code: download(hub, file) for code, file in found.items()}, hub.revision


def read_release(
    source: str,
    prompts: Sequence[Prompt],
    *,
    allow_changed: bool = False,
    find: Callable[[str], HubFiles] = find_on_hub,
) -> Release:
    """The rows of a release, a Hub ID or a folder with `german.json` and so on, anywhere in it.

    prompts: AlpacaEval's 805. Raises BadInput where there is no release, or where a row's prompt is not one of
    them; `allow_changed` leaves such rows out and counts them.
    """
    found = find_release(source, find)
    if found is None:
        raise BadInput(
            f"{source} is not a release of XL-AlpacaEval: it has no <language>.json such as german.json. "
            f"The official one is {OFFICIAL} on the Hub."
        )
    files, revision = found
    rows: dict[str, list[BenchmarkRow]] = {}
    unmatched: dict[str, list[int]] = {}
    for language in table():
        if language.code in files:
            texts = _read_texts(files[language.code])
            rows[language.code], lost = recover_rows(texts, language, prompts)
            if lost:
                unmatched[language.code] = lost
    if unmatched and not allow_changed:
        places = "; ".join(f"{code}: record {', '.join(map(str, lost[:5]))}" for code, lost in unmatched.items())
        count = sum(map(len, unmatched.values()))
        raise BadInput(
            f"{source}: {count} rows have none of AlpacaEval's prompts ({places}). "
            "Leave them out with --allow-changed-source."
        )
    sha256 = hashlib.sha256(b"".join(files[code].read_bytes() for code in sorted(files))).hexdigest()
    name = source if revision else Path(source).resolve().name
    return Release(rows, name, revision, sha256, unmatched)


def recover_rows(
    texts: Sequence[str], language: Language, prompts: Sequence[Prompt]
) -> tuple[list[BenchmarkRow], list[int]]:
    """The rows behind a release's instructions, and the 1-based places of those without a prompt of AlpacaEval.

    A prompt is known by its words, with its edits or as AlpacaEval has it; where that fails, by likeness.
    """
    by_words = {_words(prompt.instruction): prompt for prompt in prompts}
    by_words |= {_words(edit_prompt(prompt, language)): prompt for prompt in prompts}
    parts = [split_instruction(text, language) for text in texts]
    found = [by_words.get(_words(prompt)) for prompt, _ in parts]
    free = {words: prompt for words, prompt in by_words.items() if prompt not in found}
    rows, lost = [], []
    taken: set[int] = set()
    for place, (text, (words, template), prompt) in enumerate(zip(texts, parts, found, strict=True), start=1):
        if prompt is None:
            alike = difflib.get_close_matches(_words(words), free, n=1, cutoff=_ALIKE)
            prompt = free[alike[0]] if alike else None
        if prompt is None or prompt.id in taken:
            lost.append(place)
            continue
        taken.add(prompt.id)
        expected = expected_language(prompt.id)
        rows.append(BenchmarkRow(prompt.id, prompt.dataset, text, words, template, language.code, expected))
    return rows, lost


def split_instruction(text: str, language: Language) -> tuple[str, str]:
    """Prompt and template of an instruction of a release; the template is empty where none of the twelve is there."""
    if language.code == ENGLISH:
        return text, ""
    body = text.rstrip()
    bare = body.rstrip(".")
    for filled in sorted((template.fill(language.name) for template in templates()), key=len, reverse=True):
        if bare.casefold().endswith(filled.casefold()):
            start = len(bare) - len(filled)
            return body[:start].rstrip(), body[start:]
    return text, ""


def _read_texts(path: Path) -> list[str]:
    texts = [_read_text(raw, path, number) for number, raw in enumerate(read_raw(path), start=1)]
    if not texts:
        raise BadInput(f"{path}: the file holds no records.")
    return texts


def _read_text(raw: Any, path: Path, number: int) -> str:
    text = raw.get("instruction") if isinstance(raw, Mapping) else raw
    if not isinstance(text, str):
        raise BadRecord(path, "expected text.", row=number, field="instruction")
    return text


def _words(text: str) -> str:
    return " ".join(text.casefold().split())
