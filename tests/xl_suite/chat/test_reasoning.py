"""The one reader of reasoning."""

from __future__ import annotations

import pytest

from xl_suite.chat.reasoning import split_reasoning

ANSWER, THOUGHT = "Das ist die Antwort.", "The user wants German."


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}",
        f"{THOUGHT}\n</think>\n\n{ANSWER}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
        f"analysis{THOUGHT}assistantfinal{ANSWER}",
        f"[THINK]{THOUGHT}[/THINK]{ANSWER}",
        f"<thinking>{THOUGHT}</thinking>\n{ANSWER}",
        f"<reasoning>\n{THOUGHT}\n</reasoning>\n<answer>\n{ANSWER}\n</answer>",
    ],
)
def test_reasoning_is_taken_off(text: str) -> None:
    assert split_reasoning(text) == (ANSWER, THOUGHT)


def test_reasoning_without_an_end_leaves_no_answer() -> None:
    assert split_reasoning(f"<think>\n{THOUGHT}") == ("", THOUGHT)


@pytest.mark.parametrize(
    "text",
    ["I think so.", "The tag <think> opens a block.", "`<think>a</think>` is a block.", "", "analysis of THINK"],
)
def test_a_mention_of_thinking_stays(text: str) -> None:
    assert split_reasoning(text) == (text, None)
