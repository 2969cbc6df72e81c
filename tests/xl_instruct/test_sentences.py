"""The gold set of sentence boundaries: own texts, and public ones that are read where they lie."""

from __future__ import annotations

import os
import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED_DATA
from xl_suite.languages import table

ROOT = Path(__file__).resolve().parents[2]


def load_script(name: str) -> Any:
    spec = spec_from_file_location(f"benchmark_{name}", ROOT / "scripts" / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


GOLD = load_script("sentences")
FOLDERS = [SHARED_DATA, *map(Path, filter(None, [os.environ.get("XL_SUITE_TREEBANKS")]))]


def test_the_gold_set_covers_every_language() -> None:
    rows = [line for line in GOLD.GOLD.read_text(encoding="utf-8").splitlines() if line]
    halves = Counter((row["half"], row["language"]) for row in map(GOLD.json.loads, rows))
    assert len(rows) >= 320
    assert all(halves[half, row.code] >= 11 for half in ("own", "public") for row in table())


def test_errors_are_counted_on_both_sides() -> None:
    row = GOLD.Gold("x", "eng", "own", ("At 5 p.m. Ann left. ", "Bob stayed. ", "The end."))
    errors = GOLD.find_errors(row, lambda text, language: ["At 5 p.m. ", "Ann left. ", "Bob stayed. The end."])
    assert (errors.boundaries, errors.false, errors.missed) == (2, (9,), (31,))
    assert [line.split(":")[0] for line in GOLD.list_errors(row, errors)] == ["x false", "x missed"]


def test_absent_public_texts_are_named(tmp_path: Path) -> None:
    rows, absent = GOLD.read_gold([tmp_path])
    assert {row.half for row in rows} == {"own"}
    assert all(name.startswith("public-") for name in absent)
    (tmp_path / "udhr").mkdir()
    (tmp_path / "udhr" / "eng.txt").write_text("Another text. It is not the one.\n" * 30, encoding="utf-8")
    with pytest.raises(ValueError, match=r"eng\.txt does not hold the text of public-eng-udhr-1"):
        GOLD.read_gold([tmp_path])
