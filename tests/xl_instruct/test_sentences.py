"""Sentence boundaries against the gold set: own texts, and public ones that are read where they lie."""

from __future__ import annotations

import os
import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SHARED_DATA
from xl_instruct.splitters import load_splitter
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


@pytest.mark.parametrize("half", ["own", "public"])
def test_sentences_end_where_they_should(half: str) -> None:
    """At most 2 % of the boundaries are wrong; of the public half, only what lies on this machine is measured."""
    rows = [row for row in GOLD.read_gold(FOLDERS)[0] if row.half == half]
    if not rows:
        pytest.skip(
            f"no text of the public half is in {' or '.join(map(str, FOLDERS))} (XL_SUITE_TREEBANKS names more)"
        )
    split = load_splitter("sentencex")
    errors = [GOLD.find_errors(row, split) for row in rows]
    wrong = sum(len(found.false) + len(found.missed) for found in errors)
    listed = [line for row, found in zip(rows, errors, strict=True) for line in GOLD.list_errors(row, found)]
    assert wrong <= GOLD.BAR * sum(found.boundaries for found in errors), listed


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


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("en", "He wrote it in C. It runs.", ["He wrote it in C. ", "It runs."]),
        ("en", "**Amour** (n.) - Love.", ["**Amour** (n.) - Love."]),
        ("en", "1/4 tsp. salt", ["1/4 tsp. salt"]),
        ("en", "see ann. she is in.", ["see ann. ", "she is in."]),
        ("en", "Buy it... iPads sell. eBay too.", ["Buy it... iPads sell. ", "eBay too."]),
        ("en", '"Is it you?" Ann asked. Bob left.', ['"Is it you?" Ann asked. ', "Bob left."]),
        ("en", 'She asked, "Is it you?" Bob left.', ['She asked, "Is it you?" ', "Bob left."]),
        ("en", "Use .NET. See a.b.C too.", ["Use .NET. ", "See a.b.C too."]),
        ("deu", "Das war am 9. Danach kam er.", ["Das war am 9. ", "Danach kam er."]),
        ("de", "Das war am 9. Mai.", ["Das war am 9. Mai."]),
        ("spa", "Vino el Sr. López. Se fue.", ["Vino el Sr. López. ", "Se fue."]),
        ("jpn", "行った。2020年に来た。", ["行った。", "2020年に来た。"]),
        ("en", "", []),
        ("en", " . ", [" . "]),
    ],
)
def test_rules(language: str, text: str, sentences: list[str]) -> None:
    assert load_splitter("sentencex")(text, language) == sentences


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.sampled_from("aAé1 I.!?…\"'”„»«()*-\n。！中है।ó"), max_size=60),
    st.sampled_from(["en", "deu", "zh", "hin", "tur", "xx"]),
)
def test_rules_lose_nothing(text: str, language: str) -> None:
    pieces = load_splitter("sentencex")(text, language)
    assert "".join(pieces) == text
    assert all(pieces)
