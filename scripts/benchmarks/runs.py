"""Whether the interval over prompts and runs covers, with two runs and more.

    python scripts/benchmarks/runs.py --simulations 1000

A model's chance to win a prompt varies between prompts; each run shifts all prompts by a draw of its own (in points
of the win rate) and adds a judge's draw on each prompt. Prints the percentage of simulations in which the 95 %
interval holds the mean over all prompts and runs, its mean width over that of an oracle which knows the variances,
and the coverage of the interval over prompts alone.
"""

from __future__ import annotations

import argparse

import numpy as np

from xl_suite.scoring.intervals import bound_means
from xl_suite.scoring.variance import estimate_run_spread

RATE = 0.4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"{args.simulations} simulations, seed {args.seed}")
    print(f"{'prompts':>8}{'runs':>6}{'shift':>7}{'covers':>8}{'width':>7}{'prompts alone':>15}")
    for prompts in (200, 797):
        for runs in (2, 3, 5):
            for shift in (0.0, 0.5, 2.0):
                generator = np.random.default_rng([args.seed, prompts, runs, round(10 * shift)])
                covers = alone = 0
                widths, means = [], []
                for _ in range(args.simulations):
                    chances = RATE + 0.3 * generator.choice((-1.0, 1.0), prompts)
                    moved = np.clip(chances + shift / 100 * generator.standard_normal((runs, 1)), 0, 1)
                    values = (generator.random((runs, prompts)) < moved).astype(float)
                    bounds = bound_means(values.mean(axis=0)[:, None], resamples=500)
                    low, high = 100 * bounds.low[0], 100 * bounds.high[0]
                    spread = estimate_run_spread(values, low, high)
                    assert spread is not None
                    covers += spread.ci_low <= 100 * RATE <= spread.ci_high
                    alone += low <= 100 * RATE <= high
                    widths.append(spread.ci_high - spread.ci_low)
                    means.append(100 * values.mean())
                oracle = 2 * 1.96 * float(np.std(means))
                cells = [100 * count / args.simulations for count in (covers, alone)]
                print(
                    f"{prompts:>8}{runs:>6}{shift:>7}{cells[0]:>8.1f}{np.mean(widths) / oracle:>7.2f}"
                    f"{cells[1]:>15.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
