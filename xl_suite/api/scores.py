"""Scores of judged answers: one model's, two compared, all on a page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.api.benchmarks import load_benchmark
from xl_suite.api.jobs import Languages, Place, join_languages, logger, to_path
from xl_suite.api.judgements import read_annotations
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.leaderboard.site import Site
    from xl_suite.results import Annotations, Benchmark, Compared, Outputs
    from xl_suite.scoring.folders import Scores
    from xl_suite.scoring.gating import Gate


def score(
    annotations: Annotations | Place | Sequence[Annotations | Place],
    *,
    benchmark: Benchmark | Place | None = None,
    outputs: Outputs | Place | None = None,
    reference: Outputs | Place | None = None,
    annotator: str = "",
    assume_length_slope: str = "",
    training_seeds: bool = False,
    gate: Gate = "both",
    languages: Languages = "all",
    resamples: int = 10_000,
    seed: int = 0,
) -> Scores:
    """Win rates with intervals, raw, gated and length-controlled; of ratings, means from 1 to 5 per criterion.

    annotations: of one model; several are runs of it. outputs, reference: say which answers were cut off, where the
    annotations are of another program or an older version. gate: whose answers must be in the language asked for, for
    the gated rate: `both`, `both-wrong-half`, `model` or `none`.
    annotator: the judge's folder, or what `audit` wrote, for its `length_slope.json` (else beside the annotations,
    or in the annotators that ship). assume_length_slope: `MEAN,SE` to take instead, marked as assumed.
    training_seeds: the annotations are of models trained alike from several seeds, scored as one way to train.
    """
    from xl_suite.scoring.folders import Places, score_folders

    several = annotations if isinstance(annotations, (list, tuple)) else [annotations]
    return score_folders(
        [to_path(one) for one in several],
        Places(
            benchmark=None if benchmark is None else load_benchmark(benchmark).folder,
            outputs=None if outputs is None else to_path(outputs),
            reference=None if reference is None else to_path(reference),
            annotator=annotator,
            assumed=assume_length_slope,
            training_seeds=training_seeds,
        ),
        gate=gate,
        languages=join_languages(languages),
        resamples=resamples,
        seed=seed,
    )


def compare(
    a: Scores | Annotations | Place,
    b: Scores | Annotations | Place,
    *,
    gate: Gate = "none",
    benchmark: Benchmark | Place | None = None,
    languages: Languages = "all",
) -> Compared:
    """The paired difference of two models that one judge measured against one reference (A minus B)."""
    from xl_suite.dataset.expected import find_expected, list_benchmarks
    from xl_suite.judging.annotations import choose_languages, list_annotations
    from xl_suite.results import Annotations, Compared
    from xl_suite.scoring.compare import compare_models
    from xl_suite.scoring.folders import Scores
    from xl_suite.scoring.stale import warn_of_stale

    def open_side(side: Scores | Annotations | Place) -> Sequence[Any]:
        if isinstance(side, Scores):
            if not side.annotations:
                raise BadInput("ratings cannot be compared; `compare` takes pairwise annotations.")
            return side.annotations
        read = side if isinstance(side, Annotations) else read_annotations(side)
        warn_of_stale(list_annotations(read.path).files)
        return read.rows

    sides = [choose_languages(open_side(side), join_languages(languages)) for side in (a, b)]
    folder = None if benchmark is None else load_benchmark(benchmark).folder
    expected = find_expected(folder, list_benchmarks([*sides[0], *sides[1]])) if gate != "none" else None
    return Compared(compare_models(*sides, gate=gate, expected=expected))


def leaderboard(
    results: Place | Sequence[Place],
    *,
    out: Place,
    benchmarks: Sequence[Place] = (),
    paper: bool = True,
    title: str = "Cross-lingual generation",
    resamples: int = 10_000,
    workers: int | None = None,
) -> Site:
    """Builds the leaderboard's static pages and CSV from folders of outputs, annotations and ratings."""
    from xl_suite.leaderboard.site import build_site

    several = [results] if isinstance(results, (str, os.PathLike)) else results
    return build_site(
        [Path(one) for one in several],
        Path(out),
        benchmarks=[Path(one) for one in benchmarks],
        paper=paper,
        title=title,
        resamples=resamples,
        workers=workers or os.cpu_count() or 1,
        report=logger.info,
    )


def watch_leaderboard(
    results: Place | Sequence[Place],
    *,
    out: Place,
    seconds: float = 5.0,
    benchmarks: Sequence[Place] = (),
    paper: bool = True,
    title: str = "Cross-lingual generation",
    resamples: int = 10_000,
    workers: int | None = None,
) -> Site:
    """As `leaderboard`, again whenever results change, until Ctrl-C; the page shows the progress of runs too.

    seconds: how often results and journals are looked at. Returns what was built last.
    """
    from xl_suite.leaderboard.watching import stop_on_interrupt, watch_site

    several = [results] if isinstance(results, (str, os.PathLike)) else results
    with stop_on_interrupt() as wait:
        return watch_site(
            [Path(one) for one in several],
            Path(out),
            seconds=seconds,
            wait=wait,
            benchmarks=[Path(one) for one in benchmarks],
            paper=paper,
            title=title,
            resamples=resamples,
            workers=workers or os.cpu_count() or 1,
            report=logger.info,
        )
