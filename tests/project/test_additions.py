"""One addition of each kind in CONTRIBUTING's table, made in a copy of the packages, and the main job with it.

A language and a price are a row, an annotator is a folder, an estimator, a splitter and a verb are a module each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import answer, write_passages
from xl_suite.chat.loopback.server import Loopback, Reply, serve_loopback
from xl_suite.demo.benchmark import read_prompts

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("xl_suite", "xl_alpacaeval", "m_alpacaeval", "xl_instruct", "harness_tasks", "scripts")
ESTIMATOR = """
class Constant:
    name, licence, languages, range = "constant", "none", None, (0.0, 1.0)

    def __call__(self, sources, translations, language):
        return [0.5 for _ in sources]


def load(model, **options):
    return Constant()
"""
SPLITTER = """
def make_splitter():
    def split(text, language):
        head, dot, rest = text.partition(". ")
        return [head + dot, rest] if rest else [text]

    return split
"""
VERB = """
from xl_suite.cli.options import Outcome, add_json

SUMMARY = "Greet."
EXAMPLES = "examples:\\n  xl-suite greet"


def add_arguments(parser):
    add_json(parser)


def run(args):
    return Outcome({"greeting": "hej"}, "hej")
"""
CONFIG = """
title: added
licence: other
languages: [deu]
passages: {{source: passages.jsonl, count: 6}}
teacher: {{model: teacher@{url}}}
translators: [{{model: translator-a@{url}}}, {{model: translator-b@{url}}}]
splitter: {{name: added_splitter}}
estimation: {{model: added_estimator}}
decontaminate: null
"""


def insert(path: Path, row: str) -> None:
    """Adds a row to a table, before its last one."""
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    path.write_text("\n".join([*lines[:-1], row, lines[-1]]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages with one addition of each kind."""
    place = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    insert(place / "xl_suite/languages.tsv", "swe\tsv\tSwedish\tLatn\tzero-shot\txl-alpacaeval")
    header = (place / "xl_suite/chat/prices.tsv").read_text(encoding="utf-8").split("\n")[0].split("\t")
    values = {"model": "added-model", "source": "a test", "date": "2026-01-01"}
    insert(place / "xl_suite/chat/prices.tsv", "\t".join(values.get(name, "1") for name in header))
    annotators = place / "xl_suite/judging/annotators"
    shutil.copytree(annotators / "xl_local", annotators / "added_judge")
    config = (annotators / "added_judge/configs.yaml").read_text(encoding="utf-8")
    (annotators / "added_judge/configs.yaml").write_text(config.replace("xl_local", "added_judge", 1))
    (place / "xl_instruct/qe/added_estimator.py").write_text(ESTIMATOR)
    (place / "xl_instruct/splitters/added_splitter.py").write_text(SPLITTER)
    (place / "xl_suite/cli/greet.py").write_text(VERB)
    return place


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    def respond(request: dict[str, Any]) -> str | Reply:
        if request["model"] == "judge":
            return "m"
        if request["model"] in ("added-model", "reference"):
            return f"Det här är ett svar på frågan, skrivet av {request['model']} på god svenska."
        return answer(request)

    with serve_loopback(respond) as running:
        yield running


def call(tree: Path, cwd: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)


def verb(tree: Path, cwd: Path, *arguments: object) -> Any:
    done = call(tree, cwd, "-m", "xl_suite.cli.main", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_main_job_with_a_language_an_annotator_and_a_price(tree: Path, server: Loopback, tmp_path: Path) -> None:
    prompts = [{"dataset": one.dataset, "instruction": one.instruction} for one in read_prompts()[:4]]
    (tmp_path / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
    build = ("build", "xl-alpacaeval", "--source", "prompts.json", "--allow-changed-source", "--variant", "all")
    assert verb(tree, tmp_path, *build, "--out", "bench")["rows"]["swe"] == 4
    for name in ("added-model", "reference"):
        ask = ("respond", "bench", "--model", f"{name}@{server.url}", "--languages", "swe", "--out", "outputs")
        assert verb(tree, tmp_path, *ask)["languages"]["swe"]["n_rows"] == 4
    again = ("respond", "bench", "--model", f"added-model@{server.url}", "--languages", "swe", "--out", "again")
    assert verb(tree, tmp_path, *again, "--estimate")["dollars"] > 0
    assert verb(tree, tmp_path, "fidelity", "outputs/added-model")["pass_rate"] == 1
    judge = ("judge", "outputs/added-model", "--reference", "outputs/reference", "--annotator", "added_judge")
    judged = verb(tree, tmp_path, *judge, "--model", f"judge@{server.url}", "--out", "annotations")
    assert judged["languages"]["swe"]["n_total"] == 8  # both orders
    assert verb(tree, tmp_path, "score", judged["folder"])["language"] == "swe"
    assert "added_judge" in verb(tree, tmp_path, "annotators")["annotators"]


def test_the_pipeline_with_a_splitter_and_an_estimator(tree: Path, server: Loopback, tmp_path: Path) -> None:
    write_passages(tmp_path / "passages.jsonl", 20)
    (tmp_path / "run.yaml").write_text(CONFIG.format(url=server.url))
    verb(tree, tmp_path, "generate", "run.yaml", "--out", "made")
    assert "constant" in (tmp_path / "made" / "README.md").read_text(encoding="utf-8")


def test_a_verb_and_the_tasks_of_a_language(tree: Path, tmp_path: Path) -> None:
    assert verb(tree, tmp_path, "greet") == {"greeting": "hej"}
    assert "greet" in call(tree, tmp_path, "-m", "xl_suite.cli.main", "--help").stdout
    script = tree / "scripts" / "make_harness_tasks.py"
    assert call(tree, tmp_path, script, "--check").returncode == 1
    assert call(tree, tmp_path, script).returncode == 0
    assert (tree / "harness_tasks/xl_alpacaeval/xl_alpacaeval_swe.yaml").is_file()
