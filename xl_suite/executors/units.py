"""The units of a run: a unit is a language and a block of its rows, and depends on the data only.

Rank r of N takes the units i with i mod N = r, so that N may change from run to run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from xl_suite.errors import BadInput

Row = TypeVar("Row")
# The number of rows of one unit.
BLOCK = 256


@dataclass(frozen=True, slots=True)
class Unit:
    """The rows from `start` to `end` of a language, in their order by ID, without `end`.

    block: rows of a full unit, 0 for BLOCK.
    """

    language: str
    start: int
    end: int
    block: int = 0

    @property
    def name(self) -> str:
        return f"{self.language or 'rows'}-{self.start // (self.block or BLOCK):05d}"

    def take(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The unit's rows, taken from those of its language."""
        return rows[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Rank:
    """Rank `number` of `count`, from 0."""

    number: int
    count: int

    def choose(self, units: Sequence[Unit]) -> Sequence[Unit]:
        return units[self.number :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_rank(text: str) -> Rank:
    """The rank of the text `R/N`. Raises BadInput."""
    found = re.fullmatch(r"(\d{1,7})/(\d{1,7})", text)
    rank = Rank(int(found[1]), int(found[2])) if found else None
    if rank is None or rank.number >= rank.count:
        raise BadInput(f"--rank {text}: write R/N with R from 0 to N - 1, such as 0/8 for the first of eight.")
    return rank


def list_units(sizes: Mapping[str, int], block: int = 0) -> list[Unit]:
    """The units for the given rows per language, full ones first, so that ranks get about the same number of rows.

    block: rows of a full unit, 0 for BLOCK.
    """
    rows = block or BLOCK
    units = [
        Unit(language, start, min(start + rows, size), block)
        for language, size in sizes.items()
        for start in range(0, size, rows)
    ]
    return sorted(units, key=lambda unit: unit.start - unit.end)
