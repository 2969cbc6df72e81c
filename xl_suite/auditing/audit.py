"""An audit plants defects, asks the judge in both orders, and writes its card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import mean

import numpy as np

from xl_suite.auditing.card import Behaviour, Card, Found
from xl_suite.auditing.defects import DEFECTS
from xl_suite.auditing.length_slope import Probe, fit_slope
from xl_suite.auditing.marks import Places, Trial, mark_judge
from xl_suite.auditing.probes import (
    ITSELF,
    LENGTH,
    Material,
    plant_defects,
    probe_itself,
    probe_length,
    probe_reference,
    read_length,
)
from xl_suite.auditing.swap import SWAPS, Rate, Swap, bound_swap
from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import FailedCall
from xl_suite.chat.models import Model
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput
from xl_suite.failures import count_reasons
from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.judge import judge_pairs, name_annotator
from xl_suite.judging.judgement import Judgement
from xl_suite.judging.pairs import Pair
from xl_suite.scoring.intervals import bound_means
from xl_suite.scoring.length_slope import LengthSlope

DEFECTS_PART, LENGTH_PART, SWAP_PART = PARTS = ("defects", "length", "swap")


@dataclass(frozen=True, slots=True)
class Plan:
    """The pairs of an audit. probes: by language and name, in both orders. again: by language, asked twice."""

    probes: Mapping[tuple[str, str], Sequence[Pair]]
    again: Mapping[str, Sequence[Pair]]

    def by_name(self) -> dict[str, Sequence[Pair]]:
        """The probes under unique names, as `judge_pairs` takes them."""
        return {f"{language}/{name}": pairs for (language, name), pairs in self.probes.items()}


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of one language and name: for each prompt, the share of the win for the changed text, over both
    orders, and for the text shown first; and the number of prompts without a verdict."""

    changed: Mapping[int | str, float]
    first: Mapping[int | str, float]
    n_failed: int


def plan_audit(
    material: Material,
    parts: Sequence[str] = (DEFECTS_PART,),
    seed: int = 0,
    further: Mapping[tuple[str, str], Sequence[Pair]] | None = None,
) -> Plan:
    """The pairs that an audit asks. further: probes of texts written by models.

    Raises BadInput for an unknown part and where there are no pairs.
    """
    wrong = [part for part in parts if part not in PARTS]
    if wrong:
        raise BadInput(f"an audit has no part {wrong[0]!r}; valid: {', '.join(PARTS)}.")
    probes: dict[tuple[str, str], Sequence[Pair]] = {}
    again: dict[str, list[Pair]] = {}
    if DEFECTS_PART in parts:
        probes |= plant_defects(material, seed)
        probes |= probe_itself(material)
        again = probe_reference(material)
    if LENGTH_PART in parts:
        probes |= probe_length(material)
    probes |= further or {}
    if not any(probes.values()):
        raise BadInput("there is nothing to ask: no answer has room for a defect.")
    return Plan(probes, again)


def run_audit(
    plan: Plan,
    material: Material,
    annotator: Annotator,
    model: Model,
    options: ChatOptions,
    *,
    method: str = "auto",
    seed: int = 0,
    date: str = "",
    servers: StartedServers | None = None,
    budget: Budget | None = None,
    noted: Sequence[str] = (),
) -> Card:
    """Asks the judge and makes its card. A budget covers all; what the journal answers costs nothing.

    servers, budget: shared with earlier runs. noted: notes of the earlier runs for the card.

    Raises the errors that end a run; the same call then continues it.
    """
    budget = budget or Budget(options.budget)
    judgements = []
    with ExitStack() as stack:
        started = servers or stack.enter_context(StartedServers(options))

        def ask(pairs: Mapping[str, Sequence[Pair]], how: str, repeat: int = 0) -> Judgement:
            return judge_pairs(
                pairs,
                annotator,
                model,
                options,
                order="both",
                method=how,
                samples=1,
                repeat=repeat,
                servers=started,
                budget=budget,
            )

        judgement = ask(plan.by_name(), method)
        judgements.append(judgement)
        for repeat in (0, 1) if any(plan.again.values()) else ():
            judgements.append(ask(plan.again, judgement.method, repeat))
    by_probe = {key: measure(judgement.annotations[f"{key[0]}/{key[1]}"]) for key in plan.probes}
    found, behaviour = assess(by_probe, material, [one.annotations for one in judgements[1:]])
    slope, notes = _measure_slope(by_probe, plan, date)
    failures: dict[str, list[FailedCall]] = {}
    for one in judgements:
        for key, calls in one.failures.items():
            failures.setdefault(key, []).extend(calls)
    notes += tell_unjudged(by_probe.values(), [call.reason for calls in failures.values() for call in calls])
    generator = next((row.generator for rows in material.answers.values() for row in rows), "")
    name = name_annotator(annotator, model)
    return Card(
        name,
        model.name,
        judgement.method,
        generator,
        material.reference_name,
        seed,
        tuple(found),
        tuple(behaviour),
        None if slope is None else replace(slope, annotator=name),
        (*noted, *judgement.noted, *notes),
        tuple(_bound_swaps(by_probe, material)),
        failures=failures,
    )


def measure(annotations: Iterable[Annotation]) -> Shares:
    """The shares of one probe's annotations; a prompt that lacks an order counts as failed."""
    by_prompt: dict[int | str, dict[str, float | None]] = {}
    for row in annotations:
        by_prompt.setdefault(row.prompt, {})[row.order] = scale_preference(row.preference)
    changed, first = {}, {}
    for prompt, orders in by_prompt.items():
        one, other = orders.get("12"), orders.get("21")
        if one is not None and other is not None:
            changed[prompt] = (one + other) / 2
            first[prompt] = ((1 - one) + other) / 2  # in order 12 the changed text is shown last
    return Shares(changed, first, len(by_prompt) - len(changed))


def tell_unjudged(found: Iterable[Shares], reasons: Iterable[str]) -> list[str]:
    """The card's note on pairs without a verdict; empty if there are none."""
    shares = list(found)
    failed = sum(one.n_failed for one in shares)
    if not failed:
        return []
    asked = failed + sum(len(one.changed) for one in shares)
    told = "; ".join(count_reasons(reasons))
    return [
        f"{failed} of {asked} pairs have no verdict in both orders and are left out of all shares: the results are "
        f"known for the others only. Missing verdicts (failed.json): {told}."
    ]


def assess(
    by_probe: Mapping[tuple[str, str], Shares],
    material: Material,
    asked: Sequence[Mapping[str, Sequence[Annotation]]] = (),
) -> tuple[list[Found], list[Behaviour]]:
    """The judge's findings and behaviour, with the marks. asked: the verdicts on the same pairs, twice."""
    names = [one.name for one in DEFECTS]
    keys = [key for key in by_probe if key[1] in names]
    trials = [_count(by_probe[key]) for key in keys]
    languages = list(material.answers)
    firsts = {language: _average_first(by_probe, language) for language in languages}
    places = [
        Places(sum(one > 0.5 for one in values.values()), sum(one < 0.5 for one in values.values()))
        for values in firsts.values()
    ]
    marks, positions = mark_judge(trials, places)
    found = []
    for key, trial, mark in zip(keys, trials, marks, strict=True):
        low, high = _bound([float(one < 0.5) for one in by_probe[key].changed.values()])
        detected = trial.found / trial.n if trial.n else None
        worse = trial.worse / trial.n if trial.n else None
        found.append(Found(*key, trial.n, by_probe[key].n_failed, detected, low, high, worse, mark))
    behaviour = []
    for language, position in zip(languages, positions, strict=True):
        values = list(firsts[language].values())
        low, high = _bound(values)
        itself = by_probe[language, ITSELF].first if (language, ITSELF) in by_probe else {}
        noise, n = _measure_noise([one[language] for one in asked]) if len(asked) == 2 else (None, 0)
        behaviour.append(
            Behaviour(
                language,
                len(material.answers[language]),
                material.left_out.get(language, 0),
                mean(values) - 0.5 if values else None,
                None if low is None else low - 0.5,
                None if high is None else high - 0.5,
                mean(itself.values()) - 0.5 if itself else None,
                noise,
                n,
                position,
            )
        )
    return found, behaviour


def _count(shares: Shares) -> Trial:
    values = shares.changed.values()
    return Trial(len(values), sum(one < 0.5 for one in values), sum(one > 0.5 for one in values))


def _average_first(by_probe: Mapping[tuple[str, str], Shares], language: str) -> dict[int | str, float]:
    """Each prompt's share for the first place, over all pairs of the language."""
    values: dict[int | str, list[float]] = {}
    for (code, _), shares in by_probe.items():
        if code == language:
            for prompt, share in shares.first.items():
                values.setdefault(prompt, []).append(share)
    return {prompt: mean(own) for prompt, own in values.items()}


def _bound(values: Sequence[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    bounds = bound_means(np.array(values)[:, None], resamples=2000)
    return bounds.low[0], bounds.high[0]


def _measure_noise(asked: Sequence[Sequence[Annotation]]) -> tuple[float | None, int]:
    """The share of verdicts, in one order, that have another winner when asked again, and of how many."""
    one, other = ({(row.prompt, row.order): scale_preference(row.preference) for row in rows} for rows in asked)
    both = [(one[key], other[key]) for key in one if one[key] is not None and other.get(key) is not None]
    if not both:
        return None, 0
    turned = sum((a - 0.5) * (b - 0.5) < 0 for a, b in both if a is not None and b is not None)
    return turned / len(both), len(both)


def _bound_swaps(by_probe: Mapping[tuple[str, str], Shares], material: Material) -> list[Swap]:
    swaps = []
    for language in material.answers:
        rates = {}
        for name in SWAPS:
            values = list(by_probe[language, name].changed.values()) if (language, name) in by_probe else []
            low, high = _bound(values)
            rates[name] = Rate(len(values), mean(values) if values else None, low, high)
        if any(rate.n for rate in rates.values()):
            swaps.append(bound_swap(language, rates))
    return swaps


def _measure_slope(
    by_probe: Mapping[tuple[str, str], Shares], plan: Plan, date: str
) -> tuple[LengthSlope | None, list[str]]:
    probes = []
    ratios: dict[str, set[float]] = {}
    for (language, name), shares in by_probe.items():
        if not name.startswith(LENGTH):
            continue
        lengths = {pair.prompt: len(pair.output_2) / len(pair.output_1) for pair in plan.probes[language, name]}
        rewriter, ratio = read_length(name)
        if shares.changed:
            ratios.setdefault(rewriter, set()).add(ratio)
        probes += [Probe(str(prompt), rewriter, lengths[prompt], share) for prompt, share in shares.changed.items()]
    if not ratios:
        return None, []
    slope = fit_slope(probes, max(map(len, ratios.values())), sorted({language for language, _ in by_probe}), date)
    if slope is None:
        return None, ["The length slope is not identified: 20 prompts and three ratios are needed."]
    return slope, []
