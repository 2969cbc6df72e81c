"""Calls that go out as batches: gathered until no more come, sent as a file, looked at until they are done.

The journal's tables say at every moment what the server may have, so that a run that is killed anywhere goes on with
the batches that it left, and no call is paid twice. What the journal lacks when a run begins is a batch, or several;
what follows from its answers is the next one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from xl_suite.chat.attempts import Sender
from xl_suite.chat.batches.answering import Settlement
from xl_suite.chat.batches.driving import Desk, Queue, TooLarge, drive, note_created
from xl_suite.chat.batches.patience import PatientService
from xl_suite.chat.batches.service import BatchService
from xl_suite.chat.batches.tables import (
    Plan,
    PlannedCall,
    add_plan,
    list_calls,
    list_plans,
    release_answered,
    release_plan,
)
from xl_suite.chat.batches.waiting import Waiting
from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.models import STARTED, Model
from xl_suite.chat.settings import Batching
from xl_suite.chat.state import SessionState
from xl_suite.chat.wire import Request
from xl_suite.chat.work import Work
from xl_suite.errors import BadInput, BatchesStopped

logger = logging.getLogger("xl_suite.chat")
# What a line of a file of requests has around its request, in bytes.
AROUND = 200


def check_batching(model: Model, journal: Path | None) -> None:
    """Raises BadInput for a model that cannot be asked in batches, or a run that keeps no journal."""
    if model.kind in STARTED:
        raise BadInput(
            f"--batch: {model.kind}: starts a server of its own, which has no batches and costs nothing per call. "
            "Leave --batch out."
        )
    if len(model.urls) > 1:
        raise BadInput("--batch: a batch is at one server; name one URL.")
    if journal is None:
        raise BadInput("--batch needs a journal, which keeps what is under way.")


class Batcher:
    """Takes the calls of one client that the journal lacks. Lives as long as the session."""

    def __init__(self, client: ChatClient, state: SessionState, budget: Budget, batching: Batching):
        self._client, self._state, self._budget, self._batching = client, state, budget, batching
        self._fresh: list[Work] = []
        self._waiting = Waiting()
        self._attempts: dict[bytes, int] = {}
        self._added = asyncio.Event()
        self._driving: set[asyncio.Task[None]] = set()
        self._told_budget = False
        client.enqueue = self.add

    def add(self, work: Work) -> None:
        """Takes a call."""
        key = work.request.key
        if key in self._waiting.inherited:
            self._waiting.works[key] = work
            return
        if key in self._waiting.answered:  # after it had been looked up
            self._client.tasks.append(asyncio.create_task(self._client.supervise(lambda: self._deliver_kept(work))))
            return
        self._fresh.append(work)
        self._added.set()
        if not self._client.tasks:
            self._client.tasks.append(asyncio.create_task(self._client.supervise(self._run)))

    async def _run(self) -> None:
        sender = await self._client.get_sender()
        service = BatchService(sender.http, sender.model, sender.model.urls[0], self._state.options.timeout)
        patient = PatientService(service, self._batching, self._state.options, sender.model.name)
        desk = Desk(sender, patient, self._client, self._state, self._batching, self._waiting, Queue())
        await self._adopt(desk, service.url)
        while True:
            await self._wait_quiet()
            works, self._fresh = self._fresh, []
            later = await self._plan(desk, service.url, works)
            if later:  # for room in the budget, which batches give back when they end
                self._fresh = later + self._fresh
                await asyncio.wait(self._driving, return_when=asyncio.FIRST_COMPLETED)

    async def _wait_quiet(self) -> None:
        """Until calls wait and no more have come for a while, or as many as a batch may hold."""
        while True:
            if len(self._fresh) >= self._batching.requests:
                return
            self._added.clear()
            try:
                await asyncio.wait_for(self._added.wait(), self._batching.linger if self._fresh else None)
            except TimeoutError:
                if not self._client.is_looking:
                    return

    async def _adopt(self, desk: Desk, url: str) -> None:
        """Takes up what an earlier run left."""
        store = self._state.store
        plans = [plan for plan in await store.read(list_plans, store.journal, self._client.model.key) if plan.is_open]
        elsewhere = [plan for plan in plans if plan.may_cost and plan.url != url]
        if elsewhere:
            raise BadInput(
                f"{elsewhere[0].calls:,} calls of {elsewhere[0].name} are in a batch at {elsewhere[0].url}, and this "
                f"run asks {url}. Run it with the URL and key that the batch was made with, or see to it with "
                f"`xl-suite batches {self._state.options.journal}`."
            )
        adopted = []
        for plan in plans:
            if not plan.may_cost:  # nothing was ordered
                await store.change(release_plan, plan.plan, "given up before it was ordered")
                await desk.service.delete(plan.file)
                continue
            if not await store.change(release_answered, plan.plan):
                await store.change(release_plan, plan.plan, "all answers were in the journal")
                continue
            if plan.state == "creating":
                found = await desk.service.find(plan)
                if found is None:
                    await store.change(release_plan, plan.plan, "was never made")
                    continue
                plan = await note_created(desk, plan, found)
            calls = await store.read(list_calls, store.journal, plan.plan)
            self._waiting.inherited |= calls.keys()
            most = sum(_find_most(desk.sender, call) for call in calls.values())
            self._budget.hold(most)
            logger.info("batch %s: %s calls of an earlier run are in it", plan.batch or plan.plan, f"{len(calls):,}")
            adopted.append(partial(self._follow, desk, plan, most, adopted=True))
        # What waited meanwhile is given its place before any of these batches is looked at.
        works, self._fresh = self._fresh, []
        for work in works:
            self.add(work)
        for following in adopted:
            self._start(following)

    async def _plan(self, desk: Desk, url: str, works: Sequence[Work]) -> list[Work]:
        """Starts the batches of `works`; returns those that the budget has no room for yet."""
        if len(works) < self._batching.least:
            for work in works:
                self._client.enqueue_online(work)
            return []
        left = list(works)
        while left:
            chunk: list[Work] = []
            size, most = 0, 0.0
            for work in left:
                cost = _find_most(desk.sender, work.request)
                length = len(work.request.payload) + AROUND
                over = size + length > self._batching.bytes or len(chunk) >= self._batching.requests
                if (chunk and over) or most + cost > self._budget.room:
                    break
                chunk.append(work)
                size, most = size + length, most + cost
            if not chunk:
                if not self._driving:
                    await self._budget.reserve(_find_most(desk.sender, left[0].request))  # says that it is reached
                if not self._told_budget:
                    self._told_budget = True
                    logger.info("%s calls wait for room in the budget", f"{len(left):,}")
                return left
            left = left[len(chunk) :]
            await self._begin(desk, url, chunk, max(self._attempts.get(work.request.key, 1) for work in chunk))
        return []

    async def _begin(self, desk: Desk, url: str, works: Sequence[Work], attempt: int) -> None:
        """Writes the plan of a batch down and starts it."""
        most = sum(_find_most(desk.sender, work.request) for work in works)
        self._budget.hold(most)
        name, model = secrets.token_hex(16), desk.sender.model
        now = int(time.time())
        plan = Plan(name, model.key, model.name, url, "planned", "", "", now, attempt, len(works))
        calls = []
        for work in works:
            one = work.request
            row = (one.key, name, work.call.row, one.canonical.decode("utf-8"))
            calls.append(PlannedCall(*row, one.most_prompt_tokens, one.most_completion_tokens))
        await self._state.store.change(add_plan, plan, calls)
        for work in works:
            self._waiting.works[work.request.key] = work
            work.request = replace(work.request, canonical=b"", payload=b"")  # the table has them
        self._start(partial(self._follow, desk, plan, most))

    async def _follow(self, desk: Desk, plan: Plan, most: float, *, adopted: bool = False) -> None:
        """Drives a plan, and has calls asked again that have no answer. most: the dollars that are held for it."""
        plan, batch, end = await drive(desk, plan)
        if isinstance(end, TooLarge):
            await self._halve(desk, plan, most, end)
            return
        await self._budget.settle(most, end.dollars)
        await self._state.store.change(release_plan, plan.plan, end.describe(batch))
        logger.info("batch %s: %s", plan.batch, end.describe(batch))
        await desk.service.delete(plan.file)
        for work in end.left:
            self._ask_again(work, plan.attempt, end)
        if end.ending is not None:
            raise end.ending
        if batch.status == "cancelled" and not adopted:
            raise BatchesStopped(
                f"Batch {plan.batch} was cancelled. What it had answered is kept; the same command asks the rest."
            )

    async def _halve(self, desk: Desk, plan: Plan, most: float, end: TooLarge) -> None:
        logger.info("batch %s: %s calls are too many at a time, so they are sent in halves: %s", *_tell(plan, end))
        works = self._waiting.take_back(await desk.list_calls(plan, await desk.list_keys(plan)), plan.name)
        await self._budget.settle(most, 0.0)
        await self._state.store.change(release_plan, plan.plan, "too large, split")
        await desk.service.delete(plan.file)
        half = (len(works) + 1) // 2
        for part in (works[:half], works[half:]):
            if part:
                await self._begin(desk, plan.url, part, plan.attempt)

    async def _deliver_kept(self, work: Work) -> None:
        store, key = self._state.store, work.request.key
        assert store.journal is not None
        answers = await store.read(store.journal.look_up, [key])
        self._client.hand_over(work, answers[key])

    def _ask_again(self, work: Work, attempt: int, end: Settlement) -> None:
        """A call that a batch left without an answer."""
        key = work.request.key
        refused = key in end.refused
        if not refused and work.shape is not self._client.shape:
            if not self._client.reshape(work):
                return  # the same call is on its way in another shape
        elif refused or attempt >= self._state.options.attempts:
            self._state.ledger.failed += 1
            reason = end.reasons.get(key, "the batch gave no answer")
            self._client.hand_over(work, FailedCall(work.call.row, reason, attempt))
            return
        else:
            self._state.ledger.retries += 1
            self._attempts[key] = attempt + 1
        if self._batching.tail == "online":
            self._client.enqueue_online(work)
        else:
            self.add(work)

    def _start(self, following: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._client.supervise(following))
        self._driving.add(task)
        self._client.tasks.append(task)
        task.add_done_callback(self._driving.discard)


def _find_most(sender: Sender, call: Request | PlannedCall) -> float:
    """The dollars that a call can cost at most in a batch."""
    if sender.price is None:
        return 0.0
    if isinstance(call, PlannedCall):
        return sender.price.batched.of(call.prompt_tokens, call.completion_tokens)
    return sender.price.batched.of(call.most_prompt_tokens, call.most_completion_tokens)


def _tell(plan: Plan, end: TooLarge) -> tuple[str, str, str]:
    return plan.batch, f"{plan.calls:,}", end.said
