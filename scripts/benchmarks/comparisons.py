"""Whether the interval and the test of `compare` agree, hold their level and cover, on simulated judges.

    python scripts/benchmarks/comparisons.py --simulations 2000

Two models answer the same prompts; a prompt's effect is shared by both. Judges: `binary` says win or loss,
`polarised` gives preferences of which most are near 0 or 1, `graded` such around the middle. Prints in percent how
often the test rejects (equal models: the size, nominal 5), how often the interval holds the true difference (nominal
95), how often the two disagree on 0, and the interval's mean width over that of an oracle which knows the variance.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.compare import bound_difference

SIZES = (50, 100, 200, 797)
RATES = ((0.02, 0.02), (0.3, 0.3), (0.3, 0.4), (0.05, 0.12))


def draw(generator: np.random.Generator, judge: str, rate: float, effect: NDArray[np.float64]) -> NDArray[np.float64]:
    """A preference for each prompt, with the mean `rate` over prompts whose effects average to 0."""
    share = np.clip(rate * (1 + 0.6 * effect), 0, 1)
    if judge == "binary":
        return (generator.random(len(effect)) < share).astype(np.float64)
    concentration = 0.3 if judge == "polarised" else 8.0
    return generator.beta(share * concentration + 1e-9, (1 - share) * concentration + 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"{args.simulations} simulations, seed {args.seed}; percent, and the ratio of widths")
    print(f"{'judge':<10}{'A':>6}{'B':>6}{'n':>6}{'rejects':>9}{'covers':>8}{'disagree':>10}{'width':>7}")
    for place, judge in enumerate(("binary", "polarised", "graded")):
        for one, other in RATES:
            for n in SIZES:
                generator = np.random.default_rng([args.seed, place, n, round(1000 * one), round(1000 * other)])
                rejects = covers = disagree = 0
                widths, means = [], []
                for _ in range(args.simulations):
                    effect = generator.choice((-1.0, 1.0), n)
                    values = draw(generator, judge, one, effect) - draw(generator, judge, other, effect)
                    low, high, p_value, _ = bound_difference(values[:, None])
                    rejects += p_value < 0.05
                    covers += low <= one - other <= high
                    disagree += (low <= 0 <= high) != (p_value >= 0.05)
                    widths.append(high - low)
                    means.append(values.mean())
                oracle = 2 * 1.96 * float(np.std(means))
                cells = [100 * count / args.simulations for count in (rejects, covers, disagree)]
                print(
                    f"{judge:<10}{one:>6}{other:>6}{n:>6}{cells[0]:>9.1f}{cells[1]:>8.1f}{cells[2]:>10.2f}"
                    f"{np.mean(widths) / oracle:>7.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
