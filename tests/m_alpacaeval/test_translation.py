"""m-AlpacaEval built with a scripted translator: what is kept, asked again, set aside, and edited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.m_alpacaeval.conftest import PROMPTS, find_prompt, translate, write_xl_alpacaeval
from xl_suite.chat.loopback.server import Loopback, Reply, last_message, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.cli.main import main
from xl_suite.dataset.card import check_card
from xl_suite.dataset.folder import read_benchmark

# What the translator says of each prompt into German, whatever it is told.
FAULTS = {
    1: "Weil die Fahrerin in die Richtung lenkt, in die das Rad zu kippen droht, und weil sich die Räder drehen.",
    2: "Schreibe einen kurzen Brief, der mit {nombre} beginnt und um 250 Gramm Tee bittet.",
    249: "Décris ta saison préférée de l'année, s'il te plaît, et réponds dans cette langue.",
    300: "  \n",
}
REASONS = {1: ["answer"], 2: ["lost_placeholder"], 249: ["wrong_language"], 300: ["empty"]}


def fail(request: dict[str, Any]) -> str:
    return FAULTS.get(find_prompt(request)[0]) or translate(request)


def build(benchmark: Path, out: Path, server: Loopback | None, *options: str) -> int:
    command = ["build", "m-alpacaeval", "--benchmark", str(benchmark), "--out", str(out)]
    model = f"gpt@{server.url}" if server is not None else "gpt"  # OpenAI's, for which there is no key
    return main([*command, "--model", model, "--same-model", *options])


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def read_review(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "review.jsonl").read_text(encoding="utf-8").splitlines()]


def test_good_translations_make_a_folder_that_loads_both_ways(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import datasets

    out = tmp_path / "m"
    with serve_loopback(translate, keep_requests=True) as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu,zho", "--json") == 0
        assert server.calls == 10
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == {"deu": 5, "zho": 5, "eng": 5}
    assert told["set_aside"] == []
    for code, split, place in (("deu", "german", 1), ("zho", "chinese", 2), ("eng", "english", 0)):
        for arguments, name in (([code], "test"), ([], split)):
            rows = list(datasets.load_dataset(str(out), *arguments, split=name, cache_dir=str(tmp_path / "cache")))
            assert [row["id"] for row in rows] == list(PROMPTS)
            texts = [one[place].replace("{language}", "English") for one in PROMPTS.values()]
            assert [row["instruction"] for row in rows] == [row["prompt"] for row in rows] == texts
    columns = ["id", "dataset", "instruction", "prompt", "template", "language", "expected"]
    assert list(rows[0]) == [*columns, "source_instruction", "translator", "qe_score", "qe_model"]
    german = {
        row["id"]: row
        for row in datasets.Dataset.from_parquet(str(out / "deu" / "*.parquet"), cache_dir=str(tmp_path))
    }
    assert german[249]["source_instruction"].endswith("Please answer in German.")
    assert (german[300]["expected"], german[1]["expected"]) == ("any", "target")
    assert (german[1]["translator"], german[1]["qe_score"], german[1]["qe_model"]) == ("gpt", None, None)
    assert not (out / "review.jsonl").exists()
    assert check_card((out / "README.md").read_text(encoding="utf-8"), with_clients=True) == []
    assert [request["temperature"] for request in server.requests] == [0.0] * 10


def test_bad_translations_are_retried_set_aside_edited_and_never_paid_again(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    with serve_loopback(fail, keep_requests=True) as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu") == 1
        assert server.calls == 1 + 4 * 3
    cautions = [
        last_message(request) for request in server.requests if "earlier translation" in last_message(request)
    ]
    assert len(cautions) == 8
    assert any("Do not answer" in text and "bicycles" in text for text in cautions)
    assert "4 translations were set aside" in capsys.readouterr().out
    assert [row.id for row in read_benchmark(out, ["deu"])] == [7]
    assert "deu/1, deu/2, deu/249, deu/300" in (out / "README.md").read_text(encoding="utf-8")
    review = read_review(out)
    assert {row["id"]: row["reasons"] for row in review} == REASONS
    assert review[0]["translation"] == FAULTS[1]
    assert review[0]["explained"] == "an answer instead of a translation"

    # The same command, without a key or a server: everything is in the journal, and the outcome is the same.
    before = (out / "README.md").read_bytes()
    assert build(xl_alpacaeval, out, None, "--languages", "deu") == 1
    assert (out / "README.md").read_bytes() == before
    local = Model("gpt", "gpt", (), "vllm", source="gone")
    monkeypatch.setattr("xl_suite.chat.models.parse_model", lambda text: local)
    assert build(xl_alpacaeval, out, None, "--languages", "deu") == 1
    assert (out / "README.md").read_bytes() == before
    monkeypatch.undo()

    for row in review:
        row["edited"] = PROMPTS[row["id"]][1]
    review.append({"language": "deu", "id": 7, "edited": "Nur ein Satz."})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in review)
    (out / "review.jsonl").write_text(text, encoding="utf-8")
    for _ in range(2):
        assert build(xl_alpacaeval, out, None, "--languages", "deu", "--json") == 0
    capsys.readouterr()
    rows = {row.id: row.instruction for row in read_benchmark(out, ["deu"])}
    assert rows == {number: PROMPTS[number][1] for number in PROMPTS} | {7: "Nur ein Satz."}
    assert {row["id"] for row in read_review(out)} == set(PROMPTS)


def test_a_retry_that_is_sound_is_taken(xl_alpacaeval: Path, tmp_path: Path) -> None:
    def learn(request: dict[str, Any]) -> str:
        return translate(request) if "earlier translation" in last_message(request) else fail(request)

    with serve_loopback(learn) as server:
        assert build(xl_alpacaeval, tmp_path / "m", server, "--languages", "deu") == 0
        assert server.calls == 5 + 4
    assert [row.instruction for row in read_benchmark(tmp_path / "m", ["deu"])] == [
        row[1] for row in PROMPTS.values()
    ]


def test_failed_calls_are_set_aside_and_tried_again_by_the_next_run(xl_alpacaeval: Path, tmp_path: Path) -> None:
    def refuse(request: dict[str, Any]) -> str | Reply:
        return Reply("no", status=400) if find_prompt(request)[0] == 2 else translate(request)

    out = tmp_path / "m"
    with serve_loopback(refuse) as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu") == 1
    (row,) = read_review(out)
    assert (row["id"], row["reasons"]) == (2, ["failed"])
    assert "400" in row["detail"]
    with serve_loopback(translate) as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu") == 0
        assert server.calls == 1
    assert not (out / "review.jsonl").exists()


def test_an_edit_for_another_text_is_refused_before_any_call(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m"
    out.mkdir()
    line = {"language": "deu", "id": 1, "edited": "Warum?", "source_instruction": "Why do cats purr?"}
    (out / "review.jsonl").write_text(json.dumps(line) + "\n")
    with serve_loopback(translate) as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu") == 2
        assert server.calls == 0
    assert "another source text" in capsys.readouterr().err


def test_a_language_without_any_sound_translation(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m"
    with serve_loopback(lambda request: "") as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu", "--retries", "1") == 2
    assert "No translation could be used" in capsys.readouterr().err
    assert len(read_review(out)) == 5


def test_quality_estimation_fills_its_columns_and_can_refuse(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from xl_suite.records import read_raw

    out = tmp_path / "m"
    with serve_loopback(translate) as server:
        assert build(xl_alpacaeval, out, server, "--languages", "deu", "--qe", "surface") == 0
        rows = read_raw(out / "deu" / "test-00000-of-00001.parquet")
        assert {row["qe_model"] for row in rows} == {"surface"}
        assert all(0 < row["qe_score"] <= 1 for row in rows)
        calls = server.calls
        assert build(xl_alpacaeval, out, server, "--languages", "deu", "--qe", "surface", "--least-qe", "1.1") == 2
        assert server.calls == calls + 2 * 5
        assert {tuple(row["reasons"]) for row in read_review(out)} == {("low_qe",)}
        assert build(xl_alpacaeval, out, server, "--least-qe", "0.5") == 2
    assert "--least-qe needs --qe" in capsys.readouterr().err


def test_estimate_and_budget(xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m"
    with serve_loopback(translate) as server:
        assert build(xl_alpacaeval, out, server, "--estimate", "--json", "--price", "1,1") == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["calls"], server.calls) == (5 * 8, 0)
        options = ["--languages", "deu", "--price", "1000,1000", "--budget", "0.01"]
        assert build(xl_alpacaeval, out, server, *options) == 1
        assert server.calls < 5
    assert not (out / "README.md").exists()


def test_a_folder_of_english_alone_or_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_xl_alpacaeval(tmp_path / "eng", ("eng",))
    write_xl_alpacaeval(tmp_path / "deu", ("deu",))
    assert build(tmp_path / "eng", tmp_path / "out", None) == 2
    assert "alone" in capsys.readouterr().err
    assert build(tmp_path / "deu", tmp_path / "out", None) == 2
    assert "has no eng" in capsys.readouterr().err


def test_the_builder_gives_the_same_rows(xl_alpacaeval: Path, tmp_path: Path) -> None:
    from m_alpacaeval.builder import MAlpacaEval

    with serve_loopback(translate) as server:
        assert build(xl_alpacaeval, tmp_path / "m", server, "--languages", "deu") == 0
        model = f"gpt@{server.url}"
    for code in ("deu", "eng"):
        builder = MAlpacaEval(
            config_name=code,
            cache_dir=str(tmp_path / "cache"),
            benchmark=str(xl_alpacaeval),
            model=model,
            journal=str(tmp_path / "m" / ".journal.sqlite"),
            review=str(tmp_path / "m"),
        )
        builder.download_and_prepare()
        rows = [(row["id"], row["instruction"]) for row in builder.as_dataset(split="test")]
        assert rows == [(row.id, row.instruction) for row in read_benchmark(tmp_path / "m", [code])]


@pytest.mark.slow
def test_the_real_prompts_are_797_or_805_and_name_the_language(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from m_alpacaeval.rows import read_sources

    source = str(shared_data / "alpaca_eval" / "alpaca_eval.json")
    folder = tmp_path / "xl"
    assert main(["build", "xl-alpacaeval", "--source", source, "--out", str(folder), "--languages", "zho"]) == 0
    sources = read_sources(folder, ["hun", "swe"])
    hungarian = {prompt.id: prompt.text for prompt in sources.prompts["hun"]}
    swedish = {prompt.id: prompt.text for prompt in sources.prompts["swe"]}
    assert len(hungarian) == 797
    assert [number for number in hungarian if hungarian[number] != swedish[number]] == [139, 249, 274]
    assert all("Hungarian" in hungarian[number] for number in (139, 249, 274))
    capsys.readouterr()
    assert build(folder, tmp_path / "m", None, "--estimate", "--json") == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 8 * 797
    assert build(folder, tmp_path / "m", None, "--estimate", "--json", "--all-prompts", source) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 8 * 805
