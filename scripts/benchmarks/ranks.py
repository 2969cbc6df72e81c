"""How often the rank intervals of all models hold their true ranks at once, on simulated judges.

    python scripts/benchmarks/ranks.py --simulations 500

Families of 10 and 40 models on 797 prompts in 3 languages, or 100 in one. A prompt's difficulty is shared by models
and languages. True rates: all equal; in pairs of equal ones; spread evenly; most below 3 %. Prints the percentage of
families in which every model's true rank (with equal ones, all ranks that it could have) is in its interval, the mean
width of the intervals in ranks, and in what percentage of families the ranges by overlapping intervals of single
models (drawn as a leaderboard would) leave a model out.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.ranks import find_influence, rank_models

RATES = ("equal", "pairs", "spread", "low")
Values = NDArray[np.float64]


def list_rates(name: str, models: int) -> Values:
    if name == "equal":
        return np.full(models, 0.3)
    if name == "pairs":
        return np.repeat(np.linspace(0.1, 0.6, models // 2), 2)
    if name == "spread":
        return np.linspace(0.05, 0.7, models)
    return np.concatenate([np.linspace(0.002, 0.03, models - 2), [0.2, 0.5]])


def draw(generator: np.random.Generator, rates: Values, prompts: int, languages: int) -> Values:
    """Wins, models x prompts x languages; a prompt's difficulty moves all its chances by up to 60 %."""
    difficulty = generator.choice((-0.6, 0.6), prompts)
    chances = rates[:, None, None] * (1 + difficulty)[None, :, None]
    return (generator.random((len(rates), prompts, languages)) < np.minimum(chances, 1)).astype(np.float64)


def list_truth(rates: Values) -> list[tuple[int, int]]:
    """For each model its best and worst true rank; equal models have the same range."""
    return [(1 + int((rates > own).sum()), int((rates >= own).sum())) for own in rates]


def covers(found: list[tuple[int, int]], truth: list[tuple[int, int]]) -> bool:
    return all(best <= low and high <= worst for (best, worst), (low, high) in zip(found, truth, strict=True))


def rank_by_overlap(values: Values) -> list[tuple[int, int]]:
    means = values.mean(axis=(1, 2))
    errors = np.sqrt(np.sum(find_influence(values) ** 2, axis=1))
    low, high = means - 1.96 * errors, means + 1.96 * errors
    return [
        (1 + int((low > high[model]).sum()), len(means) - int((high < low[model]).sum()))
        for model in range(len(means))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rates", choices=RATES, nargs="*", default=RATES)
    parser.add_argument("--models", type=int, nargs="*", default=(10, 40))
    args = parser.parse_args()
    print(f"{args.simulations} families, {args.resamples} resamples, seed {args.seed}")
    print(
        f"{'models':>6}{'prompts':>9}{'languages':>11}  {'rates':<8}{'covered':>8}{'width':>7}"
        f"{'overlap':>9}{'its width':>11}"
    )
    for models in args.models:
        for prompts, languages in ((797, 3), (100, 1)):
            for name in args.rates:
                generator = np.random.default_rng([args.seed, models, prompts, RATES.index(name)])
                rates = list_rates(name, models)
                truth = list_truth(rates)
                covered = overlap = 0
                widths, others = [], []
                for number in range(args.simulations):
                    values = draw(generator, rates, prompts, languages)
                    ranks = rank_models(values, resamples=args.resamples, seed=number) or ()
                    found = [(rank.best, rank.worst) for rank in ranks]
                    covered += covers(found, truth)
                    widths += [worst - best for best, worst in found]
                    found = rank_by_overlap(values)
                    overlap += covers(found, truth)
                    others += [worst - best for best, worst in found]
                shares = [100 * count / args.simulations for count in (covered, overlap)]
                print(
                    f"{models:>6}{prompts:>9}{languages:>11}  {name:<8}{shares[0]:>8.1f}{np.mean(widths):>7.1f}"
                    f"{shares[1]:>9.1f}{np.mean(others):>11.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
