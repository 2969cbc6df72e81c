"""Scores of annotations and ratings in files and folders."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xl_suite.dataset.expected import find_expected, list_benchmarks
from xl_suite.display import Shown, format_rate, render_table
from xl_suite.errors import BadInput
from xl_suite.fidelity.error import find_error
from xl_suite.fidelity.support import find_support
from xl_suite.judging.annotations import Annotation, choose_languages
from xl_suite.languages import parse_languages
from xl_suite.provenance import tell_runs
from xl_suite.rating.ratings import list_ratings, read_ratings
from xl_suite.rating.scores import score_ratings, show_ratings
from xl_suite.responding.outputs import list_outputs
from xl_suite.scoring.answers import FidelityCache, read_reasons
from xl_suite.scoring.context import Context
from xl_suite.scoring.denominators import read_prompts
from xl_suite.scoring.figure import draw_figure, measure_score
from xl_suite.scoring.gating import Gate
from xl_suite.scoring.judges import describe_judges, group_by_judge
from xl_suite.scoring.length_slope import find_slope, list_places, parse_assumed
from xl_suite.scoring.runs import read_runs
from xl_suite.scoring.score import Score
from xl_suite.scoring.scores import score_annotations
from xl_suite.scoring.tables import show_score

logger = logging.getLogger("xl_suite.scoring")
MANY_CHARACTERS = 4_000_000  # from this many on, parallel processes save more time than their start costs


@dataclass(frozen=True)
class Scores(Shown):
    """The scores of one model: by each judge, or, of ratings, by each judge and criterion.

    answer: the object of `xl-suite score --json`. annotations: the scored annotations, which `compare` reads; empty
    for ratings. judges: the scores of annotations by judge. runs: lines with the judges and the models, from the
    folders' run.json.
    """

    answer: Mapping[str, Any]
    kind: str
    annotations: tuple[Annotation, ...] = ()
    notes: tuple[str, ...] = ()
    judges: Mapping[str, Score] = field(default_factory=dict)
    runs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return dict(self.answer)

    def describe(self) -> str:
        """The scores as a table of text."""
        if self.kind == "ratings":
            told = "\n\n".join(
                show_ratings(dict(one)) for one in self.answer.get("judges", {"": self.answer}).values()
            )
        else:
            told = show_score(self.judges, self.answer if len(self.judges) > 1 else None)
        return "\n".join([told, *(["", *self.runs] if self.runs else [])])

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each judge and language, and `overall`; nested values are left to `to_dict`."""
        several = self.answer.get("annotators") or self.answer.get("judges") or {"": self.answer}
        rows = []
        for answer in several.values():
            if "languages" in answer:
                parts = [*answer["languages"].items(), ("overall", answer["overall"])]
            else:
                parts = [(answer["language"] or "all", answer)]
            judge = answer.get("annotator", answer.get("judge"))
            for language, keys in parts:
                row: dict[str, Any] = {"model": answer["model"], "judge": judge, "language": language}
                for key, value in keys.items():
                    if self.kind == "ratings" and isinstance(value, Mapping) and "mean" in value:
                        row[key] = value["mean"]
                    elif key not in row and not isinstance(value, (Mapping, list)):
                        row[key] = value
                fidelity = keys.get("fidelity")
                if isinstance(fidelity, Mapping):
                    row["pass_rate"] = fidelity.get("pass_rate")
                rows.append(row)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        return [{column: row.get(column) for column in columns} for row in rows]

    def to_paper(self) -> list[dict[str, Any]]:
        """Rates with their intervals, in percent, how many prompts were judged, and how many answers are in the
        language asked for; for ratings, the means. Rates at equal lengths only where a judge has a length slope."""
        if self.kind == "ratings":
            every = self.to_rows()
            told = ["language", *(key for key in every[0] if isinstance(every[0][key], float))]
            told = ["judge", *told] if len({row["judge"] for row in every}) > 1 else told
            return [{key: row[key] for key in told} for row in every]
        controlled = any(
            one.controlled.win_rate is not None for score in self.judges.values() for _, one in score.list_rows()
        )
        rows = []
        for judge, score in self.judges.items():
            for language, one in score.list_rows():
                row = {"judge": judge} if len(self.judges) > 1 else {}
                row |= {
                    "language": language or "all",
                    "judged": f"{one.counts.n_total}/{one.counts.n_asked}",
                    "win rate": format_rate(one.raw.win_rate, one.raw.ci_low, one.raw.ci_high),
                    "gated": format_rate(one.gated.win_rate, one.gated.ci_low, one.gated.ci_high),
                }
                if controlled:
                    rate = one.controlled
                    row["equal lengths"] = format_rate(rate.win_rate, rate.ci_low, rate.ci_high)
                share = one.model.pass_rate
                rows.append(row | {"in language": format_rate(None if share is None else 100 * share)})
        return rows

    def figure(self, *others: Scores) -> str:
        """An SVG of win rate against fidelity, a dot for each language with intervals; others: more models."""
        every = [score for side in (self, *others) for score in side.judges.values()]
        several = len({score.provenance.annotator for score in every}) > 1
        models = {
            f"{score.model}, {score.provenance.annotator}" if several else score.model: measure_score(score)
            for score in every
        }
        references = dict.fromkeys(score.provenance.reference for score in every)
        return draw_figure(models, ", ".join(references))

    def _repr_html_(self) -> str:
        shown = ("language", "judge", "n_total", "win_rate", "ci_low", "ci_high", "gated_win_rate", "pass_rate")
        rows = self.to_rows()
        if self.kind != "ratings":
            rows = [{key: row.get(key) for key in shown} for row in rows]
        return render_table(rows, str(rows[0]["model"]) if rows and "model" in rows[0] else "")


def _warn_of_languages(languages: Sequence[str]) -> None:
    """Warns of languages that the gate cannot identify, and of those where its error was never measured."""
    for language in languages:
        support = find_support(language)
        if not support.known:
            logger.warning("%s could not be gated: %s.", language, support.why)
        elif support.confusable:
            others = ", ".join(support.confusable)
            logger.warning("%s could not be gated against %s: %s.", language, others, support.why)
        elif find_error(language) is None:
            logger.warning(
                "%s: the error of the gated rate is unknown, because it was not measured for this language.", language
            )


@dataclass(frozen=True, slots=True)
class Places:
    """The other folders that belong to annotations: the benchmark, the outputs of both sides, the annotator.

    annotator: a built-in name or a folder, for the judge's length slope; if it is empty, the slope is looked up
    beside the annotations and in the built-in annotators. assumed: a length slope to use instead, `MEAN,SE`.
    training_seeds: the annotations belong to models that differ only in their training seed.
    """

    benchmark: Path | None = None
    outputs: Path | None = None
    reference: Path | None = None
    annotator: str = ""
    assumed: str = ""
    training_seeds: bool = False


def score_folders(
    paths: Sequence[Path],
    places: Places | None = None,
    *,
    gate: Gate = "both",
    languages: str = "all",
    resamples: int = 10_000,
    seed: int = 0,
) -> Scores:
    """The scores of one model. paths: annotations or ratings; several are runs. Otherwise as `score_annotations`."""
    places = places or Places()
    assumed = parse_assumed(places.assumed) if places.assumed else None
    if any(list_ratings(path).files for path in paths):
        return _score_ratings(paths, languages, resamples, seed)
    rows, seeds = read_runs(paths, training_seeds=places.training_seeds)
    annotations = choose_languages(rows, languages)
    benchmarks = list_benchmarks(annotations)
    expected = find_expected(places.benchmark, benchmarks)
    unmarked = sorted(set(benchmarks) - set(expected))
    if unmarked and gate != "none":
        logger.warning(
            "%s: without --benchmark every prompt is taken to expect an answer in the target language.",
            ", ".join(unmarked),
        )
    if gate != "none":
        _warn_of_languages(sorted(benchmarks))
    size = sum(len(row.output_1) + len(row.output_2) for row in annotations)
    many = size > MANY_CHARACTERS and gate != "none" and bool(benchmarks)
    if many:
        logger.info("Looking at the languages of %d answers ...", 2 * len(annotations))
    context = Context(
        expected=expected,
        prompts=read_prompts(places.benchmark, benchmarks) if places.benchmark else {},
        reasons=read_reasons(list_outputs(places.outputs).files) if places.outputs else {},
        reference_reasons=read_reasons(list_outputs(places.reference).files) if places.reference else {},
        seeds=seeds,
    )
    cache = FidelityCache(workers=(os.cpu_count() or 1) if many else 1)
    scores = {
        name: score_annotations(
            rows,
            replace(context, slope=assumed or find_slope(list_places(paths, name, places.annotator), name)),
            gate=gate,
            resamples=resamples,
            seed=seed,
            cache=cache,
        )
        for name, rows in group_by_judge(annotations).items()
    }
    answer = next(iter(scores.values())).to_json()
    if len(scores) > 1:
        by_judge = {name: one.to_json() for name, one in scores.items()}
        answer = {"model": answer["model"], "annotators": by_judge, **describe_judges(annotations)}
    withheld = sum(row.is_withheld for row in annotations)
    failed = sum(row.has_failed for row in annotations)
    notes = []
    if withheld:
        notes.append(
            f"{withheld} of {len(annotations)} rows were not judged, because an answer was withheld: the win rate "
            "leaves them out, and the gated one counts them as its table says."
        )
    if failed:
        notes.append(
            f"{failed} of {len(annotations)} judgements failed; n_failed counts them.{_tell_way_out(annotations)}"
        )
    runs = tell_runs("judged", "annotations", paths)
    runs += tell_runs("answered", "outputs", [places.outputs] if places.outputs else [])
    if runs:
        answer = {**answer, "runs": runs}
    return Scores(answer, "annotations", tuple(annotations), tuple(notes), scores, tuple(runs))


def _tell_way_out(annotations: Sequence[Annotation]) -> str:
    """Which judgements `judge` repeats by default, and which only with --retry-unread."""
    failed = [row for row in annotations if row.has_failed]
    unread = Counter(row.language or "all" for row in failed if row.status == "unread")
    told = "" if len(failed) == unread.total() else " `xl-suite judge` retries those that got no answer."
    if unread:
        counts = ", ".join(f"{language} {count}" for language, count in sorted(unread.items()))
        told += f" Unread after all samples: {counts}; `xl-suite judge --retry-unread` asks these again."
    return told


def _score_ratings(paths: Sequence[Path], languages: str, resamples: int, seed: int) -> Scores:
    """Scores by rubric. In a folder of several judges, each judge is scored on its own."""
    if len(paths) > 1:
        raise BadInput("Ratings are scored one folder at a time: name OUT/<generator>/<judge>, or OUT/<generator>.")
    ratings = read_ratings(paths[0])
    if languages != "all":
        codes = [language.code for language in parse_languages(languages, [])]
        found = {row.language for row in ratings}
        missing = [code for code in codes if code not in found]
        if missing:
            raise BadInput(f"no ratings in {', '.join(missing)}. The languages found: {', '.join(sorted(found))}.")
        ratings = [row for row in ratings if row.language in codes]
    scores = {
        judge: score_ratings([row for row in ratings if row.judge == judge], resamples=resamples, seed=seed)
        for judge in sorted({row.judge for row in ratings})
    }
    answer: Mapping[str, Any] = next(iter(scores.values())) if len(scores) == 1 else {"judges": scores}
    runs = tell_runs("rated", "ratings", paths)
    return Scores({**answer, "runs": runs} if runs else answer, "ratings", runs=tuple(runs))
