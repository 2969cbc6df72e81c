"""Which rows are drawn, with which probability, and what precision they buy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from xl_suite.bridging.design import DRAWN_BY, Candidate, allocate, draw_rows, weigh_rows
from xl_suite.bridging.precision import foresee
from xl_suite.errors import BadInput


def make_candidates(models: int = 3, prompts: int = 60) -> list[Candidate]:
    return [
        Candidate(f"m{model}", language, prompt, 0.5 + (prompt * (model + 7)) % 31 / 10)
        for model in range(models)
        for language in ("deu", "gle")
        for prompt in range(1, prompts + 1)
    ]


def test_rows_are_drawn_in_every_stratum() -> None:
    rows = draw_rows(make_candidates(), 15)
    assert Counter((row.language, row.model) for row in rows) == {
        (language, f"m{model}"): 15 for language in ("deu", "gle") for model in range(3)
    }
    assert set(Counter(row.stratum for row in rows).values()) == {5}
    assert {row.probability for row in rows} == {0.25}
    assert rows == draw_rows(reversed(make_candidates()), 15)
    assert rows != draw_rows(make_candidates(), 15, seed=1)


def test_probabilities_are_the_shares_that_are_drawn() -> None:
    """Over many seeds every row is drawn as often as its probability says, within each stratum."""
    candidates = [Candidate("m", "deu", prompt, prompt % 7) for prompt in range(20)]
    drawn: Counter[int | str] = Counter()
    said: dict[int | str, float | None] = {}
    for seed in range(600):
        for row in draw_rows(candidates, 8, seed=seed):
            drawn[row.prompt] += 1
            said[row.prompt] = row.probability
    for prompt, count in drawn.items():
        assert count / 600 == pytest.approx(said[prompt], abs=0.09)
    assert len(drawn) == 20


def test_models_share_prompts() -> None:
    rows = draw_rows(make_candidates(), 30)
    prompts = [{row.prompt for row in rows if row.model == model and row.language == "deu"} for model in ("m0", "m1")]
    assert len(prompts[0] & prompts[1]) > 20  # 15 by chance


def test_repeats_are_a_part_with_its_own_probability() -> None:
    rows = draw_rows(make_candidates(1), 20, repeat_share=0.25)
    assert Counter(row.repeated for row in rows) == {False: 30, True: 10}
    assert {row.repeat_probability for row in rows} == {0.25}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 59, 60, 61])
def test_never_more_than_asked_for(count: int) -> None:
    rows = draw_rows(make_candidates(1), count)
    assert Counter(row.language for row in rows) == {"deu": min(count, 60), "gle": min(count, 60)}
    assert all(row.probability is not None and 0 < row.probability <= 1 for row in rows)


def test_allocation() -> None:
    assert allocate(10, [20, 20, 21]) == [3, 3, 4]
    assert allocate(3, [20, 20, 21]) == [1, 1, 1]
    assert allocate(100, [20, 20, 21]) == [20, 20, 21]


def test_weights_are_the_inverse_probabilities() -> None:
    rows = draw_rows(make_candidates(1), 15)
    assert set(weigh_rows(rows, DRAWN_BY).values()) == {4.0}


def test_refuses_rows_chosen_by_their_verdict_without_probabilities() -> None:
    rows = [replace(row, probability=None) for row in draw_rows(make_candidates(1), 15)]
    with pytest.raises(
        BadInput, match=r"the probability with which the row was drawn is not known.*by language, verdict"
    ):
        weigh_rows(rows, ("language", "verdict"))
    with pytest.raises(BadInput, match=r"0\.0 is not a probability"):
        weigh_rows([replace(rows[0], probability=0.0)], DRAWN_BY)


@pytest.mark.parametrize(("count", "share"), [(0, 0.1), (5, -0.1), (5, 1.1)])
def test_refuses_a_senseless_draw(count: int, share: float) -> None:
    with pytest.raises(BadInput):
        draw_rows(make_candidates(1), count, repeat_share=share)


def test_precision_grows_with_rows_models_and_families() -> None:
    models = [(f"m{number}", f"f{number % 6}") for number in range(12)]
    base = foresee(models, {"deu": 100, "gle": 100})
    more_rows = foresee(models, {"deu": 400, "gle": 100})
    more_families = foresee([(f"m{number}", f"f{number % 12}") for number in range(24)], {"deu": 100, "gle": 100})
    assert base.languages["deu"] == pytest.approx(base.languages["gle"])
    assert more_rows.languages["deu"][0] < more_rows.languages["gle"][0]
    assert more_families.overall[0] < base.overall[0] < base.languages["deu"][0]
    assert more_families.languages["deu"][1] < base.languages["deu"][1] < base.languages["deu"][0]
    with pytest.raises(BadInput):
        foresee(models[:1], {"deu": 100})
