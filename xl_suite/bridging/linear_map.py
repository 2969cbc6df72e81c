"""A straight line from one judge's win rates to another's, on the logit, of which the languages share strength.

For model m of family f in language l, with true logits x (old judge) and y (new judge):

    y = (a + a_l) + (1 + b + b_l) x + u_f + w_m + e_lm

Every term but x is normal with mean 0: a and b widely, a_l and b_l with the spread that the languages show, and
u_f, w_m, e_lm with that of families, models and the rest. So a family that was not seen is a new draw of u, and its
models are predicted with the error that families left out would have had. The five spreads are not taken as known:
`Map` keeps several hundred sets of them, each with the weight that the data give it (adaptive importance sampling,
Cappe et al. 2004), and mixes what they predict. Both judges' rates have errors from the prompts: the old ones are
drawn towards their mean by their reliability (regression calibration, Carroll et al. 2006), and what error is
left is added to the variance of each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from xl_suite.bridging.rates import Rate, to_percent
from xl_suite.scoring.preferences import Array

# What is assumed of the spreads before any data, in logits: their median, and the standard deviation of their
# logarithm. At a rate of 50 %, .08 logits are 2 points. Public pairs of judges (scripts/benchmarks/bridge_public.py)
# gave .05 to .09 for families and .03 to .18 for the rest.
SPREADS = {"shift": 0.2, "slope": 0.1, "family": 0.08, "model": 0.08, "rest": 0.08}
SPREAD_OF_LOG = 0.8
# a has this standard deviation, b (the slope less 1) that one: judges that rank alike have slopes of .5 to 1.2.
SHIFT, SLOPE = 2.0, 0.5
ROUNDS, DRAWS, DEGREES = 4, 256, 5.0
LEAST_VARIANCE = 1e-6
DRAWS_OF_MEAN = 64
QUANTILES = np.array([NormalDist().inv_cdf((place + 0.5) / 101) for place in range(101)])


@dataclass(frozen=True, slots=True)
class Calibration:
    """How old rates are freed of their error: each language's mean, the variance between models, and a slope for
    the size of what error is left."""

    means: dict[str, float]
    between: float
    slope: float

    def correct(self, rate: Rate) -> tuple[float, float, float]:
        """(old logit without error, new logit without the error that it shares, variance left) of a rate."""
        mean = self.means[rate.language]
        total = self.between + rate.old_variance
        old = mean + self.between / total * (rate.old - mean)
        new = rate.new - rate.covariance / total * (rate.old - mean)
        left = (
            self.slope**2 * self.between * rate.old_variance / total
            + rate.new_variance
            - rate.covariance**2 / total
            - 2 * self.slope * self.between * rate.covariance / total
        )
        return old, new, max(left, LEAST_VARIANCE)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A mixture of normals for the new judge's logits of one model in some languages.

    weights: of the sets of spreads. means: sets x languages. covariances: sets x languages x languages.
    """

    weights: Array
    means: Array
    covariances: Array

    def center(self) -> Array:
        """The mean logit of each language."""
        return np.asarray(self.weights @ self.means)

    def spread(self) -> Array:
        """The standard deviation of each language's logit."""
        variances = np.diagonal(self.covariances, axis1=1, axis2=2)
        center = self.center()
        return np.asarray(np.sqrt(self.weights @ (variances + (self.means - center) ** 2)))

    def bound(self, confidence: float) -> tuple[Array, Array]:
        """The ends of each language's central interval, in logits."""
        deviations = np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        points = self.means[:, :, None] + deviations[:, :, None] * QUANTILES
        weights = np.repeat(self.weights, len(QUANTILES)) / len(QUANTILES)
        tail = (1 - confidence) / 2
        ends = [
            weighted_quantiles(points[:, place].ravel(), weights, (tail, 1 - tail))
            for place in range(points.shape[1])
        ]
        return np.array([low for low, _ in ends]), np.array([high for _, high in ends])

    def select(self, places: Sequence[int]) -> Prediction:
        """The prediction for some of the languages, by their places."""
        return Prediction(self.weights, self.means[:, places], self.covariances[:, places][:, :, places])

    def bound_mean(self, confidence: float, seed: int = 0) -> tuple[float, float, float]:
        """(mean, low, high) in percent of the mean over the languages of the new judge's rates."""
        draw = np.random.default_rng(seed)
        roots = np.linalg.cholesky(self.covariances)
        normal = draw.standard_normal((len(self.weights), DRAWS_OF_MEAN, self.means.shape[1]))
        logits = self.means[:, None, :] + np.einsum("kij,ksj->ksi", roots, normal)
        rates = to_percent(logits).mean(axis=2)
        tail = (1 - confidence) / 2
        weights = np.repeat(self.weights, DRAWS_OF_MEAN) / DRAWS_OF_MEAN
        low, high = weighted_quantiles(rates.ravel(), weights, (tail, 1 - tail))
        return float(to_percent(self.center()).mean()), low, high


def weighted_quantiles(values: Array, weights: Array, at: Sequence[float]) -> tuple[float, ...]:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return tuple(float(np.interp(place * below[-1], below, values[order])) for place in at)


class Map:
    """The fitted map. Raises nothing; what it may be used for is decided in `bridge`."""

    def __init__(self, rates: Sequence[Rate], seed: int = 0, *, spreads: Mapping[str, float] | None = None):
        """spreads: taken as known, by the names of `SPREADS`; otherwise they are estimated."""
        self.rates = tuple(rates)
        self.languages = tuple(sorted({rate.language for rate in rates}))
        self.families = tuple(sorted({rate.family for rate in rates}))
        self.models = tuple(sorted({rate.model for rate in rates}))
        self.calibration = calibrate(rates)
        corrected = np.array([self.calibration.correct(rate) for rate in rates])
        self._middle = float(corrected[:, 0].mean())
        self._z = np.stack([self._features(rate, old) for rate, old in zip(rates, corrected[:, 0], strict=True)])
        self._r = corrected[:, 1] - corrected[:, 0]
        self._noise = corrected[:, 2]
        self._squares = (self._z[:, :, None] * self._z[:, None, :]).reshape(len(rates), -1)
        if spreads is None:
            self._sample(np.random.default_rng(seed))
        else:
            self._spreads, self.weights = np.array([[spreads[name] for name in self._names]]), np.ones(1)
            self._proposal = np.zeros(1)
        self._coefficients, self._inverse = self._solve(self._spreads, np.ones(len(rates), bool))[1:]

    @property
    def effective_draws(self) -> float:
        """How many equally weighted sets of spreads the weighted ones are worth."""
        return float(1 / np.sum(self.weights**2))

    def describe(self) -> dict[str, float]:
        """The mean of the slope and of each spread, in logits."""
        slope = 1 + float(self.weights @ self._coefficients[:, 1])
        names = self._names
        return {"slope": slope} | {
            f"spread_{name}": float(self.weights @ self._spreads[:, place]) for place, name in enumerate(names)
        }

    def predict(self, rates: Sequence[Rate]) -> Prediction:
        """The new judge's logits of one model of a family that was not seen, by its old ones, one per language."""
        return self._predict(rates, self.weights, self._coefficients, self._inverse)

    def leave_out(self, family: str) -> dict[str, Prediction]:
        """The predictions, by model, of a family's models, from the data of the other families only."""
        rows = np.array([rate.family != family for rate in self.rates])
        likelihood, coefficients, inverse = self._solve(self._spreads, rows)
        weights = normalize(likelihood - self._proposal)
        models = sorted({rate.model for rate in self.rates if rate.family == family})
        return {
            model: self._predict([rate for rate in self.rates if rate.model == model], weights, coefficients, inverse)
            for model in models
        }

    def line_covariance(self, at: Sequence[tuple[str, float]]) -> Array:
        """The covariance of the line's errors at some (language, old logit), in logits; families and models apart."""
        shared = self._shared
        z = np.stack(
            [self._features(Rate("", "", code, old, old, 0.0, 0.0, 0.0, 0), old)[:shared] for code, old in at]
        )
        means = self._coefficients[:, :shared] @ z.T
        means -= self.weights @ means
        covariances = z @ self._inverse[:, :shared, :shared] @ z.T
        return np.asarray(
            np.einsum("k,kij->ij", self.weights, covariances) + np.einsum("k,ki,kj->ij", self.weights, means, means)
        )

    @property
    def _shared(self) -> int:
        """How many coefficients are the line's own."""
        return 2 + 2 * len(self.languages) if len(self.languages) > 1 else 2

    def _features(self, rate: Rate, old: float) -> Array:
        """a, b, then a_l and b_l, u_f, w_m; those that the data cannot tell apart are left out."""
        x = old - self._middle
        parts = [np.array([1.0, x])]
        if len(self.languages) > 1:
            place = self.languages.index(rate.language)
            own = np.zeros((2, len(self.languages)))
            own[:, place] = 1.0, x
            parts.append(own.ravel())
        parts.append(np.array([float(rate.family == family) for family in self.families]))
        if len(self.languages) > 1:
            parts.append(np.array([float(rate.model == model) for model in self.models]))
        return np.concatenate(parts)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(SPREADS) if len(self.languages) > 1 else ("family", "rest")

    def _variances(self, spreads: Array) -> tuple[Array, Array]:
        """(prior variances of the coefficients, variance of the rest) for each set of spreads."""
        sets = len(spreads)
        wide = np.broadcast_to([SHIFT**2, SLOPE**2], (sets, 2))
        by_name = {name: spreads[:, place, None] ** 2 for place, name in enumerate(self._names)}
        counts = {"shift": len(self.languages), "slope": len(self.languages), "family": len(self.families)}
        counts["model"] = len(self.models)
        parts = [np.broadcast_to(by_name[name], (sets, counts[name])) for name in self._names if name != "rest"]
        return np.concatenate([wide, *parts], axis=1), by_name["rest"][:, 0]

    def _solve(self, spreads: Array, rows: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
        """(log likelihood, means, covariances) of the coefficients for each set of spreads, from some of the rows."""
        prior, rest = self._variances(spreads)
        precision = 1 / (rest[:, None] + self._noise[rows])
        size = self._z.shape[1]
        matrix = (precision @ self._squares[rows]).reshape(len(spreads), size, size)
        matrix[:, np.arange(size), np.arange(size)] += 1 / prior
        target = (precision * self._r[rows]) @ self._z[rows]
        inverse = np.linalg.inv(matrix)
        means = np.einsum("kij,kj->ki", inverse, target)
        likelihood = 0.5 * (
            np.log(precision).sum(axis=1)
            - np.log(prior).sum(axis=1)
            - np.linalg.slogdet(matrix)[1]
            - (precision * self._r[rows] ** 2).sum(axis=1)
            + (target * means).sum(axis=1)
        )
        return likelihood, means, inverse

    def _sample(self, generator: np.random.Generator) -> None:
        """Draws sets of spreads where the data make them likely."""
        center = np.log([SPREADS[name] for name in self._names])
        size = len(center)
        rows = np.ones(len(self.rates), bool)
        mean, cover = center, np.eye(size) * SPREAD_OF_LOG**2
        for turn in range(ROUNDS):
            root = np.linalg.cholesky(cover)
            normal = generator.standard_normal((DRAWS, size))
            stretch = np.sqrt(DEGREES / generator.chisquare(DEGREES, (DRAWS, 1)))
            logs = mean + (normal * stretch) @ root.T
            distance = np.sum((normal * stretch) ** 2, axis=1)
            proposal = -0.5 * (DEGREES + size) * np.log1p(distance / DEGREES) - np.log(np.diag(root)).sum()
            prior = -0.5 * np.sum(((logs - center) / SPREAD_OF_LOG) ** 2, axis=1)
            likelihood = self._solve(np.exp(logs), rows)[0]
            score = likelihood + prior - proposal
            weights = normalize(score)
            if turn < ROUNDS - 1:
                # Weights of a poor proposal are flattened until a tenth of the draws have a say in the next one.
                power = 1.0
                while 1 / np.sum(weights**2) < DRAWS / 10:
                    power *= 0.7
                    weights = normalize(score * power)
                mean = weights @ logs
                cover = (logs - mean).T @ ((logs - mean) * weights[:, None]) * 1.2 + np.eye(size) * 1e-4
        self._spreads, self.weights, self._proposal = np.exp(logs), weights, proposal - prior

    def _predict(self, rates: Sequence[Rate], weights: Array, coefficients: Array, inverse: Array) -> Prediction:
        corrected = [self.calibration.correct(rate) for rate in rates]
        shared = self._shared
        z = np.stack([self._features(rate, old)[:shared] for rate, (old, _, _) in zip(rates, corrected, strict=True)])
        old = np.array([one[0] for one in corrected])
        # What the rate measured by the new judge will have of the error that it shares with the old one's.
        shift = np.array([rate.new - new for rate, (_, new, _) in zip(rates, corrected, strict=True)])
        means = coefficients[:, :shared] @ z.T + old + shift
        covariances = z @ inverse[:, :shared, :shared] @ z.T
        spreads = {name: self._spreads[:, place] ** 2 for place, name in enumerate(self._names)}
        covariances += (spreads["family"] + spreads.get("model", 0.0))[:, None, None]
        noise = spreads["rest"][:, None] + np.array([left for _, _, left in corrected])
        places = np.arange(len(rates))
        covariances[:, places, places] += noise
        return Prediction(weights, means, covariances)


def normalize(scores: Array) -> Array:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def calibrate(rates: Sequence[Rate]) -> Calibration:
    """The old rates' means by language, and their spread between models, one for all languages, by moments."""
    means: dict[str, float] = {}
    squares = crossed = 0.0
    freedom = 0
    for language in sorted({rate.language for rate in rates}):
        own = [rate for rate in rates if rate.language == language]
        old, new = np.array([rate.old for rate in own]), np.array([rate.new for rate in own])
        means[language] = float(old.mean())
        squares += float(np.sum((old - old.mean()) ** 2))
        crossed += float(np.sum((old - old.mean()) * (new - new.mean())))
        freedom += len(own) - 1
    error = float(np.mean([rate.old_variance for rate in rates]))
    total = squares / max(1, freedom)
    slope = float(np.clip(crossed / squares, 0.3, 1.7)) if squares > 0 else 1.0
    return Calibration(means, max(total - error, 0.1 * total, LEAST_VARIANCE), slope)
