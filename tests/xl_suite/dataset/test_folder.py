"""The dataset folder: what `datasets` makes of it, what is replaced and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from xl_suite.dataset.card import read_metadata, render_card
from xl_suite.dataset.folder import (
    list_languages,
    read_benchmark,
    size_category,
    write_benchmark,
    write_dataset_folder,
)
from xl_suite.dataset.shards import describe_columns, find_shards, write_shards
from xl_suite.errors import BadInput
from xl_suite.records import BenchmarkRow

TEMPLATE = """---
language: [de, hi]
license: cc-by-nc-4.0
pretty_name: A small one
task_categories: [text-generation]
---
# A small one
"""


def card(metadata: Mapping[str, Any]) -> str:
    return render_card(TEMPLATE, metadata, {})


def make_rows(language: str, count: int = 3) -> list[BenchmarkRow]:
    return [
        BenchmarkRow(n, "own", f"Say {n} ✓ {language}", f"Say {n}", language, language, "target")
        for n in range(1, count + 1)
    ]


def build(out: Path, count: int = 3) -> Path:
    configs = {code: make_rows(code, count) for code in ("hin", "deu", "deu-hin")}
    splits = {"hindi": "hin", "german": "deu", "german_hindi": "deu-hin"}
    write_benchmark(out, configs, splits, name="own-benchmark", card=card)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_loads_it_both_ways(tmp_path: Path, streaming: bool) -> None:
    import datasets

    folder = str(build(tmp_path / "own"))
    cache = str(tmp_path / "cache")
    for arguments, split, language in (
        (["deu"], "test", "deu"),
        ([], "german", "deu"),
        (["deu-hin"], "test", "deu-hin"),
        ([], "german_hindi", "deu-hin"),
    ):
        rows = datasets.load_dataset(folder, *arguments, split=split, streaming=streaming, cache_dir=cache)
        assert [BenchmarkRow(**row) for row in rows] == make_rows(language)
    assert datasets.get_dataset_config_names(folder) == ["default", "hin", "deu", "deu-hin"]


def test_a_benchmark_is_read_back_in_the_order_of_the_table(tmp_path: Path) -> None:
    folder = build(tmp_path / "own")
    assert list_languages(folder) == ["deu", "deu-hin", "hin"]
    assert read_benchmark(folder, ["hin", "deu"]) == make_rows("hin") + make_rows("deu")
    assert len(read_benchmark(folder)) == 9
    assert read_benchmark(folder / "deu" / "test-00000-of-00001.parquet") == make_rows("deu")
    with pytest.raises(BadInput, match="no swe"):
        read_benchmark(folder, ["deu", "swe"])
    with pytest.raises(BadInput, match="no such folder"):
        list_languages(tmp_path / "nothing")
    with pytest.raises(BadInput, match="not a benchmark"):
        list_languages(tmp_path)


def test_same_rows_give_same_bytes(tmp_path: Path) -> None:
    assert contents(build(tmp_path / "a")) == contents(build(tmp_path / "b"))


def test_one_of_ours_is_replaced_and_the_journal_stays(tmp_path: Path) -> None:
    out = build(tmp_path / "own")
    (out / ".journal.sqlite").write_bytes(b"paid for")
    (out / ".git" / "refs").mkdir(parents=True)
    (out / ".git" / "refs" / "main").write_text("abc")
    build(out, count=5)
    assert len(read_benchmark(out, ["deu"])) == 5
    assert (out / ".journal.sqlite").read_bytes() == b"paid for"
    assert (out / ".git" / "refs" / "main").read_text() == "abc"
    assert [entry.name for entry in tmp_path.iterdir()] == ["own"]


@pytest.mark.parametrize("name", ["thesis.txt", "README.md", "deu/notes.txt", ".ssh/key"])
def test_files_of_the_user_are_never_deleted(tmp_path: Path, name: str) -> None:
    out = tmp_path / "own"
    if "/" in name:
        build(out)
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = contents(out)
    with pytest.raises(BadInput, match="left as it is"):
        build(out, count=5)
    assert contents(out) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["own"]


def test_another_dataset_or_a_file_at_the_place_is_refused(tmp_path: Path) -> None:
    out = build(tmp_path / "own")
    with pytest.raises(BadInput, match="not other built by xl-suite"):
        write_benchmark(out, {"deu": make_rows("deu")}, {"german": "deu"}, name="other", card=card)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file"):
        build(tmp_path / "file")


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    out = build(tmp_path / "own")
    before = contents(out)
    with pytest.raises(ZeroDivisionError):
        write_benchmark(
            out, {"deu": make_rows("deu")}, {"german": "deu"}, name="own-benchmark", card=lambda _: str(1 // 0)
        )
    assert contents(out) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["own"]


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    build(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(read_benchmark(tmp_path / "disk")) == 9


def test_a_linked_folder_inside_is_not_ours(tmp_path: Path) -> None:
    out = build(tmp_path / "own")
    (tmp_path / "elsewhere").mkdir()
    (out / "fra").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="fra"):
        build(out)
    assert (out / "fra").is_symlink()


@pytest.mark.parametrize(
    ("configs", "views", "message"),
    [
        ({"a/b": {"test": [1]}}, {}, "cannot name a config"),
        ({"..": {"test": [1]}}, {}, "cannot name a config"),
        ({"deu": {"german-hindi": [1]}}, {}, "cannot name a split"),
        ({"deu": {}}, {}, "has no split"),
        ({"deu": {"test": [1]}}, {"deu": {"x": ("deu", "test")}}, "both a config and a view"),
        ({"deu": {"test": [1]}}, {"default": {"german": ("deu", "train")}}, "no config 'deu' with a split 'train'"),
        ({"deu": {"test": []}}, {}, "no row"),
    ],
)
def test_names_that_cannot_be_used(tmp_path: Path, configs: Any, views: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        write_dataset_folder(tmp_path / "own", configs, views, name="own", card=card)
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True, slots=True)
class Candidate:
    model: str
    score: float


@dataclass(frozen=True, slots=True)
class Deep:
    id: int
    tags: list[str]
    winner: Candidate
    candidates: list[Candidate]
    note: str | None
    right: bool


def test_nested_columns_are_described_as_datasets_does(tmp_path: Path) -> None:
    import datasets
    import pyarrow.parquet

    rows = [Deep(n, [], Candidate("m", 0.5), [], None, True) for n in range(3)]
    split = write_shards(tmp_path / "deep", "train", rows)
    features = datasets.Features.from_arrow_schema(pyarrow.parquet.read_schema(split.files[0]))
    assert features._to_yaml_list() == list(describe_columns(Deep))
    assert str(features["note"].dtype) == "string"


def test_large_splits_are_sharded_and_load_in_order(tmp_path: Path) -> None:
    import datasets

    rows = {"train": (row for row in make_rows("deu", 25_000))}
    write_dataset_folder(tmp_path / "own", {"big": rows}, name="own", card=card, shard_bytes=1_000_000)
    shards = find_shards(tmp_path / "own" / "big", "train")
    assert [shard.name for shard in shards] == [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    loaded = datasets.load_dataset(str(tmp_path / "own"), "big", split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"][:] == list(range(1, 25_001))
    shards[1].unlink()
    with pytest.raises(BadInput, match="not complete"):
        find_shards(tmp_path / "own" / "big", "train")


def test_rows_of_two_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="rows of BenchmarkRow and Candidate"):
        write_shards(tmp_path, "test", [*make_rows("deu"), Candidate("m", 0.5)])


def test_the_card_counts_what_was_written(tmp_path: Path) -> None:
    metadata = read_metadata((build(tmp_path / "own") / "README.md").read_text(encoding="utf-8"))
    assert metadata is not None
    infos = {info["config_name"]: info for info in metadata["dataset_info"]}
    assert [(s["name"], s["num_examples"]) for s in infos["default"]["splits"]] == [
        ("hindi", 3),
        ("german", 3),
        ("german_hindi", 3),
    ]
    assert infos["deu"]["download_size"] == (tmp_path / "own/deu/test-00000-of-00001.parquet").stat().st_size
    assert metadata["size_categories"] == ["n<1K"]
    assert json.loads(json.dumps(metadata["tags"])) == ["xl-suite", "own-benchmark"]


@pytest.mark.parametrize(
    ("rows", "name"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (9564, "1K<n<10K"), (10_000, "10K<n<100K"), (10**9, "1B<n<10B")],
)
def test_size_categories(rows: int, name: str) -> None:
    assert size_category(rows) == name
