"""Runs in the background, and the GPUs of ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.written import read_files, write_questions
from tests.xl_suite.executors.test_ranks import answer
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.executors.commands import Command
from xl_suite.executors.detaching import STATE, read_detached
from xl_suite.executors.devices import VISIBLE, find_devices, share_devices
from xl_suite.executors.local import open_engine
from xl_suite.executors.running import Setting
from xl_suite.executors.units import Rank

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with serve_loopback(answer, latency=0.05) as found:
        yield found


def wait_for_end(out: Path) -> None:
    deadline = time.monotonic() + 120
    while (run := read_detached(out / ".parts")) is not None and run.state == "running":
        assert time.monotonic() < deadline
        with suppress(ChildProcessError):  # it is a child of this process, which has to take its status
            os.waitpid(run.process, os.WNOHANG)
        time.sleep(0.05)


def test_a_run_goes_on_in_the_background(server: Loopback, tmp_path: Path) -> None:
    write_questions(tmp_path / "bench", ("deu", "zho"), 6)
    command = ["respond", str(tmp_path / "bench"), "--model", f"tiny@{server.url}"]
    out = tmp_path / "out"
    begun = run_verb([*command, "--out", str(out), "--ranks", "2", "--detach"])
    assert begun.status == 0
    assert f"process {begun.answer['process']} goes on in the background" in begun.notes[0]
    told = run_verb([*command, "--out", str(out), "--status"])
    assert told.text.startswith(f"run: process {begun.answer['process']} on ")
    again = run_verb([*command, "--out", str(out), "--ranks", "2", "--detach"])
    assert (again.status, "runs there already" in again.notes[0]) == (2, True)
    wait_for_end(out)
    assert ": ended: " in run_verb([*command, "--out", str(out), "--status"]).text
    assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    assert read_files(tmp_path / "single") == read_files(out)


def test_a_run_in_the_background_that_is_ended_ends_its_ranks(server: Loopback, tmp_path: Path) -> None:
    write_questions(tmp_path / "bench", ("deu", "zho"), 200)
    out = tmp_path / "out"
    command = ["respond", str(tmp_path / "bench"), "--model", f"tiny@{server.url}", "--out", str(out), "--slots", "1"]
    begun = run_verb([*command, "--ranks", "2", "--detach"])
    deadline = time.monotonic() + 120
    while server.calls < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(begun.answer["process"], signal.SIGTERM)
    wait_for_end(out)
    before = server.calls
    time.sleep(0.5)
    assert server.calls == before
    assert 4 <= before < 400


def test_without_ranks_nothing_is_detached(server: Loopback, tmp_path: Path) -> None:
    write_questions(tmp_path / "bench", ("deu",), 2)
    command = ["respond", str(tmp_path / "bench"), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out")]
    told = run_verb([*command, "--rank", "0/2", "--detach"])
    assert (told.status, "add --ranks N" in told.notes[0]) == (2, True)
    told = run_verb([*command, "--detach"])
    assert (told.status, "add --ranks N" in told.notes[0]) == (2, True)
    assert server.calls == 0


def test_a_number_that_another_program_has_is_no_run(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        state = {"process": other.pid, "host": os.uname().nodename}
        (tmp_path / STATE).write_text(json.dumps(state))
        found = read_detached(tmp_path)
        assert found is not None
        assert found.state == "ended"
        (tmp_path / STATE).write_text(json.dumps({**state, "host": "another"}))
        found = read_detached(tmp_path)
        assert found is not None
        assert found.state.startswith("unknown")
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize(
    ("devices", "count", "shares"),
    [
        ("0,1,2,3", 2, ["0,1", "2,3"]),
        ("0,1,2", 2, ["0", "1,2"]),
        ("4,5", 2, ["4", "5"]),
        ("0,1", 4, ["0", "0", "1", "1"]),
        ("GPU-a, GPU-b", 2, ["GPU-a", "GPU-b"]),
        ("0", 3, ["", "", ""]),
        ("", 2, ["", ""]),
        ("0,1,2,3", 1, [""]),
    ],
)
def test_ranks_share_the_gpus(devices: str, count: int, shares: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, devices)
    assert share_devices(find_devices(), count) == shares


def test_the_driver_lists_the_gpus_where_the_environment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    assert find_devices(tmp_path / "none") == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert find_devices(tmp_path) == ["0", "1"]


def test_a_rank_sees_its_own_gpus_and_its_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in place of this interpreter writes its environment."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$CUDA_VISIBLE_DEVICES $VLLM_CACHE_ROOT" > {tmp_path}/seen-$5\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv(VISIBLE, "0,1,2,3")
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path / "cache"))
    logs = [tmp_path / f"{number}.log" for number in range(2)]
    commands = [Command(Rank(at, 2), ("respond", str(at)), tmp_path, log) for at, log in enumerate(logs)]
    with open_engine(Setting({}, tmp_path, True)) as run:
        assert [one.status for one in run(commands)] == [0, 0]
    seen = [(tmp_path / f"seen-{number}").read_text().split() for number in range(2)]
    assert seen == [["0,1", f"{tmp_path}/cache/rank-0"], ["2,3", f"{tmp_path}/cache/rank-1"]]
