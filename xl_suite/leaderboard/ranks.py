"""The rank intervals of a table's models, for the mean over languages and for each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xl_suite.leaderboard.metrics import AVERAGE
from xl_suite.scoring.preferences import Array
from xl_suite.scoring.ranks import rank_models
from xl_suite.scoring.scores import NOT_AVERAGED

RESAMPLES = 1000
RATES = ("win_rate", "gated")
Ranks = dict[str, dict[str, tuple[int, int]]]  # by metric, then by language or AVERAGE: best and worst rank


def rank_summaries(summaries: Sequence[Mapping[str, Any]], languages: Sequence[str]) -> list[Ranks]:
    """The ranks of models by their summaries; what cannot be ranked is missing. languages: of the table."""
    ranks: list[Ranks] = [{} for _ in summaries]
    if len(summaries) < 2:
        return ranks
    for metric in RATES:
        if any(metric not in one["preferences"] for one in summaries):
            continue
        values = stack_values(summaries, languages, metric)
        columns: dict[str, list[int]] = {code: [place] for place, code in enumerate(languages)}
        averaged = [place for place, code in enumerate(languages) if code != NOT_AVERAGED]
        columns[AVERAGE] = averaged or list(range(len(languages)))
        for name, own in columns.items():
            found = rank_models(values[:, :, own], resamples=RESAMPLES)
            for model, rank in zip(ranks, found or (), strict=False):
                model.setdefault(metric, {})[name] = (rank.best, rank.worst)
    return ranks


def stack_values(summaries: Sequence[Mapping[str, Any]], languages: Sequence[str], metric: str) -> Array:
    """The preferences of models x prompts x languages, NaN for what is missing."""
    prompts = {name: place for place, name in enumerate(sorted({p for one in summaries for p in one["prompts"]}))}
    values = np.full((len(summaries), len(prompts), len(languages)), np.nan)
    for model, one in enumerate(summaries):
        places = [prompts[name] for name in one["prompts"]]
        for column, code in enumerate(languages):
            own = one["preferences"][metric].get(code)
            if own is not None:
                values[model, places, column] = [np.nan if value is None else value for value in own]
    return values
