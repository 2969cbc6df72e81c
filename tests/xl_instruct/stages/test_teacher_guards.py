"""What a teacher writes between its tags: what is refused, by which guard, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import answer, write_passages
from tests.xl_instruct.stages.test_pipeline import configure, run
from xl_instruct.config import parse_config
from xl_instruct.stages.teacher_guards import REASONS, check_instruction, check_response
from xl_suite.chat.loopback.server import Reply, serve_loopback
from xl_suite.errors import BadInput

PASSAGE = (
    "I have kept sourdough for 12 years. A starter is flour and water in which wild yeast and bacteria live. Feed it "
    "once a day when it is on the counter, or once every week when it is in the refrigerator, with equal weights of "
    "flour and water. A healthy starter doubles within six hours, smells of yoghurt, and floats when a spoonful is "
    "put in a glass of water. Grey liquid on top is alcohol: pour it off, feed the starter twice. Pink streaks mean "
    "that it has spoiled. Throw it away then. I sold 1,500 jars of it in March 2019."
)
INSTRUCTION = "How do I look after a sourdough starter, and how can I tell that it is healthy?"
SOUND = (
    "A sourdough starter is a mix of flour and water in which wild yeast and bacteria live.\n\n"
    "## Feeding\n\n1. On the counter, feed it once a day.\n2. In the refrigerator, feed it once a week.\n\n"
    "Use equal weights of flour and water.\n\n"
    "## Signs of health\n\n- It doubles within 6 hours.\n- It floats in a glass of water.\n\n"
    "Pour off grey liquid. If there are pink streaks, throw the starter away."
)


def judge(response: str, instruction: str = INSTRUCTION, passage: str = PASSAGE) -> str | None:
    return check_instruction(instruction, passage) or check_response(response, instruction, passage)


@pytest.mark.parametrize(
    "response",
    [
        SOUND,
        "Certainly! A starter is fed with flour and water: once a day on the counter, every week when it is cold.",
        "Feed it daily, with equal weights of flour and water.",
        "There are 2 ways to keep a starter:\n\n| place | feeding |\n| --- | --- |\n| counter | daily |\n"
        "| refrigerator | weekly |",
        "The starter in 2019 sold 1500 jars. It was in March 2019, after twelve years of keeping the starter.",
        "Feed the starter with equal weights of flour and water:\n\n```python\nfeed(flour=50, water=50)\n```",
        "How to care for a starter: feed it with flour and water once a day. It doubles within six hours.",
        "_______________________\n\nFeed the starter once a day on the counter.\n\n-----------------------------",
    ],
)
def test_what_is_made_of_the_passage_passes(response: str) -> None:
    assert judge(response) is None


@pytest.mark.parametrize(
    ("response", "guard"),
    [
        ("the reworked response", "echo"),
        ("**The reworked response.**", "echo"),
        ("I'm sorry, but I can't help with that request.", "refusal"),
        ("As an AI, I do not bake. Feed the starter once a day with flour and water.", "refusal"),
        ("I am not able to rework this draft.", "refusal"),
        (f"Certainly! Here is the reworked response:\n\n{SOUND}", "remark"),
        (f"Here's a polished version of your draft:\n\n{SOUND}", "remark"),
        (f"Response:\n\n{SOUND}", "remark"),
        ("According to the passage above, a starter is fed once a day.", "refers"),
        ("The author explains that a starter doubles within six hours.", "refers"),
        ("In this article, you learn to feed a starter with flour and water.", "refers"),
        ("Feed the starter daily. " * 9, "loop"),
        ("Ein Sauerteigansatz besteht aus Mehl und Wasser und wird jeden Tag gefüttert.", "language"),
        ("酸面团由面粉和水制成，每天需要喂养一次，冷藏时每周一次。", "language"),
        ("Daily.", "short"),
        (
            "The railway station of the old capital was designed by a famous architect, painted green by volunteers, "
            "and later became a museum for children who love locomotives, signals and uniforms.",
            "ungrounded",
        ),
        ("A starter that is fed with flour and water doubles within 45 minutes.", "new_number"),
        ("Feed the starter once a day. The first starters were kept in 1849, with flour and water.", "new_number"),
    ],
)
def test_what_is_no_data_is_refused_by_name(response: str, guard: str) -> None:
    assert judge(response) == guard
    assert guard in REASONS


@pytest.mark.parametrize(
    ("instruction", "guard"),
    [
        ("the instruction", "echo"),
        ("the reworked instruction", "echo"),
        ("According to the passage above, what is a starter?", "refers"),
        ("What does the author say about starters?", "refers"),
        ("Summarise the text provided.", "refers"),
        ("Sourdough", "short"),
        ("Wie pflege ich einen Sauerteig, und woran erkenne ich, dass er gesund ist?", "language"),
        ("Here is the reworked instruction:\nHow do I feed a starter?", "remark"),
        ("What does a starter look like in the passage of time?", None),
        ("How do I write the author's page of a cookbook?", None),
    ],
)
def test_instructions_are_checked_likewise(instruction: str, guard: str | None) -> None:
    assert check_instruction(instruction, PASSAGE) == guard


@pytest.mark.parametrize(
    ("passage", "response"),
    [
        ("The article of the law says that the text above the seal binds. " * 2, "The article says what binds."),
        ("Write to them: I am sorry, but I cannot come on Monday.", "A polite letter: I'm sorry, but I can't come."),
        (
            "Sag einfach: Guten Morgen, ich hätte gern ein Brot. Das versteht jeder hier.",
            "Guten Morgen, ein Brot bitte.",
        ),
    ],
)
def test_what_the_passage_does_itself_is_not_held_against_the_response(passage: str, response: str) -> None:
    assert judge(response, "How do people say that?", passage) is None


def test_a_refused_answer_is_asked_again_and_its_row_quarantined_with_the_guard(tmp_path: Path) -> None:
    passages, out = write_passages(tmp_path / "passages.jsonl", 4), tmp_path / "out"
    asked: dict[str, int] = {}

    def reply(request: dict[str, Any]) -> Reply | str:
        text = request["messages"][-1]["content"]
        if request["model"] != "teacher" or "<passage>\n" in text:
            return answer(request)
        asked[text] = asked.get(text, 0) + 1
        if "Ardmoor" in text or ("Belcove" in text and asked[text] == 1):
            return "<instruction>What is there?</instruction><response>I'm sorry, but I can't help.</response>"
        return answer(request)

    with serve_loopback(reply) as server:
        made = run(configure(passages, server), out)
    assert sum(count == 3 for count in asked.values()) == 1
    assert sum(count == 2 for count in asked.values()) == 1
    assert made.quarantined == 1
    assert "refused: refusal" in (out / "quarantine.jsonl").read_text("utf-8")


def test_guards_can_be_chosen_by_name_and_a_wrong_name_is_told(tmp_path: Path) -> None:
    passages = write_passages(tmp_path / "passages.jsonl", 1)
    assert check_response("Daily.", INSTRUCTION, PASSAGE, ("echo",)) is None
    with serve_loopback(answer) as server:
        value = configure(passages, server).model_dump(mode="json")
    value["teacher"]["guards"] = ["grounded"]
    with pytest.raises(BadInput, match=r"'grounded' is not a guard\. Valid: echo"):
        parse_config(value)
