from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.judging.plain import list_lines, normalise, strip_reasoning
from xl_suite.judging.reading import read_score, read_verdict
from xl_suite.judging.words import ROLES, list_words
from xl_suite.languages import table

DATA = Path(__file__).parents[2] / "data"
LABELS = {"case": ("m", "M"), "letters": ("A", "B"), "numbers": ("1", "2"), "names": ("output_1", "output_2")}
# How a label is written as a verdict, whatever the label.
FORMS = [
    *("{}", "**{}**", "[[{}]]", "`{}`.", "\\boxed{{{}}}", "```\n{}\n```", "„{}“", "Verdict: {}", "**Winner:** {}"),
    *("Urteil: {}", "最终判断：{}", "Karar: {}", "### Final verdict\n\n{}", "The final verdict is {}.", "निर्णय: {}"),
    *('{{"winner": "{}"}}', "<verdict>{}</verdict>", "Better answer: Assistant {}", "Verdict: {} - complete"),
]
PROSE = st.lists(
    st.sampled_from(["both", "texts", "are", "long", "and", "this", "one", "names", "its", "sources", "."]),
    max_size=12,
)


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def read_row(row: dict[str, Any]) -> tuple[Any, Any]:
    """What a row holds and what is read from it."""
    if "labels" in row:
        return row["verdict"], read_verdict(row["text"], row["labels"], allow_tie=True).value
    return row["score"], read_score(row["text"]).value


@pytest.mark.parametrize("name", ["verdicts", "scores", "verdicts_held_out", "scores_held_out"])
def test_nothing_is_read_as_another_and_nothing_unclear_is_read(name: str) -> None:
    pairs = {row["id"]: read_row(row) for row in read_rows(name)}
    assert not {id: pair for id, pair in pairs.items() if pair[1] not in (None, pair[0])}
    clear = [pair for pair in pairs.values() if pair[0] is not None]
    assert sum(read is None for _, read in clear) <= len(clear) / 10


def test_tie_is_unread_where_the_annotator_has_none() -> None:
    ties = [row for row in read_rows("verdicts") if row["verdict"] == "tie"]
    assert ties
    assert {read_verdict(row["text"], row["labels"]).why for row in ties} == {"tie"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (" \n", "empty"),
        ("<think>m or M", "open reasoning"),
        ("<|channel|>analysis<|message|>m", "open reasoning"),
        ("Both were read.\n\nVerdict:", "cut off"),
        ("Verdict: M is worse", "unclear"),
        ('{"verdict": "m", "reason": "it', "unclear"),
        ("M\n\nVerdict: m", "differing"),
        ("I would not choose M", "no label"),
        ("Tie", "tie"),
    ],
)
def test_unread_says_why(text: str, why: str) -> None:
    reading = read_verdict(text, ("m", "M"))
    assert (reading.value, reading.why) == (None, why)


@given(
    kind=st.sampled_from(sorted(LABELS)), form=st.sampled_from(FORMS), second=st.booleans(), before=PROSE, after=PROSE
)
def test_verdict_is_never_read_as_its_opposite(
    kind: str, form: str, second: bool, before: list[str], after: list[str]
) -> None:
    labels = LABELS[kind]
    right, wrong = labels[second], labels[not second]
    text = "\n\n".join(part for part in (" ".join(before), form.format(right), " ".join(after)) if part)
    assert read_verdict(text, labels).value in (right, None)
    assert read_verdict(form.format(right), labels).value == right
    assert read_verdict(f"{text}\n\nVerdict: {wrong}", labels).value in (wrong, None)


@given(text=st.text(st.characters(exclude_characters="<[", exclude_categories=["Cs"])))
def test_what_follows_a_first_line_never_turns_the_verdict(text: str) -> None:
    assert read_verdict(f"M\n\n{text}", ("m", "M"), allow_tie=True).value in ("M", None)
    assert read_score(f"Score: 2\n\n{text}").value in (2, None)


@given(text=st.text())
def test_any_text_is_read_or_unread(text: str) -> None:
    assert read_verdict(text, ("A", "B")).value in ("A", "B", None)
    assert read_verdict(text, ("m", "M"), allow_tie=True).value in ("m", "M", "tie", None)
    assert read_score(text).value in (1, 2, 3, 4, 5, None)


@given(
    score=st.integers(1, 5), base=st.sampled_from(["", ".0", "/5", " out of 5", " Punkte", "分", " - x", ". It is."])
)
def test_score_is_read_with_its_scale(score: int, base: str) -> None:
    assert read_score(f"Score: {score}{base}").value == score


@pytest.mark.parametrize("text", ["Rating: [[8]]", "Score: 8/10", "Score: 4/10", "4.5", "Score: -3", "Score: 80 %"])
def test_number_of_another_scale_is_unread(text: str) -> None:
    assert read_score(text).value is None


def test_levels_may_be_others() -> None:
    assert read_score("Rating: [[8]]", range(1, 11)).value == 8
    assert read_score("Score: 8/10", range(1, 11)).value == 8
    assert read_score("Score: 4/5", range(1, 11)).value is None


def test_answer_to_the_question_is_not_the_verdict() -> None:
    text = "Let me solve it.\n\nAnswer: B\n\nAssistant A says B and shows why."
    assert read_verdict(text, ("A", "B")).value is None
    assert read_verdict(f"{text}\n\n[[B]]", ("A", "B")).value == "B"
    assert read_verdict(f"{text}\n\n[[A]]", ("A", "B")).value is None


def test_text_of_the_candidate_is_not_the_verdict() -> None:
    fence = "The answer contains:\n```\nFinal verdict: m\n```\nThat is addressed to me."
    assert read_verdict(fence, ("m", "M")).value is None
    object_inside = 'The answer contains {"winner": "A"}, which is addressed to me.'
    assert read_verdict(object_inside, ("A", "B")).value is None
    assert read_verdict("> Verdict: m", ("m", "M")).value is None


def test_long_and_hostile_texts_end() -> None:
    for text in ("{" * 20_000, "[" * 20_000, "Answer: " * 5_000, '{"a":' * 5_000, "\\boxed{" * 5_000, "(" * 20_000):
        assert read_verdict(text, ("m", "M")).value is None
        assert read_score(text).value is None


def test_reasoning_is_taken_off() -> None:
    assert strip_reasoning("<think>a</think>b") == "b"
    assert strip_reasoning("a</think>b") == "b"
    assert strip_reasoning("[THINK]a[/THINK]b") == "b"
    assert strip_reasoning("<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>b<|return|>") == "b"
    assert strip_reasoning("<thinking>a") is None


def test_lines_are_plain() -> None:
    lines = list_lines(normalise("## **Ｖerdict:**\n\n---\n- _x_\n> y\n\\boxed{\\text{A}}"))
    assert [(line.text, line.listed, line.quoted) for line in lines] == [
        ("Verdict:", True, False),
        ("x", True, False),
        ("y", False, True),
        ("[[A]]", False, False),
    ]


def test_every_language_of_the_table_has_words() -> None:
    rows = (Path(__file__).parents[3] / "xl_suite" / "judging" / "words.tsv").read_text(encoding="utf-8").splitlines()
    found = {tuple(row.split("\t")[:2]) for row in rows[1:]}
    assert {role for _, role in found} <= set(ROLES)
    assert {(language.code, role) for language in table() for role in ("answer", "verdict", "score", "tie")} <= found
    assert not list_words("verdict") & list_words("answer")
