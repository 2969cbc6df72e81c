"""How many attacks on the language gate pass, and how many legitimate answers does the gate harm?

    python scripts/benchmarks/attacks.py                    # the half to build on, kind by kind
    python scripts/benchmarks/attacks.py --half unseen      # the other half: totals alone, kinds stay hidden

Each attack of `tests/data/attacks.jsonl` is an answer whose text is in another language but for one or two
sentences, which are in the language asked for; it passes unless its verdict is wrong or mixed. Each answer of
`tests/data/legitimate.jsonl` is right for a reader of the language; it is harmed where it is called wrong or mixed.
Both are split by kind, before any of them was judged. Ends with status 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from xl_suite.fidelity import judge_language

DATA = Path(__file__).parents[2] / "tests" / "data"
BAR = 1.0  # percent of attacks that pass, and of legitimate answers that are harmed
CAUGHT = ("wrong", "mixed")


def read_rows(name: str, half: str) -> list[dict[str, Any]]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["half"] == half]


def judge(row: dict[str, Any]) -> str:
    return judge_language(row["answer"], row["language"], prompt=row.get("prompt", "")).verdict


def measure(name: str, half: str, *, caught_is_right: bool, show: bool) -> float:
    """The percentage of rows with the unwanted verdict; prints it, and which kinds they are of."""
    rows = read_rows(name, half)
    bad = [row for row in rows if (judge(row) in CAUGHT) != caught_is_right]
    share = 100 * len(bad) / len(rows)
    what = "pass" if caught_is_right else "harmed"
    print(f"{name:<18} {half:<7} n {len(rows):>4}  {what} {len(bad):>4}  {share:6.2f} %")
    if show:
        sizes = Counter(row["kind"] for row in rows)
        for kind, n in Counter(row["kind"] for row in bad).most_common():
            languages = " ".join(row["language"] for row in bad if row["kind"] == kind)
            print(f"    {kind:<34} {n:>3} of {sizes[kind]:<3} {languages}")
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--half", choices=("build", "unseen"), default="build")
    half = parser.parse_args().half
    shares = [
        measure("attacks.jsonl", half, caught_is_right=True, show=half == "build"),
        measure("legitimate.jsonl", half, caught_is_right=False, show=half == "build"),
    ]
    return 1 if max(shares) > BAR else 0


if __name__ == "__main__":
    sys.exit(main())
