"""The table of how real servers behave: complete, sourced, and playable by the loopback server."""

from __future__ import annotations

import json
import string
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import xl_suite.chat

FOLDER = Path(xl_suite.chat.__file__).parent / "loopback"
FILES = sorted((FOLDER / "servers").glob("*.yaml"))
FAMILIES = {
    1: {"openai", "azure"},
    2: {"vllm", "sglang"},
    3: {"llamacpp", "ollama", "lmstudio"},
    4: {"tgi", "hf_endpoints"},
    5: {"openrouter", "litellm", "databricks"},
    6: {"mistral", "gemini", "anthropic", "deepseek", "dashscope"},
}
PARTS = {"sources", "request", "refusals", "answers", "finish_reasons", "reasoning", "models", "waits"}
REQUEST = {
    *("model", "messages", "system", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop"),
    *("n", "logprobs", "top_logprobs", "reasoning_effort", "response_format", "chat_template_kwargs", "extra"),
}
OUTCOMES = {"answered", "withheld", "retried", "failed", "ended", "adapted"}
NAMES = {"target", "status", "count"}
NAMES |= {"url", "model", "models", "said", "variable", "option", "sent", "limit", "reset", "wait", "done", "row"}

REFUSAL = {"when", "status", "headers", "body", "body_from", "note", "source", "outcome", "line", "text"}
WAIT = {"status", "headers", "body", "body_from", "note", "seconds", "source", "outcome", "line"}
ANSWER = {"message", "finish_reason", "usage", "body", "body_from", "raw_before", "note", "source", "outcome", "line"}
ANSWER |= {"text", "reasoning"}

Table = dict[str, Any]


def read(path: Path) -> Table:
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(table, dict)
    return table


LINES = read(FOLDER.parent / "lines.yaml")
TABLES = {path.stem: read(path) for path in FILES}
each_server = pytest.mark.parametrize("name", list(TABLES))


def list_facts(table: Table) -> list[tuple[str, Table]]:
    """Every fact of a table that has to cite a source, with its place."""
    facts: list[tuple[str, Table]] = []
    for part in ("request", "refusals", "answers", "finish_reasons", "waits"):
        facts += [(f"{part}.{key}", fact) for key, fact in table[part].items() if fact is not None]
    for part in ("reasoning", "models"):
        facts += [(f"{part}.{i}", fact) for i, fact in enumerate(table[part])]
    return facts


def list_outcomes(table: Table) -> list[tuple[str, Table]]:
    return [
        (place, fact) for place, fact in list_facts(table) if not place.startswith(("request", "reasoning", "models"))
    ]


def test_all_six_families_are_there() -> None:
    assert {name: table["family"] for name, table in TABLES.items()} == {
        name: family for family, names in FAMILIES.items() for name in names
    }


@each_server
def test_parts(name: str) -> None:
    table = TABLES[name]
    assert set(table) == {"server", "family", "title", "url", *PARTS}
    assert table["server"] == name
    assert table["url"].startswith(("http://", "https://"))
    assert not table["url"].endswith("/")
    assert set(table["request"]) == REQUEST
    assert len(table["refusals"]) >= 2
    assert table["answers"]


@each_server
def test_every_fact_cites_a_source_that_is_there(name: str) -> None:
    table = TABLES[name]
    used: set[str] = set()
    for place, fact in list_facts(table):
        cited = fact["source"] if isinstance(fact["source"], list) else [fact["source"]]
        assert cited, place
        assert set(cited) <= set(table["sources"]), place
        used.update(cited)
    assert used == set(table["sources"])


@each_server
def test_sources(name: str) -> None:
    urls = [source["url"] for source in TABLES[name]["sources"].values()]
    assert len(set(urls)) == len(urls)
    for key, source in TABLES[name]["sources"].items():
        assert set(source) in ({"title", "url", "kind", "date"}, {"title", "url", "kind", "read"}), key
        assert isinstance(source.get("date", source.get("read")), date), key
        assert source["url"].startswith("https://"), key
        assert source["title"], key
        assert source["kind"] in ("docs", "code", "issue", "page"), key


@each_server
def test_request_fields(name: str) -> None:
    for field, fact in TABLES[name]["request"].items():
        if fact is None:
            continue
        assert set(fact) <= {"status", "when", "note", "name", "refusal", "source"}, field
        assert fact["status"] in ("accepted", "refused", "ignored", "renamed", "varies"), field
        assert ("name" in fact) == (fact["status"] == "renamed"), field
        assert fact["status"] != "varies" or fact["when"], field
        refusals = fact.get("refusal") or []
        assert set([refusals] if isinstance(refusals, str) else refusals) <= set(TABLES[name]["refusals"]), field


@each_server
def test_outcomes_and_lines(name: str) -> None:
    for place, fact in list_outcomes(TABLES[name]):
        assert fact["outcome"] in OUTCOMES, place
        if fact["outcome"] in ("ended", "adapted"):
            assert "line" in fact, place
        if "line" in fact:
            assert LINES[fact["line"]]["outcome"] == fact["outcome"], place


@each_server
def test_refusals_and_waits_can_be_played(name: str) -> None:
    table = TABLES[name]
    for part, fields, needed in (("refusals", REFUSAL, {"when"}), ("waits", WAIT, {"seconds"})):
        for key, fact in table[part].items():
            place = f"{part}.{key}"
            assert {"status", "headers", "body", "body_from", "outcome", "source"} | needed <= set(fact) <= fields, (
                place
            )
            assert fact["status"] == 200 or 400 <= fact["status"] < 600, place
            assert all(isinstance(text, str) for pair in fact["headers"].items() for text in pair), place
            assert fact["body_from"] in ("quote", "shortened", "shape"), place
            assert json.loads(json.dumps(fact["body"])) == fact["body"], place
            if part == "waits":
                assert fact["outcome"] in ("retried", "ended"), place
                assert fact["status"] in (429, 503, 529), place


@each_server
def test_answers_can_be_played(name: str) -> None:
    table = TABLES[name]
    for key, fact in table["answers"].items():
        assert set(fact) <= ANSWER, key
        assert ("body" in fact) != ("message" in fact), key
        assert ("finish_reason" in fact) == ("message" in fact), key
        assert ("text" in fact) == (fact["outcome"] == "answered"), key
        assert json.loads(json.dumps(fact)) == fact, key
        if fact.get("finish_reason") and fact["outcome"] in ("answered", "retried"):
            known = table["finish_reasons"].get(fact["finish_reason"])
            assert known is None or known["outcome"] == fact["outcome"], key


@each_server
def test_reasoning_and_models(name: str) -> None:
    for fact in TABLES[name]["reasoning"]:
        assert set(fact) == {"where", "when", "source"}
        assert fact["where"] in ("reasoning", "reasoning_content", "content_tags", "content_list", "not_shown")
    for fact in TABLES[name]["models"]:
        assert set(fact) == {"path", "body", "identity", "note", "source"}
        assert fact["path"].startswith("/")
        assert fact["identity"]
        shown = fact["body"] and fact["body"].get("data", [fact["body"]])[0]
        assert shown is None or set(fact["identity"]) <= set(shown)


def test_lines_are_all_used_and_name_only_what_can_be_filled_in() -> None:
    used = {fact["line"] for table in TABLES.values() for _, fact in list_outcomes(table) if "line" in fact}
    code = "".join(path.read_text(encoding="utf-8") for path in FOLDER.parent.glob("*.py"))
    assert used | {key for key in LINES if f'"{key}"' in code} == set(LINES)
    for key, line in LINES.items():
        assert set(line) == {"outcome", "text"}, key
        assert key.split("_")[0] in (line["outcome"], "waiting", "truncated"), key
        assert {field for _, field, _, _ in string.Formatter().parse(line["text"]) if field is not None} <= NAMES, key


def test_one_outcome_for_one_finish_reason() -> None:
    outcomes: dict[str, set[str]] = {}
    for table in TABLES.values():
        for value, fact in table["finish_reasons"].items():
            outcomes.setdefault(value, set()).add(fact["outcome"])
    assert all(len(found) == 1 for found in outcomes.values())
    assert set().union(*outcomes.values()) == {"answered", "withheld", "retried"}
