"""A place that cannot be written, and limits of the system: told before a call is paid, with what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import main
from xl_suite.demo.steps import run_demo

PAIR = "demo-out/outputs/demo-good --reference demo-out/outputs/demo-slips --languages deu"
# Of each verb that asks a model, all but the model, the journal and the place.
COMMANDS = {
    "respond": "respond demo-out/benchmark --languages deu --limit 2",
    "judge": f"judge {PAIR} --annotator xl_local",
    "rate": "rate demo-out/outputs/demo-good --languages deu --limit 1",
    "build": "build m-alpacaeval --benchmark demo-out/benchmark --languages deu",
    "audit": f"audit xl_local {PAIR}",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unwritable")
    run_demo(folder / "demo-out")
    (folder / "file").write_text("not a folder")
    return folder


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("place", ["file", "file/below/it"])
def test_nothing_is_asked_for_a_place_that_cannot_be_written(
    verb: str, place: str, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(work)
    with serve_loopback() as server:
        command = [*COMMANDS[verb].split(), "--model", f"m@{server.url}", "--out", place, "--journal", "j.sqlite"]
        assert main(command) == 2
        assert server.calls == 0
    said = capsys.readouterr().err
    assert f"{place} cannot be written" in said or f"{place} is a file" in said
    assert sorted(path.name for path in work.iterdir()) == ["demo-out", "file"]


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.EMFILE, "ulimit -n 4096"), (errno.ENOSPC, "make room"), (errno.EIO, "")]
)
def test_limits_of_the_system_are_told_with_what_to_do(
    number: int, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(args: object) -> None:
        raise OSError(number, "the system said no", "some/file")

    monkeypatch.setattr("xl_suite.cli.languages.run", fail)
    assert main(["languages"]) == 2
    said = capsys.readouterr().err
    assert "the system said no: 'some/file'" in said
    assert advice in said
    assert ("--slots" in said) == (number == errno.EMFILE)
