"""Where training rows come from: a folder of XL-Instruct, or instruction data of others such as X-Instruction."""

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
from xl_suite.records import read_records
from xl_suite.templates import append_template, draw_template

NAIVE = "naive"
# A row's number and its QE score.
Entry = tuple[int, float | None]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """instruction: with the sentence that asks for the language. language: of the response, ISO 639-3."""

    id: int
    instruction: str
    response: str
    language: str
    qe_score: float | None


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
    if text == NAIVE:
        return "default"
    found = re.fullmatch(r"best-?of-?(k|\d+)", text)
    if found is None or found[1] == "0":
        raise BadInput(f"the translations are {text!r}; valid: naive, best-of-k, or best-of-3 and the like.")
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
    if not kinds:
        raise BadInput(f"{folder} is no folder of XL-Instruct: it has neither default/ nor bestof<k>/ with Parquet.")
    raise BadInput(f"{folder} has no translations {translations!r}; it has: {', '.join(kinds)}.")


def read_xl_instruct(folder: Path, translations: str, languages: Sequence[str] | None = None) -> TrainingSource:
    """The rows of a folder that `xl-suite generate` wrote, or one of its layout from the Hub with a score a row.

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
    _require(entries, languages, f"{folder}/{config}")

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
    kind = NAIVE if config == "default" else f"best-of-{config.removeprefix('bestof')}"
    return TrainingSource(
        folder.resolve().name,
        str(metadata.get("pretty_name") or "XL-Instruct"),
        name_licence(metadata.get("license")),
        kind,
        ", ".join(qe_models),
        _sort(entries),
        load,
    )


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A row of X-Instruction and of most instruction data: the answer is `output`, sometimes `response`."""

    instruction: str
    output: str = ""
    response: str = ""
    input: str = ""


def read_x_instruction(path: Path, languages: Sequence[str] | None = None, *, seed: int = 1) -> TrainingSource:
    """X-Instruction (Li et al. 2024) or data of its form, without scores: English instruction, answer in another
    language.

    path: a .json, .jsonl or .parquet file, or a folder of them. A file's language is in its name (or its folder's):
    an ISO 639-1 or 639-3 code or the English name as a word of it (`fi.json`, `x-instruction_hin.jsonl`); a single
    file may have any name when one language is given. Since its instructions do not say in which language to
    answer, the sentence that does is drawn from the benchmark's templates. Its own files were not at hand when this
    was written, only the description of their two fields.
    """
    files_found = [path] if path.is_file() else sorted(_list_data_files(path))
    if not files_found:
        raise BadInput(f"{path}: no .json, .jsonl or .parquet file there.")
    by_language: dict[str, list[Path]] = {}
    for file in files_found:
        language = languages[0] if len(files_found) == 1 and languages and len(languages) == 1 else _guess(file, path)
        if language is None:
            raise BadInput(
                f"{file}: its language cannot be told from its name. Rename it (fi.json), or give one file with "
                "--languages fin."
            )
        if languages is None or language in languages:
            by_language.setdefault(language, []).append(file)
    rows: dict[str, list[SourceRow]] = {}
    for language, found in by_language.items():
        name = find_language(language).name
        rows[language] = []
        for file in found:
            for record in read_records(file, _Foreign):
                answer = record.output or record.response
                asked = f"{record.instruction}\n\n{record.input}" if record.input.strip() else record.instruction
                if not answer.strip() or not asked.strip():
                    continue
                number = len(rows[language])
                instruction = append_template(asked, draw_template(seed, number + 1).fill(name))
                rows[language].append(SourceRow(number, instruction, answer, language, None))
    entries: dict[str, list[Entry]] = {code: [(row.id, None) for row in own] for code, own in rows.items()}
    _require(entries, languages, str(path))
    return TrainingSource(
        path.resolve().name,
        "X-Instruction",
        name_licence(read_card(path).get("license")),
        "own",
        "none",
        _sort(entries),
        lambda order: tuple(rows[language][place] for language, place in order),
        "Data of others, without quality scores; the sentence that asks for the language was added here.",
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
    raise BadInput(f"{split!r} is no English name of a language, as a split of XL-Instruct is (german).")


def _list_data_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such file or folder.")
    kinds = (".json", ".jsonl", ".parquet", ".json.gz", ".jsonl.gz")
    return [file for file in folder.rglob("*") if file.name.endswith(kinds) and not file.name.startswith(".")]


def _guess(file: Path, root: Path) -> str | None:
    """The language that a file's name says, or else its folders' within `root`, the last word first."""
    known = {name: row.code for row in table() for name in (row.code, row.code2, row.name.lower()) if name}
    parts = [file.name.split(".")[0], *(reversed(file.relative_to(root).parent.parts) if root.is_dir() else ())]
    for part in parts:
        for word in reversed(re.split(r"[^A-Za-z]+", part.lower())):
            if word in known and word != "eng" and known[word] != "eng":
                return known[word]
    for part in parts:
        for word in reversed(re.split(r"[^A-Za-z]+", part.lower())):
            if re.fullmatch("[a-z]{3}", word):
                try:
                    return find_language(word).code
                except UnknownLanguage:
                    continue
    return None


def _require(entries: Mapping[str, Sequence[Entry]], languages: Sequence[str] | None, place: str) -> None:
    missing = [code for code in languages or () if code not in entries]
    if missing:
        raise BadInput(f"{place} has no {', '.join(missing)}. It has: {', '.join(entries) or 'no language'}.")
    if not any(entries.values()):
        raise BadInput(f"{place} holds no row.")


def _sort(entries: Mapping[str, list[Entry]]) -> dict[str, list[Entry]]:
    order = {language.code: place for place, language in enumerate(table())}
    return {code: entries[code] for code in sorted(entries, key=lambda code: (order.get(code, len(order)), code))}


def read_card(place: Path) -> dict[str, Any]:
    card = (place if place.is_dir() else place.parent) / "README.md"
    return (read_metadata(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None) or {}


def name_licence(value: Any) -> str:
    return value if isinstance(value, str) and value in hub_values("license") else "unknown"
