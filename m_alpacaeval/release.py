"""Translations that exist: the official release and PLUG's X-AlpacaEval, one JSON array of instructions a language.

Neither has IDs. Where an English file is beside the others (PLUG), its texts say which prompt is at each place; else
the places are those of AlpacaEval's 805 or of XL-AlpacaEval's English rows, by the count. Then the numbers and URLs
of all prompts are looked for in their translations, which shows any shift.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m_alpacaeval.guards import find_protected
from m_alpacaeval.rows import ENGLISH, SourcePrompt, Sources
from xl_suite.errors import BadInput, BadRecord
from xl_suite.languages import Language, find_language, table
from xl_suite.publishing.hub_files import HubFiles, download, find_on_hub
from xl_suite.records import BenchmarkRow, read_raw
from xl_suite.translation.numbers import find_lost_numbers, find_numbers

OFFICIAL = "viyer98/m-AlpacaEval"
PLUG = "zhihz0535/X-AlpacaEval"
TRANSLATORS = {OFFICIAL: "gpt-4o (viyer98/m-AlpacaEval)", PLUG: "human (X-AlpacaEval)"}
ALL_PROMPTS = 805
# Languages of such releases beside those of the table.
_OTHERS = ("kor", "ita", "spa")
_ALIKE = 0.85  # how alike an English text must be to a prompt that it differs from in small things
# Of the prompts with numbers or URLs, the share whose translation has them. Translators spell some numbers out; a
# file that is shifted by one row keeps hardly any.
_LEAST_KEPT, _LEAST_SEEN = 0.6, 5


@dataclass(frozen=True, slots=True)
class Release:
    """Translations by prompt. left_out: by language, how many rows are of prompts that XL-AlpacaEval drops;
    missing: by language, prompts without a translation."""

    texts: Mapping[SourcePrompt, str]
    languages: tuple[str, ...]
    name: str
    revision: str
    sha256: str
    translator: str
    left_out: Mapping[str, int]
    missing: Mapping[str, int]


def list_release_languages(source: str, find: Callable[[str], HubFiles] = find_on_hub) -> list[str]:
    """The languages of a release (`german.json`) but English. Raises BadInput where there are none."""
    return [code for code in _find_files(source, find)[0] if code != ENGLISH]


def read_release(
    source: str, sources: Sources, *, translator: str = "", find: Callable[[str], HubFiles] = find_on_hub
) -> Release:
    """The release's translations of the prompts of `sources`, whose languages it must have.

    source: a Hub ID or a folder with `german.json` and so on. Raises BadInput where languages are missing, where the
    rows cannot be told apart, and where they do not belong to their prompts.
    """
    files, revision = _find_files(source, find)
    absent = [code for code in sources.prompts if code not in files]
    if absent:
        raise BadInput(f"{source} has no {', '.join(absent)}; it has {', '.join(files)}.")
    english = read_texts(files[ENGLISH]) if ENGLISH in files else None
    texts: dict[SourcePrompt, str] = {}
    left_out, missing = {}, {}
    for code, prompts in sources.prompts.items():
        rows = read_texts(files[code])
        ids = find_ids(len(rows), english, sources.english, files[code])
        by_id = {prompt.id: prompt for prompt in prompts}
        found = {by_id[number]: text for number, text in zip(ids, rows, strict=True) if number in by_id}
        check_alignment(found, files[code])
        texts |= found
        left_out[code], missing[code] = len(rows) - len(found), len(prompts) - len(found)
    sha256 = hashlib.sha256(b"".join(files[code].read_bytes() for code in sorted(sources.prompts))).hexdigest()
    name = source if revision else Path(source).resolve().name
    return Release(
        texts,
        tuple(sources.prompts),
        name,
        revision,
        sha256,
        translator or TRANSLATORS.get(source, name),
        left_out,
        missing,
    )


def find_ids(count: int, english: Sequence[str] | None, rows: Sequence[BenchmarkRow], path: Path) -> list[int]:
    """The ID of each of `count` rows; 0 for those whose prompt is none of XL-AlpacaEval's English `rows`."""
    if english is not None and len(english) == count:
        return match_english(english, rows)
    if count == ALL_PROMPTS:
        return list(range(1, ALL_PROMPTS + 1))
    if count == len(rows):
        return [row.id for row in rows]
    raise BadInput(
        f"{path} has {count} rows; {len(rows)} (as XL-AlpacaEval's folder) or {ALL_PROMPTS} (as AlpacaEval) were "
        "expected, so which prompt each row translates cannot be told. Put its english.json beside it, or build "
        "XL-AlpacaEval from the release that it was translated from."
    )


def match_english(texts: Sequence[str], rows: Sequence[BenchmarkRow]) -> list[int]:
    """The IDs of the rows with these English texts, by their words, else by likeness; 0 where there is none."""
    by_words = {_words(row.prompt): row.id for row in rows}
    ids = [by_words.get(_words(text), 0) for text in texts]
    free = {words: number for words, number in by_words.items() if number not in set(ids)}
    for place, text in enumerate(texts):
        if ids[place] == 0:
            alike = difflib.get_close_matches(_words(text), free, n=1, cutoff=_ALIKE)
            if alike:
                ids[place] = free.pop(alike[0])
    return ids


def check_alignment(found: Mapping[SourcePrompt, str], path: Path) -> None:
    """Raises BadInput where the prompts' numbers, URLs and code are mostly not in their translations."""
    lost = []
    seen = 0
    for prompt, text in found.items():
        spans = [span for span, _ in find_protected(prompt.text)]
        numbers = [number for number in find_numbers(prompt.text) if len(number) > 1]
        if not spans and not numbers:
            continue
        seen += 1
        if any(span not in text for span in spans) or set(
            find_lost_numbers(prompt.text, text, prompt.language)
        ) & set(numbers):
            lost.append(prompt.id)
    if seen >= _LEAST_SEEN and len(lost) > (1 - _LEAST_KEPT) * seen:
        shown = ", ".join(map(str, lost[:8]))
        raise BadInput(
            f"{path} does not fit the prompts: of {seen} with numbers or URLs, {len(lost)} translations lack them "
            f"(IDs {shown}). Its rows are in another order, or of another version of the prompts."
        )


def read_texts(path: Path) -> list[str]:
    """The instructions of a JSON array of strings or of objects with `instruction`."""
    texts = []
    for number, raw in enumerate(read_raw(path), start=1):
        text = raw.get("instruction") if isinstance(raw, Mapping) else raw
        if not isinstance(text, str) or not text.strip():
            raise BadRecord(path, f"expected text, found {_shorten(text)}.", row=number, field="instruction")
        texts.append(text)
    if not texts:
        raise BadInput(f"{path}: the file holds no records.")
    return texts


def _find_files(source: str, find: Callable[[str], HubFiles]) -> tuple[dict[str, Path], str]:
    languages = _list_languages()
    names = {f"{row.split}{ending}": row.code for row in languages for ending in (".json", ".jsonl")}
    folder = Path(source)
    if folder.is_dir():
        files = {names[path.name]: path for path in sorted(folder.rglob("*.json*")) if path.name in names}
        revision = ""
    elif folder.exists() or source.count("/") != 1:
        raise BadInput(f"{source} is not a folder. --source takes a folder with german.json and so on, or a Hub ID.")
    else:
        hub = find(source)
        wanted = {names[name]: file for file in hub.files if (name := file.rpartition("/")[2]) in names}
        files, revision = {code: download(hub, file) for code, file in wanted.items()}, hub.revision
    if not set(files) - {ENGLISH}:
        raise BadInput(f"{source} has no <language>.json such as german.json, as {OFFICIAL} and {PLUG} have.")
    return {row.code: files[row.code] for row in languages if row.code in files}, revision


def _list_languages() -> list[Language]:
    return [*table(), *(find_language(code) for code in _OTHERS)]


def _words(text: str) -> str:
    return " ".join(text.casefold().split())


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
