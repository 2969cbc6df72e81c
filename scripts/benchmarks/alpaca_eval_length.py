"""How closely our form of AlpacaEval's length control tracks AlpacaEval's published one.

    python scripts/benchmarks/alpaca_eval_length.py ALPACA_EVAL_CHECKOUT

The checkout is one of github.com/tatsu-lab/alpaca_eval, whose results hold the annotations of the judge of
AlpacaEval 2 (`results/<model>/weighted_alpaca_eval_gpt4_turbo/annotations.json`) and whose leaderboard file the
published values; models whose annotations are missing are left out. A git directory without a work tree does too.
Prints mean and largest error and rank correlations, also for the raw win rate, and for other slopes and penalties.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from xl_suite.judging.annotations import scale_preference
from xl_suite.scoring import alpaca_eval_length

JUDGE = "weighted_alpaca_eval_gpt4_turbo"
LEADERBOARD = f"src/alpaca_eval/leaderboards/data_AlpacaEval_2/{JUDGE}_leaderboard.csv"


def show(checkout: Path, path: str) -> str | None:
    """A file of the checkout's newest commit, None where the copy lacks it."""
    done = subprocess.run(["git", "-C", str(checkout), "show", f"HEAD:{path}"], capture_output=True, check=False)
    return done.stdout.decode() if done.returncode == 0 else None


def load(checkout: Path) -> tuple[list[str], list[dict[str, Any]]]:
    published = {row[""]: row for row in csv.DictReader(io.StringIO(show(checkout, LEADERBOARD) or ""))}
    names, models = [], []
    for name, row in published.items():
        text = show(checkout, f"results/{name}/{JUDGE}/annotations.json")
        if text is None or not row["length_controlled_winrate"]:
            continue
        rows = json.loads(text)
        if rows[0]["generator_1"] == rows[0]["generator_2"]:
            continue
        scaled = [scale_preference(one["preference"]) for one in rows]
        names.append(name)
        models.append(
            {
                "preferences": np.array([np.nan if value is None else value for value in scaled]),
                "model": [len(one["output_2"]) for one in rows],
                "reference": [len(one["output_1"]) for one in rows],
                "published": float(row["length_controlled_winrate"]),
                "raw": float(row["win_rate"]),
            }
        )
    return names, models


def rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


def report(label: str, names: list[str], found: np.ndarray, published: np.ndarray) -> None:
    errors = np.abs(found - published)
    order = float(np.corrcoef(rank(found), rank(published))[0, 1])
    print(
        f"{label:<24}{errors.mean():>11.2f}{np.median(errors):>8.2f}{errors.max():>9.2f}{order:>10.4f}"
        f"   {names[int(errors.argmax())]}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    args = parser.parse_args()
    names, models = load(args.checkout)
    published = np.array([model["published"] for model in models])
    print(f"{len(models)} models; errors in percent points\n")
    print(f"{'':24}{'mean error':>11}{'median':>8}{'largest':>9}{'Spearman':>10}   worst")
    report("raw win rate", names, np.array([model["raw"] for model in models]), published)
    chosen = (alpaca_eval_length.SLOPE, alpaca_eval_length.PENALTY)
    for slope, penalty in (chosen, *product((0.0, 0.5, 1.0, 1.5), (1e-3, 10.0, 30.0, 100.0))):
        alpaca_eval_length.SLOPE, alpaca_eval_length.PENALTY = slope, penalty
        found = []
        for model in models:
            rows = [True] * len(model["model"])
            control = alpaca_eval_length.control_as_alpaca_eval(
                model["preferences"], model["model"], model["reference"], rows
            )
            assert control is not None
            found.append(control.win_rate)
        report(f"slope {slope:g}, penalty {penalty:g}", names, np.array(found), published)


if __name__ == "__main__":
    main()
