"""Information about judged answers that is not in the annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xl_suite.dataset.expected import Expected
from xl_suite.scoring.denominators import Prompts
from xl_suite.scoring.length_slope import LengthSlope

Reasons = Mapping[tuple[str, int | str], str]  # (language, ID or instruction) -> finish_reason


@dataclass(frozen=True, slots=True)
class Context:
    """expected: the prompts that do not expect the target language. prompts: the benchmark's, which give the number
    that should be judged. reasons, reference_reasons: why answers ended. slope: the judge's length slope, None where
    it has none. seeds: the training seed of each run, by the annotations' `sample`; empty for one model.
    """

    expected: Expected = field(default_factory=dict)
    prompts: Prompts = field(default_factory=dict)
    reasons: Reasons = field(default_factory=dict)
    reference_reasons: Reasons = field(default_factory=dict)
    slope: LengthSlope | None = None
    seeds: tuple[int, ...] = ()
