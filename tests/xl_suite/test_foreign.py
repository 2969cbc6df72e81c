"""Hostile files: refused with an explained error, by every reader, and never waited for."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xl_instruct.config import read_config
from xl_instruct.training.config import read_training_config
from xl_suite import foreign
from xl_suite.dataset.card import read_metadata
from xl_suite.errors import BadInput
from xl_suite.foreign import parse_yaml, read_bytes
from xl_suite.judging.annotator import read_annotator
from xl_suite.records import ModelOutput, Prompt, read_object, read_records

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
HOSTILE_YAML = {
    "alias bomb": BOMB,
    "deep": "x: " + "[" * 5_000,
    "deep and closed": "x: " + "[" * 5_000 + "]" * 5_000,
    "contains itself": "x: &x [*x]",
    "many digits": "x: " + "9" * 10_000,
    "no date": "x: 2001-99-99",
    "objects": "x: !!python/object/apply:os.system ['true']",
    "control": "x: \x07",
    "list as key": "? [1, 2]\n: x",
}
HOSTILE_JSON = {
    "deep": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "many digits": '[{"id": ' + "9" * 6_000 + ', "dataset": "d", "instruction": "i"}]',
    "not finite": '[{"id": 1e999, "dataset": "d", "instruction": "i"}]',
    "half": '[{"id": 1',
}


def read_as_annotator(path: Path) -> Any:
    folder = path.parent / "annotator"
    folder.mkdir()
    (folder / "configs.yaml").symlink_to(path)
    return read_annotator(str(folder))


def read_as_training(path: Path) -> Any:
    return read_training_config(str(path))


READERS = [read_config, read_as_training, read_as_annotator]


@pytest.mark.parametrize("text", HOSTILE_YAML.values(), ids=HOSTILE_YAML)
@pytest.mark.parametrize("read", READERS)
def test_hostile_configurations(tmp_path: Path, text: str, read: Callable[[Any], Any]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput):
        read(path)


def test_hostile_cards() -> None:
    for name in ("alias bomb", "deep", "contains itself", "many digits", "no date"):
        assert read_metadata(f"---\n{HOSTILE_YAML[name]}\n---\n# Card\n") is None


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON)
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.json.gz"])
def test_hostile_rows(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(BadInput):
        read_records(path, Prompt)
    with pytest.raises(BadInput):
        read_object(path)


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.json.gz", "rows.parquet"])
def test_nothing_waits_for_a_pipe(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(BadInput, match="not a regular file"):
        read_records(path, ModelOutput)
    for read in READERS:
        with pytest.raises(BadInput):
            read(path)
    with pytest.raises(BadInput, match="not a regular file"):
        read_bytes(Path(os.devnull))


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.json.gz"
    path.write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(BadInput, match="unpacked"):
        read_bytes(path, 50_000)
    with pytest.raises(BadInput, match="at most 10 are read"):
        read_bytes(path, 10)
    assert len(read_bytes(path, 100_000)) == 100_000
    monkeypatch.setattr(foreign, "MOST_YAML_CHARACTERS", 3)
    with pytest.raises(BadInput, match="at most 3"):
        parse_yaml("a: b", "x.yaml")


def test_anchors_of_a_person_are_read() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}", "x.yaml") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }


SIGNS = '[]{}&*:-!?|>"\\,\n\t 019eE.+ax'


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300) | st.text(alphabet=SIGNS, max_size=200).map(str.encode))
def test_no_file_ends_in_another_error(tmp_path: Path, data: bytes) -> None:
    for name in ("rows.json", "rows.jsonl", "rows.json.gz", "rows.jsonl.gz", "rows.parquet"):
        path = tmp_path / name
        path.write_bytes(data)
        with contextlib.suppress(BadInput):
            read_records(path, ModelOutput)
    path = tmp_path / "config.yaml"
    path.write_bytes(data)
    for read in (read_config, read_as_training):
        with contextlib.suppress(BadInput):
            read(path)
    read_metadata("---\n" + data.decode("utf-8", "replace") + "\n---\n")
