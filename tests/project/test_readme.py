"""The documentation's commands parse, and the README's Python runs as it is written, but for the server's address."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.server import Reply, serve_loopback
from xl_suite.cli.main import build_parser, find_verbs
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.records import ModelOutput, write_json

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = "Das ist eine ruhige und klare Antwort auf die Frage, die gestellt wurde."


def respond(request: dict[str, Any]) -> str | Reply:
    return "m" if request["model"] == "my-judge" else SENTENCE


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    rows = build_demo_rows()
    write_demo_benchmark(tmp_path / "xl-alpacaeval", {code: rows[code] for code in ("deu", "eng")})
    reference = "gpt-4o-mini-2024-07-18"
    outputs = [
        ModelOutput(
            row.instruction, f"{SENTENCE} {row.id}", reference, row.id, row.dataset, "deu", "xl-alpacaeval-demo"
        )
        for row in rows["deu"]
    ]
    write_json(tmp_path / "outputs" / reference / "deu.json", outputs)
    with serve_loopback(respond) as server:
        code = "\n".join(blocks).replace("http://localhost:8000/v1", server.url)
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "n_right" in done.stdout
    assert (tmp_path / "annotations" / "my-model" / "xl_local-my-judge" / "deu.json").is_file()


def find_commands() -> list[Any]:
    """Every line of documentation, examples and recipes that begins with `xl-suite`, and where it is."""
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in find_documents()}
    texts |= {f"xl-suite {name} --help": module.EXAMPLES for name, module in find_verbs().items()}
    found = []
    for place, text in texts.items():
        joined = re.sub(r"\\\n\s*", " ", text)
        if place.endswith(".md"):  # prose may begin with the name too
            joined = "\n".join(re.findall(r"```\w*\n(.*?)```", joined, re.DOTALL))
        for line in re.findall(r"^\s*(xl-suite [a-z].*)$", joined, re.MULTILINE):
            command = re.split(r"\s(?:#|>|\|)\s|\s{3,}", line)[0].strip()
            found.append(pytest.param(command, id=f"{place}: {command[:60]}"))
    return found


def find_documents() -> list[Path]:
    return [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted(ROOT.glob("harness_tasks/*/README.md")),
    ]


@pytest.mark.parametrize("command", find_commands())
def test_every_command_of_the_documentation_is_one(command: str) -> None:
    words = shlex.split(command)[1:]
    if "..." in words or "…" in command:
        pytest.skip("a command that is cut short")
    build_parser().parse_args(words)
