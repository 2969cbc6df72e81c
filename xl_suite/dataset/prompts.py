"""Any prompt set as a benchmark: a column of a file or of a dataset on the Hub, as a folder that every verb takes."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import xl_suite
from xl_suite.dataset.card import hub_values, name_language, read_metadata, render_card
from xl_suite.dataset.expected import TARGET, has_alpaca_eval_ids
from xl_suite.dataset.folder import write_benchmark
from xl_suite.errors import BadInput, BadRecord
from xl_suite.languages import find_language
from xl_suite.publishing.hub_files import HubFiles, download, find_on_hub
from xl_suite.records import BenchmarkRow, read_raw
from xl_suite.templates import append_template, draw_template

ENGLISH = "eng"
ENDINGS = (".json", ".jsonl", ".csv", ".parquet", ".json.gz", ".jsonl.gz")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_OTHER = re.compile(r"other:([a-z]{3})")


@dataclass(frozen=True, slots=True)
class PromptSet:
    """A benchmark made of a prompt set: rows by language code, and what they were made from.

    duplicates: places (1-based) of records whose prompt and ID are in an earlier record; they are left out.
    template: `draw` or `none`. revision: the commit on the Hub, empty for a file.
    """

    name: str
    rows: Mapping[str, Sequence[BenchmarkRow]]
    duplicates: tuple[int, ...]
    source: str
    file: str
    revision: str
    sha256: str
    license: str
    template: str
    seed: int


@dataclass(frozen=True, slots=True)
class ExpectedRule:
    """A line of a table of expected languages: for one ID, or for all prompts that `pattern` is found in."""

    id: str
    pattern: re.Pattern[str] | None
    expected: str


def build_prompts(
    source: str,
    column: str,
    name: str,
    languages: Sequence[str],
    *,
    file: str = "",
    id_column: str = "",
    template: str = "draw",
    expected: Path | None = None,
    license: str = "",
    seed: int = 0,
    find: Callable[[str], HubFiles] = find_on_hub,
) -> PromptSet:
    """The benchmark's rows. source: a file, or a Hub ID with `file`, the name of one of its files.

    languages: ISO 639-3 codes. template: `draw` puts "Answer in German" below English prompts, and adds `eng`
    without it; `none` gives the prompts as they are, which are in the one language named, or ask for it themselves.
    expected: a table (tabs; columns id, pattern, expected) of prompts whose right answer is not in the language asked
    for. Raises BadInput and BadRecord for what cannot be read or told.
    """
    _check_settings(name, languages, template)
    path, revision, known_license = _find_file(source, file, find)
    rules = [] if expected is None else read_rules(expected)
    prompts, duplicates = _read_prompts(path, column, id_column)
    marks = _mark(prompts, rules, expected)
    license = license or known_license or "unknown"
    if license not in hub_values("license"):
        raise BadInput(f"--license {license}: the Hub does not know it. Known: {', '.join(hub_values('license'))}.")
    wanted = list(dict.fromkeys(languages))
    if template == "draw":
        wanted = [code for code in wanted if code != ENGLISH] + [ENGLISH]
    rows = {
        code: [_make_row(name, number, text, code, marks[number], template, seed) for number, text in prompts.items()]
        for code in wanted
    }
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    told = source if revision else path.name
    return PromptSet(name, rows, duplicates, told, path.name, revision, digest, license, template, seed)


def write_prompts(prompts: PromptSet, out: Path) -> None:
    """The benchmark as a dataset folder (see xl_suite.dataset.folder), with its card."""
    splits = {find_language(code).split: code for code in prompts.rows}
    write_benchmark(out, prompts.rows, splits, name=prompts.name, card=partial(_render_card, prompts))


def derive_id(value: str) -> int:
    """The ID of a prompt, by its text or by the text in its ID column: the first 48 bits of the SHA-256.

    It does not depend on the order of the records or on which others there are, and JSON keeps it exactly.
    """
    return int.from_bytes(hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()[:6])


def read_rules(path: Path) -> list[ExpectedRule]:
    """The rules of a table of expected languages. Raises BadRecord where a line cannot be understood."""
    rules = []
    for number, row in enumerate(_read_csv(path, "\t"), start=1):
        missing = [name for name in ("id", "pattern", "expected") if row.get(name) is None]
        if missing:
            raise BadRecord(path, f"needs columns id, pattern, expected; lacks {', '.join(missing)}.", row=number)
        if bool(row["id"]) == bool(row["pattern"]):
            raise BadRecord(path, "exactly one of id and pattern must be given.", row=number)
        other = _OTHER.fullmatch(row["expected"])
        if other is None and row["expected"] not in (TARGET, "any"):
            raise BadRecord(
                path, f"must be target, any or other:CODE, found {row['expected']!r}.", row=number, field="expected"
            )
        if other is not None:
            find_language(other[1])
        try:
            pattern = re.compile(row["pattern"]) if row["pattern"] else None
        except re.error as error:
            raise BadRecord(path, f"not a regular expression: {error}.", row=number, field="pattern") from error
        rules.append(ExpectedRule(row["id"], pattern, row["expected"]))
    return rules


def _check_settings(name: str, languages: Sequence[str], template: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(f"--name {name!r}: lower-case letters, digits, '.', '_' and '-' only, such as my-prompts.")
    if has_alpaca_eval_ids(name):
        raise BadInput(f"--name {name}: that benchmark has AlpacaEval's IDs, and its results are compared by them.")
    if not languages:
        raise BadInput("--languages: name at least one ISO 639-3 code, such as deu,zho.")
    if template == "none" and len(set(languages)) > 1:
        raise BadInput(
            "--template none takes one language: the prompts are given as they are, so that each language has a "
            "source of its own. Build each into a folder of its own, or use --template draw."
        )
    if template not in ("draw", "none"):
        raise BadInput(f"--template {template!r}: draw or none.")
    for code in languages:
        find_language(code)


def _find_file(source: str, file: str, find: Callable[[str], HubFiles]) -> tuple[Path, str, str]:
    """The file on this machine, its revision on the Hub, and the licence that the dataset's card names."""
    path = Path(source)
    if path.exists() or not _HUB_ID.fullmatch(source) or source.endswith(ENDINGS):
        if file:
            raise BadInput(f"--file {file} names a file of a dataset on the Hub; {source} is not a Hub ID.")
        if not path.is_file():
            raise BadInput(f"{source}: no such file. --source takes {', '.join(ENDINGS[:4])}, or a Hub ID.")
        return path, "", ""
    hub = find(source)
    usable = [each for each in hub.files if each.endswith(ENDINGS)]
    if not file and len(usable) == 1:
        file = usable[0]
    if file not in usable:
        raise BadInput(f"{source}: choose one of its files with --file: {', '.join(usable[:40]) or 'it has none'}.")
    card = download(hub, "README.md").read_text(encoding="utf-8") if "README.md" in hub.files else ""
    found = (read_metadata(card) or {}).get("license", "")
    return download(hub, file), hub.revision, found if isinstance(found, str) else "other"


def _read_prompts(path: Path, column: str, id_column: str) -> tuple[dict[int, str], tuple[int, ...]]:
    """Prompts by ID in the order of the file, and the places of those that are there twice."""
    rows = _read_csv(path, ",") if path.name.endswith(".csv") else read_raw(path)
    prompts: dict[int, str] = {}
    duplicates = []
    for number, row in enumerate(rows, start=1):
        text = _read_cell(path, row, column, number)
        if not isinstance(text, str) or not text.strip():
            raise BadRecord(path, "a prompt must be text that is not empty.", row=number, field=column)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise BadRecord(path, "half a surrogate pair is not text.", row=number, field=column)
        key = _read_id(path, _read_cell(path, row, id_column, number), number, id_column) if id_column else None
        place = derive_id(text) if key is None else key
        if prompts.get(place, text) != text:
            raise BadRecord(path, f"ID {place} is that of another prompt.", row=number, field=id_column or column)
        if place in prompts:
            duplicates.append(number)
        prompts[place] = text
    if not prompts:
        raise BadInput(f"{path}: it has no record.")
    return prompts, tuple(duplicates)


def _read_cell(path: Path, row: Any, column: str, number: int) -> Any:
    if not isinstance(row, Mapping) or column not in row:
        has = ", ".join(map(str, row)) if isinstance(row, Mapping) else type(row).__name__
        raise BadRecord(path, f"there is no such column. The record has: {has}.", row=number, field=column)
    return row[column]


def _read_id(path: Path, value: Any, number: int, column: str) -> int:
    """A whole number as it is; other text, such as a UUID, by its hash."""
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not text:
        raise BadRecord(path, f"an ID must be a whole number or text, found {value!r}.", row=number, field=column)
    return _to_id(text)


def _to_id(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else derive_id(text)


def _mark(prompts: Mapping[int, str], rules: Sequence[ExpectedRule], path: Path | None) -> dict[int, str]:
    """What each prompt expects: by hand where its ID is listed, else by the first pattern that is found in it."""
    by_hand = {_to_id(rule.id): rule for rule in rules if rule.id}
    unknown = [rule.id for number, rule in by_hand.items() if number not in prompts]
    if unknown:
        raise BadInput(f"{path}: no prompt has ID {', '.join(unknown[:10])}. IDs are in the built folder's rows.")
    patterns = [rule for rule in rules if rule.pattern is not None]
    marks = {}
    for number, text in prompts.items():
        ruled = next((rule.expected for rule in patterns if rule.pattern and rule.pattern.search(text)), TARGET)
        marks[number] = by_hand[number].expected if number in by_hand else ruled
    return marks


def _make_row(name: str, number: int, text: str, code: str, expected: str, template: str, seed: int) -> BenchmarkRow:
    sentence = ""
    if template == "draw" and code != ENGLISH:
        sentence = draw_template(seed, number).fill(find_language(code).name)
    return BenchmarkRow(number, name, append_template(text, sentence), text, sentence, code, expected)


def _read_csv(path: Path, delimiter: str) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=delimiter, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as UTF-8 text with columns: {error}") from error


def _render_card(prompts: PromptSet, metadata: Mapping[str, Any]) -> str:
    languages = [find_language(code) for code in prompts.rows]
    first = next(iter(prompts.rows.values()))
    counts = Counter(row.expected for row in first)
    values = {
        "name": prompts.name,
        "prompts": str(len(first)),
        "languages": "\n".join(f"| `{row.code}` | `{row.split}` | {row.name} |" for row in languages),
        "expected": ", ".join(f"{count} `{what}`" for what, count in sorted(counts.items())),
        "duplicates": str(len(prompts.duplicates)),
        "source": re.sub(r"[`|{}\s]", "_", prompts.source),
        "file": re.sub(r"[`|{}\s]", "_", prompts.file),
        "revision": prompts.revision or "a local file",
        "sha256": prompts.sha256,
        "template": prompts.template,
        "seed": str(prompts.seed),
        "version": xl_suite.__version__,
    }
    own = {
        "language": [name_language(row) for row in languages],
        "license": prompts.license,
        "pretty_name": prompts.name,
    }
    template = files("xl_suite.dataset").joinpath("prompts_card.md").read_text(encoding="utf-8")
    return render_card(template, {**own, **metadata}, values)
