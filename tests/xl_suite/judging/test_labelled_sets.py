"""The labelled answers of judges have the shape and the spread that their README states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from xl_suite.languages import find_language

DATA = Path(__file__).parents[2] / "data"


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "least"), [("verdicts", 330), ("scores", 220)])
def test_set_is_large_public_and_in_many_languages(name: str, least: int) -> None:
    rows = read_rows(name)
    assert len(rows) >= least
    assert len({row["id"] for row in rows}) == len(rows)
    assert 2 * sum(row["source"] != "own" for row in rows) >= len(rows)
    assert all(row["source"] == "own" or row["source"].startswith("https://") for row in rows)
    assert len({row["language"] for row in rows}) >= 10
    assert min(sum(row["clear"] for row in rows), sum(not row["clear"] for row in rows)) >= len(rows) / 4


@pytest.mark.parametrize("name", ["verdicts", "scores", "verdicts_held_out", "scores_held_out"])
def test_every_row_is_complete_and_its_language_known(name: str) -> None:
    field = name.removesuffix("_held_out").removesuffix("s")
    for row in read_rows(name):
        assert row["clear"] is (row[field] is not None), row["id"]
        assert row["form"], row["id"]
        assert find_language(row["language"]).code == row["language"], row["id"]


def test_verdicts_are_labels_or_ties_and_scores_are_levels() -> None:
    for row in read_rows("verdicts"):
        assert len(row["labels"]) == len(set(row["labels"])) == 2
        assert row["verdict"] in {*row["labels"], "tie", None}, row["id"]
    for row in read_rows("scores"):
        assert row["score"] in {1, 2, 3, 4, 5, None}, row["id"]


def test_no_two_rows_are_the_same() -> None:
    def name(row: Mapping[str, Any]) -> tuple[str, ...]:
        return (row["text"], *row.get("labels", ()))

    for kind in ("verdicts", "scores"):
        rows = read_rows(kind)
        assert len({name(row) for row in rows}) == len(rows)
