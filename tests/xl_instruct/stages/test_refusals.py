"""What a run tells of refused texts: the early stop, quarantine.jsonl, and a row's life."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import answer, write_passages
from tests.xl_instruct.stages.test_pipeline import configure, run
from xl_instruct.corpus.filters import PassageLimits
from xl_instruct.stages import refusals
from xl_instruct.stages.explaining import describe_life, explain_row
from xl_instruct.stages.files import LeftOut
from xl_instruct.stages.refusals import FIRST, NearlyAllRefused, Watch, describe_refused, list_refused
from xl_suite.chat.loopback.server import Reply, serve_loopback
from xl_suite.errors import BadInput


def candidate(model: str, *refused: str) -> dict[str, Any]:
    return {"model": model, "text": f"Wort von {model}", "refused": list(refused), "sample": 0, "flags": []}


def translated(id: int, *candidates: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "segments": [{"kind": "text", "text": "A word.", "protected": [], "candidates": candidates}]}


def test_a_teacher_whose_rows_are_nearly_all_refused_ends_the_run_with_guard_and_counts() -> None:
    watch = Watch(0.95, "refined")
    for id in range(1, FIRST):
        watch.add({"id": id} if id % 25 == 0 else LeftOut(id, "refined", "quarantined", "refused: loop"))
    with pytest.raises(NearlyAllRefused, match=r"193 of the first 200 rows are refused \(refused: loop 193\)"):
        watch.add(LeftOut(FIRST, "refined", "quarantined", "refused: loop"))


def test_a_run_goes_on_where_enough_is_left_and_dropped_rows_do_not_count() -> None:
    watch, half = Watch(0.95, "prepared"), Watch(0.95, "refined")
    for id in range(3 * FIRST):
        watch.add({"id": id} if id % 40 == 0 else LeftOut(id, "prepared", "dropped", "overlaps with the benchmark"))
        half.add({"id": id} if id % 2 else LeftOut(id, "refined", "quarantined", "refused: loop"))


def test_one_translator_whose_candidates_are_refused_is_named_though_others_are_sound() -> None:
    watch = Watch(0.95, "translated2", "deu", ["a", "b"])
    with pytest.raises(NearlyAllRefused, match=r"translated2 deu: 200 of .* candidates of b are .*\(copied 200\)"):
        for id in range(2 * FIRST):
            watch.add(translated(id, candidate("a"), candidate("b", "copied")))


def test_a_run_stops_early_and_the_same_command_asks_for_new_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "FIRST", 10)
    count, asked, right = 12, 0, False
    passages, out = write_passages(tmp_path / "passages.jsonl", count), tmp_path / "out"

    def reply(request: dict[str, Any]) -> Reply | str:
        nonlocal asked
        asked += 1
        return answer(request) if right else "<instruction>the instruction</instruction>"

    with serve_loopback(reply) as server:
        config = configure(
            passages,
            server,
            languages=["deu"],
            translators=[{"model": f"translator-a@{server.url}"}],
            attempts=1,
        )
        taken = config.passages.model_copy(update={"count": count, "limits": PassageLimits(near=1.0)})
        config = config.model_copy(update={"passages": taken})
        with pytest.raises(NearlyAllRefused, match=r"instructions: 10 of the first 10 rows are refused"):
            run(config, out)
        assert asked <= count
        rows = [json.loads(line) for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]
        assert len(rows) == 10
        assert rows[0]["refused"] == [{"guard": "echo", "candidate": "the instruction", "teacher": "teacher"}]
        right = True
        made = run(config, out)
    assert sum(made.rows["naive"].values()) > 5


def test_quarantine_names_guard_segment_candidate_and_translator_and_a_row_has_its_life(tmp_path: Path) -> None:
    passages, out = write_passages(tmp_path / "passages.jsonl", 2), tmp_path / "out"

    def reply(request: dict[str, Any]) -> Reply | str:
        text = request["messages"][-1]["content"]
        if "<text>" in text and "Visitors of Belcove" in text:
            return "Bacteria cannot live in it, and nobody knows why that is so in every street."
        return answer(request)

    with serve_loopback(reply) as server:
        config = configure(
            passages,
            server,
            languages=["deu"],
            translators=[{"model": f"translator-a@{server.url}"}],
            filtering={"drop": 0.0},
        )
        made = run(config, out)
    assert made.quarantined == 1
    (row,) = [json.loads(line) for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]
    assert row["detail"].startswith("wrong_language (translator-a)")
    first = row["refused"][0]
    assert set(first) == {"guard", "segment", "candidate", "translator"}
    assert first["guard"] == "wrong_language"
    assert first["segment"].startswith("Visitors of Belcove")
    assert first["candidate"].startswith("Bacteria")
    assert first["translator"] == "translator-a"
    life = explain_row(config, out, row["id"])
    stages = [entry["stage"] for entry in life]
    assert stages == ["passages", "instructions", "refined", "prepared", "translated1", "scored", "cut"]
    assert life[-1]["left_out"]["reason"] == "a segment without a sound candidate"
    told = describe_life(life)
    assert "refused: wrong_language" in told
    assert "passage_id" in told
    ids = [one["id"] for one in map(json.loads, (next((out / ".stages").glob("passages*.jsonl"))).open())]
    (other,) = [id for id in ids if id != row["id"]]
    assert explain_row(config, out, other)[-1]["row"]["kept"] is True
    with pytest.raises(BadInput, match="no passage with the ID 99"):
        explain_row(config, out, 99)
    with pytest.raises(BadInput, match="holds no run"):
        explain_row(config, tmp_path / "empty", 1)


def test_refusals_of_a_row_whose_segments_have_sound_candidates_of_different_translators_are_all_listed() -> None:
    one, two = translated(1, candidate("a", "copied"), candidate("b")), translated(1, candidate("a"), candidate("b"))
    row = {"id": 1, "segments": [*one["segments"], *two["segments"]]}
    assert describe_refused(list_refused(row)) == "copied (a)"
    assert list_refused(translated(1, candidate("a"))) == []
