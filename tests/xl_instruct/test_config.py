"""The configuration: what it refuses and how it says so, and what its fingerprint depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xl_instruct.config import PAPER_LANGUAGES, Config, fingerprint, parse_config, read_config
from xl_suite.cli.main import main
from xl_suite.errors import BadInput

LEAST: dict[str, Any] = {
    "passages": {"source": "passages.jsonl"},
    "teacher": {"model": "teacher@http://localhost:8000/v1"},
    "translators": [{"model": "first@http://localhost:8000/v1"}, {"model": "second@http://localhost:8000/v1"}],
}


def make(**changes: Any) -> Config:
    return parse_config({**LEAST, **changes}, "run.yaml")


def test_the_least_configuration_has_the_papers_languages_and_cut() -> None:
    config = make()
    assert config.languages == PAPER_LANGUAGES
    assert (config.filtering.drop, config.filtering.scope) == (0.2, "language")
    assert config.best_of == "bestof2"
    assert config.decontaminate is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"langauges": ["deu"]}, r"langauges: there is no such key\. Did you mean 'languages'\? Valid keys: title"),
        ({"teacher": {"model": "a", "temprature": 1}}, r"teacher\.temprature: .*'temperature'"),
        ({"translators": [{"model": "a", "modle": "b"}]}, r"translators\.0\.modle: .*Valid keys: model, revision"),
        ({"translation": {"unit": "word"}}, r"translation\.unit: .*'sentence', 'paragraph' or 'document'"),
        ({"translation": {"guards": ["lenght"]}}, r"'lenght' is not a guard\. Valid: empty, .*length"),
        (
            {"splitter": {"name": "senx"}},
            r"splitter\.name: 'senx' is not a sentence splitter\. Valid: sat, sentencex",
        ),
        ({"passages": {"source": "x", "read": 0}}, r"passages\.read: .*greater than"),
        ({"filtering": {"drop": 1}}, r"filtering\.drop: .*less than 1"),
        ({"filtering": {"scope": "all"}}, r"'language' or 'global'"),
        ({"languages": ["ger"]}, r"languages: 'ger' .*'deu'"),
        ({"languages": ["deu", "deu"]}, "named twice"),
        ({"languages": ["eng"]}, "'eng' cannot be translated into"),
        ({"languages": []}, "languages"),
        ({"licence": "apache"}, r"licence: .*apache-2\.0"),
        ({"passages": {}}, r"passages\.source: missing"),
        (
            {"passages": {"source": "a", "limits": {"words": 3}}},
            r"'words' is not a limit of passages\. Valid: least_words",
        ),
        ({"passages": {"source": "a", "count": 0}}, r"passages\.count: .*1 \(found 0\)"),
        ({"translators": [{"model": "a"}, {"model": "a"}]}, "'a' is there twice"),
        ({"attempts": "many"}, r"attempts: .*'many'"),
    ],
)
def test_a_wrong_key_or_value_names_itself_and_what_is_valid(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        make(**changes)
    assert str(caught.value).startswith("run.yaml: ")


@pytest.mark.parametrize("name", ["paper", "permissive", "smoke"])
def test_our_own_configurations_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = read_config(name)
    assert len(fingerprint(config)) == 64
    assert config.best_of == "bestof3"
    if name == "paper":
        assert config.languages == PAPER_LANGUAGES
        assert [one.model for one in config.translators] == [
            "vllm:utter-project/EuroLLM-9B-Instruct",
            "vllm:mistralai/Mistral-Small-24B-Instruct-2501",
            "vllm:google/gemma-2-27b-it",
        ]
        assert config.teacher.model == "vllm:Qwen/Qwen2.5-72B-Instruct"
        assert config.estimation.model == "cometkiwi:Unbabel/wmt23-cometkiwi-da-xl"
        assert len(config.assumed) >= 8
        assert config.passages.count * (1 - config.filtering.drop) == 32_000


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml: cannot be read.*paper, permissive, smoke"):
        read_config(tmp_path / "nowhere.yaml")
    (tmp_path / "list.yaml").write_text("- a\n- b\n", encoding="utf-8")
    with pytest.raises(BadInput, match="expected a mapping"):
        read_config(tmp_path / "list.yaml")
    (tmp_path / "torn.yaml").write_text("teacher: {model: [", encoding="utf-8")
    with pytest.raises(BadInput, match="not YAML"):
        read_config(tmp_path / "torn.yaml")


def test_the_fingerprint_covers_what_determines_the_result_and_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    base = fingerprint(make())
    moved = make(teacher={"model": "teacher@http://elsewhere:9/v1"})
    assert fingerprint(moved) == base
    assert fingerprint(make(assumed=["something"])) == base
    changed = [
        make(seed=2),
        make(teacher={"model": "other@http://localhost:8000/v1"}),
        make(teacher={**LEAST["teacher"], "temperature": 0.1}),
        make(filtering={"drop": 0.3}),
        make(decontaminate="x"),
        make(languages=["deu"]),
    ]
    assert len({base, fingerprint(make(), 10), *map(fingerprint, changed)}) == len(changed) + 2
    from xl_instruct.stages.prompts import PromptText

    monkeypatch.setattr("xl_instruct.config.load_prompt", lambda name: PromptText(name, "another"))
    assert fingerprint(make()) != base


def test_a_configuration_can_be_shown_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "smoke", "--show"]) == 0
    (tmp_path / "mine.yaml").write_text(shown := capsys.readouterr().out)
    assert shown.startswith("# A small run")
    assert read_config(tmp_path / "mine.yaml") == read_config("smoke")
    assert main(["generate", "smoke"]) == 2
    assert "--out is missing" in capsys.readouterr().err
