"""Preference pairs: the worst sound composition, what gives no pair, and trl's form."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.xl_instruct.synthetic_rows import make_row, make_rows, write_xl_instruct
from xl_instruct.dataset.preferences import compose_worst, find_pairs, make_pair
from xl_suite.cli.main import main
from xl_suite.errors import BadInput


def test_the_worst_sound_candidates_make_the_rejected_response() -> None:
    row = asdict(make_row(3, "deu", [[0.9, 0.5, 0.7], [0.2, 0.8, None]]))
    pair = make_pair(row, 0.02)
    assert not isinstance(pair, str)
    assert pair.chosen == row["response"] == "deu 3.0 by translator-a. deu 3.1 by translator-b."
    assert pair.rejected == "deu 3.0 by translator-b. deu 3.1 by translator-a."
    assert pair.score_chosen == pytest.approx(0.85)
    assert pair.score_rejected == pytest.approx(0.35)


def test_refused_candidates_have_no_part_in_it() -> None:
    row = asdict(make_row(1, "deu", [[0.9, None, None]]))
    row["segments"][0]["candidates"][1]["score"] = 0.01  # scored and refused all the same
    assert compose_worst(row["segments"])[2] is False
    assert make_pair(row, 0.0) == "no choice"


def test_rows_without_a_real_difference_give_no_pair() -> None:
    assert make_pair(asdict(make_row(1, "deu", [[0.51, 0.5]])), 0.02) == "small difference"
    assert make_pair(asdict(make_row(1, "deu", [[0.5, 0.5]])), 0.0) == "small difference"
    same = asdict(make_row(1, "deu", [[0.9, 0.5]]))
    same["segments"][0]["candidates"][1]["text"] = same["segments"][0]["candidates"][0]["text"]
    assert make_pair(same, 0.0) == "same text"


def test_the_verb_counts_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from datasets import load_dataset

    rows = {"deu": [*make_rows("deu", 4), make_row(9, "deu", [[0.5, 0.49]])], "hun": [make_row(1, "hun", [[0.5]])]}
    rows["hun"].append(make_row(2, "hun", [[0.9, 0.1, 0.2]]))
    folder = write_xl_instruct(tmp_path / "data", rows)
    out = tmp_path / "pairs"
    assert main(["preferences", str(folder), "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["left_out"] == {"no choice": 1, "same text": 0, "small difference": 1}
    assert answer["languages"] == {"deu": 4, "hun": 1}
    pairs = load_dataset(str(out), "preference", split="train", cache_dir=str(tmp_path / "cache"))
    assert pairs.num_rows == 5
    assert all(row["score_chosen"] > row["score_rejected"] for row in pairs)
    chats = load_dataset(str(out), "conversational", split="train", cache_dir=str(tmp_path / "cache"))
    assert chats[0]["rejected"] == [{"role": "assistant", "content": pairs[0]["rejected"]}]
    assert "| small difference | 1 |" in (out / "README.md").read_text()


def test_without_pairs_or_choice_it_says_so(tmp_path: Path) -> None:
    rows = {"deu": [make_row(1, "deu", [[0.5]])]}
    folder = write_xl_instruct(tmp_path / "data", rows, rows)
    with pytest.raises(BadInput, match=r"no row gives a pair \(no choice: 1\)"):
        find_pairs(folder)
    with pytest.raises(BadInput, match="nothing to prefer"):
        find_pairs(folder, translations="naive")
    with pytest.raises(BadInput, match="has no gle"):
        find_pairs(folder, languages=["gle"])
