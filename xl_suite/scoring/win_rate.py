"""AlpacaEval's win rate and its counts, with the same keys and definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WinRate:
    """Rates in percent, where a draw is half a win; None where nothing was judged (for the error: fewer than two
    rows).

    n_total: the rows with a preference; n_failed: those without, which AlpacaEval leaves out silently.
    A preference near a draw counts as a win of the side that it favours; n_draws counts exactly 1.5 only.
    discrete_win_rate: each preference rounded to a win, a loss or, when exactly 1.5, a draw.
    """

    win_rate: float | None
    standard_error: float | None
    n_wins: int
    n_wins_base: int
    n_draws: int
    n_total: int
    n_failed: int
    discrete_win_rate: float | None


def summarize_preferences(preferences: Sequence[float | None] | NDArray[np.float64]) -> WinRate:
    """The summary of preferences from 0 (the reference wins) to 1 (the model wins); None or NaN is a failed one."""
    values = np.array([math.nan if value is None else value for value in preferences], dtype=np.float64)
    judged = values[~np.isnan(values)]
    n = len(judged)
    # Each is rounded to a loss, draw or win: only an exact half is a draw.
    discrete = np.where(judged == 0.5, 0.5, np.round(judged))
    return WinRate(
        win_rate=float(judged.mean() * 100) if n else None,
        standard_error=float(judged.std(ddof=1) / math.sqrt(n) * 100) if n > 1 else None,
        n_wins=int((judged > 0.5).sum()),
        n_wins_base=int((judged < 0.5).sum()),
        n_draws=int((judged == 0.5).sum()),
        n_total=n,
        n_failed=len(values) - n,
        discrete_win_rate=float(discrete.mean() * 100) if n else None,
    )
