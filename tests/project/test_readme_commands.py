"""The README's commands, executed as they are written and in their order, against servers of this machine."""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import MODELS, translate
from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback, token_logprobs
from xl_suite.cli.main import run_verb
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.records import ModelOutput, write_json

ROOT = Path(__file__).resolve().parents[2]
# Why a command is not executed here, by how it begins.
LEFT_OUT = {
    "make ": "it installs packages",
    "pip ": "it installs packages",
    "alpaca_eval ": "tests/xl_suite/judging/test_alpaca_eval.py runs alpaca_eval with the annotators",
    "lm_eval ": "tests/harness_tasks runs lm-eval with the tasks",
    "xl-suite build xl-alpacaeval --source tatsu-lab/alpaca_eval": "it needs the Hub",
    "xl-suite build xl-alpacaeval --source alpaca_eval.json": "it needs AlpacaEval's 805 prompts",
    "xl-suite build xl-alpacaeval --from deu": "it needs an m-AlpacaEval of all prompts",
    "xl-suite bridge": "it needs models of known families; tests/xl_suite/bridging/test_bridge_verb.py walks it",
    "xl-suite generate my-run.yaml": "tests/xl_instruct/stages runs the pipeline",
    "xl-suite subset": "it needs a dataset of 8,000 rows",
    "xl-suite train": "it needs EuroLLM-9B",
    "xl-suite respond xl-alpacaeval --model vllm:adapter/merged": "it needs the trained model",
    "xl-suite reproduce --table 6 --run": "it pays for a whole table",
    "xl-suite reproduce --table 1 --smoke": "tests/xl_suite/reproduction runs steps of it",
    "xl-suite publish xl-alpacaeval": "it asks the Hub, as tests/xl_suite/publishing does",
}
SENTENCE = "Das ist eine ruhige und klare Antwort auf die Frage, die hier gestellt wurde, Nummer {number}."
FAKE_VLLM = """\
import sys
from xl_suite.chat.loopback.server import main
arguments = sys.argv[1:]
sys.exit(main(["--port", arguments[arguments.index("--port") + 1]]))
"""


def find_commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    return [re.split(r"\s+#\s", line)[0].strip() for line in lines if line.strip()]


def explain_left_out(command: str) -> str:
    return next((reason for start, reason in LEFT_OUT.items() if command.startswith(start)), "")


def answer(request: dict[str, Any]) -> str | Reply:
    """As the model of the name in the request: a judge's letter, a score, a translation, or a German sentence."""
    text = last_message(request)
    if request.get("logprobs"):
        second = len(text) % 3 == 0
        chances = {"M": math.log(0.8), "m": math.log(0.2)} if second else {"m": math.log(0.7), "M": math.log(0.3)}
        return Reply(next(iter(chances)), logprobs=token_logprobs(chances))
    if request["model"] in MODELS:
        return translate(request["model"], text, request.get("temperature", 0.0))
    if "Score" in text or "score" in text:
        return "Score: 4"
    return SENTENCE.format(number=len(text))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The folders and files that the README names before a command makes them; yields a server's URL."""
    rows = build_demo_rows()
    write_demo_benchmark(tmp_path / "xl-alpacaeval", rows)
    prompts = [{"prompt": f"Why is the number {number} a good one?"} for number in range(1, 6)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in prompts))
    for generator in ("my-model", "model-a", "model-b"):
        outputs = [
            ModelOutput(
                row.instruction,
                SENTENCE.format(number=row.id),
                generator,
                row.id,
                row.dataset,
                "deu",
                "xl-alpacaeval-demo",
            )
            for row in rows["deu"]
        ]
        write_json(tmp_path / "outputs" / generator / "deu.json", outputs)
    (tmp_path / "fake_vllm.py").write_text(FAKE_VLLM)
    monkeypatch.setenv("XL_SUITE_VLLM", f"{sys.executable} {tmp_path / 'fake_vllm.py'}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    with serve_loopback(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server.url


def prepare(command: str) -> None:
    """What the README has the reader make in another way before a command."""
    if command.startswith("xl-suite score annotations/my-model"):
        for folder, generator in (("", "my-model"), ("sample-2", "my-model"), ("", "model-a"), ("", "model-b")):
            judge = f"judge outputs/{generator} --reference outputs/gpt-4o-mini-2024-07-18 --annotator xl_gpt4o"
            done = run_verb([*judge.split(), "--out", str(Path("annotations") / folder)])
            assert done.status == 0, done.notes


def expand(words: list[str], url: str) -> list[str]:
    expanded = []
    for word in words:
        found = sorted(glob(word)) if "*" in word else []
        expanded += found or [word.replace("MODEL@URL", f"my-model@{url}")]
    return expanded


def test_a_command_that_is_left_out_is_in_the_readme() -> None:
    commands = find_commands()
    assert [start for start in LEFT_OUT if not any(command.startswith(start) for command in commands)] == []
    executed = [command for command in commands if not explain_left_out(command)]
    assert len(executed) >= 16
    assert {command.split()[0] for command in executed} == {"xl-suite"}


@pytest.mark.slow
def test_the_commands_of_the_readme_do_what_they_say(workspace: str) -> None:
    pytest.importorskip("alpaca_eval")
    leaderboard = "xl-suite leaderboard outputs annotations --out leaderboard"
    assert f"`{leaderboard}`" in (ROOT / "README.md").read_text(encoding="utf-8")
    for command in [*find_commands(), leaderboard]:
        if explain_left_out(command):
            continue
        prepare(command)
        command, _, target = command.partition(" > ")
        done = run_verb(expand(shlex.split(command)[1:], workspace))
        assert done.status == 0, (command, done.notes)
        assert done.text or done.notes, command
        if target:
            Path(target).write_text(done.text)
    for place in (
        "my-prompts/deu",
        "outputs/Qwen-Qwen2.5-7B-Instruct",
        "outputs/my-model-reason-then-translate",
        "leaderboard",
    ):
        assert Path(place).is_dir(), place
    assert Path("my-run.yaml").read_text().startswith("# A small run")
    assert not Path("m-alpacaeval").exists()  # --estimate makes nothing
    assert not list(Path().glob("xl-instruct/*.jsonl"))
