"""The paper's numbers: complete, in range, consistent where the paper is, and not where the documentation says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from itertools import combinations

import pytest

from xl_suite.errors import BadInput
from xl_suite.languages import table as language_table
from xl_suite.paper.published import (
    TABLES,
    find_model,
    find_scores,
    group_by_run,
    paper_models,
    published_scores,
)

EIGHT = {"por", "deu", "hun", "lit", "gle", "mlt", "zho", "hin"}
COLUMNS = {
    1: EIGHT,
    2: EIGHT,
    3: EIGHT | {"eng"},
    6: EIGHT,
    7: {"fra", "fin", "tur"},
    8: {"precision", "informativeness", "naturalness", "objectivity"},
    9: {"fin", "hin", "tur"},
    10: EIGHT,
}
LINES = {1: 7, 2: 7, 3: 10, 6: 23, 7: 3, 8: 3, 9: 4, 10: 8}
RUNS = group_by_run(published_scores())


def line(table: int, model: str, training: str = "none", size: int = 0) -> dict[str, float]:
    return RUNS[table, model, training, size]


def sums_with_change(model: str) -> dict[str, float]:
    """Table 1 plus Table 2: the win rates that reason-then-translate must have had."""
    before, change = line(1, model), line(2, model)
    return {code: round(before[code] + change[code], 2) for code in EIGHT}


def test_every_table_has_all_its_lines_and_columns() -> None:
    assert Counter(run[0] for run in RUNS) == LINES
    for run, values in RUNS.items():
        average = "average" if run[0] == 8 else "avg"
        assert set(values) == COLUMNS[run[0]] | {average}, run
    assert len(published_scores()) == 548
    assert tuple(dict.fromkeys(row.table for row in published_scores())) == TABLES


@pytest.mark.parametrize("run", RUNS, ids=lambda run: "-".join(map(str, run)))
def test_printed_averages_are_the_means_of_their_lines(run: tuple[int, str, str, int]) -> None:
    """All 65 hold to the rounding. Table 3's leaves English out, which its caption does not say."""
    values = dict(RUNS[run])
    printed = values.pop("average" if run[0] == 8 else "avg")
    values.pop("eng", None)
    assert abs(printed - sum(values.values()) / len(values)) <= 0.005 + 1e-9


@pytest.mark.parametrize("table", TABLES)
def test_every_number_is_in_the_range_of_its_metric(table: int) -> None:
    known = {language.code for language in language_table()} | {"avg"}
    for row in find_scores(table=table):
        assert row.language in known, row
        assert row.benchmark == ("m-alpacaeval" if table == 3 else "xl-alpacaeval"), row
        assert row.strategy == ("reason-then-translate" if table == 2 else "direct"), row
        assert (row.training == "none") == (row.size == 0), row
        assert row.version == "v1", row
        low, high = {2: (-100, 100), 8: (1, 5)}.get(table, (0, 100))
        assert low <= row.value <= high, row
        assert table == 8 or row.metric == ("win_rate_change" if table == 2 else "win_rate"), row


@pytest.mark.parametrize("model", ["EuroLLM 9B Instruct", "Qwen 2.5 7B Instruct", "Aya Expanse 8B"])
def test_tables_1_and_6_agree_off_the_shelf(model: str) -> None:
    assert line(1, model) == line(6, model)


def test_tables_6_and_10_share_four_lines() -> None:
    for model in ("EuroLLM 9B", "EuroLLM 9B Instruct"):
        assert line(6, model) == line(10, model)
    assert line(6, "EuroLLM 9B", "xl-instruct", 8000) == line(10, "EuroLLM 9B", "xl-instruct:best-of-3", 8000)
    assert line(6, "EuroLLM 9B Instruct", "xl-instruct", 32) == line(
        10, "EuroLLM 9B Instruct", "xl-instruct:best-of-3", 32
    )


def test_tables_1_and_2_add_up_to_two_impossible_win_rates() -> None:
    sums = {model: sums_with_change(model) for _, model, _, _ in group_by_run(find_scores(table=1))}
    negative = {(model, code): value for model, line in sums.items() for code, value in line.items() if value < 0}
    assert negative == {("Aya 23 8B", "hun"): -6.55, ("Aya Expanse 8B", "hun"): -27.51}


def test_only_exchanging_hun_and_zho_in_table_2_removes_both() -> None:
    models = [model for _, model, _, _ in group_by_run(find_scores(table=1))]

    def all_possible(first: str, second: str) -> bool:
        moved = {code: code for code in EIGHT} | {first: second, second: first}
        return all(line(1, model)[code] + line(2, model)[moved[code]] >= 0 for model in models for code in EIGHT)

    assert [set(pair) for pair in combinations(sorted(EIGHT), 2) if all_possible(*pair)] == [{"hun", "zho"}]


def test_the_best_size_of_eurollm_instruct_depends_on_the_table() -> None:
    table_6 = {run[3]: values["avg"] for run, values in RUNS.items() if run[:2] == (6, "EuroLLM 9B Instruct")}
    assert max(table_6, key=table_6.__getitem__) == 2000
    assert table_6 == {0: 12.70, 32: 20.84, 256: 17.83, 2000: 21.18, 8000: 19.75}
    trained = {
        table: {run[3] for run in RUNS if run[:2] == (table, "EuroLLM 9B Instruct")} - {0} for table in (3, 10)
    }
    assert trained == {3: {8000}, 10: {32}}


def test_random_sampling_beats_best_of_3_on_the_base_model() -> None:
    arms = {name: line(10, "EuroLLM 9B", f"xl-instruct:{name}", 8000) for name in ("random", "naive", "best-of-3")}
    assert {name: arm["avg"] for name, arm in arms.items()} == {"random": 22.69, "naive": 21.17, "best-of-3": 21.54}
    assert {code for code in EIGHT if arms["random"][code] > arms["best-of-3"][code]} == EIGHT - {"deu", "hin"}
    assert {code for code in EIGHT if arms["random"][code] > arms["naive"][code]} == EIGHT
    assert {code for code in EIGHT if arms["naive"][code] > arms["best-of-3"][code]} == {"gle", "mlt"}


def test_training_on_finnish_and_turkish_scores_below_the_zero_shot_line() -> None:
    zero_shot = line(7, "EuroLLM 9B", "xl-instruct", 8000)
    naive = line(9, "EuroLLM 9B", "xl-instruct:naive", 40000)
    assert (naive["fin"], zero_shot["fin"], naive["tur"], zero_shot["tur"]) == (15.3, 22.72, 9.98, 13.33)
    assert naive["hin"] == 10.9 < line(10, "EuroLLM 9B", "xl-instruct:naive", 8000)["hin"] == 15.53


def test_sixteen_cells_of_table_3_are_below_one_percent() -> None:
    cells = [row for row in find_scores(table=3) if row.language != "avg"]
    assert (len(cells), sum(row.value < 1 for row in cells)) == (90, 16)


def test_filters_narrow_down_and_refuse_what_no_number_has() -> None:
    [score] = find_scores(table=6, model="Qwen 2.5 7B", training="xl-instruct", size=8000, language="por")
    assert score.value == 27.13
    assert find_scores() == published_scores()
    with pytest.raises(BadInput, match="table 4; known: 1, 2, 3, 6"):
        find_scores(table=4)
    with pytest.raises(BadInput, match="'ger'"):
        find_scores(language="ger")


def test_a_line_printed_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="two values"):
        group_by_run([*find_scores(table=7), *find_scores(table=7)])


def test_every_model_of_the_tables_is_described() -> None:
    assert {row.model for row in published_scores()} == {
        model.name for model in paper_models() if {"evaluated", "trained"} & set(model.roles)
    }
    evaluated = [model.name for model in paper_models() if "evaluated" in model.roles]
    assert evaluated == list(dict.fromkeys(row.model for row in find_scores(table=1)))
    trained = {model.name for model in paper_models() if "trained" in model.roles}
    assert trained == {row.model for row in find_scores(table=6)}


@pytest.mark.parametrize("model", paper_models(), ids=lambda model: model.name)
def test_model_rows_are_sound(model: object) -> None:
    row = find_model(model.name)  # type: ignore[attr-defined]
    assert row == model == find_model(row.hub_id)
    assert all(getattr(row, field.name) for field in fields(row))
    assert row.hub_id.count("/") == 1
    assert (row.kind, row.prompt_format == "plain") in {("base", True), ("instruct", False)}
    assert set(row.languages) <= {language.code for language in language_table()}
    assert set(row.roles) <= {"evaluated", "trained", "teacher", "translator"}
    assert 7 < row.billions < 73


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="Aya Expanse 8B"):
        find_model("Aya Expans 8B")
