"""The lm-eval tasks, run by the real lm-eval on a tiny random model."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from xl_suite import harness
from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback, token_logprobs
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.languages import find_language, table
from xl_suite.records import BenchmarkRow, ModelOutput, write_json, write_parquet
from xl_suite.responding.outputs import read_outputs

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "harness_tasks"
LANGUAGES = [row.code for row in table() if "xl-alpacaeval" in row.benchmarks]
pytest.importorskip("lm_eval")


def load_script() -> Any:
    spec = spec_from_file_location("make_harness_tasks", ROOT / "scripts" / "make_harness_tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    for code in LANGUAGES:
        template = f"Respond in {find_language(code).name}"
        rows = [
            BenchmarkRow(i, "d", f"Ask {i}\n\n{template}", f"Ask {i}", template, code, "target") for i in (1, 2, 3)
        ]
        write_parquet(folder / code / "test-00000-of-00001.parquet", rows)
    return folder


def test_files_are_current() -> None:
    assert load_script().find_stale() == []


def test_every_language_has_its_task_and_no_group_averages_english() -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(TASKS), include_defaults=False)
    for code in LANGUAGES:
        assert f"xl_alpacaeval_{code}" in manager.all_tasks
    group = (TASKS / "xl_alpacaeval" / "xl_alpacaeval.yaml").read_text()
    assert [f"xl_alpacaeval_{code}" in group for code in LANGUAGES] == [code != "eng" for code in LANGUAGES]


def run_lm_eval(tmp_path: Path, model: Path | str, task: str, metadata: dict[str, str], limit: int) -> dict[str, Any]:
    """model: a folder, or the base URL of a server."""
    command = [sys.executable, "-m", "lm_eval", "run", "--include_path", str(TASKS), "--tasks", task]
    if isinstance(model, Path):
        command += ["--model", "hf", "--model_args", f"pretrained={model}", "--device", "cpu", "--batch_size", "16"]
    else:
        told = f"model=m,base_url={model}/chat/completions,num_concurrent=1,max_retries=1,tokenized_requests=False"
        command += ["--model", "local-chat-completions", "--model_args", told]
    command += ["--apply_chat_template", "--gen_kwargs", "max_gen_toks=12", "--limit", str(limit), "--log_samples"]
    command += ["--output_path", str(tmp_path / "results"), "--metadata", json.dumps(metadata)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0", "OPENAI_API_KEY": "loopback"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (written,) = (tmp_path / "results").rglob("results_*.json")
    results: dict[str, Any] = json.loads(written.read_text())
    return results


@pytest.mark.slow
def test_the_group_without_a_judge_and_its_samples_judged_later(
    tmp_path: Path, tiny_model: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run_lm_eval(tmp_path, tiny_model, "xl_alpacaeval", {"benchmark": str(benchmark)}, limit=2)
    languages = [code for code in LANGUAGES if code != "eng"]
    assert set(results["results"]) == {"xl_alpacaeval", *(f"xl_alpacaeval_{code}" for code in languages)}
    assert "win_rate,none" not in results["results"]["xl_alpacaeval_deu"]
    assert "constant,none" in results["results"]["xl_alpacaeval_deu"]
    outputs = read_outputs(tmp_path / "results")
    assert {code: [row.id for row in rows] for code, rows in outputs.items()} == {code: [1, 2] for code in languages}
    for code in languages:
        rows = [ModelOutput(row.instruction, "eine Antwort", "ref", row.id, "", code) for row in outputs[code]]
        write_json(tmp_path / "ref" / f"{code}.json", rows)
    with serve_loopback(prefer_second) as server:
        command = [
            "judge",
            str(tmp_path / "results"),
            "--reference",
            str(tmp_path / "ref"),
            "--annotator",
            "xl_local",
        ]
        assert main([*command, "--model", f"j@{server.url}", "--out", str(tmp_path / "ann"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["languages"]["zho"]["n_total"] == 4, "both orders"


@pytest.mark.slow
def test_one_language_with_a_judge(tmp_path: Path, tiny_model: Path, benchmark: Path) -> None:
    reference = [
        ModelOutput(
            f"Ask {i}\n\nRespond in German", "Das ist eine gute Antwort auf diese Frage.", "ref", i, "", "deu"
        )
        for i in (1, 2, 3)
    ]
    write_json(tmp_path / "ref" / "deu.json", reference)
    with serve_loopback(prefer_second) as server:
        metadata = {"benchmark": str(benchmark), "judge": f"judge@{server.url}", "annotator": "xl_local"}
        metadata |= {"reference": str(tmp_path / "ref"), "journal": str(tmp_path / "judge.sqlite")}
        scores = run_lm_eval(tmp_path, tiny_model, "xl_alpacaeval_deu", metadata, limit=3)["results"]
        assert server.stats()["calls"] == 3
    told = scores["xl_alpacaeval_deu"]
    assert 0 < told["win_rate,none"] < 100
    assert told["win_rate_stderr_prompts,none"] >= 0
    assert told["gated_win_rate,none"] <= 100


@pytest.mark.slow
def test_a_benchmark_of_ones_own(tmp_path: Path, tiny_model: Path) -> None:
    write_json(tmp_path / "mine.json", [{"prompt": f"Ask {i}"} for i in (1, 2)])
    build = ["build", "prompts", "--source", str(tmp_path / "mine.json"), "--column", "prompt", "--languages", "deu"]
    assert main([*build, "--name", "mine", "--out", str(tmp_path / "bench")]) == 0
    run_lm_eval(tmp_path, tiny_model, "xl_alpacaeval_deu", {"benchmark": str(tmp_path / "bench")}, limit=2)
    (rows,) = read_outputs(tmp_path / "results").values()
    assert [row.instruction.partition("\n")[0] for row in rows] == ["Ask 1", "Ask 2"]
    assert {row.benchmark for row in rows} == {"mine"}, "not the task's"


@pytest.mark.slow
def test_a_lone_surrogate_loses_no_sample(tmp_path: Path, benchmark: Path) -> None:
    def answer(request: dict[str, Any]) -> Reply:
        text = {1: "Eine Antwort \ud83d mit halbem Zeichen, und sie ist deutsch.", 2: "Eine ganze Antwort.", 3: ""}
        (number,) = [n for n in text if f"Ask {n}\n" in last_message(request)]
        return Reply(text[number])

    with serve_loopback(answer) as server:
        run_lm_eval(tmp_path, server.url, "xl_alpacaeval_deu", {"benchmark": str(benchmark)}, limit=3)
    (samples,) = (tmp_path / "results").rglob("samples_*.jsonl")
    resps = [json.loads(line)["resps"] for line in samples.read_text(encoding="utf-8").splitlines()]
    whole = "Eine Antwort \ufffd mit halbem Zeichen, und sie ist deutsch."
    assert resps == [[[whole]], [["Eine ganze Antwort."]], [[""]]]
    (rows,) = read_outputs(tmp_path / "results").values()
    assert [row.output for row in rows] == [whole, "Eine ganze Antwort.", ""]


def prefer_second(request: dict[str, Any]) -> Reply:
    return Reply("M", logprobs=token_logprobs({"M": math.log(0.7), "m": math.log(0.3)}))


def test_a_judge_without_reference_is_refused_before_anything_is_generated(benchmark: Path) -> None:
    with pytest.raises(BadInput, match="no reference outputs"):
        harness.load_documents("deu", "xl-suite/xl-alpacaeval", benchmark=str(benchmark), judge="gpt-4o-2024-08-06")


def make_items(benchmark: Path, reference: Path, judge: str, **settings: Any) -> list[dict[str, Any]]:
    rows = [
        ModelOutput(f"Ask {i}\n\nRespond in German", "Eine gute Antwort.", "ref", i, "", "deu") for i in (1, 2, 3)
    ]
    write_json(reference / "deu.json", rows)
    settings |= {"benchmark": str(benchmark), "reference": str(reference), "annotator": "xl_local", "judge": judge}
    documents = harness.load_documents("deu", "xl-suite/xl-alpacaeval", **settings)["test"]
    answers: list[Any] = ["Das ist eine Antwort auf Deutsch.", None, ""]
    told = [harness.process_results(doc, [answer]) for doc, answer in zip(documents, answers, strict=True)]
    assert [one["fidelity"] for one in told] == [1.0, 0.0, 0.0]  # null is an empty answer
    return [one["win_rate"] for one in told]


def test_a_judge_that_fails_ends_nothing_and_says_so(
    benchmark: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_loopback(lambda request: Reply("no such key", 401)) as server:
        items = make_items(benchmark, tmp_path, f"judge@{server.url}")
        assert math.isnan(harness.aggregate_win_rate(items))
        calls = server.calls
        assert math.isnan(harness.aggregate_stderr(items))
        assert math.isnan(harness.aggregate_gated_win_rate(items))
        assert server.calls == calls
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert "refuses the key" in told[0]
    assert f"xl-suite judge OUTPUT_PATH/MODEL --reference {tmp_path} --annotator xl_local" in told[0]


def test_the_judge_takes_further_fields(benchmark: Path, tmp_path: Path) -> None:
    with serve_loopback(prefer_second, keep_requests=True) as server:
        items = make_items(benchmark, tmp_path, f"judge@{server.url}", extra={"reasoning_effort": "low"})
        assert 0 < harness.aggregate_win_rate(items) < 100
        assert {request["reasoning_effort"] for request in server.requests} == {"low"}
        with pytest.raises(BadInput, match="a JSON object is needed"):
            make_items(benchmark, tmp_path, f"judge@{server.url}", extra="low")


def test_settings_come_from_the_environment_too(benchmark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XL_SUITE_BENCHMARK", str(benchmark))
    documents = harness.load_documents("zho", "xl-suite/xl-alpacaeval", version=1.0)["test"]
    assert [row["language"] for row in documents] == ["zho"] * 3


def test_metrics_of_a_document() -> None:
    doc = {"language": "deu", "prompt": "Explain trees.", "expected": "target", "id": 1}
    right = harness.process_results(doc, ["Bäume sind Pflanzen mit einem Stamm aus Holz und vielen grünen Blättern."])
    wrong = harness.process_results(doc, ["Trees are plants with a woody trunk and a great many green leaves."])
    assert (right["fidelity"], wrong["fidelity"]) == (1.0, 0.0)
    assert harness.process_results(doc, [""])["fidelity"] == 0.0
    assert "fidelity" not in harness.process_results(doc, ["42"])
    assert harness.count_constant(["the same text again and again, whatever was asked"] * 20) == 20


def test_the_verb_prints_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    assert Path(capsys.readouterr().out.strip()) == TASKS
