"""Which files of a folder are data, as `hf download` leaves it; and their rows, however they are compressed."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from xl_instruct.corpus.files import find_data_files
from xl_instruct.corpus.lines import BadLines, read_rows
from xl_suite.errors import BadInput, BadRecord

LINES = b"".join(json.dumps({"text": f"text {n}"}).encode() + b"\n" for n in range(3))


def fill(root: Path, *names: str, card: str | None = None) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(LINES)
    if card is not None:
        (root / "README.md").write_text(card)
    return root


def list_names(root: Path, **options: str) -> list[str]:
    found = find_data_files(root, **options)  # type: ignore[arg-type]
    return [found.name(file) for file in found.files]


def test_a_folder_from_the_hub(tmp_path: Path) -> None:
    root = fill(
        tmp_path,
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
        "data/test-00000-of-00001.parquet",
        "data/other-00000-of-00001.parquet",
        ".cache/huggingface/old.txt",
        ".gitattributes",
        "LICENSE.txt",
        "dataset_infos.json",
        "figure.png",
        card="---\nlicense: odc-by\n---\n# Web pages\n",
    )
    found = find_data_files(root)
    assert [found.name(file) for file in found.files] == [
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
    ]
    assert found.describe() == (
        f"{root}: 2 files, Parquet files of split train; left out: 2 hidden, 4 not data, 1 of split test, "
        "1 without a split in their names"
    )
    assert list_names(root, split="test") == ["data/test-00000-of-00001.parquet"]
    with pytest.raises(BadInput, match=r"no file is of the split 'validation' \(left out: .*1 of split test"):
        find_data_files(root, split="validation")


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        (["c4-train.00000-of-01024.json.gz"], ["c4-validation.00000-of-00008.json.gz"]),
        (["a.jsonl.zst", "b.jsonl.zst"], []),
        (["de/train.jsonl", "fi/train.jsonl"], ["fi/test.jsonl", "de/dev.jsonl"]),
        (["train/a.jsonl"], ["validation/a.jsonl"]),
        (["de.json", "fi.json"], ["notes.txt", "more.txt", "even-more.txt"]),
        (["on-validation.txt", "the-test-match.txt", "training-dogs.md"], []),
        (["a.txt"], ["test/a.txt", "val.txt"]),
        (["a.parquet"], ["a.jsonl"]),
    ],
)
def test_one_split_of_one_kind(tmp_path: Path, taken: list[str], left: list[str]) -> None:
    root = fill(tmp_path, *taken, *left, card="# A card with no data in its YAML\n")
    assert list_names(root) == taken


CARD = """---
configs:
- config_name: deu
  data_files:
  - {split: train, path: "rows/de-*.jsonl"}
  - {split: test, path: [held-out/de.jsonl]}
- config_name: fin
  data_files: rows/fi-*.jsonl
- config_name: all
  data_dir: rows
  data_files: "**/*.jsonl"
---
# Card
"""


def test_the_card_says_which_files(tmp_path: Path) -> None:
    names = ["rows/de-1.jsonl", "rows/fi-1.jsonl", "rows/deep/x.jsonl", "held-out/de.jsonl", "scratch.jsonl"]
    root = fill(tmp_path, *names, card=CARD)
    assert list_names(root) == ["rows/de-1.jsonl", "rows/deep/x.jsonl", "rows/fi-1.jsonl"]
    assert list_names(root, config="deu") == ["rows/de-1.jsonl"]
    assert list_names(root, config="deu", split="test") == ["held-out/de.jsonl"]
    found = find_data_files(root)
    assert found.configs[root / "rows/de-1.jsonl"] == ("deu", "all")
    assert found.left_out == {"not data": 1, "not named by the card": 1, "of split test": 1}
    with pytest.raises(BadInput, match=r"no config 'x'\. It has: deu, fin, all"):
        find_data_files(root, config="x")
    (root / "rows").rename(root / "elsewhere")
    with pytest.raises(BadInput, match="none of the files that its card names for the split 'train'"):
        find_data_files(root)


def test_a_folder_of_the_hubs_cache(tmp_path: Path) -> None:
    root = tmp_path / "datasets--org--name"
    for revision in ("abc", "def"):
        fill(root / "snapshots" / revision, f"{revision}.jsonl")
    with pytest.raises(BadInput, match=r"2 snapshots\. Name one"):
        find_data_files(root)
    (root / "refs").mkdir()
    (root / "refs/main").write_text("def\n")
    assert list_names(root) == ["def.jsonl"]


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        (".jsonl", lambda data: data),
        (".jsonl", lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")),
        (".json", lambda data: data),
        (".json", lambda data: b"[" + data.strip().replace(b"\n", b",\n") + b"]"),
        (".json.gz", gzip.compress),
        (".jsonl.gz", lambda data: gzip.compress(data) + gzip.compress(b"")),
        (".jsonl.zst", lambda data: pyarrow.compress(data, codec="zstd", asbytes=True)),
        (".jsonl.xz", lzma.compress),
        (".jsonl.bz2", bz2.compress),
    ],
)
def test_rows_of_any_compression(tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(compress(LINES))
    bad = BadLines()
    assert list(read_rows(path, bad)) == [(n + 1, {"text": f"text {n}"}) for n in range(3)]
    assert (bad.read, bad.bad) == (3, 0)


def test_a_file_that_is_cut_off_ends_the_run(tmp_path: Path) -> None:
    for suffix, compress in ((".gz", gzip.compress), (".xz", lzma.compress)):
        path = tmp_path / f"a.jsonl{suffix}"
        path.write_bytes(compress(LINES * 1000)[:-40])
        with pytest.raises(BadInput, match=r"cannot be read to its end: .* Download it again"):
            list(read_rows(path, BadLines()))
    (tmp_path / "a.json").write_text("[1, 2")
    with pytest.raises(BadInput, match="neither a JSON array of rows nor a row on each line"):
        list(read_rows(tmp_path / "a.json", BadLines()))


def test_too_many_bad_lines_end_the_run_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(b"{}\n" if number % 10 else b"bad\n" for number in range(1, 100_001)))
    bad = BadLines()
    with pytest.raises(BadRecord, match="record 10: not JSON"):
        list(read_rows(path, bad))
    assert bad.read < 2000
    path.write_bytes(b"".join(b"{}\n" if number % 100 else b"[]\n" for number in range(1, 10_001)))
    bad = BadLines()
    assert len(list(read_rows(path, bad))) == 9900
    bad.check()
    assert bad.describe().endswith("; ...")
    assert "100 of 10000 lines" in bad.describe()
    assert "found list" in bad.describe()
