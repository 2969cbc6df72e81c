"""Ranks: any number of processes do the work, and the files are those of one."""

from __future__ import annotations

import math
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.written import read_files, write_questions
from xl_suite.chat.loopback.replies import Reply, token_logprobs
from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.errors import BadInput
from xl_suite.executors import units
from xl_suite.executors.units import Unit, list_units, parse_rank

COUNT = 22
UNITS = 6  # 3 of each of two languages


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(units, "BLOCK", 8)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "bench"
    write_questions(folder, ("deu", "zho"), COUNT)
    return folder


def answer(request: dict[str, Any]) -> str | Reply:
    text = last_message(request)
    if request["model"] in ("judge", "plain"):
        first, second = ("4", "3") if "number of the level" in text else ("m", "M")
        chance = 0.9 if len(text) % 2 else 0.6
        logprobs = token_logprobs({first: math.log(chance), second: math.log(1 - chance)})
        return Reply(first, logprobs=logprobs if request["model"] == "judge" else None)
    return f"Antwort von {request['model']} auf {text[:200]}"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve_loopback(answer) as found:
        yield found


@pytest.fixture
def outputs(bench: Path, server: Loopback, tmp_path: Path) -> Path:
    for name in ("ours", "theirs"):
        done = run_verb(["respond", str(bench), "--model", f"{name}@{server.url}", "--out", str(tmp_path)])
        assert done.status == 0
    server.calls = 0
    return tmp_path


def check_ranks(
    command: list[str], tmp_path: Path, server: Loopback, count: int, *, asked_alike: bool = True
) -> None:
    """Runs a verb as one process and as ranks, the last one first: the same files, and as many calls."""
    single, ranked = tmp_path / "single", tmp_path / f"ranked-{count}"
    before = server.calls
    assert run_verb([*command, "--out", str(single)]).status == 0
    alone = server.calls - before
    missing = run_verb([*command, "--out", str(ranked), "--finish"])
    assert (missing.status, "Run the ranks first" in missing.notes[0]) == (1, True)
    for number in reversed(range(count)):
        done = run_verb([*command, "--out", str(ranked), "--rank", f"{number}/{count}"])
        assert done.status == 0, done
        assert read_files(ranked) == {}
        if 0 < number < UNITS:
            early = run_verb([*command, "--out", str(ranked), "--finish"])
            assert (early.status, "is not answered yet" in early.notes[0]) == (1, True)
    asked = server.calls - before - alone
    if asked_alike:
        assert asked == alone
    done = run_verb([*command, "--out", str(ranked), "--finish"])
    assert done.status == 0, done
    assert server.calls - before - alone == asked
    one, many = read_files(single), read_files(ranked)
    assert list(one) == list(many)
    for name, content in one.items():
        assert content == many[name], name


@pytest.mark.parametrize("count", [1, 3, 8])
def test_respond(count: int, bench: Path, server: Loopback, tmp_path: Path) -> None:
    check_ranks(["respond", str(bench), "--model", f"tiny@{server.url}"], tmp_path, server, count)


def test_respond_in_two_calls_with_samples(bench: Path, server: Loopback, tmp_path: Path) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--samples", "2"]
    check_ranks([*command, "--strategy", "reason-then-translate-2-calls"], tmp_path, server, 3)


@pytest.mark.parametrize("judge", ["judge", "plain"])
def test_judge(judge: str, outputs: Path, server: Loopback, tmp_path: Path) -> None:
    """A judge that gives log probabilities, and one that is read from text, which each unit learns for itself."""
    command = ["judge", str(outputs / "ours"), "--reference", str(outputs / "theirs"), "--annotator", "xl_gpt4o"]
    command += ["--model", f"{judge}@{server.url}"]
    check_ranks(command, tmp_path / "judged", server, 3, asked_alike=judge == "judge")


def test_rate(outputs: Path, server: Loopback, tmp_path: Path) -> None:
    check_ranks(["rate", str(outputs / "ours"), "--model", f"judge@{server.url}"], tmp_path / "rated", server, 3)


def test_a_rank_that_is_killed_goes_on(bench: Path, tmp_path: Path) -> None:
    with serve_loopback(answer, latency=0.05) as server:
        command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--slots", "2"]
        ranked = [*command, "--out", str(tmp_path / "out"), "--rank", "0/1"]
        child = os.fork()
        if child == 0:
            try:
                os.close(1)
                run_verb(ranked)
            finally:
                os._exit(0)
        deadline = time.monotonic() + 120
        while server.calls < 13 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert server.calls >= 13
        assert run_verb(ranked).status == 0
        assert server.calls - 2 * COUNT <= 2 * 2  # those that were in flight
        assert run_verb([*command, "--out", str(tmp_path / "out"), "--finish"]).status == 0
        assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    assert read_files(tmp_path / "out") == read_files(tmp_path / "single")


def test_the_number_of_ranks_may_change_and_nothing_is_paid_again(
    bench: Path, server: Loopback, tmp_path: Path
) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out")]
    assert run_verb([*command, "--rank", "0/3"]).status == 0
    for number in range(2):
        assert run_verb([*command, "--rank", f"{number}/2"]).status == 0
    assert (server.calls, server.repeated) == (2 * COUNT, 0)
    assert run_verb([*command, "--finish"]).status == 0
    assert server.calls == 2 * COUNT


def test_what_the_whole_run_paid_is_not_paid_by_ranks(bench: Path, server: Loopback, tmp_path: Path) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out")]
    assert run_verb([*command, "--languages", "deu"]).status == 0
    for number in range(2):
        assert run_verb([*command, "--rank", f"{number}/2"]).status == 0
    assert (server.calls, server.repeated) == (2 * COUNT, 0)
    assert run_verb([*command, "--finish"]).status == 0


def test_the_plain_command_asks_what_ranks_lack(bench: Path, server: Loopback, tmp_path: Path) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}"]
    out = tmp_path / "out"
    assert run_verb([*command, "--out", str(out), "--rank", "1/2"]).status == 0
    assert run_verb([*command, "--out", str(out)]).status == 0
    assert (server.calls, server.repeated) == (2 * COUNT, 0)
    assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    assert read_files(out) == read_files(tmp_path / "single")


def test_rows_that_fail_are_told_and_tried_again(bench: Path, tmp_path: Path) -> None:
    broken = [True]

    def stumble(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        return Reply("a bug", 500) if broken and text.startswith("Question 3?") else answer(request)

    with serve_loopback(stumble) as server:
        command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--attempts", "1"]
        out = ["--out", str(tmp_path / "out")]
        told = run_verb([*command, *out, "--rank", "0/1"])
        assert (told.status, told.answer["n_failed"]) == (1, 2)
        early = run_verb([*command, *out, "--finish"])
        assert (early.status, "deu/3 is not answered yet" in early.notes[0]) == (1, True)
        broken.clear()
        assert run_verb([*command, *out, "--rank", "0/1"]).status == 0
        assert run_verb([*command, *out, "--finish"]).status == 0
        assert server.answered == 2 * COUNT
    shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rank", "3/3"], "R from 0 to N - 1"),
        (["--rank", "one"], "R from 0 to N - 1"),
        (["--rank", "0/2", "--journal", "other.sqlite"], "a journal for each unit"),
        (["--rank", "0/2", "--batch"], "Leave --batch out"),
        (["--rank", "0/2", "--estimate"], "for the whole run"),
    ],
)
def test_what_ranks_do_not_take_is_told(
    more: list[str], said: str, bench: Path, server: Loopback, tmp_path: Path
) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out")]
    told = run_verb([*command, *more])
    assert told.status == 2
    assert said in told.notes[0]
    assert server.calls == 0


def test_units_are_blocks_of_a_language_whatever_the_ranks() -> None:
    made = list_units({"deu": 20, "zho": 3})
    assert [unit.name for unit in made] == ["deu-00000", "deu-00001", "deu-00002", "zho-00000"]
    assert made[2] == Unit("deu", 16, 20)
    shares = [parse_rank(f"{number}/2").choose(list_units({"deu": 17, "zho": 17})) for number in range(2)]
    assert [sum(unit.end - unit.start for unit in share) for share in shares] == [17, 17]
    for count in (1, 2, 5):
        shares = [parse_rank(f"{number}/{count}").choose(made) for number in range(count)]
        assert sorted(unit.name for share in shares for unit in share) == [unit.name for unit in made]
    with pytest.raises(BadInput):
        parse_rank("1/0")
