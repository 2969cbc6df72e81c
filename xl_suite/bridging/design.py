"""Which rows the old judge must still see: drawn within language, model and length, each with a known probability.

A model's rows in a language are split at the thirds of the length of its answers, relative to the reference's; from
each third the same share is drawn. Every prompt has one random number, which all models and languages share, and the
smallest numbers are taken: so the models are judged on the same prompts as far as the thirds allow, and still every
row is drawn with the probability that is written beside it. The verdict has no part in this; rows that were chosen
by their verdict can be used only where their probability was kept.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xl_suite.errors import BadInput

DRAWN_BY = ("language", "model", "length")
THIRDS = 3
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that could be judged. ratio: the length of the model's answer over that of the reference's."""

    model: str
    language: str
    prompt: int | str
    ratio: float


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A row to judge. probability: with which it was drawn; None where nobody kept it.

    repeated: judged three times in both orders, for the judge's agreement with itself; repeat_probability: with
    which it was, given that it was drawn.
    """

    model: str
    language: str
    prompt: int | str
    stratum: str
    probability: float | None
    repeated: bool = False
    repeat_probability: float | None = None


def draw_rows(
    candidates: Iterable[Candidate], per_cell: int, *, repeat_share: float = 0.1, seed: int = 0
) -> list[DrawnRow]:
    """At most `per_cell` rows of each model in each language, sorted by language, model and prompt."""
    if per_cell < 1:
        raise BadInput(f"{per_cell} rows per model and language: 1 or more are needed.")
    if not 0 <= repeat_share <= 1:
        raise BadInput(f"a share of {repeat_share} of the rows to repeat: it lies between 0 and 1.")
    cells: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        cells[candidate.language, candidate.model].append(candidate)
    drawn = []
    for (language, model), rows in sorted(cells.items()):
        strata = split_by_length(rows, min(THIRDS, per_cell))
        wanted = allocate(per_cell, [len(stratum) for stratum in strata])
        chosen: list[tuple[Candidate, int, float]] = []
        for place, (stratum, count) in enumerate(zip(strata, wanted, strict=True)):
            ordered = sorted(stratum, key=lambda row: order_prompt(row.prompt, seed))
            chosen += [(row, place, count / len(stratum)) for row in ordered[:count]]
        repeats = min(len(chosen), math.ceil(repeat_share * len(chosen)))
        ordered = sorted((row for row, _, _ in chosen), key=lambda row: order_prompt(row.prompt, seed, "repeat"))
        repeated = {row.prompt for row in ordered[:repeats]}
        drawn += [
            DrawnRow(
                model,
                language,
                row.prompt,
                f"{language}/{model}/{place + 1}",
                probability,
                row.prompt in repeated,
                repeats / len(chosen),
            )
            for row, place, probability in sorted(
                chosen, key=lambda one: (isinstance(one[0].prompt, str), one[0].prompt)
            )
        ]
    return drawn


def split_by_length(rows: Sequence[Candidate], most: int = THIRDS) -> list[list[Candidate]]:
    """The rows of one model in one language in `most` equal parts by length, or as many as there are rows."""
    ordered = sorted(rows, key=lambda row: (row.ratio, str(row.prompt)))
    parts = min(most, len(ordered))
    bounds = [round(place * len(ordered) / parts) for place in range(parts + 1)]
    return [ordered[start:end] for start, end in pairwise(bounds)]


def allocate(count: int, sizes: Sequence[int]) -> list[int]:
    """`count` in proportion to the sizes by largest remainders, one at least and the whole at most of each."""
    total = sum(sizes)
    if count >= total:
        return list(sizes)
    shares = [count * size / total for size in sizes]
    given = [max(1, math.floor(share)) for share in shares]
    order = sorted(range(len(sizes)), key=lambda place: given[place] - shares[place])
    for place in order:
        if sum(given) < count and given[place] < sizes[place]:
            given[place] += 1
    return given


def order_prompt(prompt: int | str, seed: int, purpose: str = "draw") -> bytes:
    """The prompt's random number: the same for every model and language, on every machine."""
    return hashlib.sha256(f"{purpose}/{seed}/{prompt!r}".encode("utf-8", "surrogatepass")).digest()


def weigh_rows(rows: Iterable[DrawnRow], drawn_by: Sequence[str]) -> dict[tuple[str, str, int | str], float]:
    """1 / the probability of each row, by (model, language, prompt).

    drawn_by: what the drawing went by. Raises BadInput for a row whose probability is not known or not one.
    """
    weights = {}
    for row in rows:
        if row.probability is None:
            chosen = ", ".join(drawn_by) or "nothing that is written down"
            raise BadInput(
                f"{row.language}/{row.prompt} of {row.model}: the probability with which the row was drawn is not "
                f"known, and rows were drawn by {chosen}. Rates of rows that were chosen by their verdict, or by "
                "anything that goes with it, are wrong without it. Write the probabilities into design.json, or "
                "plan the bridge anew: `xl-suite bridge plan`."
            )
        if not 0 < row.probability <= 1:
            raise BadInput(f"{row.language}/{row.prompt} of {row.model}: {row.probability} is not a probability.")
        weights[row.model, row.language, row.prompt] = 1 / row.probability
    return weights
