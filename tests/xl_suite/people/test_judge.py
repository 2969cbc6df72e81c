"""What labels say of a judge: intervals that hold where people lean, and corrections only where the draw is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.benchmarks.people import Setting, simulate
from tests.xl_suite.people.test_annotate import label, make_pairs
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.judging.pairs import Pair
from xl_suite.people.clustered import bound_mean
from xl_suite.people.correction import correct_rate, refuse_correction
from xl_suite.people.judge import Checked, check_judge
from xl_suite.people.labelled import join_labels
from xl_suite.people.labels import Label, write_labels
from xl_suite.people.sheet import Item, Sheet, make_sheet, write_key
from xl_suite.records import write_json

ROWS = 200


def judge_pairs(pairs: list[Pair], share: Callable[[int], float | None]) -> list[Annotation]:
    return [
        Annotation(
            pair.instruction,
            pair.output_1,
            pair.generator_1,
            pair.output_2,
            pair.generator_2,
            "judge",
            None if (one := share(pair.id or 0)) is None else 1 + one,
            id=pair.id,
            language="deu",
        )
        for pair in pairs
    ]


def truth(number: int) -> bool:
    """Whether the model's answer is the better one: in 7 of 10 rows."""
    return number % 10 < 7


def label_rows(sheet: Sheet, likes: Callable[[int], bool], who: str = "ana") -> list[Label]:
    def side(item: Item) -> str:
        if item.known:
            return item.known
        return "A" if likes(item.id or 0) == (item.first == 2) else "B"

    return [label(item, who, preference=side(item)) for item in sheet.items]


def check(
    share: Callable[[int], float | None], *, sheet: Sheet | None = None, likes: Callable[[int], bool] = truth
) -> Checked:
    pairs = make_pairs(ROWS)
    sheet = sheet or make_sheet([{"deu": pairs}], rows=80)
    labels = label_rows(sheet, likes) + label_rows(sheet, likes, "bob")
    (one,) = check_judge(join_labels(sheet, labels), judge_pairs(pairs, share)).checked
    return one


def test_a_judge_that_agrees_ranks_and_its_bias_is_corrected() -> None:
    one = check(lambda number: 0.9 if truth(number) or number % 10 == 8 else 0.2)
    assert one.verdict == "rank"
    assert one.agreement is not None
    assert one.agreement > 0.85
    assert one.people == 1.0
    assert one.win_rate == pytest.approx(76)
    assert one.corrected is not None
    assert abs(one.corrected - 70) < 5
    assert (one.corrected_low or 0) < 70 < (one.corrected_high or 0)
    assert one.refused == ""


@pytest.mark.parametrize("share", [lambda number: 1.0, lambda number: float(number % 7 < 4)])
def test_a_judge_that_sees_nothing_does_not_rank(share: Callable[[int], float]) -> None:
    one = check(share)
    assert one.verdict == "do not rank"
    assert one.beyond is not None
    assert abs(one.beyond) < 0.1
    assert one.corrected is not None  # the labels alone still give a rate
    assert abs(one.corrected - 70) < 8


def test_few_labels_are_called_few() -> None:
    sheet = make_sheet([{"deu": make_pairs(ROWS)}], rows=20)
    one = check(lambda number: float(truth(number)), sheet=sheet)
    assert one.verdict == "too few labels"
    assert one.corrected is None
    assert "50 are needed" in one.refused


def test_rows_without_a_known_probability_correct_nothing() -> None:
    sheet = make_sheet([{"deu": make_pairs(ROWS)}], ids=list(range(1, 81)))
    one = check(lambda number: float(truth(number)), sheet=sheet)
    assert one.corrected is None
    assert "without a known probability" in one.refused
    assert one.verdict == "rank"  # agreement is told all the same


def test_rows_that_people_left_out_correct_nothing() -> None:
    pairs = make_pairs(ROWS)
    sheet = make_sheet([{"deu": pairs}], rows=80)
    labels = label_rows(sheet, truth)[:70]
    (one,) = check_judge(join_labels(sheet, labels), judge_pairs(pairs, lambda n: float(truth(n)))).checked
    assert "of the 80 drawn rows have a label" in one.refused


def test_unread_verdicts_are_counted_and_their_rows_are_corrected_by_labels() -> None:
    one = check(lambda number: None if number % 5 == 0 else float(truth(number)))
    assert one.n_unread == 40
    assert one.corrected is not None
    assert abs(one.corrected - 70) < 6


def test_identical_answers_are_ties_in_both_rates() -> None:
    pairs = [replace(pair, output_2=pair.output_1) if (pair.id or 0) > 100 else pair for pair in make_pairs(ROWS)]
    sheet = make_sheet([{"deu": pairs}], rows=100)
    judged = judge_pairs(pairs, lambda n: 0.5 if n > 100 else float(truth(n)))
    (one,) = check_judge(join_labels(sheet, label_rows(sheet, truth)), judged).checked
    assert one.win_rate == one.corrected == pytest.approx(60)


def test_judgements_of_other_answers_are_refused() -> None:
    pairs = make_pairs(ROWS)
    sheet = make_sheet([{"deu": pairs}], rows=80)
    others = [replace(pair, output_2="another answer") for pair in pairs]
    with pytest.raises(BadInput, match="80 labelled rows are not among judge's judgements"):
        check_judge(join_labels(sheet, label_rows(sheet, truth)), judge_pairs(others, lambda n: 1.0))
    short = judge_pairs([pair for pair in pairs if (pair.id or 0) <= 200], lambda n: 1.0)
    kept = {item.id for item in sheet.items}
    (one,) = check_judge(
        join_labels(sheet, label_rows(sheet, truth)), [row for row in short if row.id in kept]
    ).checked
    assert "the judge judged" in one.refused


def test_a_correction_does_not_depend_on_what_the_judge_is_worth() -> None:
    source = np.random.default_rng(0)
    judge = source.random(ROWS)
    labels = (source.random((80, 2)) < 0.7).astype(float)
    noise = correct_rate(judge, list(range(80)), labels)
    assert noise.weight < 0.3
    assert noise.rate.value == pytest.approx(noise.labels_alone.value, abs=0.03)
    constant = correct_rate(np.ones(ROWS), list(range(80)), labels)
    assert constant.weight == 0
    assert constant.rate.value == constant.labels_alone.value


def test_probabilities_of_another_draw_are_refused() -> None:
    labels = np.tile([0.0, 1.0], 40)[:, None]
    assert refuse_correction([0.4] * 80, labels, n_drawn=80, n_rows=200) is None
    for probabilities in ([0.4] * 79 + [None], [0.4] * 79 + [0.5], [0.5] * 80):
        assert refuse_correction(probabilities, labels, n_drawn=80, n_rows=200)
    lopsided = np.array([0.0] * 75 + [1.0] * 5)[:, None]
    assert "wins or losses" in (refuse_correction([0.4] * 80, lopsided, n_drawn=80, n_rows=200) or "")


def test_people_who_lean_widen_the_interval() -> None:
    source = np.random.default_rng(0)
    alike = (source.random((60, 4)) < 0.5).astype(float)
    leaning = (source.random((60, 4)) < np.array([0.2, 0.4, 0.6, 0.8])).astype(float)
    widths = [(one.high or 0) - (one.low or 0) for one in map(bound_mean, (alike, leaning))]
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("setting", [Setting(), Setting(leaning=0.6, people=3), Setting(people=1, leaning=0.0)])
def test_intervals_hold_under_clustering(setting: Setting) -> None:
    """A short form of scripts/benchmarks/people.py, with the room that 200 simulations need."""
    found = simulate(setting, 200)
    assert 90 <= found["agreement"] <= 99.5
    assert 90 <= found["corrected"] <= 99.5
    assert abs(found["raw error"]) > 5  # there is something to correct


def test_the_verb_shows_raw_and_corrected_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = make_pairs(ROWS)
    sheet = make_sheet([{"deu": pairs}], rows=80)
    write_key(tmp_path / "page.key.json", sheet)
    write_labels(tmp_path / "labels.csv", label_rows(sheet, truth))
    rows = [replace(row, method="parsed") for row in judge_pairs(pairs, lambda n: float(truth(n)))]
    write_json(tmp_path / "judged/deu.json", rows)
    read = ["annotate", "--import", str(tmp_path / "labels.csv"), "--key", str(tmp_path / "page.key.json")]
    read += ["--judged", str(tmp_path / "judged"), "--out", str(tmp_path / "people")]
    assert main(read) == 0
    told = capsys.readouterr().out
    assert "win rate by the judge 70.0" in told
    assert "corrected by labels 70.0" in told
    written = json.loads((tmp_path / "people/judge.json").read_text(encoding="utf-8"))
    assert written["languages"][0]["verdict"] == "rank"
