"""The variance budget: parts are recovered, repeats are told apart by the data, and one seed is called one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xl_suite.cli.main import main
from xl_suite.judging.annotations import Annotation
from xl_suite.records import write_json
from xl_suite.scoring.variance import arrange_repeats, estimate_budget, split_variance

# Standard deviations of one draw, in parts of 1.
SPREADS = {"prompts": 0.10, "seeds": 0.03, "samples": 0.08, "reruns": 0.05, "orders": 0.06}


def draw(generator: np.random.Generator, seeds: int, samples: int, reruns: int, orders: int, n: int) -> np.ndarray:
    shape = (seeds, samples, reruns, orders, n)
    return (
        0.5
        + SPREADS["prompts"] * generator.standard_normal((1, 1, 1, 1, n))
        + SPREADS["seeds"] * generator.standard_normal((seeds, 1, 1, 1, 1))
        + SPREADS["samples"] * generator.standard_normal((seeds, samples, 1, 1, n))
        + SPREADS["reruns"] * generator.standard_normal((seeds, samples, reruns, 1, n))
        + SPREADS["orders"] * generator.standard_normal(shape)
    )


def test_the_parts_are_recovered() -> None:
    generator = np.random.default_rng(0)
    budgets = [split_variance(draw(generator, 3, 2, 2, 2, 400)) for _ in range(40)]
    for place, name in enumerate(SPREADS):
        found = np.mean([budget.components[place].variance for budget in budgets])
        assert budgets[0].components[place].name == name
        assert found == pytest.approx((100 * SPREADS[name]) ** 2, rel=0.3 if name == "seeds" else 0.08), name
    means = [100 * draw(generator, 3, 2, 2, 2, 400).mean() for _ in range(400)]
    errors = [budget.standard_error for budget in budgets]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=0.2)
    assert sum(one.share or 0 for one in budgets[0].components) == pytest.approx(1)


def test_parts_with_one_draw_are_not_told_apart_and_said() -> None:
    budget = split_variance(draw(np.random.default_rng(1), 1, 1, 1, 2, 300))
    known = {one.name: one.variance is not None for one in budget.components}
    assert known == {"prompts": True, "seeds": False, "samples": False, "reruns": False, "orders": True}
    assert budget.advice[0].startswith("One trained model: what is found is about this model.")
    assert "samples" in budget.advice[-1]
    assert "reruns" in budget.advice[-1]
    assert "orders" not in budget.advice[-1]
    # With two orders of each, twice as many prompts help more than four orders.
    assert "Twice as many prompts" in budget.advice[1]


def annotate(outputs: list[str], sample: int, order: str = "12", generator: str = "m") -> list[Annotation]:
    source = np.random.default_rng(sample)
    return [
        Annotation(
            *(f"F {place}", "ref", "r", output, generator, "j", 1 + float(source.random())),
            id=place + 1,
            language="deu",
            order=order,
            sample=sample,
        )
        for place, output in enumerate(outputs)
    ]


def test_verdicts_on_the_same_outputs_are_reruns_and_others_samples() -> None:
    first, second = [f"a {place}" for place in range(20)], [f"b {place}" for place in range(20)]
    same = arrange_repeats([*annotate(first, 0), *annotate(first, 1)])
    assert same is not None
    assert same.shape == (1, 1, 2, 1, 20)
    other = arrange_repeats([*annotate(first, 0), *annotate(second, 1)])
    assert other is not None
    assert other.shape == (1, 2, 1, 1, 20)
    seeds = arrange_repeats([*annotate(first, 0), *annotate(second, 1), *annotate(second, 2)], seeds=(0, 1, 1))
    assert seeds is not None
    assert seeds.shape == (2, 1, 1, 1, 20), "cut to the smallest number of repeats"
    orders = arrange_repeats([*annotate(first, 0), *annotate(first, 0, "21")[:15]])
    assert orders is not None
    assert orders.shape == (1, 1, 1, 2, 15), "prompts that have both"
    drawn = arrange_repeats([*annotate(first, 0)[:9], *annotate(first, 0, "21")[9:]])
    assert drawn is not None
    assert drawn.shape == (1, 1, 1, 1, 20), "one order of each pair, drawn at random"
    assert estimate_budget(annotate(first[:1], 0)) is None


def test_training_seeds_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2, 3):
        rows = annotate([f"{seed} {place}" for place in range(30)], seed, generator=f"qwen-seed-{seed}")
        write_json(tmp_path / f"{seed}/deu.json", rows)
    paths = [str(tmp_path / str(seed)) for seed in (1, 2, 3)]
    assert main(["score", *paths, "--gate", "none"]) == 2
    assert "more than one model" in capsys.readouterr().err
    assert main(["score", *paths, "--gate", "none", "--training-seeds", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "qwen-seed (3 training seeds)"
    assert (answer["n_runs"], answer["variance"]["components"]["seeds"]["n"]) == (3, 3)
    assert not any("seeds or more" in line for line in answer["variance"]["advice"])
    assert main(["score", *paths[:2], "--gate", "none", "--training-seeds"]) == 0
    told = capsys.readouterr().out
    assert "Two training seeds: what is found is about these models." in told
    assert max(map(len, told.splitlines())) <= 80
    assert main(["score", paths[0], paths[0], "--gate", "none", "--training-seeds"]) == 2
    assert "training seeds are several models" in capsys.readouterr().err
