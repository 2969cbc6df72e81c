"""The demo's m-AlpacaEval and rubric scores: what was planted is found, and the means are those of the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m_alpacaeval.dataset import build_benchmark
from m_alpacaeval.rows import read_sources
from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.cli.main import main
from xl_suite.dataset.folder import read_benchmark
from xl_suite.demo.rated import DemoLevels, show_scores
from xl_suite.demo.steps import Demo, run_demo
from xl_suite.demo.translated import TRANSLATOR, describe_translation, read_translations
from xl_suite.rating.rubric import CRITERIA
from xl_suite.tables import read_table


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run_demo(tmp_path_factory.mktemp("demo") / "out")


def test_the_planted_mistakes_are_found_and_the_rest_is_kept(demo: Demo) -> None:
    planted = {row.id: row for row in read_translations()}
    rows = {row.id: row.instruction for row in read_benchmark(demo.translated, ["deu"])}
    assert rows == {number: row.texts[-1] for number, row in planted.items() if not row.aside}
    aside = {one["id"]: one["reasons"] for one in demo.translation["set_aside"]}
    assert aside == {number: [row.aside] for number, row in planted.items() if row.aside}
    assert demo.translation["n_retried"] == 2
    assert "auf Deutsch" in rows[7]


def test_an_edit_of_the_review_file_completes_the_folder(demo: Demo, tmp_path: Path) -> None:
    line = json.loads((demo.translated / "review.jsonl").read_text(encoding="utf-8"))
    line["edited"] = line["translation"].replace("17:20", "17:10")
    (tmp_path / "review.jsonl").write_text(json.dumps(line), encoding="utf-8")
    translator = parse_model(f"replay:{demo.translation_journal}#{TRANSLATOR}")
    sources = read_sources(demo.benchmark, ["deu"])
    built = build_benchmark(sources, translator, ChatOptions(progress=False), out=tmp_path)
    assert len(built.rows["deu"]) == 23
    assert not built.aside
    assert built.doubted == {"deu": 0}


def test_pairs_of_languages_can_be_built_on_it(demo: Demo, tmp_path: Path) -> None:
    command = ["build", "xl-alpacaeval", "--from", "deu", "--m-alpacaeval", str(demo.translated)]
    assert main([*command, "--languages", "hin", "--out", str(tmp_path / "pairs")]) == 0
    assert len(read_benchmark(tmp_path / "pairs", ["deu-hin"])) == 22


def test_the_means_are_those_of_the_table(demo: Demo) -> None:
    rows = read_table("xl_suite.demo", "levels.tsv", DemoLevels)
    for generator, scores in demo.ratings.items():
        own = [row for row in rows if row.generator == generator]
        assert len(own) == 8
        for criterion in CRITERIA:
            mean = sum(getattr(row, criterion) for row in own) / len(own)
            assert scores[criterion]["mean"] == pytest.approx(mean)
    lines = [*show_scores(demo.ratings), *describe_translation(demo.translation)]
    assert max(map(len, lines)) <= 80
