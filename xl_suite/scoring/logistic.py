"""Logistic models of shares in [0, 1]."""

from __future__ import annotations

import numpy as np

from xl_suite.scoring.preferences import Array


def fit_logistic(y: Array, features: Array, prior: Array, penalty: Array) -> Array:
    """Newton's method for a logistic model of y in [0, 1], where each penalty pulls a weight towards its prior."""
    weights = prior.copy()
    for _ in range(200):
        predicted = squash(features @ weights)
        gradient = features.T @ (y - predicted) - penalty * (weights - prior)
        hessian = features.T @ (features * (predicted * (1 - predicted))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = float(np.abs(step).max())
        # A long step from a flat part would overshoot; since the function is concave, short steps converge.
        weights = weights + step * min(1.0, 1 / size if size > 0 else 1.0)
        if size < 1e-10:
            break
    return weights


def squash(x: Array) -> Array:
    """The logistic function, without overflow."""
    result: Array = 0.5 * (1 + np.tanh(x / 2))
    return result
