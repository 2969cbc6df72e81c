"""`xl-suite fidelity` on files, folders and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xl_suite.cli.main import main
from xl_suite.dataset.expected import read_packaged
from xl_suite.records import BenchmarkRow, ModelOutput, write_json, write_parquet

GERMAN = "Die Bäckerin öffnet ihren Laden jeden Morgen vor Sonnenaufgang und verkauft dunkles Brot."
ENGLISH = "The baker opens her shop before sunrise every morning and sells a lot of dark bread."
KEYS = [
    "n_right", "n_wrong", "n_mixed", "n_empty", "n_undetermined", "n_withheld", "n_failed", "pass_rate", "constant",
    "n_truncated",
]  # fmt: skip


def make_rows(language: str, texts: list[str], *, generator: str = "good", benchmark: str = "") -> list[ModelOutput]:
    return [
        ModelOutput(f"prompt {i}", text, generator, id=i, language=language, benchmark=benchmark)
        for i, text in enumerate(texts, start=1)
    ]


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    write_json(tmp_path / "good" / "deu.json", make_rows("deu", [GERMAN, ENGLISH]))
    write_json(tmp_path / "good" / "eng.json", make_rows("eng", [ENGLISH]))
    write_json(tmp_path / "bad" / "deu.json", make_rows("deu", [ENGLISH], generator="bad"))
    (tmp_path / "good" / ".journal.json").write_text("nothing")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "deu.json").write_text("nothing")
    return tmp_path


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["fidelity", *arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_one_language_stands_at_the_top_level(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run_json(capsys, str(outputs / "good" / "deu.json"))
    assert list(answer) == KEYS
    assert (answer["n_right"], answer["n_wrong"], answer["pass_rate"]) == (1, 1, 0.5)
    assert run_json(capsys, str(outputs / "bad")) == answer | {"n_right": 0, "pass_rate": 0.0}


def test_several_languages_and_generators(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run_json(capsys, str(outputs / "good"))
    assert list(answer) == ["languages"]
    assert sorted(answer["languages"]) == ["deu", "eng"]  # type: ignore[call-overload]
    every = run_json(capsys, str(outputs))
    assert every["generators"]["good"] == answer  # type: ignore[index]
    assert every["generators"]["bad"]["n_wrong"] == 1  # type: ignore[index]


def test_failed_prompts_are_counted(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = [
        {"id": i, "language": code, "reason": "timeout", "attempts": 3} for i, code in enumerate(["deu", "fra"])
    ]
    write_json(outputs / "good" / "failed.json", failed)
    answer = run_json(capsys, str(outputs / "good"))
    found = {code: one["n_failed"] for code, one in answer["languages"].items()}  # type: ignore[attr-defined]
    assert found == {"deu": 1, "eng": 0, "fra": 1}
    assert run_json(capsys, str(outputs / "good" / "deu.json"))["n_failed"] == 1
    assert run_json(capsys, str(outputs / "bad"))["n_failed"] == 0


def test_the_table_has_a_line_for_each_language(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fidelity", str(outputs / "good")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "undetermined" in lines[0]
    assert [line.split()[:9] for line in lines[1:3]] == [
        ["good", "deu", "50.0", "%", "1", "1", "0", "0", "0"],
        ["good", "eng", "100.0", "%", "1", "0", "0", "0", "0"],
    ]


def test_details_hold_each_verdict(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    details = tmp_path / "out" / "details.json"
    run_json(capsys, str(outputs / "good" / "deu.json"), "--details", str(details))
    rows = json.loads(details.read_text(encoding="utf-8"))
    assert [(row["id"], row["verdict"]) for row in rows] == [(1, "right"), (2, "wrong")]
    assert rows[1]["lines"][0]["language"] == "eng"
    assert rows[1]["lines"][0]["text"].startswith("The baker")


def test_rows_without_a_language_need_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "foreign.json"
    write_json(file, [{"instruction": "prompt", "output": GERMAN, "generator": "tester"}])
    assert main(["fidelity", str(file)]) == 2
    assert "--language CODE" in capsys.readouterr().err
    assert run_json(capsys, str(file), "--language", "deu")["n_right"] == 1
    assert main(["fidelity", str(file), "--language", "ger"]) == 2
    assert "'deu'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such file or folder"),
        (["empty"], "holds no outputs"),
        (["good", "--language", "fra"], "asked for in 'deu'"),
        (["good", "--benchmark", "empty"], "is not a benchmark"),
        (["broken.json"], "not JSON"),
        (["wrong.json"], "'language'"),
    ],
)
def test_bad_input(
    outputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(outputs)
    Path("empty").mkdir()
    Path("broken.json").write_text("[{")
    write_json(Path("wrong.json"), make_rows("german", [GERMAN]))
    assert main(["fidelity", *arguments, "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_an_unknown_language_and_a_constant_model_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "chr.json"
    write_json(file, make_rows("chr", [ENGLISH] * 4))
    answer = run_json(capsys, str(file))
    assert (answer["n_undetermined"], answer["pass_rate"], answer["constant"]) == (4, None, 4)
    assert main(["fidelity", str(file)]) == 0
    warnings = capsys.readouterr().err
    assert "does not know" in warnings
    assert "one and the same text" in warnings


def test_marked_prompts_are_judged_as_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = tmp_path / "benchmark"
    rows = [BenchmarkRow(i, "d", "i", "p", "t", "deu", expected) for i, expected in enumerate(["any", "target"], 1)]
    write_parquet(benchmark / "deu" / "test-00000-of-00001.parquet", rows)
    file = tmp_path / "deu.json"
    write_json(file, make_rows("deu", [ENGLISH, ENGLISH]))
    assert run_json(capsys, str(file))["n_right"] == 0
    assert run_json(capsys, str(file), "--benchmark", str(benchmark))["n_right"] == 1


def test_the_packaged_marks_hold_for_xl_alpacaeval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marked = read_packaged()
    assert marked[574] == "other:fra"
    free = min(number for number, expected in marked.items() if expected == "any")
    row = ModelOutput("prompt", ENGLISH, "good", id=free, language="deu", benchmark="xl-alpacaeval")
    write_json(tmp_path / "deu.json", [row])
    assert run_json(capsys, str(tmp_path / "deu.json"))["n_right"] == 1


def test_what_verdicts_cannot_say_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for code in ("hrv", "ckb", "deu"):
        write_json(tmp_path / "good" / f"{code}.json", make_rows(code, [GERMAN], benchmark="of-my-own"))
    assert main(["fidelity", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "ckb, deu, hrv: the outputs' benchmark is not known" in said
    assert "answers in bos, srp, cnr pass for hrv too" in said
    assert "ckb is a language that the identification does not know" in said
