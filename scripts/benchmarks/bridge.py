"""How often a bridge's prediction intervals hold, how wide they are, and how often its verdict is wrong: simulated.

    python scripts/benchmarks/bridge.py                                  # every size, about ten minutes on one core
    python scripts/benchmarks/bridge.py --sizes 8x4,20x8 --simulations 60

A world is two judges of 300 prompts in three languages. A model's answer to a prompt has a quality: that of its
family and of the model, a part for each language, the prompt's difficulty, and chance. A judge adds to it a liking
for the language, the family and the model, for long answers and for what is shown first, and noise; both orders are
judged and averaged. A family's models are alike in quality, in length and in how each judge likes them. For each
bridge the models are new, and so are six models of three other families, whose rates under the new judge are
predicted.

The oracle knows the straight line and the spread of 1,500 models of its world, and gives an interval of 95 %. A
verdict "may be compared" is wrong when the mean difference of mapped and measured rates over those 1,500 models is
beyond the margin; verdicts are those of single languages. Prints a table and ends with status 1 where a bar is
missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.bridging.bridge import COMPARABLE, Bridge, fit_bridge
from xl_suite.bridging.rates import Rate, measure_rate, to_percent

Array = NDArray[np.float64]
SIZES = "8x4,8x8,12x4,12x6,12x12,20x4,20x8,20x16,40x4,40x8,40x16"
LANGUAGES, PROMPTS, WORLDS = ("aaa", "bbb", "ccc"), 300, 20
MARGIN = 3.0
ENOUGH = 100  # verdicts of one size, from which on its share of wrong ones says something


class World:
    """Two judges and the prompts of three languages."""

    def __init__(self, seed: int):
        draw = np.random.default_rng([1, seed])
        count = len(LANGUAGES)
        self.slopes = np.stack(
            [1 + draw.normal(0, 0.08, count), draw.uniform(0.6, 1.3) + draw.normal(0, 0.08, count)]
        )
        self.likings = draw.normal(0, [[0.3], [0.5]]) + draw.normal(0, [[0.15], [0.3]], (2, count))
        self.length, self.position = draw.uniform(0, 0.6, 2), draw.uniform(-0.5, 0.5, 2)
        self.tastes = draw.uniform(0.05, 0.15, 3)  # for the family, the model, and the model in a language
        self.difficulty = draw.normal(0, 0.8, (count, PROMPTS))
        self.center = draw.uniform(-1.2, -0.2)
        self.population = self.rate([3] * 500, np.random.default_rng([2, seed]), "p")
        self.lines = {code: self._find_line(code) for code in LANGUAGES}

    def rate(self, sizes: list[int], draw: np.random.Generator, name: str) -> list[Rate]:
        """The measured rates of new models, `sizes` per family."""
        family = np.repeat(np.arange(len(sizes)), sizes)
        models, families, count = len(family), len(sizes), len(LANGUAGES)
        quality = self.center + draw.normal(0, 0.6, families)[family] + draw.normal(0, 0.5, models)
        by_language = draw.normal(0, 0.2, (families, count))[family] + draw.normal(0, 0.15, (models, count))
        length = draw.normal(0, 0.25, families)[family] + draw.normal(0, 0.2, models)
        lengths = length[:, None, None] + draw.normal(0, 0.4, (models, count, PROMPTS))
        seen = (quality[:, None] + by_language)[:, :, None] + self.difficulty
        seen = seen + draw.normal(0, 1.5, seen.shape)
        verdicts = []
        for judge in range(2):
            taste = draw.normal(0, self.tastes[0], families)[family] + draw.normal(0, self.tastes[1], models)
            liking = self.likings[judge] + taste[:, None] + draw.normal(0, self.tastes[2], (models, count))
            value = self.slopes[judge][:, None] * seen + liking[:, :, None] + self.length[judge] * lengths
            value = value + draw.normal(0, 1, value.shape)
            place = self.position[judge]
            verdicts.append((squash(2 * (value + place)) + squash(2 * (value - place))) / 2)
        rates = []
        for model in range(models):
            for place, code in enumerate(LANGUAGES):
                rate = measure_rate(
                    verdicts[0][model, place],
                    verdicts[1][model, place],
                    np.ones(PROMPTS),
                    model=f"{name}{model:04}",
                    family=f"{name}{family[model]:03}",
                    language=code,
                )
                assert rate is not None
                rates.append(rate)
        return rates

    def _find_line(self, code: str) -> tuple[float, float, float]:
        old = np.array([rate.old for rate in self.population if rate.language == code])
        new = np.array([rate.new for rate in self.population if rate.language == code])
        slope, shift = np.polyfit(old, new, 1)
        return float(slope), float(shift), float(np.std(new - slope * old - shift))


@dataclass
class Tally:
    """What was counted for one size."""

    held: list[bool]
    widths: list[float]
    oracle: list[float]
    out_of_range: int = 0
    errors: tuple[float, float] = (0.0, 0.0)
    verdicts: int = 0
    comparable: int = 0
    wrong: int = 0
    unusable: int = 0


def squash(values: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))


def split(models: int, families: int) -> list[int]:
    return [models // families + (place < models % families) for place in range(families)]


def simulate(world: World, seed: tuple[int, ...], models: int, families: int, tally: Tally) -> None:
    draw = np.random.default_rng([3, *seed])
    bridge = fit_bridge(world.rate(split(models, families), draw, "m"), margin=MARGIN)
    tests = world.rate([2, 2, 2], draw, "t")
    seen = {code: (bridge.worth[code].seen_low or 0.0, bridge.worth[code].seen_high or 0.0) for code in LANGUAGES}
    for model in sorted({rate.model for rate in tests}):
        own = [rate for rate in tests if rate.model == model]
        prediction = bridge.map.predict(own)
        low, high = prediction.bound(0.95)
        for place, rate in enumerate(own):
            bounds = seen[rate.language]
            if not bounds[0] <= to_percent(rate.old) <= bounds[1]:
                tally.out_of_range += 1
                continue
            tally.held.append(bool(low[place] <= rate.new <= high[place]))
            tally.widths.append(float(to_percent(high[place]) - to_percent(low[place])))
            slope, shift, spread = world.lines[rate.language]
            middle = shift + slope * rate.old
            tally.oracle.append(float(to_percent(middle + 1.96 * spread) - to_percent(middle - 1.96 * spread)))
    for code in LANGUAGES:
        worth = bridge.worth[code]
        tally.verdicts += 1
        tally.unusable += not worth.usable
        if worth.verdict == COMPARABLE:
            tally.comparable += 1
            tally.wrong += abs(find_difference(world, bridge, code)) > MARGIN


def find_difference(world: World, bridge: Bridge, code: str) -> float:
    """The mean difference of mapped and measured over the world's models in the range that the bridge has seen."""
    worth = bridge.worth[code]
    own = [rate for rate in world.population if rate.language == code]
    old, new = to_percent([rate.old for rate in own]), to_percent([rate.new for rate in own])
    grid = np.linspace(min(rate.old for rate in own), max(rate.old for rate in own), 30)
    typical = own[len(own) // 2]
    points = [
        Rate("", "", code, at, at, typical.old_variance, typical.new_variance, typical.covariance, 0) for at in grid
    ]
    mapped = np.interp(old, to_percent(grid), to_percent(bridge.map.predict(points).center()))
    inside = (old >= (worth.seen_low or 0)) & (old <= (worth.seen_high or 0))
    return float((mapped - new)[inside].mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, help=f"MODELSxFAMILIES with commas between (default: {SIZES})")
    parser.add_argument("--simulations", type=int, default=200, help="bridges for each size (200)")
    args = parser.parse_args()
    worlds = [World(seed) for seed in range(WORLDS)]
    missed: list[str] = []
    said = np.zeros(2, int)
    print(
        "| models | families | cover % (± 2 SE) | width | oracle's | ratio | may be compared % | of these wrong % |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for size in args.sizes.split(","):
        models, families = map(int, size.split("x"))
        tally = Tally([], [], [])
        shares = []
        start = time.process_time()
        for number in range(args.simulations):
            before = len(tally.held)
            simulate(worlds[number % WORLDS], (number, models, families), models, families, tally)
            shares.append(np.mean(tally.held[before:]) if len(tally.held) > before else np.nan)
        cover, ratio = float(np.mean(tally.held)), float(np.mean(tally.widths) / np.mean(tally.oracle))
        error = float(np.nanstd(shares, ddof=1) / np.sqrt(args.simulations))
        wrong = tally.wrong / max(1, tally.comparable)
        print(
            f"| {models} | {families} | {100 * cover:.1f} (± {200 * error:.1f}) | {np.mean(tally.widths):.1f} "
            f"| {np.mean(tally.oracle):.1f} | {ratio:.2f} | {100 * tally.comparable / tally.verdicts:.0f} "
            f"| {100 * wrong:.1f} ({tally.wrong} of {tally.comparable}) |",
            flush=True,
        )
        print(
            f"  {time.process_time() - start:.0f} s; {tally.out_of_range} predictions out of range, "
            f"{tally.unusable} of {tally.verdicts} maps no better than none",
            file=sys.stderr,
        )
        missed += [f"{size}: coverage {cover:.3f}"] if not 0.93 <= cover <= 0.97 else []
        missed += [f"{size}: width {ratio:.2f} x the oracle's"] if families >= 8 and ratio > 1.5 else []
        missed += (
            [f"{size}: {wrong:.3f} of the verdicts wrong"] if wrong > 0.05 and tally.comparable >= ENOUGH else []
        )
        said += np.array([tally.wrong, tally.comparable])
    wrong = said[0] / max(1, said[1])
    print(f"may be compared, all sizes: {said[0]} of {said[1]} wrong, {100 * wrong:.1f} %")
    missed += [f"{wrong:.3f} of all verdicts wrong"] if wrong > 0.05 else []
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
