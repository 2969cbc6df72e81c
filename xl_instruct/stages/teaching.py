"""Stages 1 and 2: the teacher writes an instruction for each passage, then reworks instruction and response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xl_instruct.config import ModelSettings
from xl_instruct.stages.answers import Malformed, parse_parts
from xl_instruct.stages.files import LeftOut, Row, Summary
from xl_instruct.stages.prompts import load_prompt
from xl_suite.chat.calls import Answer, Call, FailedCall, Message
from xl_suite.chat.client import ChatClient
from xl_suite.chat.reading import Read, Unreadable, ask_until_read, each
from xl_suite.tags import escape_tags


def build_instruct_call(row: Row, teacher: ModelSettings, sample: int = 0) -> Call:
    """Asks for an instruction to which the passage is the answer (paper, section 4.1)."""
    text = load_prompt("instruct").fill({"passage": escape_tags(row["text"], "passage")})
    return Call(f"instruct/{row['id']}", (Message("user", text),), teacher.sampling(sample), sample)


def build_refine_call(row: Row, teacher: ModelSettings, sample: int = 0) -> Call:
    """Asks for both, reworked towards the four goals (paper, section 4.2). row: with `instruction` and `text`."""
    tags = ("instruction", "response")
    values = {"instruction": escape_tags(row["instruction"], *tags), "response": escape_tags(row["text"], *tags)}
    text = load_prompt("refine").fill(values)
    return Call(f"refine/{row['id']}", (Message("user", text),), teacher.sampling(sample), sample)


async def write_instruction(
    row: Row, client: ChatClient, teacher: ModelSettings, attempts: int, summary: Summary
) -> dict[str, Any] | LeftOut:
    """A passage's row with its `instruction`."""
    parts = await _ask(row, "instructions", build_instruct_call, ("instruction",), client, teacher, attempts, summary)
    return parts if isinstance(parts, LeftOut) else {**row, "instruction": parts[0]}


async def refine(
    row: Row, client: ChatClient, teacher: ModelSettings, attempts: int, summary: Summary
) -> dict[str, Any] | LeftOut:
    """The row with its final `instruction` and `response`; the passage's text is dropped, `draft` is stage 1's."""
    names = ("instruction", "response")
    parts = await _ask(row, "refined", build_refine_call, names, client, teacher, attempts, summary)
    if isinstance(parts, LeftOut):
        return parts
    kept = {key: value for key, value in row.items() if key != "text"}
    return {**kept, "draft": row["instruction"], "instruction": parts[0], "response": parts[1]}


async def _ask(
    row: Row,
    stage: str,
    build: Callable[[Row, ModelSettings, int], Call],
    names: tuple[str, ...],
    client: ChatClient,
    teacher: ModelSettings,
    attempts: int,
    summary: Summary,
) -> tuple[str, ...] | LeftOut:
    def ask(one: Row, sample: int) -> list[Call]:
        return [build(one, teacher, sample)]

    def read(one: Row, answers: tuple[Answer, ...]) -> tuple[str, ...] | Unreadable:
        summary.note(client.model.name, answers[0])
        try:
            return parse_parts(answers[0], names)
        except Malformed as error:
            return Unreadable(str(error))

    (result,) = await ask_until_read(client, [row], ask, each(read), tries=range(attempts))
    if isinstance(result, Read):
        return result.value
    if isinstance(result, FailedCall):
        return LeftOut(row["id"], stage, "quarantined", "call failed", result.reason)
    problem = f"{result.reason} (after {result.tries} samples)"
    return LeftOut(row["id"], stage, "quarantined", "malformed answer", problem)
