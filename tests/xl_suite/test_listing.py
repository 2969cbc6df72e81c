"""Which files of a folder every verb takes, and which it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard_results import SENTENCES, write_annotations, write_ratings
from xl_suite.cli.main import main
from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.annotations import list_annotations, read_annotations
from xl_suite.rating.ratings import list_ratings, read_ratings
from xl_suite.records import write_json
from xl_suite.responding.outputs import list_outputs, read_outputs

SHARES = (0.9, 0.2, 0.6, 0.4)
PROMPTS = [f"Prompt {number}: what is the weather like? Answer in deu." for number in range(1, len(SHARES) + 1)]


def make_outputs(generator: str, benchmark: str = "made-up") -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "instruction": prompt,
            "output": f"{SENTENCES['deu']} {number}.",
            "generator": generator,
            "language": "deu",
            "benchmark": benchmark,
            "finish_reason": "stop",
        }
        for number, prompt in enumerate(PROMPTS, start=1)
    ]


def put_strange_files(folder: Path) -> None:
    """What lies beside our files: ours of other kinds, other tools', and what no tool can read."""
    rows = json.loads((folder / "deu.json").read_text(encoding="utf-8"))
    write_json(folder / "failed.json", [{"id": 9, "language": "deu", "reason": "x", "attempts": 1}])
    write_json(folder / "deu.partial.json", rows[:1])
    (folder / "run.json").write_text('{"deu": {"model": "m"}}', encoding="utf-8")
    (folder / "leaderboard.csv").write_text(",win_rate\nm,50\n", encoding="utf-8")
    (folder / "leaderboard.json").write_text('{"m": {"win_rate": 50}}', encoding="utf-8")
    (folder / "summary.json").write_text('[{"a": 1}]', encoding="utf-8")
    (folder / "._deu.json").write_bytes(b"\0\5\x16\7")
    (folder / ".journal.sqlite").write_bytes(b"")


LEFT = {"._deu.json", "deu.partial.json", "failed.json", "leaderboard.csv", "leaderboard.json", "summary.json"}


def names(paths: tuple[Path, ...]) -> set[str]:
    return {path.name for path in paths}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """outputs/m, outputs/reference, annotations/m/judge and ratings/m/judge, with strange files in each folder."""
    for generator in ("m", "reference"):
        write_json(tmp_path / "outputs" / generator / "deu.json", make_outputs(generator))
    annotated = write_annotations(tmp_path, "m", SHARES, languages=["deu"])
    for folder in (tmp_path / "outputs" / "m", tmp_path / "outputs" / "reference", annotated):
        put_strange_files(folder)
    # What `alpaca_eval --model_outputs outputs/m/deu.json` leaves beside its input, and beside its own annotations.
    for folder in (tmp_path / "outputs" / "m", annotated):
        for name, generator in (("model_outputs", "m"), ("reference_outputs", "reference")):
            write_json(folder / f"{name}.json", make_outputs(generator))
        (folder / "annotations.json").write_bytes((annotated / "deu.json").read_bytes())
    return tmp_path


COPIES = {"annotations.json", "model_outputs.json", "reference_outputs.json"}


def test_outputs(results: Path) -> None:
    listing = list_outputs(results / "outputs" / "m")
    assert (names(listing.files), names(listing.left_alone)) == ({"deu.json"}, LEFT | COPIES)
    assert [row.id for row in read_outputs(results / "outputs" / "m")["deu"]] == [1, 2, 3, 4]
    several = list_outputs(results / "outputs", several=True)
    assert [path.parent.name for path in several.files] == ["m", "reference"]
    with pytest.raises(BadInput, match="several generators; name one: m, reference"):
        list_outputs(results / "outputs")
    write_json(results / "other" / "m" / "summary.json", [{"a": 1}])
    with pytest.raises(BadInput, match=r"holds no outputs.* left alone.*: m/summary\.json"):
        list_outputs(results / "other" / "m")


def test_annotations(results: Path) -> None:
    for place in (results / "annotations" / "m", results / "annotations" / "m" / "judge"):
        listing = list_annotations(place)
        assert (names(listing.files), names(listing.left_alone)) == ({"deu.json"}, LEFT | COPIES)
        assert len(read_annotations(place)) == len(SHARES)
    with pytest.raises(BadInput, match="name one: m"):
        list_annotations(results / "annotations")


def test_ratings(tmp_path: Path) -> None:
    write_ratings(tmp_path, "m", 4)
    (folder,) = {path.parent for path in tmp_path.rglob("ratings-*.json")}
    write_json(folder / "failed.json", [{"row": "deu/2", "language": "deu", "reason": "x", "attempts": 1}])
    write_json(folder / "deu.json", make_outputs("m"))
    (folder / "broken.json").write_text("[{", encoding="utf-8")
    for place in (folder, folder.parent):
        assert all(name.startswith("ratings-") for name in names(list_ratings(place).files))
    assert names(list_ratings(folder).left_alone) == {"failed.json", "deu.json", "broken.json"}
    assert read_ratings(folder)


def test_alpaca_evals_own_folders_can_be_read(tmp_path: Path) -> None:
    """Its names count where nothing else is there."""
    write_json(tmp_path / "model" / "model_outputs.json", make_outputs("m"))
    assert names(list_outputs(tmp_path / "model").files) == {"model_outputs.json"}
    folder = write_annotations(tmp_path, "m", SHARES, languages=["deu"])
    (folder / "deu.json").rename(folder / "annotations.json")
    (folder / "leaderboard.csv").write_text(",win_rate\n", encoding="utf-8")
    assert names(list_annotations(folder).files) == {"annotations.json"}


@pytest.mark.parametrize("text", ["[{", "[]", '{"deu": 1}', '[{"id": 1}]', ""])
def test_a_language_s_file_is_never_passed_over(tmp_path: Path, text: str) -> None:
    write_json(tmp_path / "hun.json", make_outputs("m"))
    (tmp_path / "deu.json").write_text(text, encoding="utf-8")
    assert names(list_outputs(tmp_path).files) == {"deu.json", "hun.json"}
    with pytest.raises((BadInput, BadRecord), match=r"deu\.json"):
        read_outputs(tmp_path)


def test_a_file_that_cannot_be_read_is_never_passed_over(tmp_path: Path) -> None:
    write_json(tmp_path / "french.json", make_outputs("m"))
    (tmp_path / "german.json").write_text('[{"instruction": "a', encoding="utf-8")
    with pytest.raises(BadInput, match=r"german\.json"):
        read_outputs(tmp_path)


def test_the_outputs_of_a_language_whose_code_is_run(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", [{**row, "language": "run"} for row in make_outputs("m")])
    assert list(read_outputs(tmp_path)) == ["run"]


@pytest.mark.parametrize(
    "words",
    [
        ["fidelity", "outputs"],
        ["fidelity", "outputs/m"],
        ["score", "annotations/m/judge", "--outputs", "outputs/m", "--reference", "outputs/reference"],
        ["score", "annotations/m"],
        ["compare", "annotations/m", "annotations/m/judge"],
        ["leaderboard", "outputs", "annotations", "--out", "site", "--no-paper", "--resamples", "50"],
        [
            "judge",
            "outputs/m",
            "--reference",
            "outputs/reference",
            "--annotator",
            "xl_gpt4o",
            "--out",
            "a",
            "--estimate",
        ],
        ["rate", "outputs/m", "--out", "b", "--estimate"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_every_verb_takes_such_folders(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(results)
    assert main(words) == 0, capsys.readouterr().err
    if words[0] != "leaderboard":
        assert "left alone" in capsys.readouterr().err
    else:
        lines = Path("site/leaderboard.csv").read_text(encoding="utf-8").splitlines()
        assert [line.split(",")[6] for line in lines[1:]] == ["m", "m"], "deu and avg, and nothing twice"
