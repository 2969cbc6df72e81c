"""Folders of model outputs, `OUT/<generator>/<language>.json`: their names, what they hold, and their files.

Each file is an AlpacaEval array of `id, dataset, instruction, output, generator, language, benchmark,
finish_reason`, and `reasoning` where a strategy asks for it; `failed.json` beside them lists the rows that have no
answer.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.chat.reasoning import split_reasoning
from xl_suite.errors import BadInput, BadRecord
from xl_suite.languages import find_language
from xl_suite.listing import (
    Kind,
    Listing,
    join_listings,
    list_folder,
    list_folders,
    log_left_alone,
    read_head,
)
from xl_suite.records import BenchmarkRow, ModelOutput, parse_record, read_raw, read_records, write_json

OUTPUTS = Kind(
    "outputs",
    lambda head: "output" in head and "scores" not in head,
    copies=frozenset({"model_outputs", "reference_outputs"}),
)
_COLUMNS = ("id", "dataset", "instruction", "output", "generator", "language", "benchmark", "finish_reason")
_MOST_BYTES = 120


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """A benchmark's row with its answer. reasoning: what a strategy had the model write before; None without one."""

    row: BenchmarkRow
    output: str
    finish_reason: str
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that has no answer: why, and after how many attempts."""

    id: int
    language: str
    reason: str
    attempts: int


def name_folder(generator: str) -> str:
    """The folder's name for a generator: `Qwen/Qwen2.5-7B` becomes `Qwen-Qwen2.5-7B`.

    Never a path, hidden or longer than a file's name may be. A long name is cut and told apart by a hash. Two
    generators can share a name; `check_outputs` refuses the second. Raises BadInput when no letter is left.
    """
    text = unicodedata.normalize("NFC", generator)
    slug = re.sub(r"[^\w.-]+", "-", text).strip(".-")
    if not re.search(r"\w", slug):
        raise BadInput(
            f"{generator!r} cannot name a generator: it has no letter or digit that a folder's name could keep. "
            "Choose a name with --name."
        )
    if len(slug.encode()) > _MOST_BYTES:
        start = slug.encode()[:_MOST_BYTES].decode("utf-8", "ignore").rstrip(".-")
        slug = f"{start}-{hashlib.sha256(generator.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return slug


def locate_sample(out: Path, sample: int) -> Path:
    """The folder for a model's further answers to the same prompts: OUT itself for the first, OUT/sample-2 ..."""
    return out / f"sample-{sample + 1}" if sample else out


def check_outputs(out: Path, generator: str, benchmark: str) -> Path:
    """The folder of a generator's outputs in `out`, which need not exist yet.

    Raises BadInput, before anything is paid for, where `out` holds outputs on another benchmark, or this folder
    those of another generator or something else.
    """
    folder = out / name_folder(generator)
    for place in (out, folder):
        if place.exists() and not place.is_dir():
            raise BadInput(f"{place} is a file. Name a folder with --out.")
    for path in sorted(out.glob("*/*.json")):
        record = read_head(path)
        if record is None or not OUTPUTS.is_record(record) or path.parent.name.startswith("."):
            continue
        found = record.get("benchmark")
        if isinstance(found, str) and found != benchmark:
            raise BadInput(
                f"{out} holds outputs on {found!r} ({path}), and these are on {benchmark!r}. "
                "One folder holds one benchmark: name another with --out."
            )
        owner = record.get("generator")
        if path.parent.resolve() == folder.resolve() and owner != generator:
            raise BadInput(
                f"{path} holds the outputs of {owner!r}, whose folder has the same name as that of {generator!r}. "
                "Choose another name with --name, or another folder with --out."
            )
    return folder


def locate_partial(path: Path) -> Path:
    """Where the rows of a run that has stopped early go, when the file itself holds more."""
    return path.with_name(path.name.removesuffix(".json") + ".partial.json")


def write_outputs(
    folder: Path, answered: Sequence[AnsweredRow], *, generator: str, benchmark: str, partial: bool = False
) -> Path:
    """Writes the answers of one language as `<language>.json` (partial: `<language>.partial.json`), sorted by ID."""
    language = answered[0].row.language
    path = folder / f"{language}.json"
    if partial:
        path = locate_partial(path)
    else:
        locate_partial(path).unlink(missing_ok=True)
    rows = []
    for one in sorted(answered, key=lambda one: one.row.id):
        row = one.row
        values = (row.id, row.dataset, row.instruction, one.output, generator, language, benchmark, one.finish_reason)
        reasoning = {} if one.reasoning is None else {"reasoning": one.reasoning}
        rows.append(dict(zip(_COLUMNS, values, strict=True)) | reasoning)
    write_json(path, rows)
    return path


def read_outputs(path: Path, language: str = "") -> dict[str, list[ModelOutput]]:
    """One generator's outputs by language: of its folder `OUT/<generator>`, of a file, or of lm-eval's samples.

    language: that of rows which name none, as in AlpacaEval's own files. lm-eval's samples are the files
    `samples_*.jsonl` that `lm_eval --log_samples` writes, of tasks of `harness_tasks`; their folder works as well,
    and of a task that was run several times the last run counts.
    Raises BadInput where there are none, where several generators lie in one folder, and for what is not a language.
    """
    if language:
        find_language(language)
    by_language: dict[str, list[ModelOutput]] = {}
    listing = list_outputs(path)
    log_left_alone(listing, OUTPUTS)
    for file in listing.files:
        for number, row in enumerate(read_output_file(file), start=1):
            if row.language and row.language not in by_language:  # it will name a file
                try:
                    find_language(row.language)
                except BadInput as error:
                    raise BadRecord(file, str(error), row=number, field="language") from error
            by_language.setdefault(row.language or language, []).append(row)
    generators = {row.generator for rows in by_language.values() for row in rows}
    if len(generators) > 1:
        raise BadInput(
            f"{path} holds outputs of several generators: {', '.join(sorted(generators))}. Name one of them."
        )
    return by_language


def list_outputs(path: Path, *, several: bool = False) -> Listing:
    """The files of outputs that a path names: itself, or those in the folder of one generator.

    several: those in the generators' folders of a folder, too. lm-eval's samples, where there are any, are all.
    Raises BadInput where there are none, or several generators lie in folders of their own.
    """
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder.")
    if not path.is_dir():
        return Listing((path,))
    samples = find_samples(path)
    if samples:
        return Listing(tuple(samples))
    own = list_folder(path, OUTPUTS)
    inner = [list_folder(folder, OUTPUTS) for folder in list_folders(path)]
    listing = join_listings([own, *inner]) if several else own
    if listing.files:
        return listing
    generators = [one.files[0].parent.name for one in inner if one.files]
    if generators:
        raise BadInput(f"{path} holds the folders of several generators; name one: {', '.join(generators[:10])}.")
    note = listing.describe(OUTPUTS)
    raise BadInput(
        f"{path} holds no outputs. Valid are a .json file, a generator's folder with <language>.json files "
        "(`xl-suite respond --out OUT` writes OUT/<generator>), or a folder with lm-eval's samples_*.jsonl."
        + (f" {note[0].upper()}{note[1:]}" if note else "")
    )


def find_samples(folder: Path) -> list[Path]:
    """lm-eval's files of samples anywhere in a folder, of each task the last: `samples_TASK_TIME.jsonl`."""
    newest = {(file.parent, file.name.rpartition("_")[0]): file for file in sorted(folder.rglob("samples_*.jsonl"))}
    return sorted(newest.values())


def read_output_file(path: Path) -> list[ModelOutput]:
    """The outputs of one file; of lm-eval's samples the generator is the model, as their folder names it."""
    if not path.name.startswith("samples_"):
        return read_records(path, ModelOutput)
    # lm-eval's folder of Qwen/Qwen2.5-7B is Qwen__Qwen2.5-7B, and that of a path has its parts likewise.
    model = path.absolute().parent.name
    generator = model.rpartition("__")[2] if model.startswith("__") else model.replace("__", "/")
    task = re.match("samples_(xl|m)_alpacaeval_", path.name)
    benchmark = f"{task[1]}-alpacaeval" if task else ""
    rows = []
    for number, sample in enumerate(read_raw(path), start=1):
        document, answers = sample.get("doc"), sample.get("filtered_resps")
        if not isinstance(document, dict) or not isinstance(answers, list) or not answers:
            raise BadRecord(path, "no sample of lm-eval: doc or filtered_resps is missing.", row=number)
        values = {
            "benchmark": benchmark,
            **document,
            "output": split_reasoning(answers[0] or "")[0],
            "generator": generator,
        }
        rows.append(parse_record(values, ModelOutput, path, number))
    return rows
