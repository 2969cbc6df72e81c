"""m-AlpacaEval's lm-eval tasks on a folder that `xl-suite build m-alpacaeval` made, by the real lm-eval."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness_tasks.test_harness_tasks import TASKS, prefer_second, run_lm_eval
from tests.m_alpacaeval.conftest import PROMPTS, translate, write_xl_alpacaeval
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import main
from xl_suite.languages import table
from xl_suite.records import ModelOutput, write_json
from xl_suite.responding.outputs import read_outputs

pytest.importorskip("lm_eval")
LANGUAGES = [row.code for row in table() if "m-alpacaeval" in row.benchmarks]


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    source = write_xl_alpacaeval(tmp_path / "xl-alpacaeval")
    with serve_loopback(translate) as server:
        command = ["build", "m-alpacaeval", "--benchmark", str(source), "--languages", "deu,zho"]
        assert main([*command, "--model", f"gpt@{server.url}", "--out", str(tmp_path / "m-alpacaeval")]) == 0
    return tmp_path / "m-alpacaeval"


def test_every_language_has_its_task() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(TASKS), include_defaults=False)
    assert {f"m_alpacaeval_{code}" for code in LANGUAGES} | {"m_alpacaeval"} <= set(manager.all_tasks)
    assert "m_alpacaeval_fra" not in manager.all_tasks


@pytest.mark.slow
def test_two_languages_without_a_judge(tmp_path: Path, tiny_model: Path, benchmark: Path) -> None:
    tasks = "m_alpacaeval_deu,m_alpacaeval_zho"
    results = run_lm_eval(tmp_path, tiny_model, tasks, {"benchmark": str(benchmark)}, limit=3)
    assert set(results["results"]) == {"m_alpacaeval_deu", "m_alpacaeval_zho"}
    outputs = read_outputs(tmp_path / "results")
    for code, place in (("deu", 1), ("zho", 2)):
        assert [row.id for row in outputs[code]] == [1, 2, 7]
        assert [row.instruction for row in outputs[code]] == [PROMPTS[number][place] for number in (1, 2, 7)]


@pytest.mark.slow
def test_one_language_with_a_judge(tmp_path: Path, tiny_model: Path, benchmark: Path) -> None:
    rows = [ModelOutput(row[1], "Das ist eine Antwort.", "ref", n, "own", "deu") for n, row in PROMPTS.items()]
    write_json(tmp_path / "ref" / "deu.json", rows)
    with serve_loopback(prefer_second) as server:
        metadata = {"benchmark": str(benchmark), "judge": f"judge@{server.url}", "annotator": "xl_local"}
        scores = run_lm_eval(
            tmp_path, tiny_model, "m_alpacaeval_deu", {**metadata, "reference": str(tmp_path / "ref")}, limit=5
        )["results"]["m_alpacaeval_deu"]
        assert server.stats()["calls"] == 5
    assert 0 <= scores["gated_win_rate,none"] <= 100
    assert 0 < scores["win_rate,none"] < 100
