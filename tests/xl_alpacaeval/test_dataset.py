"""The folder of XL-AlpacaEval and the command that builds it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from xl_alpacaeval.dataset import build_benchmark, write_folder
from xl_suite.cli.main import main
from xl_suite.dataset.card import check_card, read_metadata
from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.languages import table
from xl_suite.records import BenchmarkRow


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(params=["own", "alpaca_eval"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("own_prompts" if request.param == "own" else "alpaca_eval"))


def build(out: Path, source: str, *options: str) -> int:
    return main(["build", "xl-alpacaeval", "--source", source, "--out", str(out), "--allow-changed-source", *options])


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_loads_the_rows_both_ways(source: str, tmp_path: Path, streaming: bool) -> None:
    import datasets

    out = tmp_path / "out"
    assert build(out, source, "--languages", "deu,zho") == 0
    rows = build_benchmark(source, languages=["deu", "zho"], allow_changed=True).rows
    for code, split in (("deu", "german"), ("zho", "chinese"), ("eng", "english")):
        for arguments, name in (([code], "test"), ([], split)):
            loaded = datasets.load_dataset(
                str(out), *arguments, split=name, streaming=streaming, cache_dir=str(tmp_path / "cache")
            )
            assert [BenchmarkRow(**row) for row in loaded] == list(rows[code])


def test_the_imported_builder_gives_the_same_rows(source: str, tmp_path: Path) -> None:
    from xl_alpacaeval.builder import XLAlpacaEval

    rows = build_benchmark(source, languages=["deu", "swe"], seed=5, allow_changed=True).rows
    for code in ("deu", "swe", "eng"):
        for where in ({"source": source}, {"data_files": source}):
            builder = XLAlpacaEval(
                config_name=code, cache_dir=str(tmp_path / "cache"), seed=5, allow_changed_source=True, **where
            )
            builder.download_and_prepare()
            assert [BenchmarkRow(**row) for row in builder.as_dataset(split="test")] == list(rows[code])


def test_the_same_command_gives_the_same_bytes(source: str, tmp_path: Path) -> None:
    build(tmp_path / "a", source)
    build(tmp_path / "b" / "elsewhere", source)
    assert contents(tmp_path / "a") == contents(tmp_path / "b" / "elsewhere")


def test_another_language_changes_no_row(own_prompts: Path, tmp_path: Path) -> None:
    build(tmp_path / "few", str(own_prompts), "--languages", "deu")
    build(tmp_path / "more", str(own_prompts), "--languages", "swe,deu,nob")
    assert list_languages(tmp_path / "few") == ["deu", "eng"]
    assert sorted(list_languages(tmp_path / "more")) == ["deu", "eng", "nob", "swe"]
    assert read_benchmark(tmp_path / "few", ["deu"]) == read_benchmark(tmp_path / "more", ["deu"])
    assert (tmp_path / "few/deu/test-00000-of-00001.parquet").read_bytes() == (
        tmp_path / "more/deu/test-00000-of-00001.parquet"
    ).read_bytes()
    assert "norwegian_bokmal" in (tmp_path / "more" / "README.md").read_text(encoding="utf-8")


def test_the_default_is_the_languages_of_the_table(
    alpaca_eval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["build", "xl-alpacaeval", "--source", str(alpaca_eval), "--out", str(tmp_path / "out"), "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == {language.code: 797 for language in table()}
    assert (report["variant"], report["seed"], report["changed"]) == ("release", 0, [])
    assert main([*arguments, "--variant", "strict"]) == 0
    assert set(json.loads(capsys.readouterr().out)["rows"].values()) == {795}
    assert len(read_benchmark(tmp_path / "out")) == len(table()) * 795


def test_the_card_is_valid_and_says_where_the_rows_come_from(source: str, tmp_path: Path) -> None:
    build(tmp_path / "out", source, "--seed", "4", "--languages", "gle,hin")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert check_card(text, with_clients=True) == []
    metadata = read_metadata(text)
    assert metadata is not None
    assert metadata["language"] == ["ga", "hi", "en"]
    assert metadata["license"] == "cc-by-nc-4.0"
    prompts = build_benchmark(source, languages=["gle", "hin"], allow_changed=True)
    for expected in (
        prompts.source.sha256,
        f"`{Path(source).name}`",
        "--seed 4",
        "--languages gle,hin",
        "797",
        "10418--10432",
        "alpaca_eval",
        f"It has {len(prompts.rows['eng'])} prompts",
    ):
        assert expected in text
    assert str(tmp_path) not in text


def test_a_file_name_cannot_break_the_card(own_prompts: Path, tmp_path: Path) -> None:
    odd = own_prompts.rename(own_prompts.with_name("a`b|{{seed}} c.json"))
    assert build(tmp_path / "out", str(odd), "--languages", "deu") == 0
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "a_b___seed__ c.json" in text
    assert check_card(text) == []


def test_a_users_folder_is_refused_before_the_source_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    assert build(tmp_path / "out", str(tmp_path / "missing.json")) == 2
    assert "thesis.txt" in capsys.readouterr().err
    assert contents(tmp_path / "out") == {"thesis.txt": b"mine"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--languages", "ger"], "Did you mean 'deu'"),
        (["--languages", "deu,deu"], "named twice"),
        (["--languages", ","], "names no language"),
    ],
)
def test_wrong_languages(
    own_prompts: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path / "out", str(own_prompts), *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_building_imports_neither_datasets_nor_torch(own_prompts: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from xl_suite.cli.main import main; status = main(sys.argv[1:]);"
        "heavy = {'datasets', 'torch', 'huggingface_hub', 'iso639', 'langcodes'} & set(sys.modules);"
        "print(heavy, file=sys.stderr); sys.exit(status or bool(heavy))"
    )
    arguments = ["build", "xl-alpacaeval", "--source", str(own_prompts), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments, "--allow-changed-source"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_one_row_of_the_folder_as_it_is(own_prompts: Path, tmp_path: Path) -> None:
    write_folder(build_benchmark(str(own_prompts), languages=["fra"], allow_changed=True), tmp_path / "out")
    row = read_benchmark(tmp_path / "out", ["fra"])[1]
    assert row.prompt == "Name three uses of {braces} in mathematics.  "
    assert row.instruction.startswith("Name three uses of {braces} in mathematics.\n\n")
    assert "French" in row.template
