"""Whether the win rate at equal lengths covers the true one, on simulated judges of known length slope.

    python scripts/benchmarks/length_control.py --simulations 1000

797 prompts in 8 languages. The latent quality of an answer beside the reference's is correlated with the logarithm of
the ratio of lengths; a judge prefers the model where quality + slope x log ratio > 0. The judge's slope was measured
with the standard error given. `apart` is the spread of further differences in quality that have nothing to do with
length, in logits: shared by a prompt's languages where above 0, each language's own where below. Prints in percent
how often the 95 % interval of the mean over languages holds the true rate at equal lengths, and the interval's mean
width over that of an oracle that knows the slope; then how far the rate moves when only lengths are multiplied, as a
part of the interval's half width, in what percentage of simulations it is identified (lengths are comparable), and in
what percentage of these it moves by less than the half width.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.controlled import Control, average_controls, describe_control
from xl_suite.scoring.length_control import control_length, find_weakening, fit_lengths
from xl_suite.scoring.length_slope import LengthSlope
from xl_suite.scoring.score import Controlled

PROMPTS, LANGUAGES = 797, 8
SLOPES = (0.0, 0.7, 1.5, 3.0)
CORRELATIONS = (0.0, 0.3, 0.6)
LENGTH_SPREAD = 0.4  # standard deviation of the logarithm of the ratio of lengths
LOGISTIC_SPREAD = math.pi / math.sqrt(3)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Logarithms of ratios of lengths and latent qualities, prompts x languages; the true rate at equal lengths."""

    ratios: Values
    qualities: Values
    truth: float


def draw_world(generator: np.random.Generator, correlation: float, ratio: float, apart: float, shared: bool) -> World:
    size = (PROMPTS, LANGUAGES)
    z = generator.standard_normal(size)
    spread = math.hypot(LOGISTIC_SPREAD, apart)
    # The part of quality that goes with length makes the correlation with all of quality what was asked for.
    along = correlation / math.sqrt(1 - correlation**2) * spread
    expected = -0.4 + along * z + apart * generator.standard_normal((PROMPTS, 1) if shared else size)
    uniform = generator.random(size)
    qualities = expected + np.log(uniform / (1 - uniform))
    return World(math.log(ratio) + LENGTH_SPREAD * z, qualities, find_truth(along, apart))


def find_truth(along: float, apart: float) -> float:
    """The mean of the logistic function of quality over all prompts, in percent, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    chances = 1 / (1 + np.exp(0.4 - math.hypot(along, apart) * nodes))
    return float(100 * np.sum(weights * chances) / np.sum(weights))


def control(world: World, slope: LengthSlope, judge: float, times: float = 1.0) -> Control | str:
    """The mean over languages of the control of a world by a judge, with all lengths of the model multiplied."""
    ratios = world.ratios + math.log(times)
    wins = (world.qualities + judge * ratios > 0).astype(float)
    fits = []
    for column in range(LANGUAGES):
        lengths = np.rint(100_000 * np.exp(ratios[:, column])).astype(int)
        fit = fit_lengths(wins[:, column], list(lengths), [100_000] * PROMPTS, [True] * PROMPTS)
        if isinstance(fit, str):
            return fit
        fits.append(fit)
    weakening = find_weakening(
        np.column_stack([fit.residuals for fit in fits]), np.column_stack([fit.steepness for fit in fits])
    )
    found = [control_length(fit, slope.slope, weakening) for fit in fits]
    return average_controls(
        {
            str(column): Control(one.win_rate, one.n_rows, one.influence, one.slope_effect)
            for column, one in enumerate(found)
        }
    )


def read_interval(found: Controlled) -> tuple[float, float]:
    """The interval, which has no width where the rate is not identified."""
    return (math.nan, math.nan) if found.ci_low is None or found.ci_high is None else (found.ci_low, found.ci_high)


def measure(
    judge: float, correlation: float, error: float, ratio: float, apart: float, args: argparse.Namespace
) -> None:
    seed = [args.seed, *(round(1000 * abs(one)) for one in (judge, correlation, error, ratio, apart))]
    generator = np.random.default_rng(seed)
    covers = 0
    widths, oracle = [], []
    for _ in range(args.simulations):
        world = draw_world(generator, correlation, ratio, abs(apart), apart > 0)
        slope = LengthSlope(judge + error * float(generator.standard_normal()), error)
        told = describe_control(control(world, slope, judge), slope)
        known = LengthSlope(judge, 0.0)
        best = describe_control(control(world, known, judge), known)
        low, high = read_interval(told)
        covers += low <= world.truth <= high
        widths.append(high - low)
        low, high = read_interval(best)
        oracle.append(high - low)
    share = 100 * covers / args.simulations
    print(
        f"{judge:>6}{correlation:>13}{ratio:>8}{error:>8}{apart:>7}{share:>9.1f}{np.mean(widths):>8.2f}"
        f"{np.mean(widths) / np.mean(oracle):>8.2f}",
        flush=True,
    )


def measure_lengths_alone(judge: float, args: argparse.Namespace) -> None:
    """The same qualities and chance, with other lengths of the model."""
    generator = np.random.default_rng([args.seed, round(1000 * judge)])
    slope = LengthSlope(judge, 0.05)
    moved: dict[float, list[float]] = {times: [] for times in (0.25, 0.5, 2.0, 4.0)}
    for _ in range(max(1, args.simulations // 10)):
        world = draw_world(generator, 0.3, 1.0, 0.0, False)
        base = describe_control(control(world, slope, judge), slope)
        for times, own in moved.items():
            told = describe_control(control(world, slope, judge, times), slope)
            low, high = read_interval(told)
            rates = (math.nan if one.win_rate is None else one.win_rate for one in (told, base))
            own.append(abs(next(rates) - next(rates)) / ((high - low) / 2))
    cells = []
    for values in map(np.array, moved.values()):
        known = values[~np.isnan(values)]
        cells.append(f"{known.mean():>9.2f}{100 * len(known) / len(values):>6.0f}{100 * np.mean(known < 1):>6.0f}")
    print(f"{judge:>6}{''.join(cells)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"{args.simulations} simulations, seed {args.seed}, {PROMPTS} prompts x {LANGUAGES} languages")
    print(
        f"{'slope':>6}{'correlation':>13}{'ratio':>8}{'error':>8}{'apart':>7}{'covers':>9}{'width':>8}{'oracle':>8}"
    )
    for judge in SLOPES:
        for correlation in CORRELATIONS:
            measure(judge, correlation, 0.05, 1.3, 0.0, args)
    for judge, correlation, error, ratio, apart in (
        (0.7, 0.3, 0.11, 1.3, 0.0),
        (0.7, 0.3, 0.05, 2.0, 0.0),
        (0.7, 0.3, 0.11, 2.0, 0.0),
        (0.7, 0.3, 0.05, 1.3, 0.5),
        (0.7, 0.3, 0.05, 1.3, 1.0),
        (3.0, 0.3, 0.05, 1.3, 0.5),
        (3.0, 0.3, 0.05, 1.3, 1.0),
        (0.7, 0.3, 0.05, 1.3, -0.5),
        (3.0, 0.3, 0.05, 1.3, -0.5),
    ):
        measure(judge, correlation, error, ratio, apart, args)
    print("\nonly lengths changed: mean move over the half width, % identified, % of these below 1")
    print(f"{'slope':>6}" + "".join(f"{f'x {times:g}':>21}" for times in (0.25, 0.5, 2.0, 4.0)))
    for judge in SLOPES:
        measure_lengths_alone(judge, args)


if __name__ == "__main__":
    main()
