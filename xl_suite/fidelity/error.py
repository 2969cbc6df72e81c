"""How often verdicts err, by language, as measured on answers that nothing was tuned on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class FidelityError:
    """Errors of the verdicts on answers in one language; all shares in [0, 1].

    right_called_wrong: of answers that two other identifiers call right, how many are called wrong or mixed, of
    right_n; right_bound: the upper end of its 95 % interval. wrong_called_right, wrong_n, wrong_bound: of answers in
    another language; `-` and 0 where there were none.
    """

    language: str
    right_called_wrong: float
    right_n: int
    right_bound: float
    wrong_called_right: str
    wrong_n: int
    wrong_bound: str
    source: str


def find_error(language: str) -> FidelityError | None:
    """The error of a language; None where there were too few answers to measure it: its error is unknown."""
    return _read_errors().get(language)


@cache
def _read_errors() -> dict[str, FidelityError]:
    return {row.language: row for row in read_table("xl_suite.fidelity", "fidelity_error.tsv", FidelityError)}
