"""The gated win rate: an answer in the wrong language loses, whatever the judge thought of it.

Judges prefer fluent English to an honest attempt in the language asked for, so a raw win rate rewards answers
that fail the task. Where the prompt expects the target language, the gate decides from the languages of the two
answers before the judge's preference counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xl_suite.scoring.preferences import Array

Gate = Literal["both", "model", "none"]
VERDICTS = ("right", "wrong", "mixed", "undetermined")


@dataclass(frozen=True, slots=True)
class Gated:
    """values: the gated preferences, 0 to 1, NaN where the judgement failed.

    The counts are of judged prompts: decided by the gate (the model alone wrong, the reference alone, both); with
    an answer that is mixed or undetermined and none that is wrong, where the judge's preference stays; and left
    alone because they do not expect the target language.
    """

    values: Array
    n_model_wrong: int
    n_reference_wrong: int
    n_both_wrong: int
    n_unsure: int
    n_not_expected: int


def gate_preferences(
    preferences: Array,
    model: Sequence[str],
    reference: Sequence[str],
    expected: Sequence[bool],
    gate: Gate = "both",
) -> Gated:
    """The preferences, one a prompt from 0 (the reference wins) to 1, after the gate.

    model, reference: verdicts on the languages of the answers (right, wrong, mixed, undetermined). expected:
    whether the prompt expects the target language. Gate `both`: model wrong 0, reference alone wrong 1, both wrong
    1/2; `model`: model wrong 0 and the reference is not looked at; `none`: nothing changes.
    """
    judged = ~np.isnan(preferences)
    asked = np.array(expected, dtype=bool) & judged
    model_wrong = np.array([verdict == "wrong" for verdict in model], dtype=bool) & asked
    reference_wrong = np.array([verdict == "wrong" for verdict in reference], dtype=bool) & asked
    unsure = np.array([not {one, other} <= {"right", "wrong"} for one, other in zip(model, reference, strict=True)])
    if gate == "model":
        reference_wrong = np.zeros_like(reference_wrong)
        unsure = np.array([verdict not in ("right", "wrong") for verdict in model], dtype=bool)
    elif gate == "none":
        model_wrong, reference_wrong = np.zeros_like(model_wrong), np.zeros_like(reference_wrong)
    values = preferences.copy()
    values[model_wrong] = 0
    values[reference_wrong] = 1
    values[model_wrong & reference_wrong] = 0.5
    return Gated(
        values=values,
        n_model_wrong=int((model_wrong & ~reference_wrong).sum()),
        n_reference_wrong=int((reference_wrong & ~model_wrong).sum()),
        n_both_wrong=int((model_wrong & reference_wrong).sum()),
        n_unsure=int((unsure.astype(bool) & asked & ~model_wrong & ~reference_wrong).sum()),
        n_not_expected=int((judged & ~asked).sum()),
    )
