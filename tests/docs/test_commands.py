"""The commands of the documentation's pages, executed as they are written and in order, against loopback servers.

README has a test of its own (tests/project/test_readme_commands.py), and so have the tutorial and the recipes.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_recipes import loopback_hub
from tests.project.test_readme_commands import FAKE_VLLM
from tests.scripted_models import MODELS, write_passages
from tests.scripted_models import answer as answer_for_data
from xl_suite.chat.loopback.batching import BatchDesk, BatchFaults
from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback, token_logprobs
from xl_suite.cli.main import run_verb
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.demo.steps import run_demo
from xl_suite.judging.annotator import find_folder
from xl_suite.records import BenchmarkRow, ModelOutput, write_json

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Why a command is not executed here, by page and how it begins; an empty beginning is the whole page.
LEFT_OUT = {
    ("tutorial.md", ""): "tests/docs/test_docs.py walks it",
    ("index.md", "make "): "it installs packages",
    ("real-run.md", "make "): "it fetches real weights",
    ("bridge.md", ""): "it needs models of eight families; tests/xl_suite/bridging/test_bridge_verb.py walks it",
    ("succession.md", ""): "as bridge.md",
    ("publishing.md", "hf "): "it asks the Hub",
    ("publishing.md", "python -c"): "it asks the Hub",
    ("publishing.md", "xl-suite submit"): "it needs all prompts; tests/xl_suite/submission and a recipe run it",
    (
        "batches.md",
        "xl-suite batches annotations --cancel",
    ): "no batch is open; tests/xl_suite/chat/batches cancel some",
    ("batches.md", "xl-suite batches annotations --forget"): "as --cancel",
    ("benchmark.md", "xl-suite build xl-alpacaeval --source tatsu-lab/alpaca_eval"): "it needs the Hub",
    ("benchmark.md", "xl-suite build xl-alpacaeval --source alpaca_eval.json"): "it needs AlpacaEval's prompts",
    ("benchmark.md", "lm_eval "): "tests/harness_tasks runs lm-eval with the tasks",
    ("benchmark.md", "xl-suite judge results "): "as lm_eval, whose samples it judges",
    ("benchmark.md", "inspect "): "tests/xl_suite/test_inspect_tasks.py runs inspect_ai with the tasks",
    ("benchmark.md", "xl-suite score logs/LOG.eval"): "as inspect",
    ("data.md", "xl-suite generate my-run.yaml"): "it needs FineWeb; tests/xl_instruct/stages run the pipeline",
    ("data.md", "xl-suite subset"): "it needs 8,000 rows; a recipe makes a subset",
    ("languages.md", "xl-suite build xl-alpacaeval --source"): "it needs AlpacaEval's prompts",
    ("languages.md", "xl-suite respond xl-swe-ell"): "it needs that benchmark",
    ("languages.md", "xl-suite fidelity outputs/MODEL --benchmark xl-swe-ell"): "it needs that benchmark",
    ("languages.md", "xl-suite build xl-alpacaeval --from"): "it needs an m-AlpacaEval of all prompts",
    ("leaderboard.md", "xl-suite leaderboard results --out leaderboard --watch"): "it does not end",
    ("people.md", "xl-suite annotate --import results/m-arena-hard-run"): "tests/xl_suite/judging read such folders",
    ("people.md", "xl-suite annotate --import arena-hard-auto"): "tests/xl_suite/judging read such folders",
    ("prompts.md", "xl-suite build prompts --source CohereLabs"): "it needs the Hub",
    ("prompts.md", "xl-suite build prompts --source zhihz0535"): "it needs the Hub",
    ("reproduce.md", "xl-suite reproduce --table 6 --run"): "it pays for a whole table",
    ("reproduce.md", "xl-suite reproduce --table 1 --smoke"): "tests/xl_suite/reproduction run steps of it",
    ("scaling.md", "pip install"): "make test-scale installs these",
    ("scaling.md", "xl-suite respond xl-alpacaeval --model MODEL@http://server"): "make test-scale runs Ray",
    ("scaling.md", "xl-suite respond xl-alpacaeval --model vllm:my-model --out outputs --executor"): "it needs Slurm",
    ("scaling.md", "#"): "it is a script of Slurm",
    ("scaling.md", "srun "): "it needs Slurm",
    ("scaling.md", "job="): "it needs Slurm",
    ("scaling.md", "sbatch "): "it needs Slurm",
    ("train.md", ""): "it needs models of billions; a recipe and tests/xl_instruct/training train tiny ones",
}
SENTENCES = {
    "deu": "Das ist eine ruhige und klare Antwort auf die Frage {n}. Sie hat {n} Teile und ist nicht zu lang.",
    "zho": "这是对问题{n}的一个平静而清楚的回答。它有{n}个部分，而且并不太长。",
    "hin": "यह प्रश्न {n} का एक शांत और साफ़ उत्तर है। इसके {n} भाग हैं और यह बहुत लंबा नहीं है।",
    "eng": "This is a calm and clear answer to question {n}. It has {n} parts and is not too long.",
}
GENERATORS = ("my-model", "model-a", "model-b", "reference", "gpt-4o-mini-2024-07-18")
LOCAL = re.compile(r"http://localhost:800[01]/v1")


def list_pages() -> list[str]:
    found = [*DOCS.glob("*.md"), *(DOCS / "how-to").glob("*.md")]
    return sorted(page.name for page in found if find_commands(page.name) and not explain_left_out(page.name, ""))


def find_commands(page: str) -> list[str]:
    path = DOCS / page if (DOCS / page).is_file() else DOCS / "how-to" / page
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    return [re.split(r"\s+# ", line)[0].strip() for line in lines if line.strip()]


def explain_left_out(page: str, command: str) -> str:
    return next((why for (own, start), why in LEFT_OUT.items() if own == page and command.startswith(start)), "")


def answer(request: dict[str, Any]) -> str | Reply:
    """A judge's letter, a score, a translation or an answer in German, as the request asks."""
    if request["model"] in ("teacher", *MODELS):
        return answer_for_data(request)
    text = last_message(request)
    if request.get("logprobs"):
        second = len(text) % 3 == 0
        chances = {"M": math.log(0.8), "m": math.log(0.2)} if second else {"m": math.log(0.7), "M": math.log(0.3)}
        return Reply(next(iter(chances)), logprobs=token_logprobs(chances))
    if request["model"] == "JUDGE":
        return "m" if len(text) % 2 else "M"
    if request["model"] == "TRANSLATOR":
        number = re.search(r"\d+", text.split("<text>")[1])
        code = next(one for one, name in (("eng", "English"), ("zho", "Chinese"), ("deu", "")) if name in text[:80])
        return SENTENCES[code].format(n=number[0] if number else 0)
    return "Score: 4" if "Score" in text or "score" in text else SENTENCES["deu"].format(n=len(text))


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with serve_loopback(answer, desk=BatchDesk(faults=BatchFaults())) as server:
        yield server.url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_url: str) -> Path:
    """What the pages take as given: a benchmark, outputs of five models, and three of them judged."""
    place = tmp_path_factory.mktemp("docs")
    rows = build_demo_rows()
    write_demo_benchmark(place / "xl-alpacaeval", {code: rows[code] for code in SENTENCES})
    for generator in GENERATORS:
        for code in SENTENCES:
            write_json(place / "outputs" / generator / f"{code}.json", write_answers(rows[code], generator, code))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAI_API_KEY", "sk-loopback")
        patch.setenv("OPENAI_BASE_URL", model_url)
        for generator in GENERATORS[:3]:
            judge = f"judge outputs/{generator} --reference outputs/gpt-4o-mini-2024-07-18 --annotator xl_gpt4o"
            assert run_verb([*judge.split(), "--out", "annotations"]).status == 0
    return place


def write_answers(rows: list[BenchmarkRow], generator: str, code: str) -> list[ModelOutput]:
    """my-model answers every eighth prompt in English."""

    def write(row: BenchmarkRow) -> str:
        mine = generator == "my-model"
        text = SENTENCES["eng" if mine and row.id % 8 == 0 else code].format(n=row.id)
        return text if mine else f"{text} ({generator})"

    return [
        ModelOutput(row.instruction, write(row), generator, row.id, row.dataset, code, "xl-alpacaeval-demo")
        for row in rows
    ]


@pytest.fixture
def workspace(tmp_path: Path, folder: Path, model_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A copy of the folder, as the place where commands run; yields the URL of all models."""
    place = tmp_path / "work"
    shutil.copytree(folder, place)
    (place / "scripts").symlink_to(ROOT / "scripts")
    (place / "fake_vllm.py").write_text(FAKE_VLLM)
    monkeypatch.setenv("XL_SUITE_VLLM", f"{sys.executable} {place / 'fake_vllm.py'}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-loopback")
    monkeypatch.setenv("OPENAI_BASE_URL", model_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(place)
    with loopback_hub():
        yield model_url


def prepare_prompts() -> None:
    shutil.rmtree("outputs")  # of another benchmark
    rows = [{"prompt": f"Why is the number {number} a good one?"} for number in range(1, 6)]
    Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = "".join(f"संख्या {number} अच्छी क्यों है?\n" for number in range(1, 6))
    Path("hindi.csv").write_text(f"instruction\n{lines}", encoding="utf-8")


def prepare_journals() -> None:
    respond = (
        "respond xl-alpacaeval --model gpt-4o-mini-2024-07-18 --name other --out outputs --languages deu,zho,hin"
    )
    assert run_verb(f"{respond},eng".split()).status == 0
    for name in ("run1.sqlite", "run2.jsonl"):
        assert run_verb(["journal", "export", "outputs/.journal.sqlite", "run2.jsonl"]).status == 0
        if name == "run1.sqlite":
            assert run_verb(["journal", "import", "run2.jsonl", name]).status == 0


def prepare_results() -> None:
    shutil.copytree("outputs", "results/outputs")
    shutil.copytree("annotations", "results/annotations")
    Path("audit").mkdir()
    prepare_prompts()
    build = "build prompts --source prompts.jsonl --column prompt --languages deu --name my-prompts --out my-prompts"
    assert run_verb(build.split()).status == 0
    shutil.copytree("results/outputs", "outputs")


def prepare_people() -> None:
    demo = run_demo(Path("demo-out")).folder
    (config,) = [path for path in (demo / "xl-instruct").iterdir() if path.name.startswith("best")]
    shutil.copytree(config, "xl-instruct/bestof3")


def write_labels() -> None:
    """Two people who answer the page at random, but know what is known."""
    rows = json.loads(Path("page.key.json").read_text(encoding="utf-8"))["rows"]
    for person in ("ann", "bob"):
        with Path(f"labels-{person}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "annotator", "preference"])
            for place, row in enumerate(rows):
                writer.writerow([row["row"], person, row["known"] or "AB"[(place + len(person)) % 2]])

    shutil.rmtree("annotations/my-model")
    judge = "judge outputs/my-model --reference outputs/reference --annotator xl_gpt4o --out annotations"
    assert run_verb(judge.split()).status == 0


def forget_outputs() -> None:
    """What the page's own commands make."""
    shutil.rmtree("outputs/gpt-4o-mini-2024-07-18")
    shutil.rmtree("annotations/my-model")


def prepare_annotator() -> None:
    shutil.copytree(find_folder("xl_gpt4o"), "my_annotator")


def prepare_run() -> None:
    shutil.rmtree("outputs/my-model")
    write_passages(Path("passages.jsonl"), 8)
    url = os.environ["OPENAI_BASE_URL"]
    run = {
        "languages": ["deu", "hun"],
        "passages": {"source": "passages.jsonl", "count": 8},
        "teacher": {"model": f"teacher@{url}"},
        "translators": [{"model": f"{name}@{url}"} for name in MODELS],
    }
    Path("my-run.yaml").write_text(json.dumps(run))


PREPARED: dict[str, Callable[[], object]] = {
    "benchmark.md": forget_outputs,
    "prompts.md": prepare_prompts,
    "publishing.md": lambda: shutil.copytree("outputs/reference", "REFERENCE"),
    "journals.md": prepare_journals,
    "leaderboard.md": prepare_results,
    "people.md": prepare_people,
    "scaling.md": prepare_run,
    "judges.md": prepare_annotator,
    "data.md": lambda: shutil.copytree(run_demo(Path("demo-out")).folder / "xl-instruct", "xl-instruct"),
}


def execute(command: str, url: str) -> None:
    command, _, target = LOCAL.sub(url, command).partition(" > ")
    words = [
        word for one in shlex.split(command) for word in (sorted(map(str, Path().glob(one))) if "*" in one else [one])
    ]
    if words[0] == "python":
        done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, env=dict(os.environ))
        assert done.returncode == 0, (command, done.stderr)
        return
    assert words[0] == "xl-suite", command
    told = run_verb(words[1:])
    assert told.status == 0, (command, told.text, told.notes)
    assert told.text or told.notes, command
    if target:
        Path(target).write_text(told.text, encoding="utf-8")


def test_what_is_left_out_is_there() -> None:
    for page, start in LEFT_OUT:
        assert any(command.startswith(start) for command in find_commands(page)), (page, start)
    executed = [one for page in list_pages() for one in find_commands(page) if not explain_left_out(page, one)]
    assert len(executed) >= 45


@pytest.mark.slow
@pytest.mark.parametrize("page", list_pages())
def test_the_commands_of_a_page_do_what_they_say(page: str, workspace: str) -> None:
    PREPARED.get(page, lambda: None)()
    for command in find_commands(page):
        if explain_left_out(page, command):
            continue
        if command.startswith("xl-suite annotate --import labels-*.csv") and not Path("labels-ann.csv").exists():
            write_labels()
        execute(command, workspace)
