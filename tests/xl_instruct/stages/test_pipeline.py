"""The whole pipeline against scripted models: what it writes, what it asks, and what a second run pays for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import MODELS, answer, write_passages
from tests.written import read_files
from xl_instruct.config import Config, parse_config, read_config
from xl_instruct.stages.costs import estimate_run, is_on_hub
from xl_instruct.stages.files import lock
from xl_instruct.stages.generate import Generated, add_ledgers, generate
from xl_instruct.stages.pipeline import open_pipeline
from xl_suite.chat.loopback.server import Loopback, Reply, Script, last_message, serve_loopback
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, BudgetReached

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


def load(out: Path, *names: str, split: str) -> Any:
    """As a user loads it, but with a cache of its own: that of datasets tells folders of one name badly apart."""
    from datasets import load_dataset

    return load_dataset(str(out), *names, split=split, cache_dir=str(out.parent / "cache"))


def test_a_run_writes_the_release_and_a_second_one_asks_nothing(passages: Path, tmp_path: Path) -> None:
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
    german = load(out, split="german")
    assert [row["qe_score"] for row in german] == sorted((row["qe_score"] for row in german), reverse=True)
    assert "German" in german[0]["template"]
    assert german[0]["instruction"] == f"{german[0]['prompt']}\n\n{german[0]['template']}"
    best = {row["id"]: row for row in load(out, "bestof3", split="german")}
    assert all(best[row["id"]]["qe_score"] >= row["qe_score"] for row in german if row["id"] in best)
    assert load(out, "deu", split="naive")["response"] == german["response"]
    english = load(out, "scored", split="english")
    assert len(english) == COUNT
    assert {score["kept"] for row in english for score in row["scores"]} == {True, False}


def test_every_sentence_tells_where_it_is_from(passages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with serve_loopback(answer) as server:
        run(configure(passages, server), out)
    for row in load(out, "bestof3", split="hungarian"):
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


def test_moving_the_cut_asks_nothing(passages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with serve_loopback(answer) as server:
        first = run(configure(passages, server), out)
        asked = server.stats()["calls"]
        for changes, kept in (
            ({"drop": 0.5}, 3),
            ({"drop": 0.0}, 6),
            ({"drop": 0.34, "stratify": "length", "bins": 2}, 4),
        ):
            moved = run(configure(passages, server, filtering=changes), out)
            assert moved.rows["naive"] == {"deu": kept, "hun": kept}
            assert moved.fingerprint != first.fingerprint
        both = run(configure(passages, server, filtering={"drop": 0.5, "scope": "global"}), out)
        assert sum(both.rows["bestof3"].values()) == COUNT
        assert server.stats()["calls"] == asked


def test_another_language_pays_for_itself_alone(passages: Path, tmp_path: Path) -> None:
    with serve_loopback(answer) as server:
        run(configure(passages, server, languages=["deu"]), tmp_path / "out")
        asked = server.stats()["calls"]
        made = run(configure(passages, server), tmp_path / "out")
    assert made.rows["naive"] == {"deu": 5, "hun": 5}
    assert list(made.ledgers) == ["translator-a + translator-b + translator-c"]
    assert server.stats()["calls"] - asked < asked - 2 * COUNT + 10


def test_a_changed_prompt_meets_no_old_result(
    passages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xl_instruct.stages import pipeline, translation
    from xl_instruct.stages.prompts import PromptText, load_prompt

    def changed(name: str) -> PromptText:
        old = load_prompt(name)
        return PromptText(name, old.text.replace("Only translate:", "Do nothing but translate:"))

    with serve_loopback(answer) as server:
        first = run(configure(passages, server), tmp_path / "out")
        for module in (pipeline, translation):
            monkeypatch.setattr(module, "load_prompt", changed)
        monkeypatch.setattr("xl_instruct.config.load_prompt", changed)
        second = run(configure(passages, server), tmp_path / "out")
    assert second.fingerprint != first.fingerprint
    assert list(second.ledgers) == ["translator-a + translator-b + translator-c"]
    assert second.ledgers["translator-a + translator-b + translator-c"].from_journal == 0


def test_a_journal_replays_a_run_to_the_same_bytes(passages: Path, tmp_path: Path) -> None:
    from xl_suite.chat.replay import export_journal

    with serve_loopback(answer) as server:
        config = configure(passages, server)
        run(config, tmp_path / "out")
        export_journal(tmp_path / "out" / ".journal.sqlite", tmp_path / "journal.jsonl")
    again = run(config, tmp_path / "again", journal=None, replay=tmp_path / "journal.jsonl")
    assert add_ledgers(again.ledgers)["paid"] == 0
    assert read_files(tmp_path / "again") == read_files(tmp_path / "out")


def test_rows_that_fail_are_kept_apart_and_tried_again(passages: Path, tmp_path: Path) -> None:
    broken = True

    def reply(request: dict[str, Any]) -> Any:
        text = last_message(request)
        if broken and request["model"] == "teacher" and "four goals" in text and "Ardmoor" in text:
            return "no tags at all"
        if broken and " into German" in text and "Carrick" in text:
            return "This is not German, and nobody would take it for German either, since it is English."
        return answer(request)

    out = tmp_path / "out"
    with serve_loopback(reply) as server:
        made = run(configure(passages, server), out)
        left = [json.loads(line) for line in (out / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
        reasons = {(row["stage"], row["language"], row["translations"], row["reason"]) for row in left}
        assert reasons == {
            ("refined", "", "", "malformed answer"),
            ("translated", "deu", "naive", "a segment without a sound candidate"),
            ("translated", "deu", "bestof3", "a segment without a sound candidate"),
        }
        assert made.quarantined == len(left)
        asked = server.stats()["calls"]
        again = run(configure(passages, server), out)
        assert again.quarantined == len(left)
        assert 0 < server.stats()["calls"] - asked < asked / 3
        broken = False
        mended = run(configure(passages, server), out)
    assert mended.quarantined == 0
    assert (out / "quarantine.jsonl").read_bytes() == b""
    assert mended.rows["naive"] == {"deu": 5, "hun": 5}


def test_a_failed_call_quarantines_its_row_and_the_next_run_makes_it(passages: Path, tmp_path: Path) -> None:
    refused = True

    def reply(request: dict[str, Any]) -> Any:
        if refused and request["model"] == "translator-b" and "Dunlow" in last_message(request):
            return Reply("this prompt is refused", status=400)
        return answer(request)

    with serve_loopback(reply) as server:
        made = run(configure(passages, server), tmp_path / "out", attempts=1)
        left = (tmp_path / "out" / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()
        assert {json.loads(line)["reason"] for line in left} == {"call failed"}
        refused = False
        again = run(configure(passages, server), tmp_path / "out", attempts=1)
    assert made.quarantined > again.quarantined == 0


def test_no_row_overlaps_with_the_benchmark(passages: Path, tmp_path: Path) -> None:
    prompts = [
        {"instruction": "Most of the people who lived there had LEARNED a trade; and many of them worked with wood!"},
        {"instruction": "What is the capital of Peru?"},
    ]
    benchmark = tmp_path / "prompts.json"
    benchmark.write_text(json.dumps(prompts), encoding="utf-8")
    with serve_loopback(answer) as server:
        made = run(configure(passages, server, decontaminate=str(benchmark), filtering={"drop": 0}), tmp_path / "out")
    holding = sum("learned a trade" in line for line in passages.read_text(encoding="utf-8").splitlines())
    assert 0 < holding < COUNT
    assert made.rows["naive"]["deu"] == COUNT - holding
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"checked against `prompts.json`: {holding} rows dropped" in card
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="decontaminate"):  # before the server, which is gone, is asked anything
        run(configure(passages, server, decontaminate=str(tmp_path / "empty")), tmp_path / "other")


@pytest.mark.parametrize(
    "changes",
    [
        {"translation": {"unit": "paragraph"}},
        {"translation": {"unit": "document", "guards": ["empty"]}},
        {"translation": {"mix": "row"}},
        {"translation": {"context": 2}},
        {"translators": 1},
        {"estimation": {"model": "surface", "report_with": "surface"}},
    ],
    ids=["paragraph", "document", "row", "context", "naive alone", "second estimator"],
)
def test_other_strategies(changes: dict[str, Any], passages: Path, tmp_path: Path) -> None:
    with serve_loopback(answer, keep_requests=True) as server:
        if changes.get("translators") == 1:
            changes = {"translators": [{"model": f"translator-a@{server.url}"}]}
        made = run(configure(passages, server, languages=["hun"], **changes), tmp_path / "out")
    name = "default" if "translators" in changes else "bestof3"
    rows = load(tmp_path / "out", name, split="hungarian")
    assert len(rows) == 5
    assert made.quarantined == 0
    translated = [[part for part in row["segments"] if part["candidates"]] for row in rows]
    if changes.get("translation", {}).get("mix") == "row":
        assert all(len({part["model"] for part in parts}) == 1 for parts in translated)
    if changes.get("translation", {}).get("unit") == "document":
        assert all(len(parts) == 1 for parts in translated)
    if "estimation" in changes:
        assert rows["report_score"] == pytest.approx(rows["qe_score"])
    if "translators" in changes:
        assert set(made.rows) == {"naive"}


def test_identical_sentences_are_asked_once_per_language_and_model(passages: Path, tmp_path: Path) -> None:
    with serve_loopback(answer, keep_requests=True) as server:
        run(configure(passages, server), tmp_path / "out")
        asked = [
            (request["model"], last_message(request))
            for request in server.requests
            if "temperature" in request and request["temperature"] == 0.0
        ]
    assert len(asked) == len(set(asked)) > 50


def test_a_foreign_folder_is_left_alone(passages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work", encoding="utf-8")
    with serve_loopback(answer) as server, pytest.raises(BadInput, match=r"thesis\.txt"):
        run(configure(passages, server), out)
    assert [file.name for file in out.iterdir()] == ["thesis.txt"]
    assert server.stats()["calls"] == 0


def test_a_second_run_at_the_same_time_is_refused(passages: Path, tmp_path: Path) -> None:
    with serve_loopback(answer) as server, lock(tmp_path / "out" / ".stages"):
        with pytest.raises(BadInput, match="another run"):
            run(configure(passages, server), tmp_path / "out")
        assert server.stats()["calls"] == 0


def test_another_configuration_in_the_same_folder_is_told(passages: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with serve_loopback(answer) as server:
        run(configure(passages, server), tmp_path / "out")
        options = ChatOptions(journal=tmp_path / "out" / ".journal.sqlite", progress=False)
        generate(configure(passages, server), tmp_path / "out", options, progress=said.append)
        assert not any("another configuration" in line for line in said)
        generate(configure(passages, server, seed=2), tmp_path / "out", options, progress=said.append)
    assert any("another configuration" in line for line in said)


def test_the_estimate_is_near_and_asks_nothing(passages: Path, tmp_path: Path) -> None:
    with serve_loopback(answer) as server:
        config = configure(passages, server)
        options = ChatOptions(journal=tmp_path / "out" / ".journal.sqlite", progress=False)
        before = estimate_run(open_pipeline(config, tmp_path / "out", options))
        assert server.stats()["calls"] == 0
        made = run(config, tmp_path / "out")
        after = estimate_run(open_pipeline(config, tmp_path / "out", options))
    paid = add_ledgers(made.ledgers)["paid"]
    assert 0.8 * paid < sum(one.new for one in before) < 1.2 * paid
    assert sum(one.new for one in after) == 0
    assert [one.model.split(",")[0] for one in before] == ["instructions", "refined", *["translated"] * 3]


def test_the_estimate_reads_no_corpus_on_the_hub(tmp_path: Path) -> None:
    options = ChatOptions(journal=tmp_path / "out" / ".journal.sqlite", progress=False)
    found = estimate_run(open_pipeline(read_config("paper"), tmp_path / "out", options))
    assert [one.calls for one in found] == [40_000, 40_000, *[40_000 * 8 * 15] * 3]
    assert all("the corpus is not read: passages of 15 sentences of 20 words" in one.basis for one in found)
    assert 10_000_000 < found[0].prompt_tokens < 40_000_000
    few = estimate_run(open_pipeline(read_config("paper"), tmp_path / "few", options, limit=10))
    assert few[0].calls == 10
    assert is_on_hub("org/corpus")
    for name in ("data/passages.jsonl", "corpus", "package.module:read", str(tmp_path)):
        assert not is_on_hub(name)


def test_the_budget_stops_a_run_and_the_next_goes_on(passages: Path, tmp_path: Path) -> None:
    prices = dict.fromkeys(["teacher", "translator-a", "translator-b", "translator-c"], (10.0, 30.0))
    with serve_loopback(answer) as server:
        config = configure(passages, server)
        with pytest.raises(BadInput, match="price of 'teacher'"):
            run(config, tmp_path / "out", budget=0.1)
        with pytest.raises(BudgetReached):
            run(config, tmp_path / "out", budget=0.1, price=prices)
        spent = server.stats()["calls"]
        assert spent > 0
        made = run(config, tmp_path / "out")
    assert made.rows["naive"] == {"deu": 5, "hun": 5}
    assert add_ledgers(made.ledgers)["from_journal"] > 0


def test_the_verb(passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from xl_suite.cli.main import main

    with serve_loopback(answer) as server:
        path = tmp_path / "config.yaml"
        settings = configure(passages, server).model_dump(mode="json")
        path.write_text(json.dumps(settings), encoding="utf-8")
        words = ["generate", str(path), "--out", str(tmp_path / "out"), "--slots", "8", "--json"]
        assert main([*words, "--estimate"]) == 0
        assert json.loads(capsys.readouterr().out)["new"] > 100
        assert main([*words, "--limit", "3"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert made["rows"]["naive"] == {"deu": 3, "hun": 3}
        path.write_text(json.dumps({**settings, "langauges": ["deu"]}), encoding="utf-8")
        assert main(words) == 2
        assert "langauges" in capsys.readouterr().err


def test_the_builder_gives_the_same_rows(passages: Path, tmp_path: Path) -> None:
    from xl_instruct.builder import XLInstruct

    with serve_loopback(answer) as server:
        recipe = tmp_path / "config.yaml"
        recipe.write_text(json.dumps(configure(passages, server).model_dump(mode="json")), encoding="utf-8")
        builder = XLInstruct(
            config_name="bestof3", recipe=str(recipe), out=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")
        )
        builder.download_and_prepare()
    rows = builder.as_dataset(split="german")
    other = load(tmp_path / "out", "bestof3", split="german")
    assert [dict(row) for row in rows] == [dict(row) for row in other]


def test_card_and_report_tell_the_run_and_escape_what_models_say(passages: Path, tmp_path: Path) -> None:
    from xl_suite.dataset.card import check_card

    def reply(request: dict[str, Any]) -> Any:
        said = answer(request)
        return said.replace("Explain it.", "<script>alert(1)</script> {{title}}") if isinstance(said, str) else said

    out = tmp_path / "out"
    with serve_loopback(reply) as server:
        made = run(configure(passages, server, languages=["gle", "deu"][1:]), out)
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{title}}" in html
    assert "http" not in html.replace("http-equiv", "").replace("https://example.org", "")
    card = (out / "README.md").read_text(encoding="utf-8")
    assert check_card(card, with_clients=True) == []
    assert made.fingerprint in card
    assert str(tmp_path) not in card + html
    assert "127.0.0.1" not in card + html
