"""A finished file is replaced only by --replace: tried with the verbs, on a loopback server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback
from xl_suite.cli.main import main
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.finished import find_differences

BASE = {"model": "m", "order": "random", "sampling": {"temperature": 0.7}, "extra": {}}


def answer(request: dict[str, Any]) -> str:
    text = last_message(request)
    if "m or M" in text:
        return "m"
    return "Score: 4" if "</answer>" in text else "Eine Antwort auf Deutsch."


class Verb:
    """A verb with its arguments on a tiny benchmark; what it finished in `path`, and another setting of it."""

    def __init__(self, name: str, folder: Path, server: Loopback):
        self.server = server
        write_demo_benchmark(folder / "bench", build_demo_rows())
        respond = ["respond", str(folder / "bench"), "--languages", "deu", "--slots", "1"]
        mine = [*respond, "--model", f"mine@{server.url}", "--out", str(folder / "outputs")]
        if name == "respond":
            self.command, self.other, self.out = mine, ["--temperature", "0.1"], folder / "outputs"
            self.path = folder / "outputs" / "mine" / "deu.json"
        else:
            assert main([*mine, "-q"]) == 0
            self.out = folder / "judged"
            self.command = [name, str(folder / "outputs" / "mine"), "--model", f"judge@{server.url}", "--slots", "1"]
            self.command += ["--out", str(self.out), "--method", "parsed"]
        if name == "judge":
            reference = [*respond, "--model", f"other@{server.url}", "--temperature", "1.3"]
            assert main([*reference, "--out", str(folder / "reference"), "-q"]) == 0
            rows = folder / "reference" / "other" / "deu.json"
            rows.write_text(rows.read_text().replace("Eine Antwort", "Noch eine Antwort"))
            self.command += ["--reference", str(folder / "reference" / "other"), "--annotator", "xl_local"]
            self.other, self.path = ["--order", "random"], self.out / "mine" / "xl_local-judge" / "deu.json"
        if name == "rate":
            self.other, self.path = ["--max-tokens", "99"], self.out / "mine" / "judge" / "ratings-deu.json"

    def run(self, *more: str) -> int:
        return main([*self.command, *more])


def finish(name: str, folder: Path, server: Loopback) -> tuple[Verb, bytes, int]:
    """A verb that has run, its file, and the calls so far."""
    verb = Verb(name, folder, server)
    assert verb.run() == 0
    return verb, verb.path.read_bytes(), server.calls


@pytest.mark.parametrize("name", ["respond", "judge", "rate"])
def test_other_settings_leave_a_finished_file_alone(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_loopback(answer) as server:
        verb, whole, calls = finish(name, tmp_path, server)
        run = verb.path.with_name("run.json").read_bytes()
        for more in (["--limit", "2"], []):
            capsys.readouterr()
            assert verb.run(*verb.other, *more) == 2
            said = capsys.readouterr().err
            assert "was made with other settings" in said
            assert "--replace" in said
            assert verb.other[1] in said
        assert (verb.path.read_bytes(), verb.path.with_name("run.json").read_bytes()) == (whole, run)
        assert server.calls == calls
        # The same settings do nothing, a smaller limit leaves the rest alone, and neither is paid for.
        assert verb.run() == 0
        assert verb.run("--limit", "2", "--slots", "2") == 0
        assert sorted(map(str, json.loads(verb.path.read_bytes()))) == sorted(map(str, json.loads(whole)))
        assert server.calls == calls
        assert verb.run(*verb.other, "--replace") == 0
        assert verb.path.with_name("run.json").read_bytes() != run
        # One order of a pair is judged already where both were.
        assert server.calls > calls or name == "judge"


@pytest.mark.parametrize("name", ["respond", "judge", "rate"])
def test_a_file_whose_journal_is_gone_is_not_paid_for_twice(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_loopback(answer) as server:
        verb, whole, calls = finish(name, tmp_path, server)
        journal = verb.out / ".journal.sqlite"
        journal.rename(tmp_path / "elsewhere.sqlite")
        assert verb.run() == 2
        assert f"which {journal} does not have" in capsys.readouterr().err
        assert (verb.path.read_bytes(), server.calls) == (whole, calls)
        assert verb.run("--journal", str(tmp_path / "elsewhere.sqlite")) == 0
        assert (verb.path.read_bytes(), server.calls) == (whole, calls)
        assert verb.run("--replace") == 0
        assert server.calls > calls


@pytest.mark.parametrize("name", ["respond", "judge", "rate"])
def test_each_row_must_be_in_the_journal(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of another journal of the same work, which has a part of the answers, only the rest would be paid for again."""
    with serve_loopback(answer) as server:
        verb = Verb(name, tmp_path, server)
        part = str(tmp_path / "part.sqlite")
        assert verb.run("--limit", "3", "--journal", part) == 0
        assert verb.run("--replace") == 0
        whole, calls = verb.path.read_bytes(), server.calls
        assert verb.run("--journal", part) == 2
        said = capsys.readouterr().err
        assert f"which {part} does not have" in said
        n_rows = len(json.loads(whole))
        assert f"has {n_rows} rows, and " in said
        assert (verb.path.read_bytes(), server.calls) == (whole, calls)
        assert verb.run("--rank", "0/2") == 0, "a rank asks nothing that the journal has"
        (verb.out / ".journal.sqlite").unlink()
        assert verb.run("--rank", "0/2") == 2, "nor does it pay for finished rows"
        assert (verb.path.read_bytes(), server.calls) == (whole, calls)


@pytest.mark.parametrize("name", ["judge", "rate"])
def test_verdicts_on_other_answers_are_not_replaced(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_loopback(answer) as server:
        verb, whole, calls = finish(name, tmp_path, server)
        outputs = tmp_path / "outputs" / "mine" / "deu.json"
        rows = json.loads(outputs.read_bytes())
        rows[1]["output"] += " Sie ist nun eine andere."
        outputs.write_text(json.dumps(rows))
        assert verb.run() == 2
        said = capsys.readouterr().err
        assert "rows are about other texts than those that are there now" in said
        assert f"deu/{rows[1]['id']}" in said
        assert (verb.path.read_bytes(), server.calls) == (whole, calls)
        assert verb.run("--replace") == 0
        assert "Sie ist nun eine andere." in verb.path.read_text()
        assert server.calls > calls


def test_a_panel_looks_at_all_files_before_the_first_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_loopback(answer) as server:
        verb = Verb("judge", tmp_path, server)
        at = verb.command.index("--model")
        common = [*verb.command[:at], *verb.command[at + 2 :]]
        place = common.index("--annotator") + 1
        one, two = f"xl_local=first@{server.url}", f"xl_local=second@{server.url}"
        assert main([*common[:place], "xl_local", *common[place + 1 :], "--model", f"second@{server.url}"]) == 0
        calls = server.calls
        panel = [*common[:place], f"{one},{two}", *common[place + 1 :]]
        assert main([*panel, "--order", "random"]) == 2
        assert "was made with other settings: order both, now random" in capsys.readouterr().err
        assert server.calls == calls, "the first judge is not asked for what the second one's file refuses"
        assert main(panel) == 0


def test_a_folder_of_an_earlier_version_is_taken_over_where_the_journal_has_its_rows(tmp_path: Path) -> None:
    with serve_loopback(answer) as server:
        verb = Verb("respond", tmp_path, server)
        assert verb.run() == 0
        whole, calls = verb.path.read_bytes(), server.calls
        verb.path.with_name("run.json").unlink()
        assert verb.run() == 0
        assert (verb.path.read_bytes(), server.calls) == (whole, calls)
        verb.path.with_name("run.json").unlink()
        assert verb.run("--seed", "3") == 2
        assert verb.path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "n"}, ["model m, now n"]),
        ({"sampling": {"temperature": 1.0}}, ["sampling.temperature 0.7, now 1.0"]),
        ({"sampling": {"temperature": 0.7, "top_p": 0.9}}, ["sampling.top_p none, now 0.9"]),
        ({"sampling": {}}, ["sampling.temperature 0.7, now none"]),
        ({"extra": None}, []),
        ({"seed": 1}, ["seed none, now 1"]),
        ({"seed": None}, []),
        ({"extra": {"reasoning_effort": "low"}}, ["extra.reasoning_effort none, now low"]),
        ({"system": "x" * 80}, ["system none, now " + "x" * 59 + "…"]),
    ],
)
def test_what_differs_is_named(change: dict[str, Any], told: list[str]) -> None:
    assert find_differences(BASE, {**BASE, **change}) == told


def test_what_is_not_known_before_the_run_may_differ() -> None:
    known = {key: value for key, value in BASE.items() if key != "sampling"}
    assert find_differences(BASE, known) == []
