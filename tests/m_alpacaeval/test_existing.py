"""Translations that exist: the official release's layout and PLUG's, their IDs found, shifted ones refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m_alpacaeval.release import OFFICIAL, PLUG, match_english, read_release
from m_alpacaeval.rows import read_sources
from tests.m_alpacaeval.conftest import PROMPTS
from xl_suite.cli.main import main
from xl_suite.dataset.folder import read_benchmark
from xl_suite.errors import BadInput
from xl_suite.publishing.hub_files import HubFiles
from xl_suite.records import BenchmarkRow, read_raw, write_json, write_parquet

GERMAN = [row[1] for row in PROMPTS.values()]
# Prompts with numbers, whose translations show a shift.
NUMBERED = {number: (f"Name {number * 13} of them.", f"Nenne {number * 13} davon.") for number in range(1, 41)}


def write_release(folder: Path, **languages: list[str]) -> Path:
    for name, texts in languages.items():
        write_json(folder / "data" / f"{name}.json", [{"instruction": text} for text in texts])
    return folder


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    folder = tmp_path / "numbered"
    for code in ("deu", "eng"):
        rows = [BenchmarkRow(n, "own", text, text, "", code, "target") for n, (text, _) in NUMBERED.items()]
        write_parquet(folder / code / "test-00000-of-00001.parquet", rows)
    return folder


def test_a_release_in_the_order_of_our_english_rows(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release, out = write_release(tmp_path / "official", german=GERMAN), tmp_path / "m"
    command = [
        "build",
        "m-alpacaeval",
        "--benchmark",
        str(xl_alpacaeval),
        "--source",
        str(release),
        "--out",
        str(out),
    ]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == {"deu": 5, "eng": 5}
    assert (told["release"]["name"], told["translator"], told["doubted"]) == ("official", "official", {"deu": 0})
    rows = read_raw(out / "deu" / "test-00000-of-00001.parquet")
    assert {row["id"]: row["instruction"] for row in rows} == dict(zip(PROMPTS, GERMAN, strict=True))
    (out / "review.jsonl").write_text(json.dumps({"language": "deu", "id": 1, "edited": "Wieso?"}) + "\n")
    assert main([*command, "--translator", "human"]) == 2
    assert "this run's translator is human" in capsys.readouterr().err
    assert main([*command, "--translator", "human", "--replace"]) == 0
    rows = read_raw(out / "deu" / "test-00000-of-00001.parquet")
    assert (rows[0]["instruction"], {row["translator"] for row in rows}) == ("Wieso?", {"human"})
    assert "`official`" in (out / "README.md").read_text(encoding="utf-8")


def test_english_texts_beside_it_tell_the_ids(xl_alpacaeval: Path, tmp_path: Path) -> None:
    """PLUG's layout: all of AlpacaEval's prompts, of which XL-AlpacaEval drops some, in an order of its own."""
    order = [300, 1, 249, 2, 7]
    english = [
        "A prompt that is not part of the benchmark",
        *(PROMPTS[n][0].replace("{language}", "English") for n in order),
    ]
    english[2] = english[2].replace("upright", "up right")
    release = write_release(tmp_path / "plug", english=english, chinese=["别的", *(PROMPTS[n][2] for n in order)])
    found = read_release(str(release), read_sources(xl_alpacaeval, ["zho"]))
    assert {prompt.id: text for prompt, text in found.texts.items()} == {n: row[2] for n, row in PROMPTS.items()}
    assert (found.left_out, found.missing) == ({"zho": 1}, {"zho": 0})


def test_from_the_hub_with_its_revision(xl_alpacaeval: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from m_alpacaeval import release as module

    folder = write_release(tmp_path / "hub", german=GERMAN)
    monkeypatch.setattr(module, "download", lambda hub, file: folder / file)
    found = read_release(
        OFFICIAL,
        read_sources(xl_alpacaeval, ["deu"]),
        find=lambda repo: HubFiles(repo, "abc123", ("README.md", "data/german.json")),
    )
    assert (found.revision, found.translator) == ("abc123", "gpt-4o (viyer98/m-AlpacaEval)")
    assert module.TRANSLATORS[PLUG].startswith("human")


def test_shifted_rows_are_refused(numbered: Path, tmp_path: Path) -> None:
    sources = read_sources(numbered, ["deu"])
    german = [row[1] for row in NUMBERED.values()]
    assert len(read_release(str(write_release(tmp_path / "good", german=german)), sources).texts) == 40
    shifted = [*german[1:], german[0]]
    with pytest.raises(BadInput, match="does not fit the prompts"):
        read_release(str(write_release(tmp_path / "shifted", german=shifted)), sources)


def test_other_counts_and_languages_are_explained(xl_alpacaeval: Path, tmp_path: Path) -> None:
    sources = read_sources(xl_alpacaeval, ["deu"])
    with pytest.raises(BadInput, match=r"has 4 rows; 5 .* or 805"):
        read_release(str(write_release(tmp_path / "few", german=GERMAN[:4])), sources)
    with pytest.raises(BadInput, match="has no deu; it has fra"):
        read_release(str(write_release(tmp_path / "french", french=GERMAN)), sources)
    with pytest.raises(BadInput, match=r"no <language>\.json"):
        read_release(str(write_release(tmp_path / "none", klingon=GERMAN)), sources)
    with pytest.raises(BadInput, match="record 2"):
        read_release(str(write_release(tmp_path / "empty", german=["a", " ", "c", "d", "e"])), sources)
    with pytest.raises(BadInput, match="not a folder"):
        read_release("nowhere", sources)


@pytest.mark.slow
def test_all_805_real_prompts_are_known_again_by_their_english(shared_data: Path) -> None:
    raw = json.loads((shared_data / "alpaca_eval" / "alpaca_eval.json").read_text(encoding="utf-8"))
    texts = [row["instruction"] for row in raw]
    kept = [number for number in range(1, 806) if number not in (183, 350, 476, 495, 635, 662, 663, 714)]
    rows = [BenchmarkRow(n, "", texts[n - 1], texts[n - 1], "", "eng", "target") for n in kept]
    ids = match_english(texts, rows)
    assert [number for number in ids if number] == kept


def test_the_folder_of_a_release_can_be_asked_in_pairs(xl_alpacaeval: Path, tmp_path: Path) -> None:
    release, out = write_release(tmp_path / "official", german=GERMAN), tmp_path / "m"
    main(["build", "m-alpacaeval", "--benchmark", str(xl_alpacaeval), "--source", str(release), "--out", str(out)])
    pairs = ["build", "xl-alpacaeval", "--from", "deu", "--languages", "tur", "--m-alpacaeval", str(out)]
    assert main([*pairs, "--out", str(tmp_path / "pairs")]) == 0
    rows = read_benchmark(tmp_path / "pairs", ["deu-tur"])
    assert [row.id for row in rows] == [1, 2, 7, 300]
    assert all("auf Türkisch" in row.instruction for row in rows)
    assert "`official`" in (tmp_path / "pairs" / "README.md").read_text(encoding="utf-8")
