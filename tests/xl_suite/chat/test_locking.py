"""One writer for each journal: real processes on one OUT, and locks whose holders are gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from xl_suite.chat import locks
from xl_suite.chat.calls import Call, Message
from xl_suite.chat.locking import NETWORK, JournalBusy, find_file_system, hold
from xl_suite.chat.locks import lock_of
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.replay import import_journal
from xl_suite.chat.run import run, run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.errors import JournalError

HOLDER = """
import sys
from pathlib import Path
from xl_suite.chat.locking import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

ASKER = """
import sys
from pathlib import Path
from xl_suite.chat.calls import Call, Message
from xl_suite.chat.models import Model
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
calls = [Call(f"deu/{n}", (Message("user", f"Say {n}"),)) for n in range(40)]
options = ChatOptions(Path(sys.argv[2]), slots=4, progress=False, wait=True)
ledger = run_calls(Model("tiny", "tiny", (sys.argv[1],), "server"), calls, lambda *_: None, options)
print(ledger.paid, ledger.from_journal)
"""


@pytest.fixture(params=["flock", "lease"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XL_SUITE_LOCK", request.param)
    monkeypatch.setattr(locks, "SETTLE_SECONDS", 0.05)
    return str(request.param)


def start_holder(journal: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(journal)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def start_respond(benchmark: Path, out: Path, server: Loopback, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "xl_suite.cli.main", "respond", str(benchmark), "--out", str(out), "--json"]
    command += ["--model", f"tiny@{server.url}", "--slots", "4", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_on_one_out_pay_for_each_call_once(tmp_path: Path) -> None:
    write_demo_benchmark(tmp_path / "bench", build_demo_rows())
    options = ("--wait", "--languages", "deu")
    with serve_loopback(latency=0.02) as server:
        children = [start_respond(tmp_path / "bench", tmp_path / "out", server, *options) for _ in range(2)]
        told = [child.communicate(timeout=120) for child in children]
        stats = server.stats()
    assert [child.returncode for child in children] == [0, 0], told
    ledgers = [json.loads(out)["ledger"] for out, _ in told]
    assert stats["repeated"] == sum(ledger["repeated"] for ledger in ledgers) == 0
    assert stats["answered"] == sum(ledger["paid"] for ledger in ledgers) == max(one["paid"] for one in ledgers) > 0
    assert not lock_of(tmp_path / "out" / ".journal.sqlite").exists()


def test_five_processes_on_one_journal_pay_for_each_call_once(kind: str, tmp_path: Path) -> None:
    with serve_loopback(latency=0.01) as server:
        command = [sys.executable, "-c", ASKER, server.url, str(tmp_path / "j.sqlite")]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
        told = [child.communicate(timeout=120)[0].split() for child in children]
        stats = server.stats()
    assert (stats["answered"], stats["repeated"]) == (40, 0)
    assert sorted(told) == [["0", "40"]] * 4 + [["40", "0"]]  # paid, from the journal


def test_a_second_run_is_told_who_holds_the_journal(kind: str, tmp_path: Path) -> None:
    write_demo_benchmark(tmp_path / "bench", build_demo_rows())
    holder = start_holder(tmp_path / "out" / ".journal.sqlite")
    try:
        with serve_loopback() as server:
            second = start_respond(tmp_path / "bench", tmp_path / "out", server)
            out, errors = second.communicate(timeout=60)
            assert server.stats()["answered"] == 0
    finally:
        holder.communicate("", timeout=60)
    assert (second.returncode, out) == (2, "")
    assert f"process {holder.pid} on" in errors
    assert "--wait" in errors


def test_a_lock_whose_holder_was_killed_is_taken_over(kind: str, tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    holder = start_holder(journal)
    with pytest.raises(JournalBusy, match=f"process {holder.pid} "), hold(journal):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=60)
    assert lock_of(journal).exists()
    with hold(journal):
        assert json.loads(lock_of(journal).read_text())["pid"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_it_is_held_once_by_one_run_and_not_by_two_threads(kind: str, tmp_path: Path) -> None:
    journal = tmp_path / "new" / "j.sqlite"
    (tmp_path / "same").symlink_to("new")
    problems: list[BaseException] = []

    def enter() -> None:
        try:
            with hold(journal):
                pass
        except BaseException as error:
            problems.append(error)

    with hold(journal) as lock, hold(tmp_path / "same" / "j.sqlite") as again:
        assert again is lock
        other = threading.Thread(target=enter)
        other.start()
        other.join()
    assert [type(problem) for problem in problems] == [JournalBusy]
    enter()
    assert len(problems) == 1
    assert not (tmp_path / "new").exists()  # made for the lock alone


def test_a_lease_of_another_machine_is_taken_only_when_it_is_not_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XL_SUITE_LOCK", "lease")
    monkeypatch.setattr(locks, "SETTLE_SECONDS", 0.05)
    journal = tmp_path / "j.sqlite"
    told = {"pid": 1, "host": "far\x1b[2J", "command": "xl-suite judge", "since": 0, "machine": "m", "token": "t"}
    lock_of(journal).write_text(json.dumps(told))
    with pytest.raises(JournalBusy, match=r"process 1 on far\?\[2J, since .*: xl-suite judge"), hold(journal):
        pass
    seconds = lock_of(journal).stat().st_mtime - locks.LEASE_SECONDS - 5
    os.utime(lock_of(journal), (seconds, seconds))
    with hold(journal):
        assert json.loads(lock_of(journal).read_text())["pid"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_a_run_that_has_lost_its_lease_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XL_SUITE_LOCK", "lease")
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.01)
    journal = tmp_path / "j.sqlite"

    async def converse(client: object) -> None:
        lock_of(journal).write_text("{}")
        await client.ask_each([Call("deu/1", (Message("user", "Hello"),))])  # type: ignore[attr-defined]

    with serve_loopback(latency=60.0) as server:
        model = Model("tiny", "tiny", (server.url,), "server")
        with pytest.raises(JournalError, match="lost the lock"):
            run(model, converse, ChatOptions(journal, progress=False))
    assert lock_of(journal).read_text() == "{}"  # it is another run's


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("kept"), os.mkfifo, os.mkdir])
def test_only_a_plain_file_is_a_lock(kind: str, make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("text")
    make(lock_of(tmp_path / "j.sqlite"))
    with pytest.raises(JournalError), hold(tmp_path / "j.sqlite"):
        pass
    assert (tmp_path / "kept").read_text() == "text"


def test_whatever_the_lock_holds_names_nobody_or_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XL_SUITE_LOCK", "lease")
    for text in (
        "",
        "[]",
        "{",
        "[" * 4000,
        '{"pid": 1e999}',
        '{"pid": 1, "host": "h", "command": "c", "since": 1e30}',
    ):
        lock_of(tmp_path / "j.sqlite").write_text(text)
        with pytest.raises(JournalBusy, match="has not written its name"), hold(tmp_path / "j.sqlite"):
            pass


def test_other_writers_of_a_journal_hold_it_too(tmp_path: Path) -> None:
    """Runs of the library and imports: both write."""
    holder = start_holder(tmp_path / "j.sqlite")
    try:
        with pytest.raises(JournalBusy):
            run_calls(Model("m", "m", (), "server"), [], lambda *_: None, ChatOptions(tmp_path / "j.sqlite"))
        with pytest.raises(JournalBusy):
            import_journal(tmp_path / "j.jsonl", tmp_path / "j.sqlite")
    finally:
        holder.communicate("", timeout=60)


def test_network_drives_are_told_by_their_file_system(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:1 / / rw - overlay overlay rw\n"
        "23 22 0:2 / /data\\040sets rw shared:1 - nfs4 server:/d rw\n"
        "24 22 0:3 / /data rw - ext4 /dev/sda rw\n"
        "25 22 0:3 / /home rw master:1 shared:2 - fuse.sshfs far rw\n"
        "broken\n"
    )
    names = ["/x", "/data sets/a/b", "/data/a", "/home", "/homes"]
    found = [find_file_system(Path(name), mounts) for name in names]
    assert found == ["overlay", "nfs4", "ext4", "fuse.sshfs", "overlay"]
    assert [bool(NETWORK.match(one)) for one in found] == [False, True, False, True, False]
    assert find_file_system(Path("/x"), tmp_path / "none") == ""
