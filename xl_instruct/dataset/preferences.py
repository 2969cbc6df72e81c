"""Preference pairs that best-of-k gives for free: a row's best composition against its worst sound one.

Both are put together from the same candidates, segment by segment, so they differ in translation only.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from xl_instruct.dataset.subsets import Message
from xl_instruct.segments import TRANSLATABLE, Segment, reassemble
from xl_instruct.training.sources import find_by_split, find_config, list_splits, name_licence, read_card
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.dataset.shards import find_shards
from xl_suite.errors import BadInput
from xl_suite.languages import find_language

NAME = "xl-instruct-preferences"
# Why a row gives no pair.
REASONS = ("no choice", "same text", "small difference")
# Below this many points of the estimator's scale a difference is taken for noise; for CometKiwi, 0 to 1.
MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Preference:
    """trl's preference form with an explicit prompt. score_chosen, score_rejected: means of the segments' scores."""

    prompt: str
    chosen: str
    rejected: str
    score_chosen: float
    score_rejected: float
    id: int
    language: str
    qe_model: str


@dataclass(frozen=True, slots=True)
class ChatPreference:
    """The same as turns of a conversation."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    score_chosen: float
    score_rejected: float
    id: int
    language: str
    qe_model: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs by descending difference within each language. left_out: rows without a pair, by reason."""

    rows: tuple[Preference, ...]
    left_out: Mapping[str, int]
    margin: float
    title: str
    name: str
    licence: str
    translations: str

    def count_languages(self) -> dict[str, int]:
        return dict(Counter(row.language for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        return {
            "pairs": len(self.rows),
            "left_out": dict(self.left_out),
            "margin": self.margin,
            "translations": self.translations,
            "languages": self.count_languages(),
            "mean_difference": (
                math.fsum(r.score_chosen - r.score_rejected for r in self.rows) / len(self.rows)
                if self.rows
                else None
            ),
            "sha256": hash_pairs(self.rows),
        }


def compose_worst(segments: Sequence[Mapping[str, Any]]) -> tuple[str, float, bool]:
    """The response from each segment's worst sound candidate, its mean score, and whether there was any choice.

    segments: of a published row, see `xl_instruct.dataset.rows.RowSegment`. Refused candidates and those without a
    score have no part in it; of equal ones the last is taken, since the first of them won.
    """
    translations: list[str] = []
    scores: list[float] = []
    choice = False
    for segment in segments:
        if segment["kind"] not in TRANSLATABLE:
            continue
        sound = [one for one in segment["candidates"] if not one["refused"] and one["score"] is not None]
        if not sound:
            translations.append(segment["translation"])
            scores.append(segment["score"])
            continue
        choice = choice or len(sound) > 1
        worst = min(reversed(sound), key=lambda one: one["score"])
        translations.append(worst["text"])
        scores.append(worst["score"])
    parts = [Segment(part["kind"], part["text"], tuple(part["protected"])) for part in segments]
    return reassemble(parts, translations), math.fsum(scores) / len(scores) if scores else 0.0, choice


def make_pair(row: Mapping[str, Any], margin: float) -> Preference | str:
    """The pair of a published row, or the reason why it gives none (one of REASONS)."""
    rejected, score, choice = compose_worst(row["segments"])
    if not choice:
        return "no choice"
    if rejected.strip() == row["response"].strip():
        return "same text"
    if row["qe_score"] - score < margin or row["qe_score"] <= score:
        return "small difference"
    return Preference(
        row["instruction"],
        row["response"],
        rejected,
        row["qe_score"],
        score,
        row["id"],
        row["language"],
        row["qe_model"],
    )


def find_pairs(
    folder: Path, *, translations: str = "best-of-k", margin: float = MARGIN, languages: Sequence[str] | None = None
) -> Pairs:
    """The pairs of a folder that `xl-suite generate` wrote with several translators.

    margin: the least difference of the two scores. Raises BadInput where no row gives a pair.
    """
    if margin < 0:
        raise BadInput(f"the margin is {margin}; 0 or more is needed.")
    config = find_config(folder, translations)
    if config == "default":
        raise BadInput("Naive translations have one candidate per segment, so there is nothing to prefer: best-of-k.")
    left_out = dict.fromkeys(REASONS, 0)
    pairs: list[Preference] = []
    for row in _read_rows(folder / config, languages):
        pair = make_pair(row, margin)
        if isinstance(pair, str):
            left_out[pair] += 1
        else:
            pairs.append(pair)
    if not pairs:
        why = ", ".join(f"{reason}: {count}" for reason, count in left_out.items() if count) or "there are no rows"
        raise BadInput(f"{folder}: no row gives a pair ({why}). A smaller --margin than {margin:g} may help.")
    pairs.sort(key=lambda pair: (pair.language, pair.score_rejected - pair.score_chosen, pair.id))
    metadata = read_card(folder)
    return Pairs(
        tuple(pairs),
        left_out,
        margin,
        str(metadata.get("pretty_name") or "XL-Instruct"),
        folder.resolve().name,
        name_licence(metadata.get("license")),
        f"best-of-{config.removeprefix('bestof')}",
    )


def hash_pairs(rows: Sequence[Preference]) -> str:
    """SHA-256 (hex) of the pairs' texts in their order."""
    digest = hashlib.sha256()
    for row in rows:
        for text in (row.prompt, row.chosen, row.rejected):
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def write_pairs(pairs: Pairs, out: Path) -> None:
    """Writes a dataset folder with the configs `preference` and `conversational`, split `train`, and its card."""
    chats = [
        ChatPreference(
            [Message("user", row.prompt)],
            [Message("assistant", row.chosen)],
            [Message("assistant", row.rejected)],
            row.score_chosen,
            row.score_rejected,
            row.id,
            row.language,
            row.qe_model,
        )
        for row in pairs.rows
    ]
    counts = pairs.count_languages()
    values = {
        "size": f"{len(pairs.rows):,}",
        "source": pairs.name,
        "translations": pairs.translations,
        "margin": f"{pairs.margin:g}",
        "qe_model": ", ".join(dict.fromkeys(row.qe_model for row in pairs.rows)),
        "counts": "\n".join(f"| {code} | {count:,} |" for code, count in counts.items()),
        "left_out": "\n".join(f"| {reason} | {count:,} |" for reason, count in pairs.left_out.items()),
        "sha256": hash_pairs(pairs.rows),
    }

    def card(metadata: Mapping[str, Any]) -> str:
        own = {
            "language": list(dict.fromkeys(["en", *(name_language(find_language(code)) for code in counts)])),
            "license": pairs.licence,
            "pretty_name": f"{pairs.title}, {len(pairs.rows)} preference pairs",
        }
        template = files("xl_instruct.dataset").joinpath("preferences_card.md").read_text(encoding="utf-8")
        return render_card(template, {**own, **metadata}, values)

    configs: dict[str, Any] = {"preference": {"train": list(pairs.rows)}, "conversational": {"train": chats}}
    write_dataset_folder(out, configs, name=NAME, card=card)


def _read_rows(folder: Path, languages: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """The rows of a config, a batch at a time: their candidates make them large."""
    import pyarrow.parquet

    wanted = ["id", "instruction", "response", "language", "qe_score", "qe_model", "segments"]
    known: list[str] = []
    for split in list_splits(folder):
        language = find_by_split(split)
        known.append(language.code)
        if languages is not None and language.code not in languages:
            continue
        for path in find_shards(folder, split):
            file = pyarrow.parquet.ParquetFile(path)
            missing = [name for name in wanted if name not in file.schema_arrow.names]
            if missing:
                raise BadInput(f"{path}: no {', '.join(missing)}; only rows with their candidates give pairs.")
            for batch in file.iter_batches(200, columns=wanted):
                yield from batch.to_pylist()
    strange = [code for code in languages or () if code not in known]
    if strange:
        raise BadInput(f"{folder} has no {', '.join(strange)}. It has: {', '.join(known)}.")
