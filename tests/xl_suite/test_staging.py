"""Kills while files and folders are written, and links where something would be deleted or truncated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import xl_suite.staging
from xl_instruct.stages import files as stage_files
from xl_instruct.stages import generate
from xl_suite.dataset.folder import check_replaceable
from xl_suite.errors import BadInput
from xl_suite.leaderboard import site
from xl_suite.leaderboard.results import MARKER
from xl_suite.records import atomic_folder, write_text
from xl_suite.staging import check_writable, clear_abandoned, exchange, is_temporary, list_entries, name_temporary
from xl_suite.submission import writer

# Replaces OUT, or writes a file into it, and dies at the file operation with this number.
CHILD = """
import os, sys
from pathlib import Path
import xl_suite.staging
from xl_suite.records import atomic_folder, write_text

out, what, last, can_exchange = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "yes"
if not can_exchange:
    xl_suite.staging._find_renameat2 = lambda: None
seen = 0

def count(event, arguments):
    global seen
    watched = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "ctypes.call_function")
    if event in watched or event == "open" and str(out.name) in str(arguments[0]):
        seen += 1
        if seen == last:
            os._exit(9)

sys.addaudithook(count)
if what == "file":
    write_text(out / "report.html", "new")
else:
    with atomic_folder(out) as folder:
        (folder / "review.jsonl").write_text((out / "review.jsonl").read_text())
        (folder / "README.md").write_text("new")
"""


def run_child(out: Path, what: str, last: int, can_exchange: bool = True) -> int:
    arguments = [str(out), what, str(last), "yes" if can_exchange else "no"]
    return subprocess.run([sys.executable, "-c", CHILD, *arguments], timeout=120, check=False).returncode


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_kill_at_any_operation_keeps_the_folder_and_the_edits(tmp_path: Path, can_exchange: bool) -> None:
    for last in range(1, 40):
        out = tmp_path / str(last) / "out"
        out.mkdir(parents=True)
        (out / "review.jsonl").write_text("edited by hand")
        (out / "README.md").write_text("old")
        status = run_child(out, "folder", last, can_exchange)
        clear_abandoned(out.parent, out.name)
        assert (out / "review.jsonl").read_text() == "edited by hand", last
        assert (out / "README.md").read_text() in ("old", "new")
        assert os.listdir(out.parent) == ["out"], last
        if status == 0:
            break
    assert last > 5
    assert status == 0


def test_a_kill_leaves_a_file_that_no_verb_takes_for_a_strangers(tmp_path: Path) -> None:
    left = 0
    for last in range(1, 20):
        out = tmp_path / str(last)
        out.mkdir()
        (out / MARKER).write_text("{}")
        status = run_child(out, "file", last)
        left += len(os.listdir(out)) > 1 + (status == 0)
        assert [entry.name for entry in list_entries(out) if entry.name != "report.html"] == [MARKER]
        clear_abandoned(out)
        assert not any(is_temporary(name) for name in os.listdir(out))
        if status == 0:
            break
    assert left
    assert status == 0


@pytest.mark.parametrize("name", [".quarantine.jsonl.4194999-0123abcd", ".site.json.0123abcd-4194999-0123abcd"])
def test_temporary_names_never_make_a_folder_refuse(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("half")
    generate.check_out(tmp_path)
    site.check_out(tmp_path)
    writer.check_out(tmp_path)
    assert check_replaceable(tmp_path, "xl-alpacaeval") == []
    (tmp_path / "thesis.txt").write_text("a stranger's")
    for check in (generate.check_out, site.check_out, writer.check_out):
        with pytest.raises(BadInput, match=r"thesis\.txt"):
            check(tmp_path)


def test_names_in_use_and_names_of_other_hosts_stay(tmp_path: Path) -> None:
    mine = name_temporary(tmp_path / "rows.json")
    other = tmp_path / ".rows.json.ffffffff-1-0123abcd"
    for path in (mine, other):
        path.write_text("being written")
    clear_abandoned(tmp_path)
    assert mine.exists()
    assert other.exists()
    assert is_temporary(mine.name)
    assert not is_temporary(".journal.sqlite")
    assert not is_temporary("rows.json")


def test_a_kill_while_a_place_is_tried_leaves_nothing_for_good(tmp_path: Path) -> None:
    kill = "import os, sys, pathlib\nfrom xl_suite.staging import check_writable\n"
    kill += "pathlib.Path.rmdir = lambda self: os._exit(9)\ncheck_writable(pathlib.Path(sys.argv[1]) / 'a' / 'b')"
    assert subprocess.run([sys.executable, "-c", kill, str(tmp_path)], check=False).returncode == 9
    assert [is_temporary(path.name) for path in tmp_path.iterdir()] == [True]
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_exchange_is_one_step_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (one / "a").write_text("a")
    other.mkdir()
    done = exchange(one, other)
    assert (other / "a").exists() is done
    assert (one / "a").exists() is not done
    assert not exchange(tmp_path / "none", one)
    monkeypatch.setattr(xl_suite.staging, "_find_renameat2", lambda: None)
    assert not exchange(one, other)
    with atomic_folder(one) as folder:
        (folder / "b").write_text("b")
    assert os.listdir(one) == ["b"]


def test_the_lock_of_a_pipeline_truncates_nothing_behind_a_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("keep")
    stages = tmp_path / "out" / stage_files.FOLDER
    stages.mkdir(parents=True)
    (stages / "lock").symlink_to(mine)
    with pytest.raises(BadInput, match="symbolic link"), stage_files.lock(stages):
        pass
    assert mine.read_text() == "keep"
    linked = tmp_path / "linked"
    linked.symlink_to(stages)
    with pytest.raises(BadInput, match="symbolic link"), stage_files.lock(linked):
        pass


@pytest.mark.parametrize("place", ["answers", "answers/model", "models", site.SCORES])
def test_a_leaderboard_deletes_nothing_behind_a_link(tmp_path: Path, place: str) -> None:
    out, mine = tmp_path / "site", tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("keep")
    write_text(out / MARKER, json.dumps({"made_by": "xl-suite leaderboard"}))
    (out / place).parent.mkdir(exist_ok=True, parents=True)
    (out / place).symlink_to(mine)
    with pytest.raises(BadInput, match="symbolic link"):
        site.check_out(out)
    assert (mine / "thesis.txt").read_text() == "keep"
