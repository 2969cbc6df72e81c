"""Stages 1 and 2: the teacher writes an instruction for each passage, then reworks instruction and response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xl_instruct.config import ModelSettings, Teacher
from xl_instruct.stages.answers import Malformed, parse_parts
from xl_instruct.stages.files import LeftOut, Row, Summary
from xl_instruct.stages.prompts import load_prompt
from xl_instruct.stages.refusals import SHOWN
from xl_instruct.stages.teacher_guards import REASONS, check_instruction, check_response
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
    row: Row, client: ChatClient, teacher: Teacher, attempts: int, summary: Summary
) -> dict[str, Any] | LeftOut:
    """A passage's row with its `instruction`."""

    def check(parts: tuple[str, ...]) -> str | None:
        return check_instruction(parts[0], row["text"], teacher.guards)

    asking = _Asking("instructions", build_instruct_call, ("instruction",), check)
    parts = await _ask(row, asking, client, teacher, attempts, summary)
    return parts if isinstance(parts, LeftOut) else {**row, "instruction": parts[0]}


async def refine(
    row: Row, client: ChatClient, teacher: Teacher, attempts: int, summary: Summary
) -> dict[str, Any] | LeftOut:
    """The row with its final `instruction` and `response`; the passage's text is dropped, `draft` is stage 1's."""

    def check(parts: tuple[str, ...]) -> str | None:
        return check_instruction(parts[0], row["text"], teacher.guards) or check_response(
            parts[1], parts[0], row["text"], teacher.guards
        )

    asking = _Asking("refined", build_refine_call, ("instruction", "response"), check)
    parts = await _ask(row, asking, client, teacher, attempts, summary)
    if isinstance(parts, LeftOut):
        return parts
    kept = {key: value for key, value in row.items() if key != "text"}
    return {**kept, "draft": row["instruction"], "instruction": parts[0], "response": parts[1]}


@dataclass(frozen=True, slots=True)
class _Asking:
    """How a stage asks: the call, the parts that it reads, and the check that names what is wrong with them."""

    stage: str
    build: Callable[[Row, ModelSettings, int], Call]
    names: tuple[str, ...]
    check: Callable[[tuple[str, ...]], str | None]


async def _ask(
    row: Row, asking: _Asking, client: ChatClient, teacher: Teacher, attempts: int, summary: Summary
) -> tuple[str, ...] | LeftOut:
    def ask(one: Row, sample: int) -> list[Call]:
        return [asking.build(one, teacher, sample)]

    def read(one: Row, answers: tuple[Answer, ...]) -> tuple[str, ...] | Unreadable:
        summary.note(client.model.name, answers[0])
        try:
            parts = parse_parts(answers[0], asking.names)
        except Malformed as error:
            return Unreadable(str(error))
        wrong = asking.check(parts)
        if wrong is None:
            return parts
        text = "\n".join(parts)[:SHOWN]
        refused.append({"guard": wrong, "candidate": text, "teacher": client.model.name})
        return Unreadable(f"{wrong}: {REASONS[wrong]}")

    refused: list[dict[str, str]] = []

    (result,) = await ask_until_read(client, [row], ask, each(read), tries=range(attempts))
    if isinstance(result, Read):
        return result.value
    if isinstance(result, FailedCall):
        return LeftOut(row["id"], asking.stage, "quarantined", "call failed", result.reason)
    problem = f"{result.reason} (after {result.tries} samples)"
    wrong = result.reason.partition(":")[0]
    reason = f"refused: {wrong}" if wrong in REASONS else "malformed answer"
    return LeftOut(row["id"], asking.stage, "quarantined", reason, problem, refused=refused)
