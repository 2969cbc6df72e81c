"""Two judges on the rows of a bridge: the models' rates under both, and all that is shown beside the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from xl_suite.bridging.bridge import OVERALL
from xl_suite.bridging.design import DrawnRow, weigh_rows
from xl_suite.bridging.folder import BridgeDesign
from xl_suite.bridging.judges import compare_verdicts, correlate_ranks, measure_length_bias
from xl_suite.bridging.rates import Rate, measure_rate, to_percent
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.judging.order import measure_order
from xl_suite.scoring.preferences import Array
from xl_suite.scoring.scores import NOT_AVERAGED

JudgedPlace = tuple[str, str, int | str]  # model, language, prompt


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge's verdicts on the rows of a design. values: rows x repeats, means of both orders; NaN for a gap."""

    name: str
    values: Array
    annotations: Sequence[Annotation]


def read_judge(name: str, rows: Sequence[DrawnRow], repeats: Sequence[Sequence[Annotation]]) -> Judge:
    """A judge's verdicts as numbers, in the order of `rows`. Raises BadInput where there are none."""
    places = {(row.model, row.language, row.prompt): place for place, row in enumerate(rows)}
    values = np.full((len(rows), len(repeats)), np.nan)
    for repeat, made in enumerate(repeats):
        orders: dict[JudgedPlace, dict[str, float | None]] = {}
        for one in made:
            key = (one.generator_2, one.language, one.prompt)
            orders.setdefault(key, {})[one.order] = scale_preference(one.preference)
        for key, found in orders.items():
            both = [found.get("12"), found.get("21")]
            if key in places and None not in both:
                values[places[key], repeat] = sum(value for value in both if value is not None) / 2
    if np.isnan(values[:, 0]).all():
        raise BadInput(f"{name} has not judged any row in both orders. `xl-suite bridge collect` does it.")
    return Judge(name, values, repeats[0])


def list_rates(design: BridgeDesign, old: Judge, new: Judge) -> list[Rate]:
    """The rates of each model and language under both judges, weighed by the design's probabilities."""
    weights = weigh_rows(design.rows, design.drawn_by)
    families = {one.model: one.family for one in design.models}
    cells: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(design.rows):
        cells.setdefault((row.model, row.language), []).append(place)
    rates = []
    for (model, language), places in sorted(cells.items()):
        rate = measure_rate(
            old.values[places, 0],
            new.values[places, 0],
            np.array([weights[model, language, design.rows[place].prompt] for place in places]),
            model=model,
            family=families[model],
            language=language,
        )
        rates += [] if rate is None else [rate]
    return rates


def compare_judges(design: BridgeDesign, old: Judge, new: Judge, rates: Sequence[Rate]) -> dict[str, Any]:
    """For each language and over all: agreement beside the noise ceilings, ranks, position and length bias."""
    answer = {}
    for language in (*design.languages, *([OVERALL] if len(design.languages) > 1 else [])):
        places = [place for place, row in enumerate(design.rows) if covers(language, row.language)]
        rows = [design.rows[place] for place in places]
        weights = weigh_rows(rows, design.drawn_by)
        weight = np.array([weights[row.model, row.language, row.prompt] for row in rows])
        agreement = compare_verdicts(
            old.values[places, 0], new.values[places, 0], weight, [row.prompt for row in rows]
        )
        answer[language] = {
            "agreement": None if agreement is None else asdict(agreement),
            "noise_ceiling": {judge.name: find_ceiling(judge.values[places], rows, weight) for judge in (old, new)},
            "ranks": find_ranks(rates, language),
            "position": {judge.name: find_position(judge, language) for judge in (old, new)},
            "length": {judge.name: find_length(judge, places, rows) for judge in (old, new)},
        }
    return answer


def covers(language: str, code: str) -> bool:
    """Whether rows in `code` count for a language; English is not part of OVERALL, as everywhere."""
    return language == code or (language == OVERALL and code != NOT_AVERAGED)


def find_ceiling(values: Array, rows: Sequence[DrawnRow], weights: Array) -> dict[str, Any] | None:
    """A judge's agreement with itself, over all pairs of its repeats; None where it was not asked again."""
    pairs = list(combinations(range(values.shape[1]), 2))
    chances = np.array([row.repeat_probability or np.nan for row in rows])
    again = np.array([row.repeated for row in rows])
    found = compare_verdicts(
        np.concatenate([values[again, one] for one, _ in pairs]),
        np.concatenate([values[again, other] for _, other in pairs]),
        np.tile((weights / chances)[again], len(pairs)),
        [row.prompt for row in rows if row.repeated] * len(pairs),
    )
    return None if found is None else asdict(found)


def find_ranks(rates: Sequence[Rate], language: str) -> dict[str, Any] | None:
    """Kendall's tau of the models; over all languages by the mean of their rates."""
    models = sorted({rate.model for rate in rates})
    own = {
        model: [rate for rate in rates if rate.model == model and covers(language, rate.language)] for model in models
    }
    present = [model for model in models if own[model]]
    if not present:
        return None
    means = [
        np.array([float(np.mean(to_percent([getattr(rate, side) for rate in own[model]]))) for model in present])
        for side in ("old", "new")
    ]
    found = correlate_ranks(means[0], means[1], [own[model][0].family for model in present])
    return None if found is None else asdict(found)


def find_position(judge: Judge, language: str) -> dict[str, Any] | None:
    """Flips and position bias over the rows that were judged in both orders, all models together."""
    effects = [
        effect
        for model in sorted({row.generator_2 for row in judge.annotations})
        for code in sorted({row.language for row in judge.annotations})
        if covers(language, code)
        if (effect := measure_order(r for r in judge.annotations if (r.generator_2, r.language) == (model, code)))
    ]
    total = sum(effect.n for effect in effects)
    if not total:
        return None
    return {
        "n": total,
        "flip_rate": sum(effect.n * effect.flip_rate for effect in effects) / total,
        "position_bias": sum(effect.n * effect.position_bias for effect in effects) / total,
    }


def find_length(judge: Judge, places: Sequence[int], rows: Sequence[DrawnRow]) -> dict[str, Any] | None:
    """What the length of the answers goes with; a level for each model and language."""
    lengths: Mapping[JudgedPlace, float] = {
        (one.generator_2, one.language, one.prompt): float(np.log(len(one.output_2) / len(one.output_1)))
        for one in judge.annotations
        if one.output_1 and one.output_2
    }
    ratios = np.array([lengths.get((row.model, row.language, row.prompt), np.nan) for row in rows])
    cells = [f"{row.language}/{row.model}" for row in rows]
    found = measure_length_bias(judge.values[list(places), 0], ratios, cells, [row.prompt for row in rows])
    return None if found is None else asdict(found)
