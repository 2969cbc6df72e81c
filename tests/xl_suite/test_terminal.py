"""Strangers' text in the terminal, by the command line itself."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.cli.main import main, show
from xl_suite.cli.options import Outcome
from xl_suite.terminal import Formatter, make_visible

EVIL = "gpt\x1b[2J\x1b]0;owned\x07\u202ecod.exe\x9b31m\r"
FORBIDDEN = ("\x1b", "\x07", "\u202e", "\x9b", "\r")


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = make_visible(text)
    assert all(letter in "\n\t" or letter.isprintable() or ord(letter) >= 0xA0 for letter in shown)
    assert make_visible(shown) == shown
    assert json.loads(make_visible(json.dumps(text, ensure_ascii=False))) == text


def test_text_of_the_twelve_languages_and_tables_stay() -> None:
    text = "a\tb\nüß 日本語 हिन्दी क्‍ष עברית العربية 🙂\u200d"
    assert make_visible(text) == text


@pytest.mark.parametrize("as_json", [True, False])
def test_what_a_verb_prints(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    show(Outcome({"model": EVIL}, f"{EVIL}: 3 rows", notes=(f"note: {EVIL}",)), json=as_json)
    out, err = capsys.readouterr()
    assert not [mark for mark in FORBIDDEN if mark in out + err]
    if as_json:
        assert json.loads(out) == {"model": EVIL}


def test_errors_that_name_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / f"{EVIL}.json"
    assert main(["fidelity", str(path), "--language", "deu"]) == 2
    out, err = capsys.readouterr()
    assert not [mark for mark in FORBIDDEN if mark in out + err]
    assert "\\x1b[2J" in err


def test_the_log() -> None:
    record = logging.LogRecord("xl_suite", logging.INFO, "", 0, "server says %s", (EVIL,), None)
    shown = Formatter("%(message)s").format(record)
    assert not [mark for mark in FORBIDDEN if mark in shown]
