"""Where training rows come from: what every source gives, and a folder of XL-Instruct as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.dataset.card import hub_values, read_metadata
from xl_suite.dataset.shards import find_shards
from xl_suite.errors import BadInput, UnknownLanguage
from xl_suite.languages import Language, find_language, table

NAIVE, DOCUMENT = "naive", "document"
# A row's number and its QE score.
Entry = tuple[int, float | None]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """instruction: with the sentence that asks for the language. language: of the response, ISO 639-3. variant: its
    country or script where that is named (`pt-BR`)."""

    id: int
    instruction: str
    response: str
    language: str
    qe_score: float | None
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    name: str
    title: str
    licence: str
    translations: str
    qe_model: str


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """Rows to choose from. entries: by language, in the order of the languages' table. load: the rows at (language,
    place) pairs, in their order. translations: `naive`, `best-of-3`, or `own` for data that names none."""

    name: str
    title: str
    licence: str
    translations: str
    qe_model: str
    entries: Mapping[str, Sequence[Entry]]
    load: Callable[[Sequence[tuple[str, int]]], tuple[SourceRow, ...]]
    notes: str = ""

    def identity(self) -> Identity:
        return Identity(self.name, self.title, self.licence, self.translations, self.qe_model)


def parse_translations(text: str) -> str:
    """The config of a folder for a kind of translation: `default` for naive, `bestof3` for best-of-3.

    `best-of-k` is left for the folder to say. Raises BadInput for anything else.
    """
    if text in (NAIVE, DOCUMENT):
        return "default" if text == NAIVE else DOCUMENT
    found = re.fullmatch(r"best-?of-?(k|\d+)", text)
    if found is None or found[1] == "0":
        raise BadInput(
            f"the translations are {text!r}; valid: naive, best-of-k, document, or best-of-3 and the like."
        )
    return f"bestof{found[1]}"


def find_config(folder: Path, translations: str) -> str:
    """The config of that kind that a folder of XL-Instruct has. Raises BadInput, naming those it has."""
    wanted = parse_translations(translations)
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder. `xl-suite generate CONFIG --out {folder}` makes one.")
    known = [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and any(entry.glob("*.parquet"))]
    best = [name for name in known if re.fullmatch(r"bestof\d+", name)]
    if wanted == "bestofk" and len(best) == 1:
        return best[0]
    if wanted in known:
        return wanted
    kinds = [NAIVE for name in known if name == "default"]
    kinds += [f"best-of-{name.removeprefix('bestof')}" for name in best]
    kinds += [DOCUMENT for name in known if name == DOCUMENT]
    if not kinds:
        raise BadInput(
            f"{folder} is not a folder of XL-Instruct: it has neither default/ nor bestof<k>/ with Parquet. "
            "For instruction data of others: --format x-instruction."
        )
    raise BadInput(f"{folder} has no translations {translations!r}; it has: {', '.join(kinds)}.")


def read_xl_instruct(folder: Path, translations: str, languages: Sequence[str] | None = None) -> TrainingSource:
    """The rows of a folder that `xl-suite generate` wrote, or one of its layout from the Hub with a score per row.

    languages: ISO 639-3 codes, all by default; English is never among them, since the task is cross-lingual.
    """
    import pyarrow.parquet

    config = find_config(folder, translations)
    shards = {split: find_shards(folder / config, split) for split in list_splits(folder / config)}
    entries: dict[str, list[Entry]] = {}
    homes: dict[str, list[Path]] = {}
    qe_models: dict[str, None] = {}
    for split, paths in shards.items():
        language = find_by_split(split)
        if language.code == "eng" or (languages is not None and language.code not in languages):
            continue
        homes[language.code] = paths
        entries[language.code] = []
        for path in paths:
            names = set(pyarrow.parquet.read_schema(path).names)
            if not {"id", "instruction", "response"} <= names:
                raise BadInput(f"{path}: the columns id, instruction and response are needed; found {sorted(names)}.")
            columns = [name for name in ("id", "qe_score", "qe_model") if name in names]
            for row in pyarrow.parquet.read_table(path, columns=columns).to_pylist():
                entries[language.code].append((int(row["id"]), row.get("qe_score")))
                qe_models[row.get("qe_model") or "unknown"] = None
    require(entries, languages, f"{folder}/{config}")

    def load(order: Sequence[tuple[str, int]]) -> tuple[SourceRow, ...]:
        found: dict[tuple[str, int], SourceRow] = {}
        for code, paths in homes.items():
            places = sorted({place for language, place in order if language == code})
            if not places:
                continue
            parts = [pyarrow.parquet.read_table(p, columns=["id", "instruction", "response"]) for p in paths]
            taken = pyarrow.concat_tables(parts).take(places).to_pylist()
            for place, row in zip(places, taken, strict=True):
                score = entries[code][place][1]
                found[code, place] = SourceRow(row["id"], row["instruction"], row["response"], code, score)
        return tuple(found[one] for one in order)

    metadata = read_card(folder)
    kind = {"default": NAIVE, DOCUMENT: DOCUMENT}.get(config) or f"best-of-{config.removeprefix('bestof')}"
    return TrainingSource(
        folder.resolve().name,
        str(metadata.get("pretty_name") or "XL-Instruct"),
        name_licence(metadata.get("license")),
        kind,
        ", ".join(qe_models),
        sort_entries(entries),
        load,
    )


def list_splits(folder: Path) -> list[str]:
    names = {re.sub(r"-\d{5}-of-\d{5}\.parquet\Z", "", file.name) for file in folder.glob("*-of-*.parquet")}
    return sorted(names)


def find_by_split(split: str) -> Language:
    for language in table():
        if language.split == split:
            return language
    from iso639 import Language as IsoLanguage
    from iso639 import LanguageNotFoundError

    for name in (split.replace("_", " ").title(), split.replace("_", " ")):
        try:
            return find_language(IsoLanguage.match(name).part3 or "")
        except (LanguageNotFoundError, UnknownLanguage):
            continue
    raise BadInput(f"{split!r} is not an English name of a language, as a split of XL-Instruct is (german).")


def require(entries: Mapping[str, Sequence[Entry]], languages: Sequence[str] | None, place: str) -> None:
    missing = [code for code in languages or () if code not in entries]
    if missing:
        raise BadInput(f"{place} has no {', '.join(missing)}. It has: {', '.join(entries) or 'no language'}.")
    if not any(entries.values()):
        raise BadInput(f"{place} holds no row.")


def sort_entries(entries: Mapping[str, list[Entry]]) -> dict[str, list[Entry]]:
    order = {language.code: place for place, language in enumerate(table())}
    return {code: entries[code] for code in sorted(entries, key=lambda code: (order.get(code, len(order)), code))}


def read_card(place: Path) -> dict[str, Any]:
    card = (place if place.is_dir() else place.parent) / "README.md"
    return (read_metadata(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None) or {}


def name_licence(value: Any) -> str:
    return value if isinstance(value, str) and value in hub_values("license") else "unknown"
