"""Filling takes values as data; escaping leaves no tag that could end an untrusted text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.errors import BadInput
from xl_suite.placeholders import fill, fill_all, find_names
from xl_suite.tags import escape_tags, restore_tags


@given(st.text(), st.text())
def test_a_value_is_never_filled_again(first: str, second: str) -> None:
    assert fill("{a}|{b}", {"a": "{b}" + first, "b": second + "{a}"}) == "{b}" + first + "|" + second + "{a}"
    assert fill("{{a}}{b}", {"a": "{{b}}" + first, "b": second}, double=True) == "{{b}}" + first + "{b}"


def test_names_without_a_value_stay() -> None:
    assert find_names("{a} {b c} {{d}} { e }") == {"a", "d"}
    assert find_names("{a} {{d}}", double=True) == {"d"}
    assert fill("{a} {other} \\1", {"a": "\\g<0>"}) == "\\g<0> {other} \\1"


@pytest.mark.parametrize("values", [{"a": "1"}, {"a": "1", "b": "2", "c": "3"}])
def test_placeholders_and_values_that_do_not_match_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"the letter: .* not match: [bc]\."):
        fill_all("{a} {b}", values, "the letter")


@given(st.text() | st.text(alphabet="<>/&lt; passage\n{}"))
def test_escaping_can_be_undone_and_leaves_no_tag(text: str) -> None:
    escaped = escape_tags(text, "passage")
    assert "<passage" not in escaped
    assert "</passage" not in escaped
    if "&lt;" not in text:
        assert restore_tags(escaped, "passage") == text


def test_only_the_named_tags_are_escaped() -> None:
    text = "<b>a < b</b> <answers> </answer> < / ANSWER x> <instruction>"
    escaped = "<b>a < b</b> <answers> &lt;/answer> &lt; / ANSWER x> <instruction>"
    assert escape_tags(text, "answer") == escaped
