"""Labels by people: drawn with recorded probabilities, shown blind, read back to the same, from three tools."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard_results import HOSTILE
from xl_suite.cli.main import main
from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.annotations import read_annotations
from xl_suite.judging.pairs import Pair
from xl_suite.people.labelled import join_labels
from xl_suite.people.labels import COLUMNS, Label, read_labels, write_labels
from xl_suite.people.page import render_page
from xl_suite.people.sheet import Item, Sheet, make_sheet, read_key, write_key
from xl_suite.people.tools import read_any_labels
from xl_suite.records import write_json


def make_pairs(count: int, language: str = "deu", model: str = "m") -> list[Pair]:
    return [
        Pair(n, "d", language, f"Prompt {n}", f"base {n}", "base", f"{model} answers {n}", model, "bench")
        for n in range(1, count + 1)
    ]


def sheet_of(count: int = 80, **settings: Any) -> Sheet:
    return make_sheet([{"deu": make_pairs(count)}], **settings)


def prefer_model(item: Item) -> str:
    """The side that the model's answer is shown on, or the known one."""
    return item.known or ("A" if item.first == 2 else "B")


def label(item: Item, who: str = "ana", **values: str) -> Label:
    return Label("", "", item.row, item.language, who, "2026-01-01T00:00:00Z", "yes", "yes", **values)


def test_rows_are_drawn_with_a_recorded_probability_and_the_same_seed_draws_the_same() -> None:
    sheet = sheet_of(rows=60, known=4)
    drawn = [item for item in sheet.items if not item.known]
    assert len(drawn) == len({item.row for item in drawn}) == 60
    assert {item.probability for item in drawn} == {60 / 80}
    assert sheet == sheet_of(rows=60, known=4)
    assert sheet.page != sheet_of(rows=60, known=4, seed=1).page
    assert sheet.cells[0].n_eligible == 80
    assert 15 < sum(item.first == 1 for item in drawn) < 45  # both sides are used


def test_identical_and_withheld_answers_are_counted_and_not_asked() -> None:
    pairs = make_pairs(10)
    pairs[0] = replace(pairs[0], output_2=pairs[0].output_1)
    pairs[1] = replace(pairs[1], withheld="model")
    cell = make_sheet([{"deu": pairs}]).cells[0]
    assert (cell.n_eligible, cell.n_identical, cell.n_withheld, cell.n_drawn) == (8, 1, 1, 8)


def test_rows_chosen_by_hand_have_no_probability() -> None:
    sheet = sheet_of(ids=[3, 5], known=0)
    assert {item.id: item.probability for item in sheet.items} == {3: None, 5: None}
    with pytest.raises(BadInput, match="99"):
        sheet_of(ids=[99])


def test_the_page_tells_neither_names_nor_sides_nor_planted_rows() -> None:
    pairs = [replace(pair, generator_1="secret-base", generator_2="secret-model") for pair in make_pairs(30)]
    sheet = make_sheet([{"deu": pairs}], known=6)
    assert sum(bool(item.known) for item in sheet.items) == 6
    page = render_page(sheet, "Title")
    assert "secret" not in page
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert {row["probability"] for row in data["rows"]} == {1.0}
    assert {tuple(row) for row in data["rows"]} == {
        ("row", "language", "instruction", "answer_a", "answer_b", "probability")
    }


def test_hostile_answers_stay_text_in_the_page() -> None:
    pairs = [
        replace(pair, output_1=HOSTILE[place % len(HOSTILE)], output_2=HOSTILE[place % len(HOSTILE)][::-1])
        for place, pair in enumerate(make_pairs(20))
    ]
    page = render_page(make_sheet([{"deu": pairs}]), "<script>x</script>")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert "<iframe" not in page


def test_the_key_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    sheet = sheet_of(20)
    write_key(tmp_path / "k.json", sheet)
    assert read_key(tmp_path / "k.json") == sheet
    write_json(tmp_path / "other.json", [])
    with pytest.raises(BadInput):
        read_key(tmp_path / "other.json")


def test_labels_come_back_to_the_same_preferences_and_the_careless_are_told() -> None:
    sheet = sheet_of(60, known=6)
    careful = [label(item, "ana", preference=prefer_model(item)) for item in sheet.items]
    source = random.Random(0)
    careless = [label(item, "bob", preference=source.choice(["A", "B"])) for item in sheet.items]
    found = join_labels(sheet, careful + careless, least_known=0.9)
    ana, bob = found.people
    assert (ana.n_known, ana.known_right) == (6, 6)
    assert bob.known_right < 6
    assert found.left_out == ("bob",)
    assert len(found.used) == 50
    assert all(one.probability == repr(50 / 60) for one, _ in found.used)


def test_a_later_label_of_the_same_row_takes_the_place_of_the_earlier() -> None:
    sheet = sheet_of(10, known=0)
    first = label(sheet.items[0], preference="A")
    later = replace(first, time="2026-01-02T00:00:00Z", preference="tie")
    found = join_labels(sheet, [later, first])
    assert ([one.preference for one in found.labels], found.replaced) == (["tie"], 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"row": "0" * 20}, "not of this page"),
        ({"page": "another"}, "not of this page"),
        ({"probability": "0.25"}, "drawn with probability '0.25'"),
        ({"probability": "often"}, "drawn with probability 'often'"),
    ],
)
def test_labels_that_do_not_fit_the_key_are_refused(change: dict[str, str], told: str) -> None:
    sheet = sheet_of(10)
    item = next(item for item in sheet.items if not item.known)
    with pytest.raises(BadInput, match=told):
        join_labels(sheet, [replace(label(item, preference="A"), **change)])


@pytest.mark.parametrize(
    ("column", "value"),
    [("preference", "C"), ("language_a", "maybe"), ("confidence", "9"), ("annotator", "=cmd()"), ("row", "")],
)
def test_a_value_outside_the_schema_is_refused_by_its_line(tmp_path: Path, column: str, value: str) -> None:
    good = label(sheet_of(10).items[0], preference="A")
    write_labels(tmp_path / "l.csv", [good, replace(good, **{column: value})])
    with pytest.raises(BadRecord, match="record 2"):
        read_labels(tmp_path / "l.csv")


def write_label_studio(path: Path, sheet: Sheet, choices: Sequence[str]) -> Path:
    """As Label Studio exports JSON: a control of choices, a pairwise one and a rating."""
    tasks = []
    for number, (item, choice) in enumerate(zip(sheet.items, choices, strict=True)):
        side = {"A": "left", "B": "right"}.get(choice)
        controls: list[dict[str, Any]] = [
            {"from_name": "language_a", "to_name": "a", "type": "choices", "value": {"choices": ["yes"]}},
            {"from_name": "confidence", "to_name": "a", "type": "rating", "value": {"rating": 3}},
            {"from_name": "comment", "to_name": "a", "type": "textarea", "value": {"text": ["not read"]}},
        ]
        if side and number % 2:
            controls.append({"from_name": "preference", "type": "pairwise", "value": {"selected": side}})
        else:
            controls.append({"from_name": "preference", "type": "choices", "value": {"choices": [choice]}})
        done = {"completed_by": 10, "was_cancelled": False, "created_at": "2026-01-01T00:00:00Z", "result": controls}
        skipped = {"completed_by": 11, "was_cancelled": True, "result": []}
        tasks.append({"id": number, "data": {"row": item.row}, "annotations": [done, skipped]})
    write_json(path, tasks)
    return path


def write_argilla(path: Path, sheet: Sheet, choices: Sequence[str]) -> Path:
    """As records.to_json of Argilla 2 writes them."""
    records = []
    for item, choice in zip(sheet.items, choices, strict=True):
        responses = {
            "preference": [{"value": choice, "user_id": "10"}],
            "confidence": [{"value": 3, "user_id": "10"}],
            "language_a": [{"value": "yes", "user_id": "10"}],
        }
        fields = {"instruction": item.instruction, "answer_a": item.shown[0], "answer_b": item.shown[1]}
        records.append({"id": "x", "fields": fields, "metadata": {"row": item.row}, "responses": responses})
    write_json(path, records)
    return path


def test_other_tools_give_the_same_labels(tmp_path: Path) -> None:
    sheet = sheet_of(40)
    source = random.Random(1)
    choices = [source.choice(["A", "B", "tie"]) for _ in sheet.items]
    studio = join_labels(sheet, read_any_labels(write_label_studio(tmp_path / "ls.json", sheet, choices)))
    argilla = join_labels(sheet, read_any_labels(write_argilla(tmp_path / "ar.json", sheet, choices)))
    by_row = {item.row: choice for item, choice in zip(sheet.items, choices, strict=True)}
    for found in (studio, argilla):
        assert {one.row: one.preference for one in found.labels} == by_row
        assert {(one.annotator, one.language_a, one.confidence) for one in found.labels} == {("10", "yes", "3")}


def test_a_file_that_is_no_labels_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", [{"a": 1}])
    with pytest.raises(BadInput, match="Label Studio"):
        read_any_labels(tmp_path / "x.json")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="lacks the columns row, annotator, preference"):
        read_any_labels(tmp_path / "x.csv")


def write_outputs(folder: Path, name: str, rows: int) -> Path:
    answers = [
        {
            "id": n,
            "instruction": f"Frage {n}",
            "output": f"{name} antwortet {n}",
            "generator": name,
            "language": "deu",
        }
        for n in range(1, rows + 1)
    ]
    write_json(folder / name / "deu.json", answers)
    return folder / name


def test_the_verb_writes_a_page_and_reads_labels_that_score_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, base = write_outputs(tmp_path, "model", 60), write_outputs(tmp_path, "base", 60)
    page = tmp_path / "page.html"
    make = ["annotate", str(model), "--reference", str(base), "--rows", "55", "--out", str(page), "--json"]
    assert main(make) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"deu model": 55}
    tasks = json.loads((tmp_path / "page.tasks.json").read_text(encoding="utf-8"))
    assert set(tasks[0]) == {"row", "language", "instruction", "answer_a", "answer_b"}
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for task in tasks:  # the annotator likes the model's answers, wherever they are
            better = "A" if task["answer_a"].startswith("model") else "B"
            writer.writerow({"row": task["row"], "annotator": "ana", "preference": better})
    key = str(tmp_path / "page.key.json")
    read = ["annotate", "--import", str(tmp_path / "labels.csv"), "--key", key, "--out", str(tmp_path / "people")]
    assert main([*read, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_used"] == 55
    rows = read_annotations(tmp_path / "people/model/people-ana")
    assert {(row.preference, row.method) for row in rows} == {(2.0, "people")}
    assert {row.order for row in rows} == {"12", "21"}
    assert main(["score", str(tmp_path / "people/model/people-ana"), "--gate", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["win_rate"] == 100
    assert main(["annotate", str(model), "--out", str(page)]) == 2
    assert main(["annotate", "--import", str(tmp_path / "labels.csv"), "--out", str(tmp_path / "people")]) == 2
