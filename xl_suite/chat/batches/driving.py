"""One plan from its first request to its last answer: uploaded, ordered, looked at, collected."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xl_suite.chat.attempts import Sender
from xl_suite.chat.batches.answering import Settlement, Settling
from xl_suite.chat.batches.patience import PatientService
from xl_suite.chat.batches.results import build_line, rebuild_request
from xl_suite.chat.batches.service import Batch, ServiceFault
from xl_suite.chat.batches.tables import Plan, PlannedCall, change_plan, list_calls, list_keys
from xl_suite.chat.batches.waiting import Waiting
from xl_suite.chat.client import ChatClient
from xl_suite.chat.settings import Batching
from xl_suite.chat.state import SessionState

logger = logging.getLogger("xl_suite.chat")
FIRST_POLL = 5.0
# Keys that are looked up in one query.
PART = 500
_TOO_MUCH = ("token_limit_exceeded", "request_limit_exceeded")


@dataclass(slots=True)
class Queue:
    """The order in which batches are taken by the server, which bounds the tokens of all of them.

    One batch at a time is ordered and validated, so that it is known which of them are too many. accepted: those that
    the server works on. ended: set when one of them ends.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    accepted: set[str] = field(default_factory=set)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def accept(self, plan: str) -> None:
        self.accepted.add(plan)

    def end(self, plan: str) -> None:
        self.accepted.discard(plan)
        self.ended.set()


@dataclass(frozen=True, slots=True)
class Desk:
    """What the batches of one model share."""

    sender: Sender
    service: PatientService
    client: ChatClient
    state: SessionState
    batching: Batching
    waiting: Waiting
    queue: Queue

    async def list_keys(self, plan: Plan) -> list[bytes]:
        store = self.state.store
        return await store.read(list_keys, store.journal, plan.plan)

    async def list_calls(self, plan: Plan, keys: Sequence[bytes]) -> dict[bytes, PlannedCall]:
        """The calls of some keys, in their order."""
        store, found = self.state.store, {}
        for start in range(0, len(keys), PART):
            part = keys[start : start + PART]
            calls = await store.read(list_calls, store.journal, plan.plan, part)
            found.update({key: calls[key] for key in part if key in calls})
        return found


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A batch that the server does not take, though it has no other of ours. said: by the server."""

    said: str


async def drive(desk: Desk, plan: Plan) -> tuple[Plan, Batch, Settlement | TooLarge]:
    """Brings a plan to its end: its answers are in the journal when this returns."""
    if not plan.may_cost:
        plan = await _upload(desk, plan)
    while True:
        if plan.batch:
            batch = await _wait_end(desk, plan)
        else:
            async with desk.queue.turn:
                plan = await _order(desk, plan)
                batch = await _wait_validated(desk, plan)
            if not batch.has_ended:
                batch = await _wait_end(desk, plan)
        if not _is_too_much(batch):
            break
        said = next((message or code for code, message, _ in batch.errors), "")
        if not desk.queue.accepted:
            if plan.calls > 1:
                return plan, batch, TooLarge(said)
            logger.info("batch %s: one call is too much at this time, and is ordered again: %s", plan.batch, said)
            await asyncio.sleep(desk.batching.poll)
        else:
            logger.info("batch %s waits for another one to end: %s", plan.batch, said)
            desk.queue.ended.clear()
            await desk.queue.ended.wait()
        plan = plan._replace(batch="", state="uploaded")
    _note_ending(desk.client)
    return plan, batch, await _collect(desk, plan, batch)


async def note_created(desk: Desk, plan: Plan, batch: Batch) -> Plan:
    """Writes down which batch is a plan's."""
    await desk.state.store.change(change_plan, plan.plan, state="created", batch=batch.id)
    logger.info("batch %s: %s calls of %s", batch.id, f"{plan.calls:,}", plan.name)
    return plan._replace(state="created", batch=batch.id)


async def _upload(desk: Desk, plan: Plan) -> Plan:
    with tempfile.TemporaryFile() as file:
        keys = await desk.list_keys(plan)
        for start in range(0, len(keys), PART):
            calls = await desk.list_calls(plan, keys[start : start + PART])
            file.writelines(build_line(rebuild_request(call, plan.name)) for call in calls.values())
        file.flush()
        uploaded = await desk.service.upload(file, f"{plan.plan}.jsonl")
    await desk.state.store.change(change_plan, plan.plan, state="uploaded", file=uploaded)
    return plan._replace(state="uploaded", file=uploaded)


async def _order(desk: Desk, plan: Plan) -> Plan:
    await desk.state.store.change(change_plan, plan.plan, state="creating", batch="")
    plan = plan._replace(state="creating", batch="")
    return await note_created(desk, plan, await desk.service.order(plan))


async def _wait_validated(desk: Desk, plan: Plan) -> Batch:
    wait = min(FIRST_POLL, desk.batching.poll)
    while (batch := await desk.service.look(plan.batch)).status == "validating":
        await asyncio.sleep(wait)
        wait = min(2 * wait, desk.batching.poll)
    return batch


async def _wait_end(desk: Desk, plan: Plan) -> Batch:
    wait, told = min(FIRST_POLL, desk.batching.poll), ""
    desk.queue.accept(plan.plan)
    try:
        while True:
            batch = await desk.service.look(plan.batch)
            shown = f"{batch.status}, {batch.done:,} of {batch.total or plan.calls:,} calls done"
            if shown != told:
                logger.info("batch %s: %s", plan.batch, shown)
                told = shown
            if batch.has_ended:
                if batch.status != "failed":
                    await desk.state.store.change(change_plan, plan.plan, state="ended")
                return batch
            await asyncio.sleep(wait)
            wait = min(2 * wait, desk.batching.poll)
    finally:
        desk.queue.end(plan.plan)


async def _collect(desk: Desk, plan: Plan, batch: Batch) -> Settlement:
    """Takes the answers of a batch that has ended; they are durable when this returns."""
    keys = await desk.list_keys(plan)
    settlement = Settlement(plan, len(keys))
    with tempfile.TemporaryFile() as file:
        for number in filter(None, dict.fromkeys((batch.output_file, batch.error_file))):
            try:
                await desk.service.fetch(number, file)
            except ServiceFault as fault:
                settlement.lose_file(number, fault)
        file.seek(0)

        async def find(part: Sequence[bytes]) -> Mapping[bytes, PlannedCall]:
            return await desk.list_calls(plan, part)

        settling = Settling(settlement, find, desk.waiting, desk.sender, desk.client, desk.state)
        await settling.settle(file, set(keys))
    if batch.status == "failed":
        settlement.refuse(batch, keys)
    left = [key for key in keys if key not in settlement.settled]
    settlement.left = desk.waiting.take_back(await desk.list_calls(plan, left), plan.name)
    desk.waiting.end(keys, settlement.settled)
    return settlement


def _is_too_much(batch: Batch) -> bool:
    found = any(code in _TOO_MUCH or "nqueued" in message for code, message, _ in batch.errors)
    return batch.status == "failed" and found


def _note_ending(client: ChatClient) -> None:
    """Has a run that ends well wait for what this task still has to write."""
    task = asyncio.current_task()
    assert task is not None
    client.ending.add(task)
    task.add_done_callback(client.ending.discard)
