"""The labelled sets of attacks on the language gate and of legitimate answers have the shape that is claimed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xl_suite.languages import find_language

DATA = Path(__file__).parents[2] / "data"


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "least"), [("attacks.jsonl", 300), ("legitimate.jsonl", 200)])
def test_a_set_is_split_by_kind_and_has_many_kinds_and_languages(name: str, least: int) -> None:
    rows = read_rows(name)
    assert len(rows) >= least
    halves: dict[str, set[str]] = {}
    for row in rows:
        halves.setdefault(row["kind"], set()).add(row["half"])
        find_language(row["language"])
    assert all(len(found) == 1 for found in halves.values())
    assert len(halves) >= 24
    assert {half for found in halves.values() for half in found} == {"build", "unseen"}
    assert len({row["language"] for row in rows}) >= 12
    texts = [row["answer"] for row in rows]
    assert len(set(texts)) == len(texts)
