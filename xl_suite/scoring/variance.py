"""The sources of a win rate's error: prompts, training seeds, samples of the model, judge reruns, orders.

Only repeated parts can be separated. In a single run all parts are in the spread between prompts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.scoring.preferences import Array
from xl_suite.scoring.student import find_t

LEAST_SEEDS = 3  # the minimum number of training seeds for a claim about training
SAME = 0.9  # from this share of equal outputs on, two runs count as verdicts on the same answers
# How to repeat each part, by its name.
MORE = {
    "seeds": "train --seeds 1,2,3, then score A B C --training-seeds",
    "samples": "respond --samples 3, or several runs",
    "reruns": "judge the same outputs again with another journal, and score both",
    "orders": "judge --order both",
}


@dataclass(frozen=True, slots=True)
class RunSpread:
    """Variance components of a mean over prompts and runs, in percent points squared, and their sum.

    prompts, runs, residual: variances between prompts, between runs (shifts of a run on all prompts), and the rest,
    which is the model's randomness on each prompt; a negative estimate becomes zero.
    standard_error: of the mean over new prompts and runs, in percent points; at least that of the prompts alone.
    ci_low, ci_high: the corresponding 95 % interval.
    """

    n_runs: int
    prompts: float
    runs: float
    residual: float
    standard_error: float
    ci_low: float
    ci_high: float


def estimate_run_spread(values: Array, ci_low: float, ci_high: float) -> RunSpread | None:
    """The spread of runs x prompts of values in [0, 1], without prompts that have a gap; None below 2 runs or
    prompts.

    A two-way layout with both factors random: the variance of the mean is (MS prompts + MS runs - MS residual) /
    (runs x prompts), with Satterthwaite's degrees of freedom. ci_low and ci_high (percent): the interval over
    prompts, which is stretched about the mean, so that it keeps its shape near 0 and 100.
    """
    complete = values[:, ~np.isnan(values).any(axis=0)] * 100
    s, n = complete.shape
    if s < 2 or n < 2:
        return None
    mean = float(complete.mean())
    prompt_means, run_means = complete.mean(axis=0), complete.mean(axis=1)
    ms_prompts = s * float(np.sum((prompt_means - mean) ** 2)) / (n - 1)
    ms_runs = n * float(np.sum((run_means - mean) ** 2)) / (s - 1)
    rest = complete - prompt_means - run_means[:, None] + mean
    ms_rest = float(np.sum(rest**2)) / ((s - 1) * (n - 1))
    total = max(ms_prompts, ms_prompts + ms_runs - ms_rest)
    stretch = 1.0
    if total > ms_prompts > 0:
        squares = ms_prompts**2 / (n - 1) + ms_runs**2 / (s - 1) + ms_rest**2 / ((s - 1) * (n - 1))
        stretch = math.sqrt(total / ms_prompts) * find_t(total**2 / squares) / find_t(math.inf)
    return RunSpread(
        n_runs=s,
        prompts=max(0.0, (ms_prompts - ms_rest) / s),
        runs=max(0.0, (ms_runs - ms_rest) / n),
        residual=ms_rest,
        standard_error=math.sqrt(total / (n * s)),
        ci_low=max(0.0, min(ci_low, mean - (mean - ci_low) * stretch)),
        ci_high=min(100.0, max(ci_high, mean + (ci_high - mean) * stretch)),
    )


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the error. n: the number of draws, for each prompt except in the parts `prompts` and `seeds`.

    variance: the variance of one draw, in squared percent points; None for a single draw, whose variance is in the
    parts above. share: the share of the variance of the mean, 0 to 1. standard_error_doubled: the standard error of
    the mean with twice as many draws, in percent points.
    """

    name: str
    n: int
    variance: float | None
    share: float | None = None
    standard_error_doubled: float | None = None


@dataclass(frozen=True, slots=True)
class VarianceBudget:
    """The parts of the error of a mean, and what would reduce it. standard_error: percent points."""

    components: tuple[Component, ...]
    standard_error: float
    advice: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "standard_error": self.standard_error,
            "components": {
                one.name: {k: v for k, v in asdict(one).items() if k != "name"} for one in self.components
            },
            "advice": list(self.advice),
        }

    def count(self, name: str) -> int:
        """The draws of a part."""
        return next(one.n for one in self.components if one.name == name)


def estimate_budget(rows: Iterable[Annotation], seeds: Sequence[int] = ()) -> VarianceBudget | None:
    """The budget of one model's annotations by one judge, over the prompts that have all repeats; None below two.

    seeds: the training seed of each run, by `sample`; empty where the model was trained once. Several languages are
    averaged first: English is left out, and a prompt counts if it has all others.
    """
    values = arrange_repeats(rows, seeds)
    return None if values is None or values.shape[-1] < 2 else split_variance(values)


def arrange_repeats(rows: Iterable[Annotation], seeds: Sequence[int] = ()) -> Array | None:
    """Preferences as seeds x samples x reruns x orders x prompts, without gaps; None without a complete prompt.

    Runs with the same outputs are reruns of the judge. Unequal numbers of repeats are cut to the smallest. A pair
    that was judged in one random order has one order.
    """
    cells: dict[tuple[int, str], dict[int | str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    outputs: dict[int, dict[tuple[str, int | str], str]] = defaultdict(dict)
    rows = list(rows)
    shown = {(row.sample, row.prompt, row.language, row.order) for row in rows}
    both = len(shown) > len({one[:3] for one in shown})
    languages = {row.language for row in rows}
    languages -= {"eng"} if len(languages) > 1 else set()
    for row in rows:
        value = scale_preference(row.preference)
        if row.language in languages:
            outputs[row.sample][row.language, row.prompt] = row.output_2
            if value is not None:
                cells[row.sample, row.order if both else ""][row.prompt][row.language] = value
    orders = sorted({order for _, order in cells})
    layout = list_layout(outputs, seeds)
    needed = [(run, order) for groups in layout for runs in groups for run in runs for order in orders]
    prompts = [
        prompt
        for prompt in sorted({prompt for one in cells.values() for prompt in one}, key=str)
        if all(len(cells[key].get(prompt, ())) == len(languages) for key in needed)
    ]
    if not prompts:
        return None
    return np.array(
        [
            [
                [
                    [[float(np.mean(list(cells[run, order][p].values()))) for p in prompts] for order in orders]
                    for run in runs
                ]
                for runs in groups
            ]
            for groups in layout
        ]
    )


def list_layout(
    outputs: Mapping[int, Mapping[tuple[str, int | str], str]], seeds: Sequence[int]
) -> list[list[list[int]]]:
    """The runs as seeds x samples x reruns, every level cut to its smallest number."""
    by_seed: dict[int, list[list[int]]] = {}
    for run in sorted(outputs):
        groups = by_seed.setdefault(seeds[run] if seeds else 0, [])
        group = next((one for one in groups if _are_same(outputs[one[0]], outputs[run])), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    n_samples = min(map(len, by_seed.values()))
    n_reruns = min(len(runs) for groups in by_seed.values() for runs in groups[:n_samples])
    return [[runs[:n_reruns] for runs in groups[:n_samples]] for groups in by_seed.values()]


def split_variance(values: Array) -> VarianceBudget:
    """The budget of seeds x samples x reruns x orders x prompts in [0, 1], by the moments of the nested layout.

    Repeats are nested in seed and prompt; seeds and prompts are crossed. A negative estimate becomes zero.
    """
    points = values * 100
    shape = dict(zip(("seeds", "samples", "reruns", "orders", "prompts"), points.shape, strict=True))
    variances: dict[str, float | None] = {}
    below = 0.0  # the variance in the means of a level that the parts below it cause
    for axis, name in ((3, "orders"), (2, "reruns"), (1, "samples")):
        n = shape[name]
        variance = max(0.0, float(np.mean(np.var(points, axis=axis, ddof=1))) - below) if n > 1 else None
        variances[name] = variance
        below = ((variance or 0.0) + below) / n
        points = points.mean(axis=axis, keepdims=True)
    means = points[:, 0, 0, 0]  # seeds x prompts
    n_seeds, n = means.shape
    rest = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    if n_seeds > 1:
        ms_rest = float(np.sum(rest**2)) / ((n_seeds - 1) * (n - 1))
        variances["seeds"] = max(0.0, float(np.var(means.mean(axis=1), ddof=1)) - ms_rest / n)
        left = ms_rest / n_seeds
    else:
        variances["seeds"], left = None, below
    variances["prompts"] = max(0.0, float(np.var(means.mean(axis=0), ddof=1)) - left)

    def spread(more: str = "") -> dict[str, float]:
        """The variance of the mean by part, with twice the draws of one of them."""
        draws = {name: count * (2 if name == more else 1) for name, count in shape.items()}
        divisors = {"prompts": draws["prompts"], "seeds": draws["seeds"]}
        product = draws["prompts"] * draws["seeds"]
        for name in ("samples", "reruns", "orders"):
            product *= draws[name]
            divisors[name] = product
        return {name: (variances[name] or 0.0) / divisors[name] for name in draws}

    total = sum(spread().values())
    components = tuple(
        Component(name, shape[name], variances[name])
        if variances[name] is None
        else Component(
            name,
            shape[name],
            variances[name],
            spread()[name] / total if total else 0.0,
            math.sqrt(sum(spread(name).values())),
        )
        for name in ("prompts", "seeds", "samples", "reruns", "orders")
    )
    return VarianceBudget(components, math.sqrt(total), tuple(_advise(components, math.sqrt(total))))


def _advise(components: Sequence[Component], error: float) -> list[str]:
    by_name = {one.name: one for one in components}
    seeds = by_name["seeds"].n
    lines = []
    if seeds < LEAST_SEEDS:
        told = "One trained model" if seeds == 1 else "Two training seeds"
        lines.append(
            f"{told}: what is found is about {'this model' if seeds == 1 else 'these models'}. A claim about how "
            f"models were trained needs {LEAST_SEEDS} seeds or more ({MORE['seeds']})."
        )
    known = [one for one in components if one.standard_error_doubled is not None]
    best = min(known, key=lambda one: one.standard_error_doubled or 0.0)
    lines.append(
        f"Twice as many {best.name} would help most of what the data tell: a standard error of "
        f"{best.standard_error_doubled:.2f} instead of {error:.2f}."
    )
    unknown = [one.name for one in components if one.variance is None and one.name != "seeds"]
    if unknown:
        told = "; ".join(f"{name} ({MORE[name]})" for name in unknown)
        lines.append(f"Not told apart, because there is one of each: {told}.")
    return lines


def _are_same(one: Mapping[tuple[str, int | str], str], other: Mapping[tuple[str, int | str], str]) -> bool:
    both = one.keys() & other.keys()
    return bool(both) and sum(one[key] == other[key] for key in both) >= SAME * len(both)
