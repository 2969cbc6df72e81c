"""Every table and data file that ships: readable, complete, nothing doubled, no blank cell by accident."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["xl_suite", "xl_alpacaeval", "m_alpacaeval", "xl_instruct", "harness_tasks"]
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())


def of_type(*suffixes: str) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in FILES if path.suffix in suffixes]


@pytest.mark.parametrize("path", of_type(".tsv"))
def test_table(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    header, *rows = [line.split("\t") for line in text.removesuffix("\n").split("\n")]
    assert rows, "a table without rows"
    assert all(header), "a column without a name"
    assert len(set(header)) == len(header)
    for number, row in enumerate(rows, start=2):
        assert len(row) == len(header), f"line {number}"
        assert all(cell == cell.strip() for cell in row), f"line {number} has blanks around a cell"
    assert len({tuple(row) for row in rows}) == len(rows), "a row is there twice"


@pytest.mark.parametrize("path", of_type(".jsonl"))
def test_json_lines(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert len(set(lines)) == len(lines), "a line is there twice"


@pytest.mark.parametrize("path", of_type(".json"))
def test_json(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", of_type(".yaml"))
def test_yaml(path: Path) -> None:
    if "!function" in path.read_text(encoding="utf-8"):  # lm-eval's own tag; its loader reads those files
        pytest.skip("has lm-eval's !function tags: tests/harness_tasks loads it with lm-eval itself")
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_data_file_is_in_the_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir"]
    subprocess.run([*command, str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(path.relative_to(ROOT)) for path in FILES if "__pycache__" not in path.parts}
    assert ours - packed == set()
