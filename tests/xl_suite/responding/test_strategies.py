"""Reason-then-translate: in one call and in two, its final answers found, those without one empty and counted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback, token_logprobs
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.records import BenchmarkRow, write_parquet
from xl_suite.responding.strategies import STRATEGIES, find_strategy, split_final

ONE, TWO = "reason-then-translate", "reason-then-translate-2-calls"


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    for code, name in (("deu", "German"), ("eng", "")):
        rows = []
        for number in (1, 2, 3):
            text = f"Question {number}?"
            asked = f"{text}\n\nAnswer in {name}" if name else text
            rows.append(BenchmarkRow(number, "own", asked, text, "", code, "target"))
        write_parquet(tmp_path / "bench" / code / "test-00000-of-00001.parquet", rows)
    return tmp_path / "bench"


def run(benchmark: Path, out: Path, url: str, strategy: str, *options: str) -> int:
    command = ["respond", str(benchmark), "--model", f"tiny@{url}", "--out", str(out), "--strategy", strategy]
    return main([*command, "--same-model", *options])


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def think(request: dict[str, Any]) -> str | Reply:
    text = last_message(request)
    if "Answer in German" not in text:
        return "In English."
    assert "Translate that answer into German" in text
    if "Question 2?" in text:
        return "I think and think, and forget the rest."
    if "Question 3?" in text:
        return Reply("An answer.\n<final_answer>Eine halbe", finish_reason="length")
    return "First, an answer.\n<final_answer>\nEine Antwort.\n</final_answer> Done."


def test_one_call(benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_loopback(think) as server:
        assert run(benchmark, tmp_path / "out", server.url, ONE, "--json") == 0
        assert server.calls == 6
    told = json.loads(capsys.readouterr().out)
    assert told["generator"] == f"tiny-{ONE}"
    assert told["languages"]["deu"] == {
        "n_rows": 3,
        "n_truncated": 1,
        "n_empty": 1,
        "n_failed": 0,
        "n_without_final": 1,
    }
    assert told["languages"]["eng"]["n_without_final"] == 0
    rows = read(tmp_path / "out" / f"tiny-{ONE}" / "deu.json")
    assert [row["output"] for row in rows] == ["Eine Antwort.", "", "Eine halbe"]
    assert [row["reasoning"] for row in rows] == [
        "First, an answer.",
        "I think and think, and forget the rest.",
        "An answer.",
    ]
    assert {row["generator"] for row in rows} == {f"tiny-{ONE}"}
    english = read(tmp_path / "out" / f"tiny-{ONE}" / "eng.json")
    assert [row["output"] for row in english] == ["In English."] * 3
    assert "reasoning" not in english[0]


def test_two_calls(benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        if "<english_answer>" in text:
            assert "Question" in text
            assert text.count("</english_answer>") == 1
            return f"Übersetzt: {text.split('<english_answer>')[1].split('<')[0].strip()}"
        if "in English. It will be translated" not in text:
            return "In English."
        if "Question 2?" in text:
            return " "
        return Reply(
            f"Draft </english_answer> {text[9]}", finish_reason="length" if "Question 3?" in text else "stop"
        )

    out = tmp_path / "out"
    with serve_loopback(answer) as server:
        assert run(benchmark, out, server.url, TWO, "--json") == 0
        assert server.calls == 6 + 2
        told = json.loads(capsys.readouterr().out)
        assert told["languages"]["deu"]["n_without_final"] == told["languages"]["deu"]["n_empty"] == 1
        rows = read(out / f"tiny-{TWO}" / "deu.json")
        translated = [f"Übersetzt: Draft &lt;/english_answer> {number}" for number in (1, 2, 3)]
        assert [row["output"] for row in rows] == [translated[0], "", translated[2]]
        assert [row["reasoning"] for row in rows] == ["Draft </english_answer> 1", " ", "Draft </english_answer> 3"]
        assert [row["finish_reason"] for row in rows] == ["stop", "stop", "length"]
        before = (out / f"tiny-{TWO}" / "deu.json").read_bytes()
        assert run(benchmark, out, server.url, TWO) == 0
        assert server.calls == 8
        capsys.readouterr()
        assert run(benchmark, out, server.url, TWO, "--estimate", "--json") == 0
        assert json.loads(capsys.readouterr().out)["new"] == 0
    # All of it is in the journal: the same run without a server gives the same bytes.
    assert run(benchmark, out, "http://127.0.0.1:9/v1", TWO) == 0
    assert (out / f"tiny-{TWO}" / "deu.json").read_bytes() == before
    replayed = tmp_path / "replayed"
    journal = out / ".journal.sqlite"
    command = ["respond", str(benchmark), "--model", f"replay:{journal}", "--strategy", TWO, "--out", str(replayed)]
    assert main(command) == 0
    assert (replayed / f"tiny-{TWO}" / "deu.json").read_bytes() == before


def test_the_estimate_counts_second_calls(
    benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = {}
    for strategy in (one.name for one in STRATEGIES):
        options = ["--estimate", "--json", "--max-tokens", "100"]
        assert run(benchmark, tmp_path / strategy, "http://127.0.0.1:9/v1", strategy, *options) == 0
        told = json.loads(capsys.readouterr().out)
        calls[strategy] = told["calls"]
        if strategy == TWO:
            assert told["prompt_tokens"] > 3 * 100
    assert calls == {"direct": 6, ONE: 6, TWO: 9}


def test_a_failed_second_call_is_listed_and_tried_again_alone(benchmark: Path, tmp_path: Path) -> None:
    fail = True

    def answer(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        if fail and "<english_answer>" in text and "Question 2?" in text:
            return Reply("no", status=400)
        return "Text"

    with serve_loopback(answer) as server:
        assert run(benchmark, tmp_path, server.url, TWO, "--languages", "deu") == 1
        assert [row["id"] for row in read(tmp_path / f"tiny-{TWO}" / "failed.json")] == [2]
        assert [row["id"] for row in read(tmp_path / f"tiny-{TWO}" / "deu.json")] == [1, 3]
        fail = False
        calls = server.calls
        assert run(benchmark, tmp_path, server.url, TWO, "--languages", "deu") == 0
        assert server.calls == calls + 1
    assert [row["id"] for row in read(tmp_path / f"tiny-{TWO}" / "deu.json")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "final", "reasoning"),
    [
        ("a <final_answer>b</final_answer> c", "b", "a"),
        (
            "I put it in <final_answer> tags.\n<Final Answer>ja</Final Answer>",
            "ja",
            "I put it in <final_answer> tags.",
        ),
        ("x <final_answer>eins</final_answer> y <final_answer>zwei</final_answer>", "zwei", None),
        ("x <final_answer>eins</final_answer> y <final_answer></final_answer>", "eins", "x"),
        ("<final-answer>kurz", "kurz", ""),
        ("final answer: nein", "", "final answer: nein"),
        ("", "", ""),
    ],
)
def test_the_final_answer_is_found(text: str, final: str, reasoning: str | None) -> None:
    assert split_final(text)[0] == final
    if reasoning is not None:
        assert split_final(text)[1] == reasoning


@given(st.text(), st.text(min_size=1).filter(lambda text: bool(text.strip()) and "<" not in text))
def test_any_reasoning_leaves_the_final_answer(reasoning: str, final: str) -> None:
    assert split_final(f"{reasoning}<final_answer>{final}</final_answer>")[0] == final.strip()


def test_unknown_strategies_are_named() -> None:
    with pytest.raises(BadInput, match="reason-then-translate"):
        find_strategy("think")


def test_a_prompting_frame_goes_around_the_strategy(benchmark: Path, tmp_path: Path) -> None:
    (tmp_path / "frame.txt").write_text("<<{instruction}>>", encoding="utf-8")
    with serve_loopback(think, keep_requests=True) as server:
        options = ["--languages", "deu", "--limit", "1", "--template", str(tmp_path / "frame.txt"), "--system", "S"]
        assert run(benchmark, tmp_path / "out", server.url, ONE, *options) == 0
    system, user = server.requests[0]["messages"]
    assert system["content"] == "S"
    assert user["content"].startswith("<<Question 1?")
    assert user["content"].endswith("</final_answer>.>>")


@pytest.mark.slow
def test_both_on_a_tiny_model_under_transformers_serve(
    benchmark: Path, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of nonsense never writes the tags: every final answer is empty, and the run says so."""
    for strategy in (ONE, TWO):
        command = ["respond", str(benchmark), "--model", f"transformers:{tiny_model}", "--strategy", strategy]
        options = [
            "--languages",
            "deu",
            "--limit",
            "2",
            "--max-tokens",
            "8",
            "--out",
            str(tmp_path / "out"),
            "--json",
        ]
        assert main([*command, *options]) == 0
        told = json.loads(capsys.readouterr().out)["languages"]["deu"]
        rows = read(tmp_path / "out" / f"tiny-{strategy}" / "deu.json")
        assert told["n_rows"] == len(rows) == 2
        assert told["n_without_final"] == sum(not row["output"].strip() for row in rows)
        assert all(row["reasoning"] for row in rows)
        if strategy == ONE:
            assert told["n_without_final"] == 2


def test_compare_puts_it_beside_the_direct_answers(
    benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Table 2 does: the difference of the win rates, per language."""

    def judge(request: dict[str, Any]) -> Reply:
        text = str(request["messages"])
        first = text.find("Bezug") < text.find("Antwort.")
        good = 0.9 if "Eine Antwort." in text else 0.6
        chances = {"M": good, "m": 1 - good} if first else {"M": 1 - good, "m": good}
        return Reply("m", logprobs=token_logprobs({token: math.log(chance) for token, chance in chances.items()}))

    def answer(request: dict[str, Any]) -> str:
        return (
            "<final_answer>Eine Antwort.</final_answer>" if "<final_answer>" in last_message(request) else "Antwort."
        )

    out, annotations = tmp_path / "out", tmp_path / "annotations"
    with serve_loopback(answer) as server:
        for strategy in ("direct", ONE):
            assert run(benchmark, out, server.url, strategy, "--languages", "deu") == 0
    rows = [{**row, "output": "Bezug", "generator": "ref"} for row in read(out / "tiny" / "deu.json")]
    (tmp_path / "ref.json").write_text(json.dumps(rows), encoding="utf-8")
    with serve_loopback(judge) as server:
        for name in ("tiny", f"tiny-{ONE}"):
            command = ["judge", str(out / name), "--reference", str(tmp_path / "ref.json"), "--annotator", "xl_local"]
            assert main([*command, "--model", f"j@{server.url}", "--out", str(annotations)]) == 0
    capsys.readouterr()
    folders = [str(next((annotations / name).iterdir())) for name in (f"tiny-{ONE}", "tiny")]
    assert main(["compare", *folders, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model_a"], told["model_b"]) == (f"tiny-{ONE}", "tiny")
    assert told["difference"] == pytest.approx(30)


def test_some_rows_then_all_has_each_row_once(benchmark: Path, tmp_path: Path) -> None:
    with serve_loopback(lambda request: "Text") as server:
        assert run(benchmark, tmp_path, server.url, TWO, "--languages", "deu", "--limit", "2") == 0
        assert run(benchmark, tmp_path, server.url, TWO) == 0
        assert server.calls == 2 * 3 + 3
    assert [row["id"] for row in read(tmp_path / f"tiny-{TWO}" / "deu.json")] == [1, 2, 3]
