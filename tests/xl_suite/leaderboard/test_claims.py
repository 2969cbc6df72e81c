"""What 797 prompts can tell from chance, checked by simulation, and the figures drawn from the published rows."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from xl_suite.charts import Series, draw_bars, draw_lines, find_ticks
from xl_suite.cli.main import main
from xl_suite.reproduction.claims import find_detectable, list_claims
from xl_suite.reproduction.figures import draw_figures

SVG = "{http://www.w3.org/2000/svg}"


def test_the_smallest_difference_is_found_four_times_in_five() -> None:
    generator = np.random.default_rng(1)
    base = 0.20
    _, most = find_detectable(100 * base, 100 * base + 5.6)
    prompts, runs = 797, 4000
    a = generator.random((runs, prompts)) < base + most / 100
    b = generator.random((runs, prompts)) < base
    difference = a.astype(float) - b
    error = difference.std(axis=1, ddof=1) / np.sqrt(prompts)
    found = np.abs(difference.mean(axis=1)) > 1.96 * error
    assert found.mean() == pytest.approx(0.80, abs=0.03)


def test_shared_wins_and_independent_languages_help() -> None:
    least, most = find_detectable(20, 20)
    assert least < most
    assert find_detectable(20, 20, languages=8)[0] == pytest.approx(least / np.sqrt(8))
    assert find_detectable(20, 20, languages=8)[1] == most
    assert find_detectable(0, 0)[1] > 0


def test_the_papers_comparisons() -> None:
    claims = {(one.table, one.a, one.b, one.language): one for one in list_claims()}
    ablation = claims[10, "EuroLLM 9B + xl-instruct:best-of-3 8000", "EuroLLM 9B + xl-instruct:naive 8000", "avg"]
    assert ablation.difference == pytest.approx(0.37)
    assert ablation.detectable == "no"
    main_result = claims[6, "EuroLLM 9B + xl-instruct 8000", "EuroLLM 9B", "avg"]
    assert main_result.difference == pytest.approx(14.18)
    assert main_result.detectable == "yes"
    assert {one.table for one in claims.values()} == {1, 2, 3, 6, 7, 9, 10}
    for one in claims.values():
        assert one.least <= one.most
        assert one.wide[0] <= one.narrow[0] <= one.difference <= one.narrow[1] <= one.wide[1]
        holds = [low <= 0 <= high for low, high in (one.narrow, one.wide)]
        assert one.significant == ("no" if holds[0] else "depends" if holds[1] else "yes")
        assert one.significant == "yes" or one.detectable != "yes"  # what is found 4 times in 5 is significant
        if one.detectable == "yes":
            assert abs(one.difference) >= one.most - 0.005
    # A difference below what is found 4 times in 5 can be significant all the same: these are two questions.
    assert any(one.detectable == "no" and one.significant != "no" for one in claims.values())
    assert {one.table for one in list_claims([7])} == {7}


def test_the_verb_prints_claims(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--claims", "--table", "10", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["claims"]) == 10 * 9
    assert main(["reproduce", "--claims", "--table", "10"]) == 0
    assert "All 90 comparisons" in capsys.readouterr().out


def test_figures_hold_the_published_numbers(tmp_path: Path) -> None:
    assert main(["reproduce", "--figures", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure-2a.svg", "figure-2b.svg", "figure-3.svg"]
    figures = {name: ElementTree.fromstring(text) for name, text in draw_figures().items()}
    lines = {name: figures[name].findall(f"{SVG}polyline") for name in ("figure-2a.svg", "figure-2b.svg")}
    assert {name: [len(line.get("points", "").split()) for line in found] for name, found in lines.items()} == {
        "figure-2a.svg": [4, 4],
        "figure-2b.svg": [5, 5, 5],
    }
    bars = [text.text for text in figures["figure-3.svg"].findall(f"{SVG}text")]
    assert {"3.68", "3.63", "2.27", "precision", "objectivity"} <= set(bars)


def test_charts_survive_odd_input() -> None:
    for text in (
        draw_lines([], title="<&>", x_label="", y_label=""),
        draw_lines([Series('a"<b', ((1.0, 5.0),))], title='"', x_label="x", y_label="y", log_x=True),
        draw_bars([], [], title="t", y_label="y"),
    ):
        ElementTree.fromstring(text)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 38.61), (5.7, 6.1), (0, 1e-4), (3, 3), (-5, 5)])
def test_ticks_enclose(low: float, high: float) -> None:
    ticks = find_ticks(low, high)
    assert ticks[0] <= low + 1e-12
    assert ticks[-1] >= high - 1e-12
    assert 2 <= len(ticks) <= 9
