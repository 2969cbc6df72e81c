"""Stage 0: passages from a corpus, filtered, without duplicates, and sampled in one pass (paper, section 4.1).

The sample is the `size` texts with the smallest keys, where a key is a hash of seed and text. So it does not depend
on the order of the corpus, doubled texts have one key, and samples of two halves of a corpus, sampled again together,
are the sample of the whole: a run that was cut off, or one over shards, draws the same passages. (Near duplicates
are told apart at the end of each sampling; only of those can another one stay.)
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_instruct.corpus.files import find_data_files, find_kind
from xl_instruct.corpus.filters import PassageLimits, check_form, check_language
from xl_instruct.corpus.lines import BadLines, open_file, read_rows
from xl_instruct.corpus.near_duplicates import NearDuplicates
from xl_instruct.corpus.words import split_words
from xl_suite.errors import BadInput, BadRecord
from xl_suite.plugins import CORPORA, find_plugin

_HUB_ID = re.compile(r"[\w.-]{1,96}(?:/[\w.-]{1,96})?")
# Of `size`, kept until the end, so that near duplicates that go can be replaced.
_SPARE = 1.25


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of the corpus. id: unique in the corpus. source: the corpus (Hub ID, or name of file or folder)."""

    id: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Sample:
    """passages: in the order of their keys. counts: rows read and kept, and those dropped by reason."""

    passages: tuple[Passage, ...]
    counts: Mapping[str, int]


def read_passages(
    corpus: str,
    *,
    text: str = "text",
    id: str = "",
    config: str | None = None,
    split: str = "train",
    revision: str | None = None,
    shuffle: int | None = None,
    bad: BadLines | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[Passage]:
    """The rows of a corpus, one at a time.

    corpus: a file (Parquet, JSON lines, a JSON array or text; also compressed), a folder of such (see
    `xl_instruct.corpus.files`), a plug-in, or else a Hub dataset, which is streamed. A plug-in is an entry point of
    `xl_suite.corpora` or `package.module:function`: a function without arguments that yields passages, or rows with
    the columns. text, id: names of the columns; without `id` a row's number in its file is its ID. A text that is not
    a string comes as "", to be counted and dropped. config, split: of a folder or Hub dataset. shuffle: a seed, for
    a Hub dataset of which only the beginning will be read: its files come in an order drawn with it. bad: gets what
    is not a row. progress: told which files of a folder are read, and which lines are bad.
    Raises BadInput for what is not a corpus, BadRecord for rows without the columns.
    """
    path, bad = Path(corpus), bad or BadLines()
    if not path.exists():
        plugin = find_plugin(CORPORA, corpus)
        if plugin is not None:
            yield from _read_plugin(plugin, corpus, text, id)
            return
        if not _HUB_ID.fullmatch(corpus) or find_kind(corpus) is not None:
            raise BadInput(
                f"{corpus}: no such file or folder, and neither a plug-in nor the name of a Hub dataset (ORG/NAME)."
            )
        yield from _read_hub(corpus, text, id, config, split, revision, shuffle)
        return
    found = find_data_files(path, split=split, config=config)
    if path.is_dir():
        progress(found.describe())
    for file in found.files:
        name = found.name(file)
        if find_kind(file.name) == "text":
            with open_file(file) as stream:
                # A byte that is not UTF-8 becomes U+FFFD, and the passage is dropped as broken.
                yield Passage(name, stream.read().decode("utf-8", errors="replace"), path.name)
            continue
        for number, row in read_rows(file, bad, [text, *([id] if id else [])]):
            try:
                yield _make_passage(row, number, text, id, name, path.name, file)
            except BadRecord as problem:
                if number == 1:
                    raise
                bad.add(problem)
    bad.check()
    if bad.bad:
        progress(bad.describe())


def sample_passages(
    passages: Iterable[Passage],
    size: int,
    seed: int,
    limits: PassageLimits | None = None,
    on_drop: Callable[[Passage, str], None] | None = None,
) -> Sample:
    """`size` passages drawn by hash among those that pass the filters.

    They are fewer if the corpus has no more, or if over a fifth of those drawn are near duplicates.

    on_drop: told each dropped passage and its reason (`filters.REASONS`). A passage that is drawn against is
    not looked at for its language, so that a large corpus costs little; the counts say `not_sampled` of it.
    Memory is bounded by `size`. Raises BadInput for a size under 1.
    """
    if size < 1:
        raise BadInput(f"{size} passages cannot be drawn; the size is 1 or more.")
    limits = limits or PassageLimits()
    counts: Counter[str] = Counter()

    def drop(passage: Passage, reason: str) -> None:
        counts[reason] += 1
        if on_drop is not None:
            on_drop(passage, reason)

    capacity = int(size * _SPARE) + 16
    held: dict[int, Passage] = {}
    largest: list[int] = []  # heap of negated keys
    for passage in passages:
        counts["read"] += 1
        reason = check_form(passage.text, limits)
        if reason:
            drop(passage, reason)
            continue
        key = make_key(passage.text, seed)
        if key in held:
            # Of doubled texts the one with the smallest ID stays, whichever came first.
            kept, other = sorted((held[key], passage), key=lambda one: (one.id, one.text))
            held[key] = kept
            drop(other, "duplicate")
        elif len(held) == capacity and key > -largest[0]:
            drop(passage, "not_sampled")
        elif reason := check_language(passage.text, limits):
            drop(passage, reason)
        else:
            held[key] = passage
            heapq.heappush(largest, -key)
            if len(held) > capacity:
                drop(held.pop(-heapq.heappop(largest)), "not_sampled")
    near = NearDuplicates(limits.near)
    chosen: list[Passage] = []
    for key in sorted(held):
        if len(chosen) == size:
            drop(held[key], "not_sampled")
        elif near.add(held[key].text):
            chosen.append(held[key])
        else:
            drop(held[key], "near_duplicate")
    return Sample(tuple(chosen), {"read": counts.pop("read", 0), "kept": len(chosen), **dict(sorted(counts.items()))})


def make_key(text: str, seed: int) -> int:
    """A hash of seed and text, alike for texts with the same words (`split_words`)."""
    digest = hashlib.blake2b(
        f"{seed}\n{' '.join(split_words(text, tags=False))}".encode("utf-8", "surrogatepass"), digest_size=8
    )
    return int.from_bytes(digest.digest(), "big")


def _read_plugin(plugin: Callable[[], Iterable[Any]], name: str, text: str, id: str) -> Iterator[Passage]:
    for number, row in enumerate(plugin(), start=1):
        if isinstance(row, Passage):
            yield row
        elif isinstance(row, Mapping):
            yield _make_passage(row, number, text, id, name, name, name)
        else:
            raise BadInput(
                f"the plug-in {name!r} yields {type(row).__name__}; passages are needed "
                "(xl_instruct.corpus.passages.Passage), or mappings with the columns."
            )


def _read_hub(
    corpus: str, text: str, id: str, config: str | None, split: str, revision: str | None, shuffle: int | None
) -> Iterator[Passage]:
    import datasets

    try:
        rows = datasets.load_dataset(corpus, config, split=split, revision=revision, streaming=True)
        if shuffle is not None:
            rows = rows.shuffle(seed=shuffle, buffer_size=1000)
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"{corpus!r} could not be streamed from the Hub (config {config}, split {split}): {error} It is not a "
            "local file or folder either. A gated dataset needs HF_TOKEN."
        ) from error
    for number, row in enumerate(rows, start=1):
        yield _make_passage(row, number, text, id, f"{corpus}/{split}", corpus, corpus)


def _make_passage(
    row: Mapping[str, Any], number: int, text: str, id: str, name: str, source: str, place: Path | str
) -> Passage:
    for column in (text, id):
        if column and column not in row:
            raise BadRecord(place, f"missing. Columns found: {', '.join(map(str, row))}.", row=number, field=column)
    own = str(row[id]) if id else f"{name}:{number}"
    return Passage(own, row[text] if isinstance(row[text], str) else "", source)
