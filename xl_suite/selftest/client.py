"""The client proves itself on this machine: faults and kill -9 against the loopback server, without any network.

Every call is counted by the server and every answer is compared with what the server must have said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.loopback.server import FaultRates, Loopback, last_message, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import XLSuiteError

SLOTS = 64
LATENCY = 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one trial. paid: calls that the server answered. repeated: of these, ones that it had answered
    before. lost: calls without their answer at the end; doubled: rows that came twice.
    allowed: how many repeated calls the trial admits."""

    name: str
    calls: int
    paid: int
    from_journal: int
    retries: int
    repeated: int
    allowed: int
    lost: int
    doubled: int
    seconds: float

    @property
    def passed(self) -> bool:
        return self.lost == 0 and self.doubled == 0 and self.repeated <= self.allowed

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def run_selftest() -> list[Trial]:
    """All trials, in about fifteen seconds."""
    with tempfile.TemporaryDirectory(prefix="xl-suite-selftest-") as folder:
        return [try_faults(Path(folder)), try_kills(Path(folder))]


def try_faults(folder: Path, count: int = 2000) -> Trial:
    """Answers with 429s, 500s, stalls, cut connections and garbage between them: every row arrives all the same."""
    rates = FaultRates(throttled=0.03, broken=0.02, stalled=0.002, cut=0.01, garbage=0.01, stall_seconds=0)
    begun = time.perf_counter()
    with serve_loopback(answer, latency=LATENCY, faults=rates) as server:
        options = ChatOptions(folder / "faults.sqlite", slots=SLOTS, timeout=1.0, progress=False)
        collected = _Collected()
        ledger = run_calls(_model(server), make_calls(count), collected.keep, options)
        # A stalled, cut or garbled call was not counted as answered, so nothing at all may be repeated.
        return _report("faults", count, server, ledger, collected, 0, begun)


def try_kills(folder: Path, count: int = 3000, moments: tuple[float, ...] = (0.2, 0.5, 0.8)) -> Trial:
    """A child process is killed (SIGKILL) when it has made these shares of its calls; the last run finishes them.

    A kill loses what was in flight and what was not yet written, each as many calls as there are slots at most.
    """
    journal = folder / "kills.sqlite"
    begun = time.perf_counter()
    with serve_loopback(answer, latency=LATENCY) as server:
        command = [sys.executable, "-m", "xl_suite.selftest.client", server.url, str(journal), str(count)]
        for share in moments:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment())
            try:
                while server.stats()["distinct"] < share * count:
                    if child.poll() is not None:
                        raise XLSuiteError(f"The child process ended by itself with status {child.returncode}.")
                    time.sleep(0.005)
            finally:
                child.kill()
                child.wait()
        collected = _Collected()
        options = ChatOptions(journal, slots=SLOTS, progress=False)
        ledger = run_calls(_model(server), make_calls(count), collected.keep, options)
        return _report("kill -9", count, server, ledger, collected, 2 * SLOTS * len(moments), begun)


def make_calls(count: int) -> list[Call]:
    return [
        Call(f"deu/{number}", (Message("user", f"Number {number}, please."),), Sampling(max_tokens=32))
        for number in range(count)
    ]


def answer(request: dict[str, Any]) -> str:
    return "You said: " + last_message(request)


def _environment() -> dict[str, str]:
    """A child finds the package where this process did, installed or not."""
    place = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (place, os.environ.get("PYTHONPATH"))))}


class _Collected:
    """The results as they come, checked against what the server must have said."""

    def __init__(self) -> None:
        self.right: set[str] = set()
        self.doubled = 0

    def keep(self, call: Call, result: Answer | FailedCall) -> None:
        self.doubled += call.row in self.right
        if isinstance(result, Answer) and result.text == "You said: " + call.messages[-1].content:
            self.right.add(call.row)


def _model(server: Loopback) -> Model:
    return Model("loopback", "loopback", (server.url,), "server")


def _report(
    name: str, count: int, server: Loopback, ledger: Ledger, collected: _Collected, allowed: int, begun: float
) -> Trial:
    stats = server.stats()
    return Trial(
        name,
        count,
        stats["answered"],
        ledger.from_journal,
        ledger.retries,
        stats["repeated"],
        allowed,
        count - len(collected.right),
        collected.doubled,
        round(time.perf_counter() - begun, 1),
    )


def _run_child(url: str, journal: str, count: str) -> None:
    """What the process does that `try_kills` kills."""
    options = ChatOptions(Path(journal), slots=SLOTS, progress=False)
    run_calls(
        Model("loopback", "loopback", (url,), "server"), make_calls(int(count)), lambda call, result: None, options
    )


if __name__ == "__main__":
    _run_child(*sys.argv[1:])
