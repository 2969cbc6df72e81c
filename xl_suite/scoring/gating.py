"""The gated win rate: an answer that is not in the language asked for loses, whatever its verdict.

Judges prefer fluent English to an honest attempt in the language asked for, so a raw win rate rewards answers
that fail the task. The gate decides from the two answers before the judge's preference counts:

| the model's answer | the reference's answer | gated preference for the model |
| --- | --- | --- |
| wrong language, mixed, or empty | any | 0 |
| withheld | any | 0, counted apart |
| failed | any | missing |
| right or undetermined | failed | missing |
| right | wrong language, empty or withheld | 1 |
| undetermined | empty or withheld | 1 |
| right | right, mixed or undetermined | the judge's |
| undetermined | wrong, right, mixed or undetermined | the judge's |

A right answer is in the language that the prompt expects, which may differ from the target language. If a prompt
accepts any language, every answer with text is right.

The gate covers the rows of the raw win rate. An unreadable verdict is missing in both rates, whatever the answers
are; otherwise a failing judge would lower one rate only. A withheld answer is never shown to a judge, so only the
gated rate counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from xl_suite.scoring.preferences import Array

Gate = Literal["both", "both-wrong-half", "model", "none"]
GATES: tuple[Gate, ...] = get_args(Gate)
VERDICTS = ("right", "wrong", "mixed", "empty", "undetermined", "withheld", "failed")
JUDGED = None  # the judge's preference stays
MISSING = np.nan

_LOSING = ("wrong", "mixed", "empty", "withheld")  # of the model
_ABSENT = ("empty", "withheld")  # of the reference: nothing to compare with, in whatever language


@dataclass(frozen=True, slots=True)
class Gated:
    """values: the gated preferences, 0 to 1, NaN where one is missing.

    undetermined_lost, mixed_judged: the values if every undetermined answer of the model lost, and if the judge
    decided on every mixed one; they bound the error of the gate. n_lost, n_won, n_drawn: rows that the gate decided,
    n_drawn only by `both-wrong-half`. n_judged: rows that keep the judge's preference; in n_undetermined of them the
    model's answer is undetermined. n_missing: rows without a value.
    """

    values: Array
    undetermined_lost: Array
    mixed_judged: Array
    n_lost: int
    n_won: int
    n_drawn: int
    n_judged: int
    n_undetermined: int
    n_missing: int


def decide(model: str, reference: str, gate: Gate = "both") -> float | None:
    """The gated preference for the model by the table above: 0, 1, NaN for missing, None for the judge's.

    model, reference: verdicts on the two answers, of VERDICTS. Gate `both` is the table; `both-wrong-half` gives
    half where the model loses and the reference is wrong, empty or withheld too; `model` ignores the reference's
    language, and `none` ignores both. Raises ValueError for an unknown verdict or gate.
    """
    if model not in VERDICTS or reference not in VERDICTS:
        raise ValueError(f"({model!r}, {reference!r}) are not both one of {', '.join(VERDICTS)}.")
    if gate not in GATES:
        raise ValueError(f"gate {gate!r} is not one of {', '.join(GATES)}.")
    if gate == "none":
        return JUDGED
    if model == "failed":
        return MISSING
    if model in _LOSING:
        both = gate == "both-wrong-half" and (reference == "wrong" or reference in _ABSENT)
        return 0.5 if both else 0.0
    if reference == "failed":
        return MISSING
    if reference in _ABSENT or (model == "right" and reference == "wrong" and gate != "model"):
        return 1.0
    return JUDGED


def gate_preferences(
    preferences: Array, model: Sequence[str], reference: Sequence[str], gate: Gate = "both"
) -> Gated:
    """The judge's preferences, one per row from 0 (the reference wins) to 1, NaN where there is none, after the gate.

    model, reference: the verdicts on the answers, of VERDICTS. Raises ValueError as `decide`.
    """
    values = _apply(preferences, model, reference, gate)
    lost = ["wrong" if verdict == "undetermined" else verdict for verdict in model]
    judged = [
        "undetermined" if verdict == "mixed" and other != "failed" else verdict
        for verdict, other in zip(model, reference, strict=True)
    ]
    decided = Counter(
        "missing" if np.isnan(value) else _name(decide(one, other, gate))
        for value, one, other in zip(values, model, reference, strict=True)
    )
    undetermined = sum(
        not np.isnan(value) and one == "undetermined" and decide(one, other, gate) is JUDGED
        for value, one, other in zip(values, model, reference, strict=True)
    )
    return Gated(
        values=values,
        undetermined_lost=values if gate == "none" else _apply(preferences, lost, reference, gate),
        mixed_judged=values if gate == "none" else _apply(preferences, judged, reference, gate),
        n_lost=decided["lost"],
        n_won=decided["won"],
        n_drawn=decided["drawn"],
        n_judged=decided["judged"],
        n_undetermined=undetermined,
        n_missing=decided["missing"],
    )


def _apply(preferences: Array, model: Sequence[str], reference: Sequence[str], gate: Gate) -> Array:
    values = preferences.copy()
    for row, (one, other) in enumerate(zip(model, reference, strict=True)):
        decision = decide(one, other, gate)
        # A missing preference means an unreadable verdict, unless a side was withheld and no judge was asked.
        if decision is not JUDGED and (not np.isnan(values[row]) or "withheld" in (one, other)):
            values[row] = decision
    return values


def _name(decision: float | None) -> str:
    return "judged" if decision is JUDGED else {0.0: "lost", 0.5: "drawn", 1.0: "won"}[decision]
