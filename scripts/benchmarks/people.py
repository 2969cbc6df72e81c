"""How often the intervals of labels by people hold: agreement with a judge, and the rate that labels correct.

    python scripts/benchmarks/people.py --simulations 2000

Prompts and people are drawn anew in each simulation. Each person has a leaning of their own towards the longer model,
so that labels are clustered by person as well as by prompt; some labels are missing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from xl_suite.people.clustered import bound_mean
from xl_suite.people.correction import correct_rate
from xl_suite.scoring.preferences import Array


@dataclass(frozen=True)
class Setting:
    """leaning: standard deviation of what a person adds. skill, shift: the judge's eye and its bias.

    kept: the share of labels that are given.
    """

    rows: int = 400
    labelled: int = 80
    people: int = 4
    level: float = 0.2
    leaning: float = 0.3
    skill: float = 1.0
    shift: float = 0.4
    kept: float = 1.0


SETTINGS = (
    Setting(),
    Setting(leaning=0.0),
    Setting(leaning=0.6),
    Setting(people=1, leaning=0.0),
    Setting(people=2),
    Setting(people=3, kept=0.9),
    Setting(people=8, labelled=60),
    Setting(level=1.0),
    Setting(skill=0.0),
    Setting(rows=100, labelled=100),
    Setting(rows=797, labelled=200, people=3),
)


def draw(setting: Setting, rows: int, people: int, source: np.random.Generator) -> tuple[Array, Array]:
    """(the judge's share for each row, labels as rows x people of 0, 1/2 and 1)."""
    quality = source.normal(setting.level, 1, rows)
    leaning = source.normal(0, setting.leaning, people)
    heard = quality[:, None] + leaning[None, :] + source.normal(0, 0.8, (rows, people))
    labels = np.where(np.abs(heard) < 0.25, 0.5, (heard > 0).astype(float))
    seen = setting.skill * quality + setting.shift + source.normal(0, 0.8, rows)
    return 1 / (1 + np.exp(-2 * seen)), labels


def agree(judge: Array, labels: Array) -> Array:
    """1 where a label and the judge name one winner, 1/2 where the label is a tie."""
    return 1 - np.abs(labels - np.round(judge)[:, None])


def simulate(setting: Setting, simulations: int, seed: int = 0) -> dict[str, float]:
    """Coverage of the two intervals, percent, and the width of the corrected one as a share of the labels' alone."""
    source = np.random.default_rng(seed)
    many = [draw(setting, 3000, 300, source) for _ in range(10)]
    rate = float(np.mean([one[1].mean() for one in many]))
    agreement = float(np.mean([agree(*one).mean() for one in many]))
    held = {"agreement": 0, "corrected": 0, "labels alone": 0}
    widths = []
    for _ in range(simulations):
        judge, labels = draw(setting, setting.rows, setting.people, source)
        chosen = np.sort(source.choice(setting.rows, setting.labelled, replace=False))
        given = labels[chosen].copy()
        if setting.kept < 1:
            lost = source.random(given.shape) > setting.kept
            lost[np.arange(len(given)), source.integers(0, setting.people, len(given))] = False
            given[lost] = np.nan
        found = bound_mean(agree(judge[chosen], given))
        held["agreement"] += (found.low or 0) <= agreement <= (found.high or 0)
        corrected = correct_rate(judge, chosen, given)
        for name, one in (("corrected", corrected.rate), ("labels alone", corrected.labels_alone)):
            held[name] += (one.low or 0) <= rate <= (one.high or 0)
        widths.append((corrected.rate.standard_error or 0) / (corrected.labels_alone.standard_error or 1))
    return {
        **{name: 100 * count / simulations for name, count in held.items()},
        "width": float(np.mean(widths)),
        "raw error": 100 * (float(np.mean([one[0].mean() for one in many])) - rate),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("rows labelled people level leaning skill kept | agreement corrected labels-alone % | width raw-error")
    for setting in SETTINGS:
        found = simulate(setting, args.simulations, args.seed)
        print(
            f"{setting.rows:4} {setting.labelled:4} {setting.people:2} {setting.level:4.1f} {setting.leaning:4.1f} "
            f"{setting.skill:4.1f} {setting.kept:4.1f} | {found['agreement']:5.1f} {found['corrected']:5.1f} "
            f"{found['labels alone']:5.1f} | {found['width']:4.2f} {found['raw error']:+5.1f}"
        )


if __name__ == "__main__":
    main()
