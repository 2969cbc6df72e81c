"""How often the 95 % intervals hold the true rate, on simulated judges.

    python scripts/benchmarks/coverage.py --simulations 1000

797 prompts (`--prompts`) in 11 languages. Judges: `binary` says win or loss; `polarised` gives preferences of which
most are near 0 or 1 (beta-distributed), `graded` such around the middle; `mixture` makes one win in ten a prompt that
wins in every language, and all others independent, which is hard on the macro average. All but the last share a
prompt effect across languages with the correlation given (of the normal variables behind them). Prints the share of
simulations in which the true rate lies in, above and below the interval, for a language and for the macro average,
the ordinary percentile bootstrap's share beside them, and the interval's mean width over that of an oracle which
knows the variance. Cells with fewer than 20 expected wins or losses are marked: counts are discrete there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.intervals import Resampled, bound_languages, bound_macro, resample_means

RATES = (0.001, 0.003, 0.01, 0.05, 0.20, 0.50, 0.65)
CORRELATIONS = (0.0, 0.3, 0.7, 0.95)
LANGUAGES, BATCH = 11, 50
LEAST = 20  # expected wins and losses
CONCENTRATIONS = {"polarised": 0.2, "graded": 8.0}
Draw = Callable[[np.random.Generator], NDArray[np.float64]]


def draw_normals(generator: np.random.Generator, correlation: float, prompts: int) -> NDArray[np.float64]:
    shared = generator.standard_normal((prompts, 1))
    own = generator.standard_normal((prompts, LANGUAGES))
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own


def make_quantiles(rate: float, judge: str) -> NDArray[np.float64]:
    """The judge's preferences in rising order, a million of them with exactly the mean `rate`."""
    size = 1_000_000
    if judge in CONCENTRATIONS:
        strength = CONCENTRATIONS[judge]
        drawn = np.sort(np.random.default_rng(99).beta(rate * strength, (1 - rate) * strength, size))
        return (
            np.clip(drawn * rate / drawn.mean(), 0, 1)
            if rate < 0.5
            else 1 - (1 - drawn) * (1 - rate) / (1 - drawn.mean())
        )
    return (np.arange(size) >= round(size * (1 - rate))).astype(np.float64)


def make_draw(judge: str, rate: float, correlation: float, prompts: int) -> Draw:
    if judge == "mixture":

        def draw_mixture(generator: np.random.Generator) -> NDArray[np.float64]:
            everywhere = generator.random((prompts, 1)) < rate / 10
            alone = (rate - rate / 10) / (1 - rate / 10)
            return (everywhere | (generator.random((prompts, LANGUAGES)) < alone)).astype(np.float64)

        return draw_mixture
    quantiles = make_quantiles(rate, judge)
    # Ranks of the normals among a large normal sample stand for the normal distribution function.
    normals = np.sort(np.random.default_rng(98).standard_normal(len(quantiles)))

    def draw(generator: np.random.Generator) -> NDArray[np.float64]:
        places = np.searchsorted(normals, draw_normals(generator, correlation, prompts))
        return quantiles[np.minimum(places, len(quantiles) - 1)]

    return draw


def measure(draw: Draw, rate: float, simulations: int, resamples: int, seed: int) -> list[float]:
    """Shares: in, above, below for a language; the same for the macro average; percentile bootstrap for both; then
    the widths over the oracle's, of a language and of the macro average.

    A batch of simulations shares its resampled weights, which are drawn apart from the data; each batch has others.
    """
    generator = np.random.default_rng(seed)
    counts = np.zeros(8)
    widths: list[list[float]] = [[], []]
    means: list[list[float]] = [[], []]
    for start in range(0, simulations, BATCH):
        size = min(BATCH, simulations - start)
        values = [draw(generator) for _ in range(size)]
        resampled = resample_means(np.concatenate(values, axis=1), resamples, seed=seed + start)
        low, high = bound_languages(np.concatenate(values, axis=1), resampled, 0.025)
        widths[0] += list(high - low)
        counts[0] += np.mean((low <= rate) & (rate <= high)) * size
        counts[1] += np.mean(high < rate) * size
        counts[2] += np.mean(low > rate) * size
        plain = resampled.sums / resampled.weights
        plain_low, plain_high = np.quantile(plain, [0.025, 0.975], axis=0)
        counts[6] += np.mean((plain_low <= rate) & (rate <= plain_high)) * size
        for place, one in enumerate(values):
            columns = slice(place * LANGUAGES, (place + 1) * LANGUAGES)
            part = Resampled(resampled.sums[:, columns], resampled.weights, resampled.unseen)
            bottom, top = bound_macro(one, part, 0.025)
            widths[1].append(top - bottom)
            means[0] += list(one.mean(axis=0))
            means[1].append(one.mean())
            counts[3] += bottom <= rate <= top
            counts[4] += top < rate
            counts[5] += bottom > rate
            edges = np.quantile(plain[:, columns].mean(axis=1), [0.025, 0.975])
            counts[7] += edges[0] <= rate <= edges[1]
    oracles = [2 * 1.96 * np.sqrt(np.mean((np.array(one) - rate) ** 2)) for one in means]
    ratios = [float(np.mean(one)) / oracle for one, oracle in zip(widths, oracles, strict=True)]
    return [*(float(count) / simulations * 100 for count in counts), *ratios]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=797)
    parser.add_argument("--judges", default="binary,polarised,graded,mixture")
    parser.add_argument("--rates", default=",".join(map(str, RATES)), help="true rates, with commas between")
    parser.add_argument("--correlations", default=",".join(map(str, CORRELATIONS)))
    args = parser.parse_args()
    print(f"{args.simulations} simulations, {args.resamples} resamples, seed {args.seed}; all in percent")
    print(f"{args.prompts} prompts; widths over an oracle's; * fewer than {LEAST} expected wins or losses")
    print(f"{'':35}one language{'':17}macro average{'':13}percentile bootstrap     width")
    head = f"{'in':>8}{'above':>8}{'below':>8}"
    print(
        f"{'judge':<11}{'correlation':>12}{'rate':>7}{head}   {head}   {'language':>9}{'macro':>8}"
        f"{'language':>10}{'macro':>7}"
    )
    cell = 0
    for judge in args.judges.split(","):
        for correlation in map(float, args.correlations.split(",")) if judge != "mixture" else (0.0,):
            for rate in map(float, args.rates.split(",")):
                cell += 1  # each cell has its own seed, so that a chance deviation does not show in all of them
                draw = make_draw(judge, rate, correlation, args.prompts)
                shares = measure(draw, rate, args.simulations, args.resamples, args.seed + 1_000_000 * cell)
                cells = [f"{share:8.1f}" for share in shares[:8]]
                few = min(rate, 1 - rate) * args.prompts < LEAST
                print(
                    f"{judge:<11}{correlation:>12}{rate * 100:>7.1f}{''.join(cells[:3])}   {''.join(cells[3:6])}"
                    f"   {cells[6]:>9}{cells[7]:>8}{shares[8]:>10.3f}{shares[9]:>7.3f}{' *' if few else ''}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
