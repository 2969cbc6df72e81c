"""The whole pipeline against scripted models: what it writes, what it asks, and what a second run pays for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import MODELS, answer, write_passages
from xl_instruct.config import Config, parse_config
from xl_instruct.generate import Generated, generate
from xl_suite.chat.loopback import Loopback, Script, serve_loopback
from xl_suite.chat.settings import ChatOptions

COUNT = 6


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    return write_passages(tmp_path / "passages.jsonl", COUNT)


def configure(passages: Path, server: Loopback, **changes: Any) -> Config:
    value: dict[str, Any] = {
        "languages": ["deu", "hun"],
        "passages": {"source": str(passages), "count": COUNT},
        "teacher": {"model": f"teacher@{server.url}"},
        "translators": [{"model": f"{name}@{server.url}"} for name in MODELS],
    }
    return parse_config({**value, **changes})


def run(config: Config, out: Path, **options: Any) -> Generated:
    chat = ChatOptions(**{"journal": out / ".journal.sqlite", "slots": 8, "progress": False, **options})
    return generate(config, out, chat)


def read_files(out: Path) -> dict[str, bytes]:
    """Everything that a run publishes, by path."""
    return {
        str(file.relative_to(out)): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and not file.relative_to(out).parts[0].startswith(".")
    }


def test_a_run_writes_the_release_and_a_second_one_asks_nothing(passages: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    out = tmp_path / "out"
    with serve_loopback(answer) as server:
        config = configure(passages, server)
        made = run(config, out)
        asked = server.stats()["calls"]
        files = read_files(out)
        again = run(config, out)
        assert server.stats()["calls"] == asked
    assert again.rows == made.rows == {name: {"deu": 5, "hun": 5} for name in ("naive", "bestof3")}
    assert read_files(out) == files
    assert made.quarantined == 0
    german = load_dataset(str(out), split="german")
    assert [row["qe_score"] for row in german] == sorted((row["qe_score"] for row in german), reverse=True)
    assert "German" in german[0]["template"]
    assert german[0]["instruction"] == f"{german[0]['prompt']}\n\n{german[0]['template']}"
    best = {row["id"]: row for row in load_dataset(str(out), "bestof3", split="german")}
    assert all(best[row["id"]]["qe_score"] >= row["qe_score"] for row in german if row["id"] in best)
    assert load_dataset(str(out), "deu", split="naive")["response"] == german["response"]
    english = load_dataset(str(out), "scored", split="english")
    assert len(english) == COUNT
    assert {score["kept"] for row in english for score in row["scores"]} == {True, False}


def test_every_sentence_tells_where_it_is_from(passages: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    out = tmp_path / "out"
    with serve_loopback(answer) as server:
        run(configure(passages, server), out)
    for row in load_dataset(str(out), "bestof3", split="hungarian"):
        assert "".join(part["text"] for part in row["segments"]) == row["source_response"]
        translated = [part for part in row["segments"] if part["candidates"]]
        assert len(translated) == row["n_segments"]
        for part in translated:
            assert [candidate["model"] for candidate in part["candidates"]] == list(MODELS)
            sound = [candidate for candidate in part["candidates"] if not candidate["refused"]]
            assert part["score"] == max(candidate["score"] for candidate in sound)
            assert part["translation"] in row["response"]
        assert row["qe_score"] == pytest.approx(sum(part["score"] for part in translated) / row["n_segments"])
    assert {model["role"] for model in row["models"]} == {"teacher", "translator", "estimator"}


def refuse_once(script: Script) -> Script:
    """A teacher whose first refinement of each passage is malformed."""
    seen: set[str] = set()

    def reply(request: dict[str, Any]) -> Any:
        text = json.dumps(request["messages"])
        if request["model"] == "teacher" and "four goals" in text and text not in seen:
            seen.add(text)
            return "Here you are: the reworked pair."
        return script(request)

    return reply


def test_a_malformed_answer_is_asked_again(passages: Path, tmp_path: Path) -> None:
    with serve_loopback(refuse_once(answer)) as server:
        made = run(configure(passages, server), tmp_path / "out")
    assert made.quarantined == 0
    assert made.ledgers["refined"].paid == 2 * COUNT
