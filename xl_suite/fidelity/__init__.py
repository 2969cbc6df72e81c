"""Language fidelity: is an answer in the language that was asked for, line by line?

    judge_language("Das ist ein ganz normaler deutscher Satz.", "deu").verdict  # "right"
    score_fidelity(outputs, "deu").pass_rate

The pass rate is the Language Confusion Benchmark's line-level one (Marchisio et al. 2024): an answer passes when
none of its lines is in another language. What cannot be told is undetermined, and counts on neither side; an empty
answer does not pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xl_suite.fidelity.repeats import count_repeats, is_constant
from xl_suite.fidelity.verdicts import (
    VERDICTS,
    FidelityAnswer,
    LineVerdict,
    Verdict,
    judge_answers,
    judge_language,
    knows_language,
)
from xl_suite.records import ModelOutput

__all__ = [
    "VERDICTS",
    "Fidelity",
    "FidelityAnswer",
    "LineVerdict",
    "Verdict",
    "judge_answers",
    "judge_language",
    "knows_language",
    "score_fidelity",
]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The fidelity of one generator's outputs in one language.

    n_withheld: kept back by a moderation. n_failed: prompts without an output, which were tried.
    pass_rate: n_right / (n_right + n_wrong + n_mixed + n_empty), None where that is 0.
    constant: how many outputs repeat one text; is_constant: whether these are too many for real answers.
    notes: how often each note came, such as `romanised Hindi`. verdicts: one an output, in their order.
    """

    language: str
    n_right: int
    n_wrong: int
    n_mixed: int
    n_empty: int
    n_undetermined: int
    n_withheld: int
    n_failed: int
    pass_rate: float | None
    constant: int
    is_constant: bool
    n_truncated: int
    notes: Mapping[str, int]
    verdicts: tuple[Verdict, ...]

    def to_json(self) -> dict[str, float | int | None]:
        """The keys that `xl-suite fidelity --json` gives for a language."""
        return {
            "n_right": self.n_right,
            "n_wrong": self.n_wrong,
            "n_mixed": self.n_mixed,
            "n_empty": self.n_empty,
            "n_undetermined": self.n_undetermined,
            "n_withheld": self.n_withheld,
            "n_failed": self.n_failed,
            "pass_rate": self.pass_rate,
            "constant": self.constant,
            "n_truncated": self.n_truncated,
        }


def score_fidelity(
    outputs: Sequence[ModelOutput], language: str, *, expected: Mapping[int, str] | None = None, failed: int = 0
) -> Fidelity:
    """Judges all outputs that were asked for in `language`, an ISO 639-3 code.

    expected: `any` or `other:CODE` by id, for prompts whose answer is not in the target language (DESIGN).
    failed: how many prompts have no output because every try failed.
    An output's `instruction` is taken for its prompt. Raises UnknownLanguage.
    """
    expected = expected or {}
    verdicts = judge_answers(
        [
            FidelityAnswer(
                output=row.output,
                prompt=row.instruction,
                expected="target" if row.id is None else expected.get(row.id, "target"),
                finish_reason=row.finish_reason,
            )
            for row in outputs
        ],
        language,
    )
    counts = Counter(verdict.verdict for verdict in verdicts)
    counted = counts["right"] + counts["wrong"] + counts["mixed"] + counts["empty"]
    repeats = count_repeats([row.output for row in outputs])
    return Fidelity(
        language=language,
        n_right=counts["right"],
        n_wrong=counts["wrong"],
        n_mixed=counts["mixed"],
        n_empty=counts["empty"],
        n_undetermined=counts["undetermined"],
        n_withheld=counts["withheld"],
        n_failed=failed,
        pass_rate=counts["right"] / counted if counted else None,
        constant=repeats,
        is_constant=is_constant(repeats, len(outputs)),
        n_truncated=sum(row.finish_reason == "length" for row in outputs),
        notes=dict(sorted(Counter(verdict.note for verdict in verdicts if verdict.note).items())),
        verdicts=tuple(verdicts),
    )
