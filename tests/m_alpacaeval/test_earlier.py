"""A folder of m-AlpacaEval is neither replaced by other translations nor paid for twice, and grows by languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.m_alpacaeval.conftest import translate
from tests.m_alpacaeval.test_ranks import refuse_some
from tests.written import read_files
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import main
from xl_suite.records import BenchmarkRow, read_records, write_parquet

SHARD = "test-00000-of-00001.parquet"


def test_further_languages_give_the_folder_of_one_run(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_loopback(refuse_some) as server:
        command = ["build", "m-alpacaeval", "--benchmark", str(xl_alpacaeval), "--model", f"gpt@{server.url}"]
        whole, grown = [*command, "--out", str(tmp_path / "whole")], [*command, "--out", str(tmp_path / "grown")]
        assert main([*whole, "--languages", "deu,zho"]) == 1  # one prompt per language is set aside
        assert main([*grown, "--languages", "zho"]) == 1
        calls = server.calls
        capsys.readouterr()
        assert main([*grown, "--languages", "deu"]) == 1
        assert "Left as they were: zho." in capsys.readouterr().out
        assert read_files(tmp_path / "grown") == read_files(tmp_path / "whole")
        assert server.calls > calls
        calls = server.calls
        assert main([*grown, "--languages", "zho"]) == 1
        assert server.calls == calls
        assert read_files(tmp_path / "grown") == read_files(tmp_path / "whole")
        assert main([*grown, "--languages", "zho", "--replace"]) == 1
    assert not (tmp_path / "grown" / "deu").exists()


def test_other_translations_need_replace(
    xl_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m"
    with serve_loopback(translate) as server:
        base = ["build", "m-alpacaeval", "--benchmark", str(xl_alpacaeval), "--out", str(out), "--languages"]
        mine, other = ["--model", f"gpt@{server.url}"], ["--model", f"other@{server.url}"]
        assert main([*base, "deu,zho", *mine]) == 0
        before, calls = read_files(out), server.calls

        def refuse(*command: str) -> str:
            capsys.readouterr()
            assert main([*base, *command]) == 2
            assert (read_files(out), server.calls) == (before, calls)
            said = capsys.readouterr().err
            assert "--replace" in said
            return said

        assert "deu translated by gpt, and this run's translator is other" in refuse("deu,zho", *other)
        assert "has zho translated by gpt" in refuse("deu", *other)
        assert "has 5 rows, and 5 of them came of answers which" in refuse("deu", *mine, "--max-tokens", "77")
        (out / ".journal.sqlite").rename(tmp_path / "kept.sqlite")
        assert "came of answers which" in refuse("deu,zho", *mine)
        assert "came of answers which" in refuse("zho", *mine, "--rank", "0/2")
        assert main([*base, "deu,zho", *mine, "--journal", str(tmp_path / "kept.sqlite")]) == 0
        assert (read_files(out), server.calls) == (before, calls)
        (tmp_path / "kept.sqlite").rename(out / ".journal.sqlite")
        for code in ("deu", "eng"):  # the benchmark was built again, with another text
            path = xl_alpacaeval / code / SHARD
            rows = read_records(path, BenchmarkRow)
            texts = {key: getattr(rows[0], key).replace("bicycles", "bikes") for key in ("instruction", "prompt")}
            write_parquet(path, [replace(rows[0], **texts), *rows[1:]])
        assert "1 of 5 rows are about other texts" in refuse("deu,zho", *mine)
        assert "of other prompts than xl-alpacaeval" in refuse("deu", *mine)
