"""The figure for a paper: win rate against fidelity, a dot for each language with its intervals."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.leaderboard_results import ENGLISH, SENTENCES, write_annotations
from xl_suite.charts import HEIGHT, WIDTH, Dot, draw_dots
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.scoring.figure import Measured, draw_figure

SVG = "{http://www.w3.org/2000/svg}"


def write_models(folder: Path) -> None:
    """Two models, of which `b` gives every fourth answer in English."""
    outputs = [ENGLISH if number % 4 == 0 else f"{SENTENCES['deu']} {number}" for number in range(24)]
    write_annotations(folder, "a", [number % 3 / 2 for number in range(24)])
    write_annotations(folder, "b", [number % 5 / 4 for number in range(24)], languages=["deu"], outputs=outputs)


def read_texts(path: Path) -> tuple[list[str], list[str]]:
    """(the texts, what the dots say) of a figure."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    return [one.text or "" for one in root.iter(f"{SVG}text")], [one.text or "" for one in root.iter(f"{SVG}title")]


def test_each_verb_draws_its_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(tmp_path / "r")
    a, b = (str(tmp_path / "r" / "annotations" / name / "judge") for name in "ab")
    leaderboard = ["leaderboard", str(tmp_path / "r"), "--out", str(tmp_path / "site"), "--resamples", "50"]
    found = {}
    for name, words in (
        ("score", ["score", a]),
        ("compare", ["compare", a, b, "--languages", "deu"]),
        ("leaderboard", leaderboard),
    ):
        drawn = []
        for turn in range(2):
            path = tmp_path / f"{name}-{turn}.svg"
            assert main([*words, "--plot", str(path)]) == 0
            drawn.append(path.read_bytes())
            assert f"figure: {path}" in capsys.readouterr().err
        assert drawn[0] == drawn[1]
        found[name] = read_texts(tmp_path / f"{name}-0.svg")
    texts, dots = found["score"]
    assert {"deu", "por", "zho", "a", "win rate against reference, %"} <= set(texts)
    assert dots == [f"a, {code}: 100.0, 50.0" for code in ("deu", "por", "zho")]
    assert found["compare"][1] == ["a, deu: 100.0, 50.0", "b, deu: 75.0, 47.9"]
    assert sorted(found["leaderboard"][1])[-1] == "b, deu: 75.0, 47.9"
    assert len(found["leaderboard"][1]) == 4


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to plot"):
        draw_figure({"m": []}, "r")
    write_models(tmp_path / "r")
    words = ["score", str(tmp_path / "r" / "annotations" / "a" / "judge"), "--plot"]
    assert main([*words, str(tmp_path / "figure.png")]) == 2
    assert main([*words, str(tmp_path / "figure.svg"), "--gate", "none"]) == 2
    assert not list(tmp_path.glob("figure.*"))


def test_no_mark_leaves_the_drawing_and_no_name_covers_another() -> None:
    one = [Measured(code, 98, 96, 100, 49, 50) for code in ("deu", "por", "zho", "hin")]
    root = ElementTree.fromstring(draw_figure({"<a&b>": one, "c": [Measured("deu", 0, 0, 0.4, 0, 50)]}, 'r"'))
    places = {
        (float(text.get("x", "")), float(text.get("y", "")))
        for text in root.iter(f"{SVG}text")
        if text.text in ("deu", "por", "zho", "hin")
    }
    assert len(places) == 5
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert "<a&b>" in [text.text for text in root.iter(f"{SVG}text")]


def test_many_models_are_drawn() -> None:
    dots = [(str(number), [Dot("", 50, number, (40, 60), (0, 100))]) for number in range(40)]
    root = ElementTree.fromstring(draw_dots(dots, title="t", x_label="x", y_label="y"))
    assert len(list(root.iter(f"{SVG}title"))) == 40
