"""Outputs of ten models of five families, and two scripted judges whose tastes differ by a known line."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.server import Loopback, Reply, last_message, serve_loopback, token_logprobs
from xl_suite.records import ModelOutput, write_json

LANGUAGES = ("deu", "gle")
PROMPTS = 24
FAMILIES = ("Alder", "Birch", "Cedar", "Damson", "Elm")
MODELS = tuple(f"{FAMILIES[number % 5]}-{number}" for number in range(10))
SHIFTS = {"old": (0.0, 1.0), "new": (0.8, 0.8)}


def noise(*parts: object) -> float:
    """A number between -1 and 1 that the parts decide."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4]) / 2**31 - 1


def write_models(folder: Path, models: tuple[str, ...] = MODELS) -> Path:
    """outputs/MODEL/LANGUAGE.json and reference/ref/LANGUAGE.json; an answer names its quality, hundredths."""
    for place, model in enumerate(models):
        for language in LANGUAGES:
            rows = [
                ModelOutput(
                    f"Question {prompt}?",
                    f"quality {round(100 * (2.4 * place / len(models) - 1.2 + noise(model, language, prompt)))}"
                    + " and so on" * (prompt * (place + 3) % 7),
                    model,
                    prompt,
                    "d",
                    language,
                    "b",
                )
                for prompt in range(1, PROMPTS + 1)
            ]
            write_json(folder / "outputs" / model / f"{language}.json", rows)
    for language in LANGUAGES:
        rows = [
            ModelOutput(f"Question {prompt}?", "quality 0 as ever", "ref", prompt, "d", language, "b")
            for prompt in range(1, PROMPTS + 1)
        ]
        write_json(folder / "reference" / "ref" / f"{language}.json", rows)
    return folder


def write_families(folder: Path, models: tuple[str, ...] = MODELS) -> Path:
    path = folder / "families.tsv"
    path.write_text("model\tfamily\n" + "".join(f"{model}\t{model.split('-')[0]}\n" for model in models))
    return path


def judge(request: dict[str, Any]) -> Reply:
    """Prefers the answer of the higher quality, with a liking for the first place, by log probabilities."""
    first, second = (int(found) / 100 for found in re.findall(r"quality (-?\d+)", last_message(request)))
    shift, slope = SHIFTS[request["model"]]
    sign = 1 if first else -1  # the reference has quality 0, and stands second where the first has another
    logit = 2 * (slope * (first - second) + sign * shift * 0.5) + 0.2
    share = 1 / (1 + math.exp(-logit))
    return Reply(
        "m" if share > 0.5 else "M", logprobs=token_logprobs({"m": math.log(share), "M": math.log(1 - share)})
    )


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serve_loopback(judge) as running:
        yield running
