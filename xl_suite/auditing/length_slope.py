"""A judge's length slope: how much it prefers the longer one of two texts with the same content.

A share of the win is logistic(offset + slope x log(length ratio)), with an offset for each way of rewriting the
content (repetition is a fault by itself). With an offset, one ratio of lengths does not identify the slope, so at
least three are needed. Errors come from a sandwich estimate, clustered on prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.scoring.length_slope import LengthSlope
from xl_suite.scoring.logistic import fit_logistic, squash

LEAST_PROMPTS, LEAST_RATIOS = 20, 3
HOW = "xl-suite audit --only length: the same content at several lengths, in both orders, an offset for each rewriter"


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer against the same content at another length. ratio: the length of the changed text over that of the
    clean one, in characters. share: the share of the win for the changed one, over both orders. rewriter: how it was
    made. cluster: the prompt.
    """

    cluster: str
    rewriter: str
    ratio: float
    share: float


def fit_slope(probes: Sequence[Probe], ratios: int, languages: Sequence[str], date: str) -> LengthSlope | None:
    """The slope from probes with the given number of intended ratios; None if they do not identify one."""
    clusters = sorted({probe.cluster for probe in probes})
    if len(clusters) < LEAST_PROMPTS or ratios < LEAST_RATIOS:
        return None
    rewriters = sorted({probe.rewriter for probe in probes})
    x = np.log([probe.ratio for probe in probes])
    y = np.array([probe.share for probe in probes])
    offsets = np.array([[float(probe.rewriter == one) for one in rewriters] for probe in probes])
    features = np.column_stack([offsets, x])
    penalty = np.full(features.shape[1], 1e-6)
    weights = fit_logistic(y, features, np.zeros(features.shape[1]), penalty)
    predicted = squash(features @ weights)
    hessian = features.T @ (features * (predicted * (1 - predicted))[:, None]) + np.diag(penalty)
    inverse = np.linalg.inv(hessian)
    scores = features * (y - predicted)[:, None]
    place = {name: number for number, name in enumerate(clusters)}
    sums = np.zeros((len(clusters), features.shape[1]))
    np.add.at(sums, [place[probe.cluster] for probe in probes], scores)
    n = len(clusters)
    covariance = inverse @ (sums.T @ sums) @ inverse * n / (n - 1)
    error = float(np.sqrt(covariance[-1, -1]))
    return LengthSlope(float(weights[-1]), error, n, tuple(sorted(languages)), date, HOW)
