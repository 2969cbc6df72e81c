"""The rate at equal lengths: what a known slope does, when the rate is not identified, and the slope's files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.records import write_json
from xl_suite.scoring.length_control import LengthFit, control_length, find_weakening, fit_lengths
from xl_suite.scoring.length_slope import LengthSlope, find_slope, parse_assumed, read_slope, write_slope
from xl_suite.scoring.logistic import squash

WHOLE = {"annotator": "", "slope": 0.7, "standard_error": 0.1, "n": 100, "languages": ["deu"], "date": "2026-11-25"}


def judge_longer(
    slope: float, times: float, seed: int = 0, n: int = 400, quality: float = -0.4
) -> tuple[np.ndarray, list[int], list[int]]:
    """Wins of a judge that likes length, and lengths, `times` those of the reference in the middle."""
    generator = np.random.default_rng(seed)
    lengths = np.rint(10_000 * times * np.exp(0.4 * generator.standard_normal(n)))
    chances = squash(quality + slope * np.log(lengths / 10_000))
    wins = (generator.random(n) < chances).astype(float)
    return wins, [int(one) for one in lengths], [10_000] * n


def control(wins: np.ndarray, model: list[int], reference: list[int], slope: float) -> float:
    fit = fit_lengths(wins, model, reference, [True] * len(wins))
    assert isinstance(fit, LengthFit)
    return control_length(fit, slope).win_rate


def test_the_known_slope_is_taken_off_and_quality_stays() -> None:
    truth = 100 * float(squash(np.array([-0.4]))[0])
    for slope in (0.0, 1.0, 3.0):
        found = [control(*judge_longer(slope, 1.5, seed), slope) for seed in range(60)]
        assert np.mean(found) == pytest.approx(truth, abs=1)
    # A better model that writes more under a judge that does not look at length keeps all of its wins.
    wins, model, reference = judge_longer(2.0, 1.5)
    assert control(wins, model, reference, 0.0) == pytest.approx(100 * wins.mean(), abs=1e-4)


def test_changed_sides_mirror_and_lengths_alone_change_little() -> None:
    wins, model, reference = judge_longer(1.0, 1.3)
    assert control(1 - wins, reference, model, 1.0) == pytest.approx(100 - control(wins, model, reference, 1.0))
    longer = control(*judge_longer(1.0, 2.6), 1.0)
    assert longer == pytest.approx(control(wins, model, reference, 1.0), abs=6)


def test_what_languages_share_weakens_the_slope() -> None:
    generator = np.random.default_rng(0)
    shared, alone = generator.standard_normal((4000, 1)), generator.standard_normal((4000, 6))
    steepness = np.full((4000, 6), 0.25)
    for effect, expected in ((shared, 1 / math.sqrt(1 + 0.346)), (alone, 1.0)):
        wins = generator.random((4000, 6)) < squash(effect)
        residuals = wins - 0.5
        residuals[::7, 2] = np.nan
        assert find_weakening(residuals, steepness) == pytest.approx(expected, abs=0.02)


def test_reasons_why_it_is_not_identified() -> None:
    wins, model, reference = judge_longer(1.0, 1.3)
    every = [True] * 400
    assert "19 rows" in str(fit_lengths(wins, model, reference, [place < 19 for place in range(400)]))
    assert "fewer than 10 wins" in str(fit_lengths(np.zeros(400), model, reference, every))
    assert "comparable length" in str(fit_lengths(wins, [40_000] * 400, reference, every))
    assert "0 rows" in str(fit_lengths(wins, [0] * 400, reference, every))


def test_a_slopes_file(tmp_path: Path) -> None:
    slope = LengthSlope(0.7, 0.1, 100, ("deu",), "2026-11-25", "probes", "xl_local-judge")
    write_slope(tmp_path / "length_slope.json", slope)
    assert read_slope(tmp_path / "length_slope.json") == slope
    assert find_slope([tmp_path / "none", tmp_path], "xl_local-judge") == slope
    assert find_slope([tmp_path], "xl_local-another") is None, "the slope of another judge"
    for key, value in (("slope", "0.7"), ("slope", True), ("standard_error", -1), ("n", 1.5), ("languages", "deu")):
        (tmp_path / "wrong.json").write_text(json.dumps({**WHOLE, key: value}))
        with pytest.raises(BadInput, match=key):
            read_slope(tmp_path / "wrong.json")


def test_an_assumed_slope() -> None:
    slope = parse_assumed("0.7,0.11")
    assert (slope.slope, slope.standard_error, slope.assumed) == (0.7, 0.11, True)
    for text in ("0.7", "0.7,-1", "a,b", "nan,1", "1,2,3"):
        with pytest.raises(BadInput, match="valid: a mean and its standard error"):
            parse_assumed(text)


def score(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["score", str(folder), "--gate", "none", "--resamples", "100", "--json", *options]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_score_takes_the_slope_of_the_folder_or_an_assumed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, language in enumerate(("deu", "hun")):
        wins, model, reference = judge_longer(0.7, 1.5, seed)
        rows = [
            Annotation(f"F {i}", "x" * r, "ref", "y" * m, "model", "judge", 1 + w, id=i + 1, language=language)
            for i, (w, m, r) in enumerate(zip(wins, model, reference, strict=True))
        ]
        write_json(tmp_path / f"model/judge/{language}.json", rows)
    folder = tmp_path / "model/judge"
    answer = score(folder, capsys)
    assert answer["length_slope"] is None
    for keys in (answer["overall"], answer["languages"]["deu"]):
        assert (keys["length_controlled_winrate"], keys["lc_standard_error"], keys["lc_ci_low"]) == (None, None, None)
        assert keys["lc_basis"] == "not identified: this judge has no length slope"
    (folder / "length_slope.json").write_text(json.dumps(WHOLE | {"standard_error": 0.0}))
    exact = score(folder, capsys)
    (folder / "length_slope.json").write_text(json.dumps(WHOLE))
    answer = score(folder, capsys)
    assert (answer["length_slope"]["slope"], answer["length_slope"]["assumed"]) == (0.7, False)
    overall = answer["overall"]
    assert overall["lc_ci_low"] < overall["length_controlled_winrate"] < overall["lc_ci_high"]
    assert overall["length_controlled_winrate"] < overall["win_rate"] - 3
    # The slope's error is the same in all languages, so it does not shrink in their mean.
    added = overall["lc_standard_error"] ** 2 - exact["overall"]["lc_standard_error"] ** 2
    alone = [
        answer["languages"][code]["lc_standard_error"] ** 2 - exact["languages"][code]["lc_standard_error"] ** 2
        for code in ("deu", "hun")
    ]
    assert math.sqrt(added) == pytest.approx(sum(map(math.sqrt, alone)) / 2)
    assumed = score(folder, capsys, "--assume-length-slope", "0.7,0.1")
    assert assumed["length_slope"]["assumed"] is True
    assert assumed["overall"]["lc_basis"] == "assumed slope 0.70 (standard error 0.10)"
    assert assumed["overall"]["length_controlled_winrate"] == pytest.approx(overall["length_controlled_winrate"])
    # From the folder of the annotator, where none is beside the annotations.
    annotator = tmp_path / "judge_folder"
    annotator.mkdir()
    (folder / "length_slope.json").rename(annotator / "length_slope.json")
    (annotator / "configs.yaml").write_text("judge_folder: {}\n")
    assert score(folder, capsys, "--annotator", str(annotator)) == answer
    assert main(["score", str(folder), "--gate", "none", "--assume-length-slope", "0.7"]) == 2
    assert "valid: a mean and its standard error" in capsys.readouterr().err
