"""The recipes of `examples/recipes`, run as written on the demo: they print what their `output.txt` holds.

`python -m tests.docs.test_recipes` writes these files anew, after a change that is meant.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from xl_suite.chat.loopback.replies import read_rules
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.demo.steps import run_demo

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "recipes"
NAMES = sorted(path.name for path in RECIPES.iterdir() if path.is_dir())
OUTPUT = "output.txt"
ADDRESS = "http://127.0.0.1:8123/v1"
# What differs from run to run: times, and how fast calls were.
MASKED = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC": "(time)",
    r", utilisation [\d.]+": "",
    r"127\.0\.0\.1:\d+": "127.0.0.1:8123",
}


def list_commands(recipe: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (recipe / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def run_recipe(recipe: Path, demo: Path, work: Path) -> str:
    """What a recipe's commands print, each after its line; they run in `work`, a copy of the recipe's folder."""
    shutil.copytree(recipe, work, ignore=shutil.ignore_patterns(OUTPUT))
    shutil.copytree(demo, work / "demo-out")
    before = Path.cwd()
    os.chdir(work)
    printed = []
    try:
        with ExitStack() as servers:
            url = ADDRESS
            for command in list_commands(recipe):
                if command.startswith("python -m xl_suite.chat.loopback"):
                    url = servers.enter_context(serve_loopback(read_rules(Path("rules.json")))).url
                    continue
                done = run_verb(shlex.split(command.replace(ADDRESS, url))[1:])
                assert done.status == 0, (command, done.text, done.notes)
                text = "\n".join([done.text.rstrip(), *done.notes]).replace(url, ADDRESS).strip()
                for pattern, mask in MASKED.items():
                    text = re.sub(pattern, mask, text)
                printed.append(f"$ {command}\n{text}\n")
    finally:
        os.chdir(before)
    return "\n".join(printed)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_demo(tmp_path_factory.mktemp("demo") / "demo-out").folder


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_prints_what_its_file_says(name: str, demo: Path, tmp_path: Path) -> None:
    assert run_recipe(RECIPES / name, demo, tmp_path / name) == (RECIPES / name / OUTPUT).read_text(encoding="utf-8")


def test_every_recipe_is_in_the_list() -> None:
    text = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\[(\w+)\]\(\1\)", text)) == NAMES


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = run_demo(Path(folder) / "demo-out").folder
        for name in sys.argv[1:] or NAMES:
            (RECIPES / name / OUTPUT).write_text(
                run_recipe(RECIPES / name, demo, Path(folder) / name), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
