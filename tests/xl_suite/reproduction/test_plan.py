"""The paper as a plan: its commands are commands, costs add up, it runs in small, ours are beside theirs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from xl_suite.cli.main import build_parser, main
from xl_suite.errors import BadInput
from xl_suite.paper.published import TABLES, published_scores
from xl_suite.reproduction.comparison import compare_with_paper
from xl_suite.reproduction.costs import cost_of
from xl_suite.reproduction.plan import TablePlan, is_done, list_done, sum_costs
from xl_suite.reproduction.planning import Setting, plan_tables
from xl_suite.reproduction.running import run_cells


@pytest.fixture(scope="module")
def whole() -> TablePlan:
    return plan_tables(TABLES, Setting(Path("r"), plain_template="{{ x }}", three="languages: [hin, fin, tur]\n"))


def test_every_command_is_one_that_the_command_line_takes(whole: TablePlan) -> None:
    parser = build_parser()
    for cell in whole.cells:
        args = parser.parse_args(list(cell.command))
        assert args.verb == cell.command[0]
        assert shlex.split(cell.shell().partition(" > ")[0])[-len(cell.command) :] == list(cell.command)


def test_every_line_of_the_paper_has_its_score(whole: TablePlan) -> None:
    lines = {(row.table, row.model, row.training, row.size, row.strategy) for row in published_scores()}
    assert {(line.table, line.model, line.training, line.size, line.strategy) for line in whole.lines} == lines
    made = {cell.makes for cell in whole.cells}
    assert {line.score for line in whole.lines} <= made
    assert len(made) == len(whole.cells)


def test_what_a_cell_needs_comes_before_it(whole: TablePlan) -> None:
    seen: set[str] = set()
    for cell in whole.cells:
        assert set(cell.needs) <= seen
        seen.add(cell.id)


def test_the_settings_of_single_lines(whole: TablePlan) -> None:
    shells = {cell.id: cell.shell() for cell in whole.cells}
    assert "--size 8000 --translations naive --sampling random" in shells["subset/random-8000"]
    assert "--size 32 --translations best-of-k --out" in shells["subset/best-of-3-32"]
    assert "--format x-instruction" in shells["subset/x-instruction-all"]
    assert "--size" not in shells["subset/x-instruction-all"]
    assert "--strategy reason-then-translate" in shells["respond/Aya-23-8B-reason-then-translate"]
    assert "--model utter-project/EuroLLM-9B-Instruct" in shells["train/EuroLLM-9B-Instruct-best-of-3-32"]
    # An untrained base model has no chat template of its own.
    assert shells["respond/EuroLLM-9B"].startswith("XL_SUITE_SERVER_ARGS='--chat-template r/plain.jinja' xl-suite")
    assert not shells["respond/EuroLLM-9B-Instruct"].startswith("XL_SUITE")
    assert dict(whole.files)["plain.jinja"] == "{{ x }}"
    assert "eng" in shells["respond/EuroLLM-9B.m-alpacaeval"]


def test_costs() -> None:
    plan = plan_tables([1], Setting(Path("r")))
    judged = [cell for cell in plan.cells if cell.step == "judge"]
    assert [cell.cost.calls for cell in judged] == [8 * 797] * 7
    assert judged[0].cost.dollars == pytest.approx(8 * 797 * (1600 * 2.5 + 10) / 1e6)
    total = sum_costs(plan.cells)
    assert total.calls == 15 * 8 * 797  # seven models and the reference answer, seven are judged
    assert total.dollars == pytest.approx(sum(cell.cost.dollars or 0 for cell in plan.cells))
    assert cost_of("judge", 10, model="unknown-model").dollars is None
    assert sum_costs(judged[:1]).gpu_hours == 0
    assert cost_of("train", 8000).gpu_hours is None
    # Section 4 at its scale: 40,000 x 8 x 15 x 3, and two calls of the teacher for each passage.
    assert cost_of("generate", 8).calls == 14_400_000 + 80_000


def test_unknown_tables_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--table", "4"]) == 2
    assert "1, 2, 3, 6, 7, 8, 9, 10" in capsys.readouterr().err


def test_the_verb_prints_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--table", "9", "--out", str(tmp_path / "r"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["lines"]) == 4
    assert not any(answer["done"].values())
    assert all(row["ours"] is None for row in answer["beside"])
    assert not (tmp_path / "r").exists()
    assert main(["reproduce", "--table", "9", "--out", str(tmp_path / "r")]) == 0
    text = capsys.readouterr().out
    assert "[ ] generate/xl-instruct-3" in text
    assert "GPU hours unknown" in text
    assert "Table 9: the 40,000" in text
    assert "Table 10's random arm" not in text  # what another table leaves open
    assert "of 0 agree" not in text
    assert text.endswith("16 of 16 numbers have no score of ours yet.\n")
    assert main(["reproduce", "--table", "1", "--out", str(tmp_path / "r")]) == 0
    assert "Assumed:" not in capsys.readouterr().out
    assert main(["reproduce", "--table", "1", "--out", str(tmp_path / "r"), "--run"]) == 2
    assert "give --budget" in capsys.readouterr().err


def test_models_as_alpaca_eval_reads_them(tmp_path: Path) -> None:
    import yaml

    assert main(["reproduce", "--models-configs", str(tmp_path / "m")]) == 0
    files = sorted((tmp_path / "m").glob("*/configs.yaml"))
    assert len(files) == 9
    for path in files:
        (config,) = yaml.safe_load(path.read_text()).values()
        prompt = Path(config["prompt_template"])
        assert prompt.is_absolute()
        assert "{instruction}" in prompt.read_text()
        assert config["completions_kwargs"]["temperature"] == 0.7
    completions = pytest.importorskip("alpaca_eval.utils")
    chat = completions.prompt_to_chatml(prompt.read_text().replace("{instruction}", "Hello"))
    assert chat == [{"role": "user", "content": "Hello"}]


# Running


def write_result(plan: TablePlan, out: Path, failing: str = "") -> Any:
    """An executor that writes what a cell makes, or fails; and the commands that it was given."""
    asked: list[Sequence[str]] = []
    cells = {cell.command: cell for cell in plan.cells}

    def execute(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, Any, float]:
        asked.append(command)
        command = [word for word in command if word != "--wait"]
        cell = cells[tuple(command[: command.index("--budget")] if "--budget" in command else command)]
        assert environment == dict(cell.environment)
        if cell.id == failing:
            return 1, None, 2.0  # stopped half-way: what it made was paid for
        if cell.stdout:
            return 0, {"language": "deu", "win_rate": 10.0}, 0.0
        (out / cell.makes).parent.mkdir(parents=True, exist_ok=True)
        (out / cell.makes).write_text("x")
        return 0, None, 2.0 if "--budget" in command else 0.0

    return execute, asked


def test_a_run_skips_what_exists_and_waits_for_what_failed(tmp_path: Path) -> None:
    plan = plan_tables([1], Setting(tmp_path, languages=("deu",)))
    execute, asked = write_result(plan, tmp_path, failing="judge/Aya-23-8B")
    results = {one.cell: one.status for one in run_cells(plan, tmp_path, execute, budget=100)}
    assert results["judge/Aya-23-8B"] == "failed"
    assert results["score/1-Aya-23-8B"] == "waiting"
    assert sorted(set(results.values())) == ["done", "failed", "waiting"]
    # The budget is what is left: the reference and each judgement cost two dollars here, local models have none.
    budgets = [float(command[-1]) for command in asked if "--budget" in command]
    assert budgets == [100, 98, 96, 94, 92, 90, 88, 86]  # one judgement failed, and cost as much
    again, asked = write_result(plan, tmp_path)
    results = {one.cell: one.status for one in run_cells(plan, tmp_path, again, budget=100)}
    assert [command[0] for command in asked] == ["judge", "score"]
    assert set(results.values()) == {"done", "skipped"}
    assert all(list_done(plan, tmp_path).values())


def test_commands_wait_where_the_run_does(tmp_path: Path) -> None:
    """Those that ask models, local ones too; every verb takes what it is given."""
    plan = plan_tables([1], Setting(tmp_path, languages=("deu",)))
    execute, asked = write_result(plan, tmp_path)
    run_cells(plan, tmp_path, execute, budget=100, wait=True)
    told = {(command[0], "--wait" in command) for command in asked}
    assert told == {("build", False), ("respond", True), ("judge", True), ("score", False)}
    for command in asked:
        build_parser().parse_args(command)


def test_rows_that_failed_are_not_done(tmp_path: Path) -> None:
    plan = plan_tables([1], Setting(tmp_path, languages=("deu",)))
    cell = next(cell for cell in plan.cells if cell.step == "respond")
    made = tmp_path / cell.makes
    made.parent.mkdir(parents=True)
    made.write_text("[]")
    assert is_done(cell, tmp_path)
    (made.parent / "failed.json").write_text("[]")
    assert not is_done(cell, tmp_path)


def test_only_some_cells(tmp_path: Path) -> None:
    plan = plan_tables([1], Setting(tmp_path, languages=("deu",)))
    execute, asked = write_result(plan, tmp_path)
    results = run_cells(plan, tmp_path, execute, only=["build/*"])
    assert [(one.cell, one.status) for one in results] == [("build/xl-alpacaeval", "done")]
    waiting = run_cells(plan, tmp_path, execute, only=["score/*"])
    assert {one.status for one in waiting} == {"waiting"}
    assert len(asked) == 1
    with pytest.raises(BadInput, match=r"No cell matches trian/\*\. Cells: build/xl-alpacaeval"):
        run_cells(plan, tmp_path, execute, only=["trian/*"])


# Beside the paper


def write_score(
    plan: TablePlan, out: Path, model: str, rates: dict[str, tuple[float, float, float]], table: int = 1
) -> None:
    line = next(line for line in plan.lines if (line.table, line.model, line.strategy) == (table, model, "direct"))
    languages = {
        code: {"win_rate": rate, "ci_low": low, "ci_high": high} for code, (rate, low, high) in rates.items()
    }
    mean = sum(rate for rate, _, _ in rates.values()) / len(rates)
    overall = {"win_rate": mean, "ci_low": mean - 1, "ci_high": mean + 1}
    (out / line.score).parent.mkdir(parents=True, exist_ok=True)
    (out / line.score).write_text(json.dumps({"languages": languages, "overall": overall}))


def test_ours_beside_the_papers(tmp_path: Path) -> None:
    plan = plan_tables([1], Setting(tmp_path))
    printed = {
        row.language: row.value for row in published_scores() if (row.table, row.model) == (1, "Aya Expanse 8B")
    }
    rates = {code: (value, value - 3, value + 3) for code, value in printed.items() if code != "avg"}
    rates["mlt"] = (20.0, 17.0, 23.0)  # printed: 9.51
    write_score(plan, tmp_path, "Aya Expanse 8B", rates)
    rows = {(row.model, row.language): row for row in compare_with_paper(plan, tmp_path)}
    assert len(rows) == 63
    assert rows["Aya Expanse 8B", "deu"].agree is True
    assert rows["Aya Expanse 8B", "deu"].difference == 0
    assert rows["Aya Expanse 8B", "mlt"].agree is False
    assert rows["Aya Expanse 8B", "mlt"].difference == pytest.approx(20 - 9.51)
    assert rows["Aya Expanse 8B", "avg"].ours == pytest.approx(sum(r for r, _, _ in rates.values()) / 8)
    assert rows["Gemma 2 9B IT", "deu"].ours is None
    assert rows["Gemma 2 9B IT", "deu"].agree is None


def test_table_2_is_a_difference_to_table_1(tmp_path: Path) -> None:
    plan = plan_tables([2], Setting(tmp_path))
    assert plan.tables == (1, 2)
    write_score(plan, tmp_path, "Aya 23 8B", {"deu": (15.0, 12.0, 18.0)})
    line = next(line for line in plan.lines if line.table == 2 and line.model == "Aya 23 8B")
    path = tmp_path / line.score
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"language": "deu", "win_rate": 16.0, "ci_low": 12.0, "ci_high": 20.0}))
    rows = [row for row in compare_with_paper(plan, tmp_path) if row.table == 2 and row.model == "Aya 23 8B"]
    found = next(row for row in rows if row.language == "deu")
    assert found.ours == pytest.approx(1.0)
    assert (found.ci_low, found.ci_high) == (pytest.approx(1 - 5), pytest.approx(1 + 5))


@pytest.mark.slow
def test_tables_6_and_1_run_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trl")
    out = tmp_path / "smoke"
    assert main(["reproduce", "--table", "6", "--smoke", "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {one["status"] for one in answer["results"]} == {"done", "skipped"}
    assert all(answer["done"].values())
    assert len(answer["beside"]) == 23 * 2  # 23 lines in two languages; averages over fewer are not compared
    assert all(row["ours"] is not None and row["ci_low"] <= row["ours"] <= row["ci_high"] for row in answer["beside"])
    steps = {one["cell"].partition("/")[0] for one in answer["results"] if one["status"] == "done"}
    assert steps == {"subset", "train", "respond", "judge", "score"}
    # Training changes what a model says.
    said = {
        name: json.loads((out / "outputs" / "xl-alpacaeval" / name / "deu.json").read_text())[0]["output"]
        for name in ("EuroLLM-9B", "EuroLLM-9B-best-of-3-32000")
    }
    assert said["EuroLLM-9B"] != said["EuroLLM-9B-best-of-3-32000"]
    assert main(["reproduce", "--table", "1", "--smoke", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "Llama 3.1 8B Instruct" in text
    assert "0 of 14 numbers have no score of ours yet" in text
    assert main(["reproduce", "--table", "9", "--smoke", "--out", str(out)]) == 2
