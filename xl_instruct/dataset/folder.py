"""The dataset of a finished run: cut, composed, sorted by score, written with its card."""

from __future__ import annotations

import math
import shutil
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xl_instruct.config import Config
from xl_instruct.dataset.composing import Provenance, compose, compose_scored
from xl_instruct.dataset.rows import LanguageScore, ScoredRow, SyntheticRow
from xl_instruct.dataset.selection import DOCUMENT, NAIVE, Choice, choose, view
from xl_instruct.dataset.statistics import Statistics
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import LeftOut, Row, StageFile
from xl_instruct.stages.filtering import Cut, Scores, cut
from xl_instruct.stages.refusals import describe_refused, list_refused
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.languages import find_language
from xl_suite.records import write_jsonl

NAME = "xl-instruct"
# Rows that are held at once while Parquet is written; their candidates make them large.
ROWS_PER_GROUP = 500


@dataclass(slots=True)
class Measured:
    """All rows' scores and what was cut. scores, cuts: by config (`naive`, `bestof3`), then by language.

    unsound: rows that have no sound candidate for a segment, by config, with their places in the scored files.
    """

    scores: dict[str, dict[str, Scores]] = field(default_factory=dict)
    cuts: dict[str, dict[str, Cut]] = field(default_factory=dict)
    unsound: list[tuple[LeftOut, int]] = field(default_factory=list)
    statistics: Statistics = field(default_factory=Statistics)


def name_translations(config: Config) -> list[str]:
    """The kinds of translation that a run makes: `naive`, `bestof3` where there are three translators, and
    `document`; the last one is the best that translators of segments make."""
    names = [NAIVE] if len(config.translators) == 1 else [NAIVE, config.best_of]
    return names if config.document is None else [*names[:-1], DOCUMENT, names[-1]]


def measure(config: Config, scored: Mapping[str, StageFile]) -> Measured:
    """Chooses winners row by row, adds up scores and statistics, and cuts. Memory: 48 bytes a row and config."""
    measured = Measured()
    names = name_translations(config)
    for name in names:
        measured.scores[name] = {language: Scores() for language in scored}
    for language, file in scored.items():
        for place, row in file.places():
            length = sum(len(segment["text"]) for segment in row["segments"])
            choices = {}
            for name in names:
                choice = choose(row["segments"], name, config.translation.mix)
                if isinstance(choice, str):
                    left = LeftOut(row["id"], "translated", "quarantined", choice, "", language, name)
                    measured.unsound.append((left, place))
                    continue
                choices[name] = choice
                measured.scores[name][language].add(
                    row["id"], choice.score, choice.lowest, choice.n_segments, length, place
                )
            measured.statistics.add(language, row, choices)
    settings = config.filtering
    for name in names:
        measured.cuts[name] = cut(
            measured.scores[name],
            drop=settings.drop,
            scope=settings.scope,
            stratify=settings.stratify,
            bins=settings.bins,
        )
    return measured


class Composer:
    """Makes the published rows of a measured run, one at a time, best score first."""

    def __init__(
        self,
        config: Config,
        prepared: StageFile,
        scored: Mapping[str, StageFile],
        reported: Mapping[str, StageFile],
        measured: Measured,
        common: Provenance,
    ):
        self._config, self._prepared, self._scored = config, prepared, scored
        self._reported, self._measured, self._common = reported, measured, common
        self._pairs = _index(prepared)

    def rows(self, translations: str, language: str, numbers: Sequence[int] | None = None) -> Iterator[SyntheticRow]:
        """The rows that the cut left of a config and language; of these only `numbers` (in `Scores`), if given."""
        scores, cut = self._measured.scores[translations][language], self._measured.cuts[translations][language]
        first = 1 if translations in (NAIVE, DOCUMENT) else len(self._config.translators)
        file, common = self._scored[language], self._common
        if translations == DOCUMENT:
            common = replace(common, translators=(common.document,))
        report = self._reported.get(language)
        places = _index(report) if report is not None else None
        with self._prepared.path.open("rb") as pairs, file.path.open("rb") as rows:
            second = report.path.open("rb") if report is not None else None
            try:
                for number in cut.kept if numbers is None else numbers:
                    row = file.read_at(rows, scores.places[number])
                    choice = choose(row["segments"], translations, self._config.translation.mix)
                    assert isinstance(choice, Choice)
                    pair = self._prepared.read_at(pairs, self._pairs[row["id"]])
                    other = None
                    if report is not None and second is not None and places is not None:
                        other = score_again(report.read_at(second, places[row["id"]]), translations, choice)
                    shown = {**row, "segments": view(row["segments"], translations)}
                    yield compose(pair, shown, choice, language, other, common, first)
            finally:
                if second is not None:
                    second.close()

    def scored_rows(self) -> Iterator[ScoredRow]:
        """The English pairs that have a score in any language, by the mean of their best translations' scores."""
        import numpy as np

        best = name_translations(self._config)[-1]
        size = len(self._pairs)
        total, count = np.zeros(size), np.zeros(size)
        for own in self._measured.scores[best].values():
            ids = np.frombuffer(own.ids, dtype=np.int64)
            total[ids] += np.frombuffer(own.scores, dtype=np.float64)
            count[ids] += 1
        ids = np.flatnonzero(count)
        means = total[ids] / count[ids]
        lookup = _Lookup(self._measured)
        with self._prepared.path.open("rb") as pairs:
            for number in np.lexsort((ids, -means)):
                id = int(ids[number])
                pair = self._prepared.read_at(pairs, self._pairs[id])
                yield compose_scored(pair, float(means[number]), lookup.find(id), self._common)


class _Lookup:
    """The scores of a passage in all languages and configs."""

    def __init__(self, measured: Measured):
        import numpy as np

        self._columns = []
        for name, languages in measured.scores.items():
            for language, own in languages.items():
                kept = np.zeros(len(own), dtype=bool)
                kept[np.array(measured.cuts[name][language].kept, dtype=np.int64)] = True
                self._columns.append((language, name, own, np.frombuffer(own.ids, dtype=np.int64), kept))

    def find(self, id: int) -> list[LanguageScore]:
        import numpy as np

        found = []
        for language, name, own, ids, kept in self._columns:
            place = int(np.searchsorted(ids, id))
            if place < len(ids) and ids[place] == id:
                found.append(
                    LanguageScore(
                        language, name, own.scores[place], own.counts[place], own.lowest[place], bool(kept[place])
                    )
                )
        return sorted(found, key=lambda one: (one.language, one.translations))


def write_dataset(out: Path, config: Config, composer: Composer, measured: Measured, card: Any) -> None:
    """Writes card and Parquet files into the new folder `out`, in the layout of the official release.

    `default` has the naive translations, `bestof<k>` and `document` those, a split for each language by its
    English name; `scored` has the English pairs. A config for each language shows both over the same files.
    """
    configs: dict[str, dict[str, Any]] = {}
    views: dict[str, dict[str, tuple[str, str]]] = {}
    for name in name_translations(config):
        folder = "default" if name == NAIVE else name
        for language, cuts in measured.cuts[name].items():
            if not cuts.kept:
                continue
            split = find_language(language).split
            configs.setdefault(folder, {})[split] = composer.rows(name, language)
            views.setdefault(language, {})[name] = (folder, split)
    configs["scored"] = {"english": composer.scored_rows()}
    write_dataset_folder(out, configs, views, name=NAME, card=card, rows_per_group=ROWS_PER_GROUP)


def move_into_place(built: Path, out: Path) -> None:
    """Puts a built folder's card and configs into `out`, where journal and stages stay. The card goes first and
    comes last: while it is missing, the dataset is not complete."""
    (out / "README.md").unlink(missing_ok=True)
    for entry in list(out.iterdir()):
        if is_shards(entry):
            shutil.rmtree(entry)
    for entry in sorted(built.iterdir(), key=lambda entry: entry.name == "README.md"):
        entry.rename(out / entry.name)
    built.rmdir()


def is_shards(entry: Path) -> bool:
    """Whether an entry of a dataset's folder is one of its configs."""
    if not entry.is_dir() or entry.is_symlink() or entry.name.startswith("."):
        return False
    return all(file.name.endswith(".parquet") for file in entry.iterdir())


def write_quarantine(path: Path, files: list[StageFile], measured: Measured, scored: Mapping[str, StageFile]) -> int:
    """Writes every row that failed, with its reason and what guards refused, a line each; returns how many."""
    count = 0

    def failed() -> Iterator[LeftOut]:
        nonlocal count
        for file in files:
            for row in file.left_out():
                if row.kind == "quarantined":
                    count += 1
                    yield row
        with ExitStack() as stack:
            opened = {code: stack.enter_context(file.path.open("rb")) for code, file in scored.items()}
            for left, place in measured.unsound:
                count += 1
                scores = scored[left.language].read_at(opened[left.language], place)
                shown = {**scores, "segments": view(scores["segments"], left.translations)}
                refused = list_refused(shown, 1 if left.translations == NAIVE else None)
                yield replace(left, detail=describe_refused(refused), refused=refused)

    write_jsonl(path, failed())
    return count


def _index(file: StageFile) -> array[int]:
    """Where each row is in a file, by ID; -1 where there is none."""
    index: array[int] = array("q")
    for place, row in file.places():
        while len(index) <= row["id"]:
            index.append(-1)
        index[row["id"]] = place
    return index


def score_again(row: Row, translations: str, choice: Choice) -> float:
    """The mean score of the same winners by the estimator of `row`."""
    todo = [segment for segment in view(row["segments"], translations) if segment["kind"] in TRANSLATABLE]
    scores = [segment["candidates"][winner]["score"] for segment, winner in zip(todo, choice.winners, strict=True)]
    return math.fsum(scores) / len(scores)
