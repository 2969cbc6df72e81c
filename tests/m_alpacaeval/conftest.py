"""A small XL-AlpacaEval of prompts written for these tests, and a translator that knows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.server import last_message
from xl_suite.languages import find_language
from xl_suite.records import BenchmarkRow, write_parquet

Script = Callable[[dict[str, Any]], str]

# ID: English text ({language} where the language is named), German, Chinese.
PROMPTS = {
    1: (
        "Why do bicycles stay upright when they are moving?",
        "Warum bleiben Fahrräder aufrecht, wenn sie in Bewegung sind?",
        "自行车在行驶时为什么能保持直立？",
    ),
    2: (
        "Write a short letter that begins with {name} and asks for 250 grams of tea.",
        "Schreibe einen kurzen Brief, der mit {name} beginnt und um 250 Gramm Tee bittet.",
        "写一封以 {name} 开头的短信，请求要 250 克茶叶。",
    ),
    7: (
        "Read https://example.com/a?b=1 and sum it up:\n\n1. who\n2. when\n3. where",
        "Lies https://example.com/a?b=1 und fasse es zusammen:\n\n1. wer\n2. wann\n3. wo",
        "请阅读 https://example.com/a?b=1 并总结：\n\n1. 谁\n2. 何时\n3. 何地",
    ),
    249: (
        "Describe your favourite season of the year. Please answer in {language}.",
        "Beschreibe deine liebste Jahreszeit. Bitte antworte auf Deutsch.",
        "请描述你最喜欢的季节。请用中文回答。",
    ),
    300: (
        "What does `print(1)` do in this old program of mine?",
        "Was macht `print(1)` in diesem alten Programm von mir?",
        "`print(1)` 在我的这个旧程序里起什么作用？",
    ),
}  # fmt: skip


def write_xl_alpacaeval(folder: Path, languages: tuple[str, ...] = ("deu", "eng")) -> Path:
    for code in languages:
        name = find_language(code).name
        rows = []
        for number, (english, *_) in PROMPTS.items():
            prompt = english.replace("{language}", name)
            template = "" if code == "eng" else f"Answer in {name}"
            instruction = f"{prompt}\n\n{template}" if template else prompt
            expected = "any" if number == 300 else "target"
            rows.append(BenchmarkRow(number, "own", instruction, prompt, template, code, expected))
        write_parquet(folder / code / "test-00000-of-00001.parquet", rows)
    return folder


@pytest.fixture
def xl_alpacaeval(tmp_path: Path) -> Path:
    return write_xl_alpacaeval(tmp_path / "xl-alpacaeval")


def find_prompt(request: dict[str, Any]) -> tuple[int, str]:
    """The ID of the prompt that a request is about, and the language that it is to be translated into."""
    text = last_message(request)
    found = re.search(r"into (\w+)\.", text)
    assert found
    for number, (english, *_) in PROMPTS.items():
        if english.replace("{language}", found[1]) in text:
            return number, found[1]
    raise AssertionError(text)


def translate(request: dict[str, Any]) -> str:
    """A translator without fault."""
    number, language = find_prompt(request)
    return PROMPTS[number][{"German": 1, "Chinese": 2}[language]]
