"""The release recipes under scripts/, run for real against a Hub on the loopback address."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import TOKEN, Hub, serve_hub
from xl_suite.demo.steps import run_demo

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
RECIPES = ("xl_alpacaeval", "m_alpacaeval", "xl_instruct", "leaderboard_space")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released") / "demo"
    run_demo(folder)
    return folder


def run(hub: Hub, tmp_path: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf")}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHON": sys.executable}
    # Nothing here may be paid for, whatever the user's environment holds.
    environment |= {"OPENAI_API_KEY": "", "XL_SUITE_API_KEY": "", "CONFIG": "no-such.yaml"}
    environment |= {"XL_SUITE": f"{sys.executable} -m xl_suite.cli.main", "PYTHONPATH": str(SCRIPTS.parent)}
    script = str(SCRIPTS / f"release_{name}.sh")
    return subprocess.run(["bash", script, *words], env=environment, capture_output=True, text=True, cwd=tmp_path)


@pytest.mark.slow
def test_a_dataset_is_verified_shown_and_published(hub: Hub, demo: Path, tmp_path: Path) -> None:
    dry = run(hub, tmp_path, "dataset", str(demo / "m-alpacaeval"), "org/m")
    assert dry.returncode == 0, dry.stderr
    assert "default {" in dry.stdout
    assert "pretty_name: " in dry.stdout
    assert hub.repos == {}
    done = run(hub, tmp_path, "dataset", str(demo / "m-alpacaeval"), "org/m", "publish", "--tag", "0.9.0")
    assert done.returncode == 0, done.stderr
    assert list(hub.repos["dataset", "org/m"].tags) == ["0.9.0"]


@pytest.mark.slow
def test_the_leaderboard_becomes_a_static_space(hub: Hub, demo: Path, tmp_path: Path) -> None:
    words = ["out", "org/board"]
    results = [str(demo / "outputs"), str(demo / "annotations"), "--resamples", "100", "--no-paper", "--workers", "1"]
    done = run(hub, tmp_path, "leaderboard_space", *words, "publish", *results)
    assert done.returncode == 0, done.stderr
    repo = hub.repos["space", "org/board"]
    assert repo.sdk == "static"
    files = repo.commits[-1].files
    assert {"README.md", "index.html", "leaderboard.csv"} <= set(files)
    assert files["index.html"] == (tmp_path / "out" / "site" / "index.html").read_bytes()
    again = run(hub, tmp_path, "leaderboard_space", *words, "publish", *results)
    assert "nothing was committed" in again.stdout, again.stderr
    assert len(repo.commits) == 2


def test_a_failed_build_publishes_nothing(hub: Hub, tmp_path: Path) -> None:
    for name in RECIPES:
        done = run(hub, tmp_path, name, "out", "org/name", "publish", "no-such-folder")
        assert done.returncode != 0, name
        assert "== build" in done.stdout
        assert "== publish" not in done.stdout
    assert hub.repos == {}
