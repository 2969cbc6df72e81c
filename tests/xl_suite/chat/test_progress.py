"""What a run says while it lasts, in a terminal of 80 columns and without one."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from xl_suite.chat.ledger import Ledger
from xl_suite.chat.progress import Progress


def make_ledger() -> Ledger:
    """800 calls from the journal, and 200 paid ones in 100 seconds."""
    return Ledger(paid=200, from_journal=800, dollars=1.234, slots=64, started=10.0, ended=110.0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_a_line_comes_after_some_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xl_suite.chat")
    soon = Progress(make_ledger(), "respond", 8767, shown=True, seconds=0.0)
    later = Progress(make_ledger(), "respond", 8767, shown=True, seconds=1e6)
    hidden = Progress(make_ledger(), "respond", 8767, shown=False, seconds=0.0)
    for progress in (soon, later, hidden):
        progress.show()
        progress.close()
    assert [record.getMessage() for record in caplog.records] == [
        "respond: 1,000 of 8,767 done, 800 from journal, 2.0/s, 65 min left, $1.23"
    ]


def test_the_time_left_counts_the_calls_that_are_sent_alone() -> None:
    assert "2.0/s, 100 s left" in Progress(make_ledger(), "x", 1200, shown=False, seconds=0.0).describe()
    no_total = Progress(make_ledger(), "x", None, shown=False, seconds=0.0)
    assert no_total.describe() == "2.0/s, $1.23"
    slow = Ledger(paid=1, failed=2, dollars=None, started=1.0, ended=361.0)
    assert Progress(slow, "x", None, shown=False, seconds=0.0).describe() == "0.5/min, price unknown, 2 failed"
    assert Progress(Ledger(slots=4), "x", 5, shown=False, seconds=0.0).describe() == "no answer yet, $0.00"


def test_the_bar_fits_into_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ledger = make_ledger()
    ledger.failed = 12
    progress = Progress(ledger, "respond", 8767, shown=True, seconds=0.0)
    progress.show()
    progress.close()
    lines = [line.strip() for line in terminal.getvalue().replace("\n", "\r").split("\r") if line.strip()]
    assert lines[-1].startswith("respond")
    assert "1012/8767" in lines[-1]
    assert "$1.23, 12 failed]" in lines[-1]
    assert max(map(len, lines)) <= 80
