"""Win rates at equal lengths, in one language and over several, with the error of the judge's length slope."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.scoring.alpaca_eval_length import control_as_alpaca_eval, is_alpaca_eval
from xl_suite.scoring.answers import Answers
from xl_suite.scoring.length_control import LengthFit, control_length, find_weakening, fit_lengths
from xl_suite.scoring.length_slope import LengthSlope
from xl_suite.scoring.preferences import Array, Preferences
from xl_suite.scoring.score import Controlled
from xl_suite.scoring.student import find_t

NO_SLOPE = "this judge has no length slope"


@dataclass(frozen=True, slots=True)
class Control:
    """The rate at equal lengths in percent, the contribution of each prompt to its error, summed over runs, and the
    effect of the slope (see `LengthControl`)."""

    win_rate: float
    n_rows: int
    influence: Array
    slope_effect: float


def control_languages(
    table: Preferences, answers: Mapping[str, Answers], slope: LengthSlope | None
) -> dict[str, Control | str]:
    """The control of each language, or why its rate at equal lengths is not identified.

    Where languages were identified, only rows with both answers in the right language count.
    """
    if slope is None:
        return dict.fromkeys(table.languages, NO_SLOPE)
    fits: dict[str, LengthFit | str] = {}
    residuals, steepness = (np.full((len(table.prompts), len(table.languages)), np.nan) for _ in range(2))
    for column, language in enumerate(table.languages):
        own = answers[language]
        at = tuple(np.array(own.cells).T)
        fit = fit_lengths(table.values[:, :, column][at], *_measure(own), _list_usable(own))
        fits[language] = fit
        if not isinstance(fit, str):
            places = at[1][fit.rows]
            counts = np.bincount(places, minlength=len(table.prompts))
            for target, values in ((residuals, fit.residuals), (steepness, fit.steepness)):
                sums = np.bincount(places, values, minlength=len(table.prompts))
                target[counts > 0, column] = sums[counts > 0] / counts[counts > 0]
    weakening = find_weakening(residuals, steepness)
    controls: dict[str, Control | str] = {}
    for language, fit in fits.items():
        if isinstance(fit, str):
            controls[language] = fit
            continue
        found = control_length(fit, slope.slope, weakening)
        influence = np.zeros(len(table.prompts))
        np.add.at(influence, [place for _, place in answers[language].cells], found.influence)
        controls[language] = Control(found.win_rate, found.n_rows, influence, found.slope_effect)
    return controls


def average_controls(controls: Mapping[str, Control | str]) -> Control | str:
    """The mean over languages, or why it is not identified."""
    known = {code: one for code, one in controls.items() if not isinstance(one, str)}
    for code, one in controls.items():
        if isinstance(one, str):
            return one if one == NO_SLOPE else f"{code}: {one}"
    own = list(known.values())
    return Control(
        win_rate=float(np.mean([one.win_rate for one in own])),
        n_rows=sum(one.n_rows for one in own),
        influence=np.mean([one.influence for one in own], axis=0),
        slope_effect=float(np.mean([one.slope_effect for one in own])),
    )


def describe_control(control: Control | str, slope: LengthSlope | None, languages: Sequence[str] = ()) -> Controlled:
    """The rate in `languages` with its error, over prompts and over the uncertainty of the slope.

    The interval is computed on the logits.
    """
    if isinstance(control, str) or slope is None:
        return Controlled(basis=f"not identified: {control if isinstance(control, str) else NO_SLOPE}")
    n = int(np.count_nonzero(control.influence))
    prompts = n / max(n - 1, 1) * float(np.sum(control.influence**2))
    error = math.sqrt(prompts + (control.slope_effect * slope.standard_error) ** 2)
    share = min(max(control.win_rate / 100, 1e-9), 1 - 1e-9)
    center, reach = math.log(share / (1 - share)), find_t(math.inf) * error / 100 / (share * (1 - share))
    low, high = (100 / (1 + math.exp(-max(-700.0, min(700.0, edge)))) for edge in (center - reach, center + reach))
    return Controlled(control.win_rate, error, control.n_rows, low, high, slope.describe(languages))


def control_by_alpaca_eval(table: Preferences, column: int, answers: Answers) -> Controlled | None:
    """The rate by AlpacaEval's own formula; None for all judges and prompts but AlpacaEval's."""
    rows = answers.model
    annotator = next(iter(table.rows.values())).annotator
    if not is_alpaca_eval(annotator, (row.instruction for row in rows)):
        return None
    at = tuple(np.array(answers.cells).T)
    found = control_as_alpaca_eval(table.values[:, :, column][at], *_measure(answers), _list_usable(answers))
    return None if found is None else Controlled(found.win_rate, found.standard_error, found.n_rows)


def _measure(answers: Answers) -> tuple[list[int], list[int]]:
    return [len(row.output) for row in answers.model], [len(row.output) for row in answers.reference]


def _list_usable(answers: Answers) -> list[bool]:
    if answers.fidelity is None or answers.reference_fidelity is None:
        return [True] * len(answers.cells)
    return [
        one.verdict == other.verdict == "right"
        for one, other in zip(answers.fidelity.verdicts, answers.reference_fidelity.verdicts, strict=True)
    ]
