"""The verbs that call models, with each server of the table in the place of the model: they do what they are for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.likeness import list_paths, list_servers, play
from xl_suite.chat.loopback.server import last_message, serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark

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
