"""The verbs that call models, with each server of the table in the place of the model: they do what they are for."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.m_alpacaeval.conftest import translate, write_xl_alpacaeval
from xl_suite import harness
from xl_suite.chat.loopback.likeness import list_paths, list_servers, play
from xl_suite.chat.loopback.server import last_message, serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.demo.instruct import list_answers, read_demo_config

SENTENCE = "Das ist eine ruhige und klare Antwort auf die Frage, die hier gestellt wurde, Nummer {number}."
ROWS = 3


def answer(request: dict[str, Any]) -> str:
    text = last_message(request)
    if request["model"] == "rater":
        return "Score: 4"
    return "m" if request["model"] == "judge" else SENTENCE.format(number=len(text))


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark") / "xl-alpacaeval"
    rows = build_demo_rows()
    write_demo_benchmark(folder, {code: rows[code] for code in ("deu", "eng")})
    return folder


@pytest.mark.parametrize("server", list_servers())
def test_respond_judge_and_rate(server: str, benchmark: Path, tmp_path: Path) -> None:
    with serve_loopback(play(server, answer=answer), paths=list_paths(server), keep_requests=True) as played:

        def run(command: str) -> dict[str, Any]:
            done = run_verb([*command.split(), "--json"])
            assert done.status == 0, (command, done.notes)
            told = json.loads(json.dumps(done.answer))
            assert isinstance(told, dict)
            return told

        respond = f"respond {benchmark} --languages deu --limit {ROWS} --seed 1 --model model@{played.url}"
        assert run(f"{respond} --out {tmp_path}/outputs")["languages"]["deu"]["n_rows"] == ROWS
        rows = json.loads((tmp_path / "outputs/model/deu.json").read_text(encoding="utf-8"))
        others = [
            {**row, "generator": "reference", "output": "Eine ganz andere Antwort auf die Frage."} for row in rows
        ]
        (tmp_path / "reference").mkdir()
        (tmp_path / "reference/deu.json").write_text(json.dumps(others), encoding="utf-8")
        judge = f"judge {tmp_path}/outputs/model --reference {tmp_path}/reference --annotator xl_local"
        judged = run(f"{judge} --model judge@{played.url} --out {tmp_path}/annotations")
        assert judged["languages"]["deu"]["n_total"] == 2 * ROWS, "both orders"
        rated = run(f"rate {tmp_path}/outputs/model --model rater@{played.url} --out {tmp_path}/ratings")
        assert rated["languages"]["deu"]
        assert {request["model"] for request in played.requests} == {"model", "judge", "rater"}


@pytest.mark.parametrize("server", list_servers())
def test_build_m_alpacaeval(server: str, tmp_path: Path) -> None:
    source = write_xl_alpacaeval(tmp_path / "xl-alpacaeval")
    with serve_loopback(play(server, answer=translate), paths=list_paths(server)) as played:
        build = f"build m-alpacaeval --benchmark {source} --languages deu,zho --model model@{played.url}"
        done = run_verb([*f"{build} --out {tmp_path}/m --json".split()])
    assert done.status == 0, done.notes
    assert done.answer["rows"] == {"deu": 5, "zho": 5, "eng": 5}
    assert done.answer["set_aside"] == []


@pytest.mark.parametrize("server", list_servers())
def test_generate(server: str, tmp_path: Path) -> None:
    passages = tmp_path / "passages.jsonl"
    passages.write_text(files("xl_suite.demo").joinpath("instruct_passages.jsonl").read_text(encoding="utf-8"))
    told = {
        (line["model"], line["request"]["messages"][-1]["content"]): line["answer"]["text"]
        for line in list_answers(read_demo_config(passages))
    }

    def teach_or_translate(request: dict[str, Any]) -> str:
        text = last_message(request)
        # Where a server takes no system role, its words come before the user's.
        return next(
            answer for (model, end), answer in told.items() if model == request["model"] and text.endswith(end)
        )

    with serve_loopback(play(server, answer=teach_or_translate), paths=list_paths(server)) as played:
        config = yaml.safe_load(files("xl_suite.demo").joinpath("instruct_config.yaml").read_text(encoding="utf-8"))
        config["passages"]["source"] = str(passages)
        for one in (config["teacher"], *config["translators"]):
            one["model"] += f"@{played.url}"
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        done = run_verb(["generate", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "data"), "--json"])
    assert done.status == 0, done.notes
    assert done.answer["rows"]["bestof2"] == {"deu": 3, "hun": 3}


@pytest.mark.parametrize("server", list_servers())
def test_the_judge_of_lm_eval(server: str, benchmark: Path, tmp_path: Path) -> None:
    rows = build_demo_rows()["deu"]
    others = [
        {"instruction": row.instruction, "output": "Eine andere.", "generator": "ref", "id": row.id} for row in rows
    ]
    (tmp_path / "deu.json").write_text(json.dumps(others), encoding="utf-8")
    with serve_loopback(play(server, answer=answer), paths=list_paths(server)) as played:
        settings = {"benchmark": str(benchmark), "reference": str(tmp_path), "annotator": "xl_local"}
        settings |= {"judge": f"judge@{played.url}", "journal": str(tmp_path / "judge.sqlite")}
        documents = harness.load_documents("deu", "xl-suite/xl-alpacaeval", **settings)["test"].select(range(ROWS))
        results = [harness.process_results(dict(one), [SENTENCE.format(number=1)]) for one in documents]
        rate = harness.aggregate_win_rate([one["win_rate"] for one in results])
    assert 0 <= rate <= 100
