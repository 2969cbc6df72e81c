"""`generate` in ranks: each phase by any number of processes, and the dataset is the one of a single process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import MODELS, answer, write_passages
from tests.written import read_files
from tests.xl_instruct.stages.test_documents import answer_documents
from xl_instruct.stages.pipeline import Pipeline
from xl_suite.chat.loopback.replies import Reply
from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.cli.options import Outcome

COUNT = 11
ROWS = 4  # of a shard


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve_loopback(answer) as found:
        yield found


def configure(folder: Path, server: Loopback, count: int = COUNT, **more: Any) -> list[str]:
    """The command of a run over so many passages, without its folder."""
    passages, path = folder / "passages.jsonl", folder / "config.yaml"
    write_passages(passages, count)
    value = {
        "languages": ["deu", "hun"],
        "passages": {"source": str(passages), "count": count},
        "teacher": {"model": f"teacher@{server.url}"},
        "translators": [{"model": f"{name}@{server.url}"} for name in MODELS],
        **more,
    }
    path.write_text(json.dumps(value), encoding="utf-8")
    return ["generate", str(path)]


def run_rank(command: list[str], out: Path, phase: str, rank: str, rows: int = ROWS) -> Outcome:
    return run_verb([*command, "--out", str(out), "--phase", phase, "--rank", rank, "--shard-rows", str(rows)])


def run_all_ranks(command: list[str], out: Path, phases: list[str], count: int) -> None:
    """All ranks of each phase, the last one first; nothing is written for users before the end."""
    for phase in phases:
        for number in reversed(range(count)):
            done = run_rank(command, out, phase, f"{number}/{count}")
            assert done.status == 0, done
            assert read_files(out) == {}


def read_stages(out: Path) -> dict[str, bytes]:
    """The files of the stages, without how long they took."""
    return {path.name: path.read_bytes() for path in sorted((out / ".stages").glob("*.jsonl"))}


def check_alike(one: Path, other: Path) -> None:
    expected, found = read_files(one), read_files(other)
    assert list(expected) == list(found)
    for name, content in expected.items():
        assert content == found[name], name
    assert read_stages(one) == read_stages(other)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_dataset_of_any_number_of_ranks_is_that_of_one_process(
    count: int, server: Loopback, tmp_path: Path
) -> None:
    command = configure(tmp_path, server)
    assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    ranked = tmp_path / "ranked"
    run_all_ranks(command, ranked, ["pairs", "translated:1"], count)
    asked = server.calls
    assert run_verb([*command, "--out", str(ranked), "--finish"]).status == 0
    assert server.calls == asked
    check_alike(tmp_path / "single", ranked)


def test_each_group_of_translators_and_the_document_arm_are_phases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with translators whose servers are started one after the other."""
    monkeypatch.setattr(Pipeline, "groups", lambda self: [[0], [1, 2]])
    with serve_loopback(answer_documents) as server:
        command = configure(tmp_path, server, document={"model": f"whole@{server.url}"})
        assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
        ranked = tmp_path / "ranked"
        wrong = run_verb([*command, "--out", str(ranked), "--phase", "translated:3", "--rank", "0/1"])
        assert wrong.status == 2
        assert "has pairs, translated:1, translated:2, documented." in wrong.notes[0]
        run_all_ranks(command, ranked, ["pairs", "translated:1", "translated:2", "documented"], 2)
        assert run_verb([*command, "--out", str(ranked), "--finish"]).status == 0
    check_alike(tmp_path / "single", ranked)


def test_ranks_of_this_machine_do_all_phases(server: Loopback, tmp_path: Path) -> None:
    command = configure(tmp_path, server)
    assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    alone, ranked = server.calls, tmp_path / "ranked"
    done = run_verb([*command, "--out", str(ranked), "--ranks", "2", "--shard-rows", str(ROWS)])
    assert done.status == 0, done
    check_alike(tmp_path / "single", ranked)
    asked = server.calls
    assert asked - alone >= alone
    assert run_verb([*command, "--out", str(ranked)]).status == 0
    assert server.calls == asked
    told = run_verb([*command, "--out", str(ranked), "--status"])
    assert [told.answer[phase]["n_done"] for phase in ("pairs", "translated:1")] == [3, 6]


def test_a_phase_waits_for_the_one_before(server: Loopback, tmp_path: Path) -> None:
    command, out = configure(tmp_path, server), tmp_path / "out"
    told = run_verb([*command, "--out", str(out), "--status"])
    assert told.text == "pairs: waits for the phase before it\ntranslated:1: waits for the phase before it"
    early = run_rank(command, out, "translated:1", "0/2")
    assert (early.status, "Run the ranks first" in early.notes[0]) == (1, True)
    assert run_rank(command, out, "pairs", "0/2").status == 0
    early = run_rank(command, out, "translated:1", "0/2")
    assert (early.status, "is not answered yet" in early.notes[0]) == (1, True)
    assert run_rank(command, out, "pairs", "1/2").status == 0
    asked = server.calls
    assert run_verb([*command, "--out", str(out), "--phase", "pairs", "--finish"]).status == 0
    early = run_verb([*command, "--out", str(out), "--finish"])
    assert (early.status, "is not answered yet" in early.notes[0]) == (1, True)
    assert server.calls == asked


def test_the_plain_command_asks_what_the_ranks_lack(server: Loopback, tmp_path: Path) -> None:
    command, out = configure(tmp_path, server), tmp_path / "out"
    run_all_ranks(command, out, ["pairs"], 2)
    assert run_rank(command, out, "translated:1", "1/3").status == 0
    asked = server.stats()["repeated"]
    assert run_verb([*command, "--out", str(out)]).status == 0
    assert server.stats()["repeated"] == asked
    assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    check_alike(tmp_path / "single", out)


def test_another_number_of_ranks_goes_on_and_another_size_of_shards_does_not(
    server: Loopback, tmp_path: Path
) -> None:
    command, out = configure(tmp_path, server), tmp_path / "out"
    assert run_rank(command, out, "pairs", "0/3").status == 0
    other = run_verb([*command, "--out", str(out), "--phase", "pairs", "--rank", "0/2", "--shard-rows", "5"])
    assert (other.status, "run with 4" in other.notes[0]) == (2, True)
    for number in range(2):  # without --shard-rows: that of the first
        assert run_verb([*command, "--out", str(out), "--phase", "pairs", "--rank", f"{number}/2"]).status == 0
    assert server.stats()["repeated"] == 0
    told = run_verb([*command, "--out", str(out), "--status"])
    assert (told.answer["pairs"]["n_done"], told.answer["pairs"]["n_units"]) == (3, 3)


def test_a_rank_that_is_killed_goes_on(tmp_path: Path) -> None:
    """A language is one shard here: a sentence of two shards is asked in each."""
    slots = 4
    with serve_loopback(answer, latency=0.02) as server:
        command, out = configure(tmp_path, server), tmp_path / "out"
        run_all_ranks(command, out, ["pairs"], 1)
        before = server.calls
        child = os.fork()
        if child == 0:
            try:
                os.close(1)
                run_rank([*command, "--slots", str(slots)], out, "translated:1", "0/1", COUNT)
            finally:
                os._exit(0)
        deadline = time.monotonic() + 120
        while server.calls < before + 60 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert server.calls >= before + 60
        repeated = server.stats()["repeated"]
        assert run_rank(command, out, "translated:1", "0/1", COUNT).status == 0
        assert server.stats()["repeated"] - repeated <= 2 * slots
        assert run_verb([*command, "--out", str(out), "--finish"]).status == 0
        assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    check_alike(tmp_path / "single", out)


def test_rows_that_failed_are_tried_again(tmp_path: Path) -> None:
    broken = [True]

    def stumble(request: dict[str, Any]) -> str | Reply:
        bad = broken and request["model"] == "translator-b" and "market" in last_message(request)
        return Reply("a bug", 500) if bad else answer(request)

    with serve_loopback(stumble) as server:
        command, out = [*configure(tmp_path, server), "--attempts", "1"], tmp_path / "out"
        run_all_ranks(command, out, ["pairs"], 1)
        told = run_rank(command, out, "translated:1", "0/1")
        assert told.status == 1
        assert told.answer["n_failed"] > 0
        broken.clear()
        assert run_rank(command, out, "translated:1", "0/1").status == 0
        assert run_verb([*command, "--out", str(out), "--finish"]).status == 0
        assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    check_alike(tmp_path / "single", out)


def test_quarantined_rows_are_tried_by_ranks_again_as_by_one_process(tmp_path: Path) -> None:
    """Translators copy sentences about the market, some times; a language is one shard, which asks each once."""
    asked: Counter[tuple[str, str]] = Counter()

    def copy(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        source = re.search(r"<text>(.*)</text>\Z", text, re.DOTALL)
        if source is None or "market" not in source[1]:
            return answer(request)
        asked[request["model"], text] += 1
        return source[1] if asked[request["model"], text] <= 3 else answer(request)

    def run(out: Path, *more: str) -> list[int]:
        """Three times the same command, each to its files; the rows in quarantine."""
        asked.clear()
        found = []
        for number in range(3):
            for phase in ("pairs", "translated:1") if more else ():
                for rank in ("0/2", "1/2"):
                    assert run_rank(command, out, phase, rank, COUNT).status == 0
            done = run_verb([*command, "--out", str(out), *more])
            found.append(done.answer["quarantined"])
            assert done.status == (1 if found[-1] else 0)
            shutil.copytree(out, out.with_name(f"{out.name}-{number}"))
        return found

    with serve_loopback(copy) as server:
        command = configure(tmp_path, server)
        quarantined = run(tmp_path / "single")
        assert quarantined[0] > 0
        assert quarantined[-1] == 0
        assert run(tmp_path / "ranked", "--finish") == quarantined
    for number in range(3):
        check_alike(tmp_path / f"single-{number}", tmp_path / f"ranked-{number}")


def test_a_budget_holds_over_all_phases(server: Loopback, tmp_path: Path) -> None:
    command, out = configure(tmp_path, server), tmp_path / "out"
    priced = [option for name in ("teacher", *MODELS) for option in ("--price", f"{name}@{server.url}=1,1")]
    ranked = [*command, "--out", str(out), *priced, "--shard-rows", str(ROWS), "--ranks", "2"]
    for budget in (0.01, 0.02):  # the one ends in the first phase, the other in the second
        done = run_verb([*ranked, "--budget", str(budget)])
        told = re.search(r"The budget of \$([\d.]+) is reached: \$([\d.]+) is spent", done.notes[-1])
        assert told is not None, done
        assert (done.status, float(told[1])) == (1, budget)
        assert 0 < float(told[2]) <= budget
        assert read_files(out) == {}
    assert run_verb([*ranked, "--budget", "1"]).status == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rank", "0/2"], "add --phase with one of pairs, translated:1."),
        (["--print-only", "--ranks", "2"], "add --phase with one of pairs, translated:1."),
        (["--phase", "pairs"], "--phase is for ranks"),
        (["--phase", "scored", "--rank", "0/2"], "this configuration has pairs, translated:1."),
        (["--phase", "pairs", "--rank", "2/2"], "R from 0 to N - 1"),
        (["--phase", "pairs", "--rank", "0/2", "--batch"], "Leave --batch out"),
        (["--phase", "pairs", "--rank", "0/2", "--journal", "other.sqlite"], "a journal for each unit"),
        (["--executor", "ray"], "How many ranks?"),
    ],
)
def test_what_ranks_cannot_do_is_told(more: list[str], said: str, server: Loopback, tmp_path: Path) -> None:
    done = run_verb([*configure(tmp_path, server), "--out", str(tmp_path / "out"), *more])
    assert (done.status, server.calls) == (2, 0)
    assert said in done.notes[0], done
