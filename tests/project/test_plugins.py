"""Plug-ins of other packages, by entry point and by `package.module:function`, shown with a tiny package."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from xl_instruct.config import Splitting
from xl_instruct.qe import load_estimator
from xl_instruct.splitters import list_splitters, load_splitter
from xl_suite.errors import BadInput
from xl_suite.plugins import ESTIMATORS, find_plugin, list_plugins

CODE = """
class Lengths:
    licence, languages, range = "MIT", None, (0.0, 1.0)

    def __init__(self, model):
        self.name = f"lengths {model}".strip()

    def __call__(self, sources, translations, language):
        return [min(len(s), len(t)) / max(len(s), len(t), 1) for s, t in zip(sources, translations)]

def load(model, **options):
    return Lengths(model)

def make_splitter(mark="|"):
    def split(text, language):
        parts = text.split(mark)
        return [part + mark for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    return split

NUMBER = 3
"""
ENTRY_POINTS = """
[xl_suite.quality_estimators]
tiny_lengths = tiny_plugin.inner:load
broken_estimator = tiny_plugin.absent:load

[xl_suite.splitters]
tiny_bars = tiny_plugin.inner:make_splitter
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, metadata = tmp_path / "tiny_plugin", tmp_path / "tiny_plugin-1.0.dist-info"
    package.mkdir()
    metadata.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text(CODE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()


@pytest.mark.parametrize("name", ["tiny_lengths", "tiny_plugin.inner:load"])
def test_an_estimator(name: str) -> None:
    estimator = load_estimator(name)
    assert estimator.name == "lengths"
    assert estimator(["abcd"], ["ab"], "deu") == [0.5]


@pytest.mark.parametrize("name", ["tiny_lengths:org/model", "tiny_plugin.inner:load:org/model"])
def test_an_estimator_with_a_model(name: str) -> None:
    assert load_estimator(name).name == "lengths org/model"


@pytest.mark.parametrize("name", ["tiny_bars", "tiny_plugin.inner:make_splitter"])
def test_a_splitter(name: str) -> None:
    assert load_splitter(name)("a|b|", "de") == ["a|", "b|"]
    assert load_splitter(name, mark="/")("a|b/c", "de") == ["a|b/", "c"]
    assert Splitting(name=name).name == name


def test_plugins_are_listed() -> None:
    assert "tiny_bars" in list_splitters()
    assert "tiny_lengths" in list_plugins(ESTIMATORS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken_estimator", "cannot be imported"),
        ("tiny_plugin.inner:NUMBER", "is not a function"),
        ("tiny_plugin.inner:nothing", "cannot be loaded"),
    ],
)
def test_a_plugin_that_does_not_work_is_told(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        find_plugin(ESTIMATORS, name)


def test_what_is_neither_names_the_valid_ones() -> None:
    with pytest.raises(BadInput, match=r"surface.*tiny_lengths.*package\.module:function"):
        load_estimator("no_such")
    with pytest.raises(BadInput, match=r"sentencex.*tiny_bars"):
        load_splitter("no_such.module:function")
