"""`leaderboard --watch`: the same static page, built again while runs go on, from journals and finished files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard_results import ENGLISH, SENTENCES, write_annotations
from xl_suite.chat.journal import Journal
from xl_suite.chat.journal_rows import StoredAnswer
from xl_suite.errors import BadInput
from xl_suite.leaderboard.watching import watch_site
from xl_suite.records import BenchmarkRow, write_parquet

OPTIONS: dict[str, Any] = {"paper": False, "resamples": 50}


def write_prompts(folder: Path, count: int) -> None:
    """A benchmark with the prompts that `answer` answers."""
    (folder / "deu").mkdir(parents=True)
    rows = [
        BenchmarkRow(number, "made-up", f"Prompt {number}", f"Prompt {number}", "", "deu", "target")
        for number in range(1, count + 1)
    ]
    write_parquet(folder / "deu" / "test-00000-of-00001.parquet", rows)


def answer(journal: Path, texts: Sequence[str], first: int = 1, model: str = "m") -> None:
    rows = []
    for number, text in enumerate(texts, start=first):
        request = {"model": model, "request": {"messages": [{"role": "user", "content": f"Prompt {number}"}]}}
        told = {"text": text, "finish_reason": "stop", "reasoning": None}
        rows.append(
            StoredAnswer(str(number).encode(), model, json.dumps(request), json.dumps(told), 1, 1, 1000 + number)
        )
    with Journal(journal) as opened:
        opened.add(rows)


def read_live(out: Path) -> Any:
    return json.loads((out / "live.js").read_text(encoding="utf-8")[len("deliver(") : -len(");\n")])


def read_data(out: Path) -> Any:
    text = (out / "index.html").read_text(encoding="utf-8")
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])


def take_turns(*turns: Callable[[], None]) -> Callable[[float], bool]:
    """A `wait` that does not wait: one turn at each call, and then the end."""
    left = list(turns)

    def wait(_: float) -> bool:
        if left:
            left.pop(0)()
            return False
        return True

    return wait


def test_a_run_is_shown_while_it_goes_on_and_its_results_when_they_are_there(tmp_path: Path) -> None:
    results, out = tmp_path / "r", tmp_path / "site"
    write_prompts(results / "benchmark", 4)
    seen: list[Any] = []

    def begin() -> None:
        assert read_data(out)["boards"] == []
        assert read_live(out)["runs"] == []
        (results / "outputs").mkdir()
        answer(results / "outputs" / ".journal.sqlite", [SENTENCES["deu"], ENGLISH])

    def go_on() -> None:
        seen.append(read_live(out))
        answer(results / "outputs" / ".journal.sqlite", [f"{SENTENCES['deu']} " * 20], first=3)
        answer(results / "outputs" / ".journal.sqlite", ["M"], first=99, model="judge")

    def finish() -> None:
        seen.append(read_live(out))
        write_annotations(results, "m", [0.5, 1.0], languages=["deu"])

    def look() -> None:
        seen.append(read_live(out))
        assert read_data(out)["live"] == {"seconds": 5.0, "build": 2}

    built = watch_site(
        [results], out, seconds=5.0, wait=take_turns(begin, go_on, finish, look), report=seen.append, **OPTIONS
    )
    first, second, third = (one for one in seen if isinstance(one, dict))
    (run,) = first["runs"]
    assert run["languages"] == {"deu": {"done": 2, "total": 4, "verdicts": {"right": 1, "wrong": 1}}}
    assert run["journal"] == "r/outputs"
    assert [(one["id"], one["verdict"]) for one in first["newest"]] == [(2, "wrong"), (1, "right")]
    assert [one["model"] for one in second["runs"]] == ["m", "judge"]
    assert second["runs"][0]["languages"]["deu"]["done"] == 3
    assert (second["runs"][1]["others"], second["runs"][1]["languages"]) == (1, {})
    assert second["newest"][0]["cut"]
    assert (second["build"], third["build"]) == (1, 2)
    # At the end the page is that of a plain build.
    assert not (out / "live.js").exists()
    assert read_data(out)["live"] is None
    assert [row.name for board in built.boards for row in board.rows] == ["m"]


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    results, out = tmp_path / "r", tmp_path / "site"
    write_annotations(results, "m", [0.5, 1.0], languages=["deu"])
    times: list[dict[str, int]] = []

    def note() -> None:
        times.append({str(path): path.stat().st_mtime_ns for path in out.rglob("*.*")})

    watch_site([results], out, seconds=1, wait=take_turns(note, note), **OPTIONS)
    assert times[0] == times[1]
    assert len(times[0]) > 5


def test_what_cannot_be_read_is_told_and_looked_at_again(tmp_path: Path) -> None:
    results, out = tmp_path / "r", tmp_path / "site"
    path = write_annotations(results, "m", [0.5, 1.0], languages=["deu"]) / "deu.json"
    whole = path.read_bytes()
    told: list[str] = []

    def spoil() -> None:  # as a file that is still being copied
        path.write_bytes(whole[: len(whole) // 2 + 200])

    def check() -> None:
        assert "not built" in told[-1]
        assert (out / "index.html").is_file()
        path.write_bytes(whole)

    built = watch_site([results], out, seconds=1, wait=take_turns(spoil, check), report=told.append, **OPTIONS)
    assert built.n_models == 1
    with pytest.raises(BadInput, match="no such folder"):
        watch_site([tmp_path / "nowhere"], out, seconds=1, wait=take_turns(), **OPTIONS)


def test_ctrl_c_ends_it_with_a_whole_page(tmp_path: Path) -> None:
    results, out = tmp_path / "r", tmp_path / "site"
    write_annotations(results, "m", [0.5, 1.0], languages=["deu"])
    command = [sys.executable, "-m", "xl_suite.cli.main", "leaderboard", str(results), "--out", str(out), "--watch"]
    command += ["--every", "0.1", "--no-paper", "--resamples", "50", "--workers", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, start_new_session=True
    ) as process:
        end = time.monotonic() + 120
        while not (out / "live.js").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        told, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert told.startswith("1 models, 1 tables: open ")
    assert not (out / "live.js").exists()
    assert read_data(out)["live"] is None
