"""Ranks on Ray and by parsl, where they are installed (`make test-scale`); what is said where they are not."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.written import read_files, write_questions
from tests.xl_suite.executors.test_executors import COUNT, LANGUAGES
from tests.xl_suite.executors.test_ranks import answer
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import run_verb

ENGINES = ("ray", "parsl")


def is_installed(engine: str) -> bool:
    return importlib.util.find_spec(engine) is not None


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    write_questions(tmp_path / "bench", LANGUAGES, COUNT)
    with serve_loopback(answer) as server:
        yield ["respond", str(tmp_path / "bench"), "--model", f"tiny@{server.url}"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_files_of_one_process(engine: str, command: list[str], tmp_path: Path) -> None:
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed: `make test-scale` installs it")
    assert run_verb([*command, "--out", str(tmp_path / "single")]).status == 0
    more = ["--executor", engine, "--ranks", "2"]
    if engine == "ray":  # Ray remembers the last cluster of this machine, also one that has ended
        (tmp_path / "ray.yaml").write_text("address: local")
        more += ["--executor-config", str(tmp_path / "ray.yaml")]
    done = run_verb([*command, "--out", str(tmp_path / "ranked"), *more])
    assert done.status == 0, done
    assert read_files(tmp_path / "single") == read_files(tmp_path / "ranked")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_package_that_is_absent_is_named(engine: str, command: list[str], tmp_path: Path) -> None:
    if is_installed(engine):
        pytest.skip(f"{engine} is installed")
    told = run_verb([*command, "--out", str(tmp_path / "out"), "--executor", engine, "--ranks", "2"])
    assert told.status == 2
    assert f'pip install "xl-suite[{engine}]"' in told.notes[0]


@pytest.mark.parametrize(
    ("engine", "config", "said"),
    [
        ("ray", "option: {}", "ray has no 'option'. Valid are: address, options"),
        ("parsl", "providers: {}", "parsl has no 'providers'. Valid are: provider, executor, retries"),
        ("parsl", "provider: {kind: Nothing}", "parsl has no provider 'Nothing'"),
        ("parsl", "executor: {no_such: 1}", "parsl refuses it"),
        ("parsl", "retries: many", "parsl refuses it"),
        ("parsl", "provider: [SlurmProvider]", "parsl refuses it"),
        ("ray", "options: [num_cpus]", "--executor ray: "),
    ],
)
def test_settings_that_an_engine_does_not_have(
    engine: str, config: str, said: str, command: list[str], tmp_path: Path
) -> None:
    if not is_installed(engine) and "Valid are: address" not in said and "Valid are: provider," not in said:
        pytest.skip(f"{engine} is not installed: `make test-scale` installs it")
    (tmp_path / "config.yaml").write_text(config)
    more = ["--executor", engine, "--executor-config", str(tmp_path / "config.yaml"), "--ranks", "2"]
    told = run_verb([*command, "--out", str(tmp_path / "out"), *more])
    assert told.status == 2
    assert said in told.notes[0]
