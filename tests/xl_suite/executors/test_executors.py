"""Ranks that an executor starts: the files of one process, budgets in sum, failures that are named."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.written import read_files, write_questions
from tests.xl_suite.executors.test_ranks import answer
from xl_suite.chat.loopback.replies import Reply
from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.executors import coordinator
from xl_suite.executors.commands import Command, add_options, drop_options, share_budget
from xl_suite.executors.coordinator import LOGS, Plan, run_ranks
from xl_suite.executors.running import Ended, read_last_line, run_command
from xl_suite.executors.status import DONE, read_status
from xl_suite.executors.units import Rank, Unit, list_units

LANGUAGES = ("deu", "fra", "zho")  # a unit each
COUNT = 6
PRICE = ["--price", "1,1"]


@pytest.fixture(autouse=True)
def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "bench"
    write_questions(folder, LANGUAGES, COUNT)
    return folder


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve_loopback(answer) as found:
        yield found


def find_logs(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob(f".parts/*/{LOGS}/*.log"))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_respond_and_judge(count: int, bench: Path, server: Loopback, tmp_path: Path) -> None:
    """The files of the single process, and as many calls."""
    for folder, more in (("single", []), ("ranked", ["--executor", "local", "--ranks", str(count)])):
        place, before = tmp_path / folder, server.calls
        for name in ("ours", "theirs"):
            command = ["respond", str(bench), "--model", f"{name}@{server.url}", "--out", str(place / "outputs")]
            assert run_verb([*command, *(more if name == "ours" else [])]).status == 0
        command = ["judge", str(place / "outputs" / "ours"), "--reference", str(place / "outputs" / "theirs")]
        command += ["--annotator", "xl_gpt4o", "--model", f"judge@{server.url}", "--out", str(place / "judged")]
        done = run_verb([*command, *more])
        assert done.status == 0, done
        paid = [
            json.loads(path.read_text())["ledger"]["paid"] for path in place.glob(f"judged/.parts/*/{LOGS}/*.json")
        ]
        assert not more or sum(paid) == COUNT * len(LANGUAGES)
        assert server.calls - before == 3 * COUNT * len(LANGUAGES)
        assert len(find_logs(place / "judged")) == (min(count, len(LANGUAGES)) if more else 0)
    one, many = read_files(tmp_path / "single"), read_files(tmp_path / "ranked")
    assert list(one) == list(many)
    for name, content in one.items():
        assert content == many[name], name


def test_rows_that_fail_are_in_the_files_as_one_process_has_them(bench: Path, tmp_path: Path) -> None:
    def stumble(request: dict[str, Any]) -> str | Reply:
        return Reply("a bug", 500) if last_message(request).startswith("Question 3?") else answer(request)

    with serve_loopback(stumble) as server:
        command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--attempts", "1"]
        for folder, more in (("single", []), ("ranked", ["--ranks", "2"])):
            done = run_verb([*command, "--out", str(tmp_path / folder), *more])
            assert done.status == 1
            assert {row["id"] for row in json.loads((tmp_path / folder / "tiny" / "failed.json").read_text())} == {3}
    assert read_files(tmp_path / "single") == read_files(tmp_path / "ranked")


def test_a_rank_that_fails_is_named_and_the_same_command_runs_what_is_missing(
    bench: Path, server: Loopback, tmp_path: Path
) -> None:
    """A rank cannot write its unit's journal."""
    out = tmp_path / "out"
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(out), "--ranks", "2"]
    in_the_way = out / ".parts" / "tiny" / "fra-00000"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where a folder goes")
    told = run_verb(command)
    assert told.status == 1
    assert "ranks failed: 1 of 2" in told.notes[0]
    assert re.search(r"rank \d/2 on \S+, status 2: .*fra-00000", told.notes[0])
    assert re.search(rf"log: {out}/.parts/tiny/{LOGS}/\d-of-2.log", told.notes[0])
    assert read_files(out) == {}
    in_the_way.unlink()
    assert run_verb(command).status == 0
    assert (server.calls, server.repeated) == (COUNT * len(LANGUAGES), 0)


def test_a_rank_that_is_killed_is_named(bench: Path, tmp_path: Path) -> None:
    with serve_loopback(answer, latency=0.2) as server:
        command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out")]
        command += ["--slots", "1", "--ranks", "2"]
        child = start_verb(command, tmp_path)
        wait_for(lambda: server.calls >= 4)
        os.kill(find_rank(child.pid, "1/2"), signal.SIGKILL)
        _, said = child.communicate(timeout=120)
        assert child.returncode == 1, said
        assert re.search(r"rank 1/2 on \S+, ended by SIGKILL: ", said)
        assert run_verb(command).status == 0
        assert server.calls - COUNT * len(LANGUAGES) <= 2  # one slot
        assert run_verb([*command[:-4], "--out", str(tmp_path / "single")]).status == 0
    assert read_files(tmp_path / "out") == read_files(tmp_path / "single")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ranks_end_with_what_started_them(number: signal.Signals, bench: Path, tmp_path: Path) -> None:
    with serve_loopback(answer, latency=0.2) as server:
        command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out")]
        command += ["--slots", "1", "--ranks", "2"]
        child = start_verb(command, tmp_path)
        wait_for(lambda: server.calls >= 2)
        ranks = [find_rank(child.pid, f"{number}/2") for number in range(2)]
        os.kill(child.pid, number)
        _, said = child.communicate(timeout=60)
        assert child.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL), said
        wait_for(lambda: not any(Path(f"/proc/{rank}/cmdline").exists() for rank in ranks))
        assert run_verb(command).status == 0
        assert server.calls - COUNT * len(LANGUAGES) <= 4  # two ranks with one slot


def test_a_budget_is_never_passed_in_sum_and_its_rest_is_dealt_out(
    bench: Path, server: Loopback, tmp_path: Path
) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", *PRICE, "--max-tokens", "1000", "--slots", "1"]
    assert run_verb([*command, "--out", str(tmp_path / "single"), "--budget", "1"]).status == 0
    whole = run_verb([*command, "--out", str(tmp_path / "spent"), "--budget", "1"]).answer["ledger"]["dollars"]
    ranked = [*command, "--out", str(tmp_path / "out"), "--ranks", "3"]
    # A third of it is less than the most that one call may cost, about $.001; all of it is enough for half the work.
    budget = 0.001 + whole / 2
    told = run_verb([*ranked, "--budget", f"{budget:.6f}"])
    assert told.status == 1
    assert "The budget of $0.001" in told.notes[0]
    spent = float(re.findall(r"\$(\d\.\d{4}) is spent", told.notes[0])[0])
    assert 0 < spent <= budget
    assert 0 < server.calls - 2 * COUNT * len(LANGUAGES) < COUNT * len(LANGUAGES)
    done = run_verb([*ranked, "--budget", str(whole + 0.004)])
    assert done.status == 0, done
    assert (server.calls, server.repeated) == (3 * COUNT * len(LANGUAGES), 2 * COUNT * len(LANGUAGES))
    assert read_files(tmp_path / "single") == read_files(tmp_path / "out")


def test_shares_are_dealt_out_until_nothing_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ranks that need .1, .2 and .9 dollars, and stop below .05 of their share."""
    needs = {0: 0.1, 1: 0.2, 2: 0.9}
    given: list[float] = []

    def run(commands: list[Command]) -> Iterator[Ended]:
        total = 0.0
        for one in commands:
            share = float(one.arguments[one.arguments.index("--budget") + 1])
            total += share
            spent = min(needs[one.rank.number], max(0.0, share - 0.05))
            needs[one.rank.number] -= spent
            told = {"rank": str(one.rank), "dollars": spent}
            left = needs[one.rank.number] > 1e-9
            yield Ended(one.rank, int(left), {**told, "stopped": "x"} if left else told)
        given.append(total)

    monkeypatch.setattr(coordinator, "import_module", lambda _: type("", (), {"open_engine": lambda *_: Opened(run)}))
    plan = Plan(("respond", "b"), list_units({"deu": 256, "fra": 256, "zho": 256}), tmp_path, 1.5)
    left = run_ranks(plan, 3, "local")
    assert left is not None
    assert math.isclose(left, 0.3, abs_tol=1e-6)
    assert given[0] <= 1.5
    assert all(later <= earlier for earlier, later in pairwise(given))


class Opened:
    def __init__(self, run: Any):
        self.run = run

    def __enter__(self) -> Any:
        return self.run

    def __exit__(self, *_: object) -> None:
        return None


def test_print_only_prints_commands_that_do_the_work(bench: Path, server: Loopback, tmp_path: Path) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "an out")]
    told = run_verb([*command, "--ranks", "2", "--print-only", "--json"])
    lines = told.text.splitlines()
    assert told.answer == {"ranks": lines[:-1], "finish": lines[-1]}
    assert server.calls == 0
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "xl-suite"
        assert run_verb(arguments).status == 0
    assert run_verb([*command[:-1], str(tmp_path / "single")]).status == 0
    assert read_files(tmp_path / "an out") == read_files(tmp_path / "single")


def test_status(bench: Path, server: Loopback, tmp_path: Path) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path)]
    assert run_verb([*command, "--status"]).text == "units done: 0 of 3"
    assert run_verb([*command, "--rank", "0/2"]).status == 0
    assert run_verb([*command, "--status"]).answer["n_done"] == 2
    assert run_verb([*command, "--ranks", "2"]).status == 0
    told = run_verb([*command, "--status"]).answer
    assert (told["n_done"], told["n_units"], [one["state"] for one in told["ranks"]]) == (3, 3, ["ended", "ended"])
    units = list_units({"deu": COUNT})
    folder = tmp_path / ".parts" / "tiny"
    (folder / LOGS / "1-of-2.json").unlink()
    silent = read_status(units, folder, time.time() + 90).ranks[1]
    assert (silent.rank, silent.state) == ("1/2", "silent")
    assert silent.line
    assert read_status([Unit("deu", 0, COUNT + 1)], folder).done == 0  # there are more rows now
    assert (folder / "deu-00000" / DONE).exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--executor", "ray"], "--ranks N says it"),
        (["--print-only"], "--ranks N says it"),
        (["--executor", "local", "--rank", "0/2"], "are for all ranks"),
        (["--finish", "--print-only"], "are for all ranks"),
        (["--ranks", "2", "--estimate"], "for the whole run"),
        (["--ranks", "2", "--batch"], "Leave --batch out"),
        (["--ranks", "2", "--journal", "other.sqlite"], "a journal for each unit"),
        (["--ranks", "2", "--executor-config", "x.yaml"], "--executor local takes none"),
        (["--ranks", "2", "--executor", "ray", "--executor-config", "no.yaml"], "no.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_is_told(more: list[str], said: str, bench: Path, server: Loopback, tmp_path: Path) -> None:
    told = run_verb(["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out"), *more])
    assert told.status == 2
    assert said in told.notes[0]
    assert server.calls == 0


@pytest.mark.parametrize("text", ["a: &a [x]\nb: [*a", "x: " + "9" * 10_000, "- ray", "a: \x07"])
def test_a_config_of_an_engine_is_read_within_bounds(
    text: str, bench: Path, server: Loopback, tmp_path: Path
) -> None:
    (tmp_path / "x.yaml").write_text(text)
    more = ["--ranks", "2", "--executor", "ray", "--executor-config", str(tmp_path / "x.yaml")]
    told = run_verb(["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out"), *more])
    assert told.status == 2
    assert "x.yaml" in told.notes[0]


def test_the_command_of_a_rank_is_the_given_one() -> None:
    given = ["judge", "outputs", "--ranks=8", "--reference", "r", "--exec", "local", "--budget", "3", "--print", "-q"]
    assert drop_options([*given, "--rank", "x", "--", "--ranks"]) == [
        "judge", "outputs", "--reference", "r", "-q", "--rank", "x", "--", "--ranks",
    ]  # fmt: skip
    assert add_options(["judge", "outputs", "--", "-x"], "--finish") == ("judge", "outputs", "--finish", "--", "-x")
    assert add_options(["judge", "outputs"], "--rank", "0/2") == ("judge", "outputs", "--rank", "0/2")


def test_shares_are_never_more_than_the_budget() -> None:
    for budget in (0.0, 0.1, 1e-8, 3.3, 1e6):
        for weights in ([1, 1, 1], [256, 255, 7], [1] * 997):
            shares = share_budget(budget, weights)
            assert sum(float(f"{share:.9f}") for share in shares) <= budget + 1e-12
            assert all(share >= 0 for share in shares)


def test_a_command_cannot_import_what_lies_where_it_runs(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    ended = run_command(Command(Rank(0, 1), ("languages", "--json"), tmp_path, tmp_path / "logs" / "log.log"))
    assert ended.status == 0, read_last_line(tmp_path / "logs" / "log.log")


def start_verb(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "xl_suite.cli.main", *arguments]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def find_rank(parent: int, rank: str) -> int:
    """The process of a rank among the children of another."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if rank.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
            return int(child)
    raise AssertionError(f"no rank {rank}")


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
