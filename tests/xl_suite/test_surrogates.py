"""Lone surrogates: kept in JSON and journals, replaced and counted where the text itself must be UTF-8."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.leaderboard_results import write_annotations
from xl_suite.chat.journal import Journal
from xl_suite.chat.journal_rows import StoredFailure
from xl_suite.cli.main import main
from xl_suite.dataset.shards import write_shards
from xl_suite.leaderboard.site import build_site
from xl_suite.pages import embed
from xl_suite.publishing.hub import add_gate
from xl_suite.records import ModelOutput, dump_json, read_raw, write_json, write_parquet, write_text
from xl_suite.surrogates import escape_surrogates, prepare_terminal, replace_surrogates

HALF = "\ud83d"
texts = st.text(st.characters(codec=None), max_size=20)
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True)
class Part:
    text: str


@dataclass(frozen=True)
class Whole:
    name: str
    parts: list[Part]


def count_surrogates(text: str) -> int:
    return sum("\ud800" <= character <= "\udfff" for character in text)


@given(texts)
@example(HALF)
@example("a\udc00 b\ud800")
def test_each_surrogate_is_replaced_and_counted(text: str) -> None:
    replaced, count = replace_surrogates(text)
    assert count == count_surrogates(text)
    assert len(replaced) == len(text)
    assert replaced.encode("utf-8").decode("utf-8") == replaced
    assert [new for new, old in zip(replaced, text, strict=True) if new != old] == ["\ufffd"] * count


@given(values)
@example({HALF: [HALF, {"a": (f"{HALF}b", 1)}]})
def test_records_are_replaced_through_and_through(value: Any) -> None:
    replaced, count = replace_surrogates(value)
    assert count == count_surrogates("".join(list_texts(value)))
    assert json.dumps(replaced, ensure_ascii=False).encode("utf-8")
    assert replace_surrogates(replaced) == (replaced, 0)


def list_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for own in value.values() for text in list_texts(own))]
    if isinstance(value, list | tuple):
        return [text for own in value for text in list_texts(own)]
    return [value] if isinstance(value, str) else []


def test_parquet_holds_the_replacement_and_says_how_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [Whole("whole", [Part("clean")]), Whole(f"{HALF}{HALF}", [Part("clean"), Part(f"half {HALF}")])]
    split = write_shards(tmp_path / "deu", "test", rows)
    assert split.num_replaced == 3
    assert read_raw(split.files[0])[1] == {
        "name": "\ufffd\ufffd",
        "parts": [{"text": "clean"}, {"text": "half \ufffd"}],
    }
    write_parquet(tmp_path / "rows.parquet", rows)
    assert read_raw(tmp_path / "rows.parquet") == read_raw(split.files[0])
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["deu/test", "rows.parquet"]
    assert all(" 3 lone surrogates" in record.getMessage() for record in caplog.records)


def test_a_text_file_holds_the_replacement_and_says_how_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_text(tmp_path / "page.html", f"<p>{HALF}</p>\r\n\n")
    assert (tmp_path / "page.html").read_bytes() == "<p>\ufffd</p>\r\n\n".encode()
    assert "page.html: U+FFFD took the place of 1 lone surrogates" in caplog.text
    caplog.clear()
    write_text(tmp_path / "page.html", "<p>é</p>")
    assert not caplog.records


def test_pages_and_csv_hold_the_replacement_and_their_json_the_escape(tmp_path: Path) -> None:
    write_annotations(
        tmp_path / "r", f"model {HALF}", [0.5, 0.9], languages=["deu"], outputs=[f"so {HALF}"] * 2, place="model"
    )
    site = build_site([tmp_path / "r"], tmp_path / "site", title=f"Title {HALF}", resamples=10, paper=False)
    assert "<title>Title \ufffd</title>" in site.index.read_text(encoding="utf-8")
    table = csv.DictReader(io.StringIO((tmp_path / "site" / "leaderboard.csv").read_text(encoding="utf-8")))
    assert {row["model"] for row in table} == {"model \ufffd"}
    (data,) = (tmp_path / "site" / "answers").rglob("deu.js")
    assert f"so {escape_surrogates(HALF)}" in data.read_text(encoding="utf-8")


@pytest.mark.parametrize("dump", [embed, dump_json])
def test_json_keeps_the_surrogate(dump: Any) -> None:
    text = dump([HALF, "é"])
    assert json.loads(text.encode("utf-8")) == [HALF, "é"]


def test_the_question_of_a_gated_card_keeps_the_surrogate() -> None:
    assert r'extra_gated_prompt: "why \ud83d?"' in add_gate("---\na: 1\n---\n", f"why {HALF}?")


def test_a_failure_in_the_journal_keeps_the_escape(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.add([], [StoredFailure(b"k", "m", f"row {HALF}", f"said {HALF}", 1, "{}", 0)])
        (stored,) = journal.failures()
    assert (stored.row, stored.reason) == (r"row \ud83d", r"said \ud83d")


def test_the_terminal_shows_the_replacement_and_says_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(
        tmp_path / "deu.json", [ModelOutput("Frage?", "Das ist eine Antwort.", f"model {HALF}", language="deu")]
    )
    assert main(["fidelity", str(tmp_path / "deu.json")]) == 0
    shown = capsys.readouterr()
    assert "model \ufffd" in shown.out
    assert "note: 2 lone surrogates" in shown.err  # the name is in two tables
    assert main(["fidelity", str(tmp_path / "deu.json"), "--json"]) == 0
    shown = capsys.readouterr()
    assert "lone surrogates" not in shown.err


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "é \ufffd"), ("ascii", r"\xe9 \ufffd"), ("latin-1", r"é \ufffd")]
)
def test_any_terminal_takes_any_text(encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    count = prepare_terminal()
    print(f"é {HALF}", end="", flush=True)
    written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert written == shown
    assert count() == 1
