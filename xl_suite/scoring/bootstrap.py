"""Ten thousand reweightings of the prompts at once: the Bayesian bootstrap, clustered on prompts.

Each resample gives every prompt a random weight (Rubin 1981: exponential, hence Dirichlet once normalised) that
all its languages share, so that what the languages have in common stays in. Whole weights, as in the percentile
bootstrap, would do as well in the middle; smooth ones have no ties at the ends. One more weight belongs to a
prompt that nobody saw, see `intervals`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.preferences import Array

BLOCK = 1000  # resamples at a time: 3 MB of weights for 797 prompts, however many resamples


@dataclass(frozen=True, slots=True)
class Resampled:
    """Sums over the prompts under each resample, float32.

    sums and weights: resamples x languages, of weight x value and of weight where there is a value.
    unseen: resamples x 1, the weight of the prompt that nobody saw.
    """

    sums: NDArray[np.float32]
    weights: NDArray[np.float32]
    unseen: NDArray[np.float32]

    def add_unseen(self, value: float) -> NDArray[np.float32]:
        """The means under each resample when the unseen prompt has `value` in every language."""
        means: NDArray[np.float32] = (self.sums + np.float32(value) * self.unseen) / (self.weights + self.unseen)
        return means


def resample_means(by_prompt: Array, resamples: int = 10_000, seed: int = 0) -> Resampled:
    """Reweights prompts x languages (NaN for what is missing). Memory grows with resamples x languages only."""
    present = ~np.isnan(by_prompt)
    values = np.where(present, by_prompt, 0).astype(np.float32)
    # Without gaps all languages have the same weights, and one sum serves them all.
    mask = np.ones((len(values), 1), np.float32) if present.all() else present.astype(np.float32)
    sums = np.empty((resamples, values.shape[1]), np.float32)
    weights = np.empty((resamples, mask.shape[1]), np.float32)
    unseen = np.empty((resamples, 1), np.float32)
    start = 0
    for drawn in draw_weights(len(values), resamples, seed):
        block = slice(start, start + len(drawn))
        sums[block] = drawn[:, :-1] @ values
        weights[block] = drawn[:, :-1] @ mask
        unseen[block] = drawn[:, -1:]
        start += len(drawn)
    return Resampled(sums, weights, unseen)


def draw_weights(prompts: int, resamples: int, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """Blocks of exponential weights, resamples x (prompts + 1), the last column for the unseen prompt."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, BLOCK):
        yield generator.standard_exponential((min(BLOCK, resamples - start), prompts + 1), dtype=np.float32)
