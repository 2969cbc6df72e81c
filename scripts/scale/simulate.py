"""How long `generate` would take in ranks at a size that nobody here can run: a simulation with stated assumptions.

    python -m scripts.scale.simulate [--languages 100] [--passages 1000000] [--ranks 64,256,1024]

Units are dealt out as ranks take them (unit i to rank i mod N), one after the other. Each rank has a model server of
its own. Ranks differ in speed, and at the end of each unit slots wait for its last calls. What one process does
between the phases is at the speeds that were measured (docs/how-to/scaling.md has the command).
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass

from xl_instruct.stages.dividing import SHARD
from xl_suite.executors.units import Rank, list_units

SEED = 1


@dataclass(frozen=True)
class Assumptions:
    """segments: of a response that are translated. slots, seconds: calls in flight of a rank, and what one takes.

    spread: standard deviation of ranks' speeds. start: seconds until a rank's server answers. gathered, replayed:
    answers per second that one process puts into the whole journal, and that it reads again through all guards.
    """

    segments: int = 12
    translators: int = 3
    slots: int = 64
    seconds: float = 0.5
    spread: float = 0.1
    start: float = 180.0
    gathered: float = 1.0
    replayed: float = 1.0


@dataclass(frozen=True)
class Phase:
    """calls: all ranks'. hours: until the last rank ends. waiting: share of the ranks' time without a full server."""

    calls: int
    hours: float
    waiting: float


def simulate(sizes: dict[str, int], calls: float, ranks: int, given: Assumptions, draw: random.Random) -> Phase:
    """One phase. sizes: rows per language. calls: of a row."""
    units = list_units(sizes, SHARD)
    ends, busy = [], 0.0
    for number in range(ranks):
        speed = max(0.2, draw.gauss(1.0, given.spread))
        end = 0.0
        for unit in Rank(number, ranks).choose(units):
            full = (unit.end - unit.start) * calls * given.seconds / given.slots / speed
            # The last calls of a unit: with exponential lengths, the slowest of the slots.
            end += full + given.seconds * math.log(given.slots) / speed
            busy += full
        ends.append(end + given.start if end else 0.0)
    last = max(ends)
    return Phase(round(sum(sizes.values()) * calls), last / 3600, 1 - busy / (last * ranks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", type=int, default=100)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--ranks", default="64,256,1024")
    for name, value in vars(Assumptions()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"(default: {value})")
    args = parser.parse_args()
    given = Assumptions(**{name: getattr(args, name) for name in vars(Assumptions())})
    print(", ".join(f"{name} {value:g}" for name, value in vars(given).items()), end="\n\n")
    print("| ranks | pairs (h) | translated (h) | calls | ranks' time waiting | one process between (h) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count in map(int, args.ranks.split(",")):
        draw = random.Random(SEED)
        pairs = simulate({"": args.passages}, 2, count, given, draw)
        sizes = {f"language {number}": args.passages for number in range(args.languages)}
        translated = simulate(sizes, given.segments * given.translators, count, given, draw)
        calls = pairs.calls + translated.calls
        # Each phase is gathered at its end and once more before the dataset; it is replayed once.
        between = calls * (2 / given.gathered + 1 / given.replayed) / 3600
        print(
            f"| {count:,} | {pairs.hours:.1f} | {translated.hours:.1f} | {calls:,} | {translated.waiting:.1%} "
            f"| {between:,.0f} |"
        )


if __name__ == "__main__":
    main()
