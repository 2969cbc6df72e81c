"""`failed.json` after several runs over several languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.calls import FailedCall
from xl_suite.failures import count_reasons, list_failed_calls, update_failed


def fail(language: str, *numbers: int) -> list[dict[str, Any]]:
    return list_failed_calls({language: [FailedCall(f"{language}/{number}", "x", 1) for number in numbers]})


def read(folder: Path) -> list[str]:
    return [row["row"] for row in json.loads((folder / "failed.json").read_text(encoding="utf-8"))]


def test_other_languages_and_rows_that_were_left_alone_stay(tmp_path: Path) -> None:
    update_failed(tmp_path, fail("deu", 1, 3), ["deu"])
    update_failed(tmp_path, fail("ara", 2), ["ara", "hun"])
    assert read(tmp_path) == ["ara/2", "deu/1", "deu/3"]
    update_failed(tmp_path, fail("deu", 2), ["deu"], stays=lambda row: row["row"] == "deu/3")
    assert read(tmp_path) == ["ara/2", "deu/2", "deu/3"]
    update_failed(tmp_path, [], ["deu", "ara"])
    assert not (tmp_path / "failed.json").exists()


def test_the_order_of_runs_does_not_matter(tmp_path: Path) -> None:
    for folder, codes in (("a", ("deu", "hun")), ("b", ("hun", "deu"))):
        for code in codes:
            rows = [{"id": number, "language": code, "reason": "x", "attempts": 1} for number in (12, 3)]
            update_failed(tmp_path / folder, rows, [code])
    assert (tmp_path / "a/failed.json").read_bytes() == (tmp_path / "b/failed.json").read_bytes()


@pytest.mark.parametrize("text", ["", "[{", "{}", '["x"]'])
def test_a_broken_list_is_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "failed.json").write_text(text, encoding="utf-8")
    update_failed(tmp_path, fail("deu", 1), ["deu"])
    assert read(tmp_path) == ["deu/1"]


def test_reasons_that_differ_in_numbers_or_quotations_are_one_kind() -> None:
    reasons = [f"the tokens have {share}% of the probability, in {text!r}" for share, text in ((46.3, "A"), (9, "B"))]
    assert count_reasons([*reasons, "HTTP 500: gone"]) == [f"2 x {reasons[0]} (or alike)", "1 x HTTP 500: gone"]


def test_reasons_beyond_the_first_three_are_counted() -> None:
    reasons = [*["a"] * 3, *["b"] * 2, *["c"] * 2, "d", "e"]
    assert count_reasons(reasons) == ["3 x a", "2 x b", "2 x c", "2 x other reasons"]
    assert count_reasons([]) == []
