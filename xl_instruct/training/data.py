"""The rows to train on, from our own folders or data of others."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_instruct.corpus.files import find_data_files
from xl_instruct.corpus.lines import BadLines
from xl_instruct.training.foreign import KINDS, read_forms
from xl_instruct.training.forms import Choice, Exchange, read_choice, read_exchange
from xl_instruct.training.sources import read_card
from xl_suite.dataset.shards import find_shards
from xl_suite.errors import BadInput
from xl_suite.records import read_records

SFT_CONFIG = "prompt_completion"
DPO_CONFIG = "preference"
SPLIT = "train"


@dataclass(frozen=True, slots=True)
class PromptCompletion:
    """A row to learn from; the columns that trl does not need are for the card."""

    prompt: str
    completion: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers to a prompt, the first better than the second."""

    prompt: str
    chosen: str
    rejected: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Rows and what identifies them. sha256: of their texts in order. name, licence: of the folder's card. notes:
    what was read of data of others, for the person who trains."""

    rows: tuple[PromptCompletion, ...] | tuple[PreferencePair, ...]
    sha256: str
    folder: Path
    name: str
    licence: str
    notes: tuple[str, ...] = ()

    def count_languages(self) -> dict[str, int]:
        return dict(sorted(Counter(row.language for row in self.rows if row.language).items()))


def read_training_data(folder: Path, method: str) -> TrainingData:
    """The rows of a folder that `xl-suite subset` (for sft) or `xl-suite preferences` (for dpo) wrote, or else those
    of a file or folder of others, in the forms of `xl_instruct.training.forms`, as they are: no prompt is changed.
    Raises BadInput where there are none."""
    config, kind, verb = (
        (SFT_CONFIG, PromptCompletion, "subset") if method == "sft" else (DPO_CONFIG, PreferencePair, "preferences")
    )
    rows: list[Any] = []
    notes: list[str] = []
    shards = find_shards(folder / config, SPLIT) if folder.is_dir() else []
    if shards:
        rows = [row for shard in shards for row in read_records(shard, kind)]
    else:
        other = SFT_CONFIG if method == "dpo" else DPO_CONFIG
        hint = f" It holds data for {'sft' if method == 'dpo' else 'dpo'}." if (folder / other).is_dir() else ""
        try:
            if hint:
                raise BadInput(f"there is no {config}/{SPLIT}-*.parquet.")
            rows, notes = _read_foreign(folder, method)
        except BadInput as error:
            raise BadInput(
                f"{folder} cannot be trained on by {method}.{hint} `xl-suite {verb} DIR --out NEW_FOLDER` makes what "
                f"can be, in a folder of its own. Read as data of others: {error}"
            ) from error
    metadata = read_card(folder)
    name = str(metadata.get("pretty_name") or folder.resolve().name)
    licence = str(metadata.get("license") or "unknown")
    return TrainingData(tuple(rows), _hash(rows), folder, name, licence, tuple(notes))


def mix(data: TrainingData, other: TrainingData, ratio: float, seed: int) -> TrainingData:
    """The rows of `data`, and `ratio` times as many of `other`, drawn by seed and text, spread among them.

    Raises BadInput where `other` has fewer rows than that: none is taken twice.
    """
    wanted = round(ratio * len(data.rows))
    if not 0 < wanted <= len(other.rows):
        raise BadInput(
            f"mixture: ratio {ratio:g} of {len(data.rows)} rows is {wanted}, and {other.folder} has "
            f"{len(other.rows)}. A ratio between {1 / len(data.rows):.3g} and {len(other.rows) / len(data.rows):.3g} "
            "is possible."
        )
    drawn = sorted(other.rows, key=lambda row: hashlib.sha256(f"{seed}:{_hash([row])}".encode()).digest())[:wanted]
    # The k-th of n rows comes at (k + 1/2) ÷ n, so that no packed row or batch is of one kind.
    places = [((number + 0.5) / len(rows), number) for rows in (data.rows, drawn) for number in range(len(rows))]
    order = sorted(zip(places, [*data.rows, *drawn], strict=True), key=lambda one: one[0])
    rows: Any = tuple(row for _, row in order)
    licences = dict.fromkeys([data.licence, other.licence])
    return TrainingData(
        rows,
        _hash(rows),
        data.folder,
        f"{data.name} and {wanted} rows of {other.name}",
        data.licence if len(licences) == 1 else "other",
        (*data.notes, *other.notes, f"mixture: {len(data.rows)} rows of {data.name}, {wanted} of {other.name}"),
    )


def _hash(rows: Sequence[Any]) -> str:
    """SHA-256 (hex) of the rows' texts in their order."""
    digest = hashlib.sha256()
    for row in rows:
        pair = isinstance(row, PreferencePair)
        for text in (row.prompt, row.chosen, row.rejected) if pair else (row.prompt, row.completion):
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def _read_foreign(place: Path, method: str) -> tuple[list[Any], list[str]]:
    found, bad = find_data_files(place, kinds=KINDS), BadLines()
    notes = [found.describe()] if place.is_dir() else []
    rows: list[Any] = []
    empty = more = 0
    read: Callable[[Any], Exchange | Choice] = read_exchange if method == "sft" else read_choice
    for _, one in read_forms(found, read, bad):
        language = one.language.code if one.language else ""
        texts = (one.answer,) if isinstance(one, Exchange) else (one.chosen, one.rejected)
        more += one.more
        if not one.asked.strip() or not any(text.strip() for text in texts):
            empty += 1
        elif isinstance(one, Exchange):
            rows.append(PromptCompletion(one.asked, one.answer, language))
        else:
            rows.append(PreferencePair(one.asked, one.chosen, one.rejected, language))
    if not rows:
        raise BadInput(f"{place}: no row has a prompt and an answer ({empty} are empty).")
    counts = ((empty, "empty rows were left out"), (more, "further turns of conversations were left out"))
    notes += [f"{place}: {count} {reason}" for count, reason in counts if count]
    notes += [bad.describe()] if bad.bad else []
    notes.append(
        f"{place}: data of others, taken as they are: no sentence that asks for a language is added "
        "(`xl-suite subset DIR --format x-instruction` adds it)."
    )
    return rows, notes


def count_tokens(rows: Sequence[PromptCompletion | PreferencePair]) -> Iterator[int]:
    """Tokens of each example by rule of thumb, UTF-8 bytes / 4, where there is no tokenizer at hand."""
    for row in rows:
        texts = (row.completion,) if isinstance(row, PromptCompletion) else (row.chosen, row.rejected)
        yield sum(len(row.prompt.encode("utf-8", "replace")) + len(t.encode("utf-8", "replace")) for t in texts) // 4
