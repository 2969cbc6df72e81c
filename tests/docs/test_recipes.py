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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.hub_server import TOKEN, serve_hub
from xl_suite.chat.loopback.replies import read_rules
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.demo.steps import run_demo
from xl_suite.reproduction.tiny import make_tiny_model

RECIPES = Path(__file__).resolve().parents[2] / "examples" / "recipes"
NAMES = sorted(path.name for path in RECIPES.iterdir() if path.is_dir())
OUTPUT = "output.txt"
ADDRESS = "http://127.0.0.1:8123/v1"
# What differs from run to run, or from machine to machine: times, how fast calls were, memory, sums of floats.
MASKED = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC": "(time)",
    r", utilisation [\d.]+": "",
    r"127\.0\.0\.1:\d+": "127.0.0.1:8123",
    r"[\d,]+ bytes": "(n) bytes",
    r"[\d.]+ GiB free": "(memory) free",
    r"loss: [\d.]+ at step 1, [\d.]+ at": "loss: (loss) at step 1, (loss) at",
}


def list_commands(recipe: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (recipe / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@contextmanager
def loopback_hub() -> Iterator[None]:
    """huggingface_hub talks to a Hub in this process, the same one for all commands of a recipe."""
    if constants.ENDPOINT.startswith("http://127.0.0.1"):
        yield
        return
    with serve_hub() as hub, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub.url)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", TOKEN)
        yield


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
                if command.startswith("python -m xl_suite.reproduction.tiny"):
                    make_tiny_model(Path(shlex.split(command)[3]), seed=0, chat=True)
                    continue
                if command.startswith("xl-suite publish"):
                    servers.enter_context(loopback_hub())
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
