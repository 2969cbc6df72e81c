"""Ranks translate the prompts, and the folder is that of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.m_alpacaeval.conftest import find_prompt, translate
from tests.written import read_files
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.executors import units


def refuse_some(request: dict[str, Any]) -> str:
    """Leaves one prompt empty whenever it is asked, which sets it aside."""
    return "" if find_prompt(request)[0] == 300 else translate(request)


@pytest.mark.parametrize("count", [1, 3])
def test_ranks_give_the_folder_of_one_process(
    count: int, xl_alpacaeval: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "BLOCK", 2)
    with serve_loopback(refuse_some) as server:
        command = ["build", "m-alpacaeval", "--benchmark", str(xl_alpacaeval), "--model", f"gpt@{server.url}"]
        command += ["--languages", "deu,zho", "--out"]
        assert run_verb([*command, str(tmp_path / "single")]).status == 1  # one prompt per language is set aside
        alone = server.calls
        ranked = [*command, str(tmp_path / "ranked")]
        for number in range(count):
            done = run_verb([*ranked, "--rank", f"{number}/{count}"])
            assert done.status == 0, done
            assert not (tmp_path / "ranked" / "README.md").exists()
            if number + 1 < count:
                assert run_verb([*ranked, "--finish"]).status == 1
        assert run_verb([*ranked, "--finish"]).status == 1
        assert server.calls == 2 * alone
        assert read_files(tmp_path / "single") == read_files(tmp_path / "ranked")
        assert run_verb(ranked).status == 1
        assert server.calls == 2 * alone


def test_a_source_has_no_ranks(xl_alpacaeval: Path, tmp_path: Path) -> None:
    command = ["build", "m-alpacaeval", "--benchmark", str(xl_alpacaeval), "--source", "x/y", "--out", str(tmp_path)]
    told = run_verb([*command, "--rank", "0/2"])
    assert (told.status, "leave out the options of ranks" in told.notes[0]) == (2, True)
