"""The journal: durable, shared, refusing what is damaged, the same as text, replayed without network."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat import journal, journal_file
from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.journal import Journal
from xl_suite.chat.journal_file import connect, open_read_only
from xl_suite.chat.journal_rows import StoredAnswer, StoredFailure
from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.replay import export_journal, import_journal
from xl_suite.chat.run import run as run_conversation
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadRecord, JournalError, ReplayMiss

ODD_TEXTS = {
    "surrogate": "half a pair \ud83d alone",
    "nul": "before\x00after",
    "large": "ß" * 1_000_000,
    "empty": "",
    "breaks": "a\u2028b\r\nc\x85d\x1ce",
    "emoji": "👩‍👩‍👧‍👦 ﷽",
    "quotes": "\"';DROP TABLE answers;--\\",
}
CHILD = """
import sys
from pathlib import Path
from xl_suite.chat.calls import Call, Message, Sampling
from xl_suite.chat.models import Model
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.run import run_calls
url, journal, count, slots = sys.argv[1:]
calls = [Call(f"deu/{n}", (Message("user", f"Say {n}"),), Sampling(max_tokens=16)) for n in range(int(count))]
ledger = run_calls(Model("tiny", "tiny", (url,), "server"), calls, lambda call, result: None,
                   ChatOptions(Path(journal), slots=int(slots), progress=False))
print(ledger.paid, ledger.from_journal, ledger.repeated)
"""


def make_calls(texts: Sequence[str]) -> list[Call]:
    return [Call(f"deu/{n}", (Message("user", text),), Sampling(max_tokens=16)) for n, text in enumerate(texts)]


def run(model: Model, calls: Sequence[Call], options: ChatOptions) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}

    def keep(call: Call, result: Answer | FailedCall) -> None:
        assert isinstance(result, Answer)
        answers[call.row] = result

    run_calls(model, calls, keep, options)
    return answers


def make_model(server: Loopback) -> Model:
    return Model("tiny", "tiny", (server.url,), "server")


def fill(path: Path, texts: Sequence[str] = ("one", "two", "three")) -> dict[str, Answer]:
    """Makes a journal that holds an answer to each text."""
    with serve_loopback(lambda request: "re: " + last_message(request)) as server:
        return run(make_model(server), make_calls(texts), ChatOptions(path, progress=False))


def start_child(url: str, journal: Path, count: int, slots: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, url, str(journal), str(count), str(slots)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored_answer(number: int, text: str = "x") -> StoredAnswer:
    answer = json.dumps({"text": text})
    return StoredAnswer(number.to_bytes(32), "tiny", '{"model":"tiny"}', answer, 1, 2, 1_700_000_000)


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_every_text_comes_back_from_server_journal_and_export(name: str, tmp_path: Path) -> None:
    text = ODD_TEXTS[name]
    journal = tmp_path / "j.sqlite"
    with serve_loopback(lambda request: last_message(request)) as server:
        calls = make_calls([text])
        first = run(make_model(server), calls, ChatOptions(journal, progress=False))
        second = run(make_model(server), calls, ChatOptions(journal, progress=False))
        assert server.calls == 1
    assert first["deu/0"].text == second["deu/0"].text == text
    export_journal(journal, tmp_path / "j.jsonl")
    replayed = run(parse_model(f"replay:{tmp_path / 'j.jsonl'}"), calls, ChatOptions(progress=False))
    assert replayed == first


def test_a_killed_run_loses_nothing_and_repeats_little(tmp_path: Path) -> None:
    slots, count = 16, 1000
    journal = tmp_path / "j.sqlite"
    with serve_loopback(latency=0.005) as server:
        kills = 0
        for share in (0.3, 0.6):
            child = start_child(server.url, journal, count, slots)
            while server.stats()["distinct"] < share * count:
                assert child.poll() is None, "ended by itself"
                time.sleep(0.001)
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        answers = run(
            make_model(server), make_calls([f"Say {n}" for n in range(count)]), ChatOptions(journal, progress=False)
        )
        stats = server.stats()
    assert len(answers) == count
    assert stats["distinct"] == count
    assert 0 < stats["repeated"] <= 2 * slots * kills
    assert stats["answered"] == count + stats["repeated"]


def test_ctrl_c_keeps_what_was_answered(tmp_path: Path) -> None:
    with serve_loopback(latency=0.005) as server:
        child = start_child(server.url, tmp_path / "j.sqlite", 5000, 16)
        while server.stats()["distinct"] < 300:
            assert child.poll() is None, "ended by itself"
            time.sleep(0.001)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) != 0
        answered = server.stats()["answered"]
    with Journal(tmp_path / "j.sqlite") as journal:
        assert 300 - 16 <= answered - 16 <= len(list(journal.answers())) <= answered
    assert [path.name for path in tmp_path.iterdir()] == ["j.sqlite"]


def test_a_server_of_our_own_is_not_started_for_calls_that_are_answered(tmp_path: Path) -> None:
    fill(tmp_path / "j.sqlite")
    model = Model("tiny", "tiny", (), "vllm", None, "/no/such/weights")
    options = ChatOptions(tmp_path / "j.sqlite", progress=False)
    assert len(run(model, make_calls(["one", "two", "three"]), options)) == 3


def test_a_journal_is_opened_while_others_make_it(tmp_path: Path) -> None:
    """SQLite refuses the change to its write-ahead log at once while another holds the new file, without waiting."""
    openers, rounds = 6, 20
    with ThreadPoolExecutor(openers) as pool:
        for number in range(rounds):
            path, start = tmp_path / f"{number}.sqlite", threading.Barrier(openers)

            def make(path: Path = path, start: threading.Barrier = start) -> None:
                start.wait()
                Journal(path).close()

            for opened in [pool.submit(make) for _ in range(openers)]:
                opened.result()


def test_what_another_process_committed_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path) as one, Journal(path) as two:
        assert one.look_up([(7).to_bytes(32)]) == {}
        two.add([stored_answer(7, "seen")])
        assert one.look_up([(7).to_bytes(32)])[(7).to_bytes(32)].text == "seen"


@pytest.mark.parametrize("count", [1, 3, 4, 300, 777])
def test_groups_of_every_size_are_written_whole(count: int, tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.add([stored_answer(number) for number in range(count)]) == count
        assert journal.add([stored_answer(number, "later") for number in range(count + 2)]) == 2
        found = journal.look_up([number.to_bytes(32) for number in range(count + 2)])
    assert len(found) == count + 2
    assert found[(0).to_bytes(32)].text == "x", "the first answer stays"


def test_a_failure_goes_when_its_call_is_answered(tmp_path: Path) -> None:
    keys = [number.to_bytes(32) for number in range(3)]
    failures = [StoredFailure(key, "tiny", f"r{n}", "HTTP 500", 6, "{}", 0) for n, key in enumerate(keys)]
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.add([], failures)
        journal.add([stored_answer(1)])
        assert [one.row for one in journal.failures()] == ["r0", "r2"]
    connection = sqlite3.connect(tmp_path / "j.sqlite")
    assert connection.execute("SELECT count(*) FROM failures").fetchone() == (2,)
    connection.close()


def test_a_cut_log_keeps_every_whole_group(tmp_path: Path) -> None:
    """What is left when the machine goes down while a group is written."""
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    for number in range(20):
        journal.add([stored_answer(number)])
    copy = tmp_path / "copy.sqlite"
    log = path.with_name("j.sqlite-wal")
    size = log.stat().st_size
    for lost in (1, 100, 5000, size // 2):
        shutil.copy(path, copy)
        (tmp_path / "copy.sqlite-wal").write_bytes(log.read_bytes()[: size - lost])
        with Journal(copy) as cut:
            rows = len(list(cut.answers()))
            assert 0 < rows < 20
            assert cut.add([stored_answer(99)]) == 1
        (tmp_path / "copy.sqlite-wal").unlink(missing_ok=True)
        (tmp_path / "copy.sqlite-shm").unlink(missing_ok=True)
    journal.close()


def overwrite_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def overwrite_page(path: Path) -> None:
    """One page, far behind what opening the file looks at."""
    data = bytearray(path.read_bytes())
    start = len(data) // 4096 // 2 * 4096
    data[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(data)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_text(path: Path) -> None:
    path.write_text('{"some": "JSON"}\n')


def make_foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE answers (key, answer)")
    connection.commit()
    connection.close()


def make_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()


def drop_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE failures")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (overwrite_middle, "damaged"),
        (overwrite_page, "damaged"),
        (cut_in_half, "damaged"),
        (write_text, "no SQLite file"),
        (make_foreign, "another program"),
        (make_newer, "schema version 99"),
        (drop_table, "damaged"),
    ],
)
def test_an_unsound_file_is_reported_and_left_alone(spoil: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    fill(path, [f"text {n} " * 50 for n in range(100)])
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes()
    with serve_loopback() as server, pytest.raises(JournalError, match=said) as caught:
        run(make_model(server), make_calls(["new"]), ChatOptions(path, progress=False))
    assert str(path) in str(caught.value)
    assert "--journal" in str(caught.value)
    assert path.read_bytes() == before
    assert server.calls == 0


@pytest.mark.parametrize("emptied", [True, False])
def test_an_emptied_file_with_a_log_is_reported(
    emptied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "LOOK_SECONDS", 0.001)
    path = tmp_path / "j.sqlite"
    if emptied:
        path.touch()
    path.with_name("j.sqlite-wal").write_bytes(b"x" * 100)
    with pytest.raises(JournalError, match="holds its last writes"):
        Journal(path)
    assert path.with_name("j.sqlite-wal").read_bytes() == b"x" * 100


def test_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="folder"):
        Journal(tmp_path)
    (tmp_path / "empty.sqlite").touch()
    Journal(tmp_path / "empty.sqlite").close()


def test_answers_that_wait_for_a_slow_disk_are_kept_when_the_run_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four answers are being written, or wait for it, and four slots wait for them with an answer each."""
    real = Journal.add

    def add_slowly(self: Journal, *arguments: Any) -> int:
        time.sleep(0.6)
        return real(self, *arguments)

    async def give_up(client: ChatClient) -> None:
        async with asyncio.timeout(0.3):
            await client.ask_all(make_calls([f"{n}" for n in range(50)]), lambda call, result: None)

    monkeypatch.setattr(Journal, "add", add_slowly)
    with serve_loopback() as server:
        with pytest.raises(TimeoutError):
            run_conversation(make_model(server), give_up, ChatOptions(tmp_path / "j.sqlite", slots=4, progress=False))
        assert server.answered == 8
    with Journal(tmp_path / "j.sqlite") as journal:
        assert len(list(journal.answers())) == 8


class Connections:
    """The connections of the journals that a test opens, which it can hold to a size that the file may have."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self._all: list[sqlite3.Connection] = []
        self._connect = connect
        monkeypatch.setattr(journal, "connect", self._open)

    def limit(self, pages: int) -> None:
        """As on a disk with no room for more: SQLite gives the same error."""
        for connection in self._all:
            connection.execute(f"PRAGMA max_page_count={pages}")

    def _open(self, address: str) -> sqlite3.Connection:
        self._all.append(self._connect(address))
        return self._all[-1]


@pytest.mark.parametrize("failures", [False, True])
def test_a_group_for_which_the_disk_has_no_room_is_not_written_and_can_be_later(
    failures: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = Connections(monkeypatch)
    failed = [StoredFailure(b"f", "tiny", "r", "HTTP 500", 6, "{}", 0)] if failures else []
    group = [stored_answer(number, "long " * 1000) for number in range(20)]
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.add([stored_answer(99)])
        connections.limit(12)
        with pytest.raises(JournalError, match=r"j\.sqlite: the disk is full\. Make room"):
            journal.add(group, failed)
        assert len(list(journal.answers())) == 1, "all of the group or nothing"
        connections.limit(1_000_000)
        assert journal.add(group, failed) == 20
        assert (len(list(journal.answers())), len(journal.failures())) == (21, len(failed))


def test_a_group_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its answers went in before the failure was refused: they go again, and the lock with them."""
    refused: Any = StoredFailure(b"f", "tiny", "r", "HTTP 500", None, "{}", 0)  # type: ignore[arg-type]
    path = tmp_path / "j.sqlite"
    with Journal(path) as journal, Journal(path) as other:
        with pytest.raises(JournalError, match=r"cannot be used: NOT NULL constraint failed: failures\.attempts"):
            journal.add([stored_answer(1)], [refused])
        assert other.add([stored_answer(2)]) == 1, "it is not locked"
        assert journal.add([stored_answer(3)], [refused._replace(attempts=6)]) == 1
        for one in (journal, other):
            assert {stored.key for stored in one.answers()} == {(2).to_bytes(32), (3).to_bytes(32)}


def test_work_that_breaks_off_inside_a_transaction_leaves_nothing_behind(tmp_path: Path) -> None:
    def break_off(writer: sqlite3.Connection) -> None:
        writer.execute("CREATE TABLE half_done (x)")
        raise RuntimeError("in the middle")

    path = tmp_path / "j.sqlite"
    with Journal(path) as journal, Journal(path) as other:
        with pytest.raises(RuntimeError, match="in the middle"):
            journal.transact(break_off)
        assert other.add([stored_answer(1)]) == 1, "it is not locked"
        assert journal.transact(lambda writer: writer.execute("SELECT count(*) FROM answers").fetchone()) == (1,)
        tables = other.read(lambda reader: reader.execute("SELECT name FROM sqlite_master").fetchall())
        assert ("half_done",) not in tables


@pytest.mark.parametrize("failures", [False, True])
def test_a_journal_that_another_process_keeps_locked_says_so(
    failures: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xl_suite.chat.journal_file.BUSY_SECONDS", 0.01)
    failed = [StoredFailure(b"f", "tiny", "r", "HTTP 500", 6, "{}", 0)] if failures else []
    with Journal(tmp_path / "j.sqlite") as journal:
        other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"j\.sqlite: another process .* locked .* --journal"):
            journal.add([stored_answer(1)], failed)
        other.execute("ROLLBACK")
        other.close()
        assert journal.add([stored_answer(1)], failed) == 1
        assert len(journal.failures()) == len(failed)


def test_a_journal_that_cannot_be_made_is_not_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xl_suite.chat.journal_file as module

    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    with monkeypatch.context() as broken:
        broken.setattr(module, "SCHEMA", (module.SCHEMA[0], "CREATE nonsense"))
        with pytest.raises(JournalError, match=r"cannot be opened.*nonsense") as caught:
            Journal(tmp_path / "j.sqlite")
    with Journal(tmp_path / "j.sqlite") as journal:  # while `caught` still keeps the first connection
        assert journal.add([stored_answer(1)]) == 1
    assert caught.value.__cause__ is not None


def test_a_journal_that_breaks_while_it_is_written_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Journal, answers: object, failures: object = (), facts: object = ()) -> int:
        raise JournalError("the disk is full")

    monkeypatch.setattr(Journal, "add", refuse)
    with serve_loopback() as server, pytest.raises(JournalError, match="disk is full"):
        run(make_model(server), make_calls([f"{n}" for n in range(500)]), ChatOptions(tmp_path / "j", progress=False))


def test_a_closed_journal_is_one_file(tmp_path: Path) -> None:
    fill(tmp_path / "j.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["j.sqlite"]


def test_a_journal_can_be_read_by_a_person(tmp_path: Path) -> None:
    fill(tmp_path / "j.sqlite", ["Grüß Gott"])
    connection = sqlite3.connect(tmp_path / "j.sqlite")
    row = connection.execute(
        "SELECT model, json_extract(request, '$.request.messages[0].content'), json_extract(answer, '$.text') "
        "FROM answers"
    ).fetchone()
    connection.close()
    assert row == ("tiny", "Grüß Gott", "re: Grüß Gott")


def test_replay_answers_without_network_and_names_what_it_misses(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    answers = fill(path)
    calls = make_calls(["one", "two", "three"])
    for model in (parse_model(f"replay:{path}"), parse_model(f"replay:{path}#tiny")):
        assert run(model, calls, ChatOptions(progress=False)) == answers
    elsewhere = Model("tiny", "tiny", ("http://127.0.0.1:9/v1",), "server")
    assert run(elsewhere, calls, ChatOptions(replay=path, progress=False)) == answers
    with pytest.raises(ReplayMiss, match=r"deu/3.*tiny"):
        run(elsewhere, make_calls(["one", "two", "three", "four"]), ChatOptions(replay=path, progress=False))
    with pytest.raises(ReplayMiss, match=r"tin.*Did you mean 'tiny'"):
        run(parse_model(f"replay:{path}#tinny"), calls, ChatOptions(progress=False))


def test_a_replay_of_several_models_asks_which(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    fill(path)
    with serve_loopback() as server:
        run(Model("other", "other", (server.url,), "server"), make_calls(["x"]), ChatOptions(path, progress=False))
    with pytest.raises(ReplayMiss, match="other, tiny"):
        run(parse_model(f"replay:{path}"), make_calls(["one"]), ChatOptions(progress=False))


def test_a_replay_leaves_its_folder_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path / "j.sqlite")
    before = (tmp_path / "j.sqlite").read_bytes()
    run(parse_model(f"replay:{tmp_path / 'j.sqlite'}"), make_calls(["one"]), ChatOptions(progress=False))
    assert (tmp_path / "j.sqlite").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["j.sqlite"]


class _FailingConnection:
    def __init__(self, connection: sqlite3.Connection):
        self.connection = connection

    def execute(self, statement: str) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    def close(self) -> None:
        self.connection.close()


def test_a_log_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder that cannot be written, where SQLite cannot make the index that it reads a log with."""
    import xl_suite.chat.journal_file as module

    path = tmp_path / "j.sqlite"
    fill(path)
    path.with_name("j.sqlite-wal").write_bytes(b"something")
    real = module.connect
    monkeypatch.setattr(module, "connect", lambda address: _FailingConnection(real(address)))
    with pytest.raises(JournalError, match="Copy both files"):
        open_read_only(path)


def test_a_journal_is_replayed_from_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    answers = fill(folder / "j.sqlite")
    os.chmod(folder / "j.sqlite", 0o444)
    os.chmod(folder, 0o555)
    try:
        calls = make_calls(["one", "two", "three"])
        assert run(parse_model(f"replay:{folder / 'j.sqlite'}"), calls, ChatOptions(progress=False)) == answers
        assert [path.name for path in folder.iterdir()] == ["j.sqlite"]
    finally:
        os.chmod(folder, 0o755)


def test_an_export_is_the_same_whatever_the_order_of_answers(tmp_path: Path) -> None:
    texts = [f"text {n}" for n in range(50)]
    fill(tmp_path / "a.sqlite", texts)
    fill(tmp_path / "b.sqlite", texts[::-1])
    assert export_journal(tmp_path / "a.sqlite", tmp_path / "a.jsonl") == 50
    export_journal(tmp_path / "b.sqlite", tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert import_journal(tmp_path / "a.jsonl", tmp_path / "c.sqlite") == 50
    assert import_journal(tmp_path / "a.jsonl", tmp_path / "c.sqlite") == 0
    export_journal(tmp_path / "c.sqlite", tmp_path / "c.jsonl")
    assert (tmp_path / "c.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


def test_a_journal_written_by_hand_is_replayed(tmp_path: Path) -> None:
    request = {"max_tokens": 16, "temperature": 1, "messages": [{"content": "hi", "role": "user"}]}
    lines = [
        {"model": "hand", "request": request, "answer": {"text": "ho"}},
        {"model": "hand", "request": request, "answer": {"text": "hum"}, "sample": 1},
    ]
    path = tmp_path / "hand.jsonl"
    path.write_text("\n".join(json.dumps(line, indent=None) for line in lines) + "\n")
    calls = [Call(f"r{k}", (Message("user", "hi"),), Sampling(1.0, 16), sample=k) for k in range(2)]
    answers = run(parse_model(f"replay:{path}"), calls, ChatOptions(progress=False))
    assert {row: (answer.text, answer.finish_reason) for row, answer in answers.items()} == {
        "r0": ("ho", "stop"),
        "r1": ("hum", "stop"),
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ('{"model": 3}', "'model'"),
        ('{"model": "m", "request": {"messages": []}, "answer": {"text": "x"}}', "no messages"),
        ('{"model": "m", "request": {}, "answer": {"text": "x"}}', "messages"),
        ('{"model": "m", "request": {"messages": [{"role": "user", "content": "x"}]}, "answer": {}}', "text"),
    ],
)
def test_a_bad_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    good = '{"model": "m", "request": {"messages": [{"role": "user", "content": "x"}]}, "answer": {"text": "y"}}'
    path.write_text(good + "\n" + line + "\n")
    with pytest.raises(BadRecord, match=rf"record 2.*{said}"):
        run(parse_model(f"replay:{path}"), make_calls(["x"]), ChatOptions(progress=False))


def test_a_replay_of_neither_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("just some notes")
    with pytest.raises(JournalError, match="neither SQLite nor JSONL"):
        run(parse_model(f"replay:{tmp_path / 'notes.txt'}"), make_calls(["x"]), ChatOptions(progress=False))
