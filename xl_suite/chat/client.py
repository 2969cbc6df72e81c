"""One model, asked many calls at once: look-up in the journal, slots, attempts, hand-over to the journal.

A call goes through three stations. It is looked up, together with others that came at the same time; a miss waits
for a slot, a task that sends it and tries again as `faults` and `pool` say; its answer frees the slot, and is
delivered when the journal has it on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from xl_suite.chat.answers import answer_to_json
from xl_suite.chat.attempts import Sender
from xl_suite.chat.calls import Answer, AnswerSource, Call, FailedCall, extend_call
from xl_suite.chat.identity import Guard
from xl_suite.chat.journal_rows import Fact, StoredAnswer, StoredFailure
from xl_suite.chat.lines import tell
from xl_suite.chat.models import Model
from xl_suite.chat.settings import MOST_IN_BATCHES
from xl_suite.chat.shapes import PLAIN, SHAPE, Adapted, Shape
from xl_suite.chat.slots import Slots
from xl_suite.chat.state import SessionState
from xl_suite.chat.usage import Usage
from xl_suite.chat.wire import Request, build_request, dump
from xl_suite.chat.work import CallFailed, Deliver, Outstanding, Work
from xl_suite.errors import BadInput, ReplayMiss

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger("xl_suite.chat")
# Makes a model ready to be called: starts its server, checks its key and its price.
Connect = Callable[[], Awaitable[Sender]]
# As many calls are looked up in one query, and built in one go, so that responses are not kept waiting.
LOOKED_UP_AT_ONCE = 128
# A run in which nothing has been answered for this long says so.
SILENT_SECONDS = 55.0


class ChatClient:
    """Asks one model. Made by `ChatSession.open`; lives as long as the session.

    answers: a journal that is replayed, instead of the session's own; then nothing connects to a model.
    shape: of the requests, which a refusal can change. guard: who answers as the model, now and before. held: keys
    that are in batches, and would be paid twice.
    """

    def __init__(
        self,
        state: SessionState,
        model: Model,
        connect: Connect,
        answers: AnswerSource | None = None,
        shape: Shape = PLAIN,
        guard: Guard | None = None,
        held: Collection[bytes] = (),
    ):
        self.model, self.shape = model, shape
        self.guard = guard or Guard(model, "", [], same_model=False, place="")
        self._usage: Usage | None = None
        self.notes: list[str] = []
        self._shapes = [shape]
        self._state, self._connect, self._answers = state, connect, answers
        self._held = held
        self._slots = Slots(state.options.slots, lambda: asyncio.create_task(self.supervise(self._serve_slot)))
        self._sender: Sender | None = None
        self._connecting: asyncio.Task[Sender] | None = None
        self._works: dict[bytes, Work] = {}  # every call that is not delivered yet
        self._fresh: list[Work] = []
        self._looking: asyncio.Task[None] | None = None
        # Where calls go that the journal lacks; by default they wait for a slot.
        self.enqueue: Callable[[Work], None] = self._slots.put
        # Of what `enqueue` goes to; and those of them that are about to end, which a run waits for that ends well.
        self.tasks: list[asyncio.Task[Any]] = []
        self.ending: set[asyncio.Task[Any]] = set()

    @property
    def replays(self) -> bool:
        """Whether a journal answers in the model's place, so that nothing can be asked."""
        return self._answers is not None

    async def ask(self, call: Call) -> Answer:
        """The answer to one call. Raises CallFailed when it failed for good, other errors when the run is over."""
        self._state.check()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def deliver(_: Call, result: Answer | FailedCall) -> None:
            if future.done():
                return
            if isinstance(result, FailedCall):
                future.set_exception(CallFailed(result))
            else:
                future.set_result(result)

        self._state.waiting.add(future)
        try:
            self._submit(call, deliver)
            return await future
        finally:
            self._state.waiting.discard(future)

    async def ask_all(self, calls: Iterable[Call], on_result: Deliver) -> None:
        """Asks every call and calls `on_result` with each result, in the order in which they become durable.

        Takes from `calls` only what the slots or batches need, so that any number of them fits in memory.
        """
        most = 3 * self._slots.count + 2 * LOOKED_UP_AT_ONCE if self._state.options.batch is None else MOST_IN_BATCHES
        outstanding = Outstanding(self._state, on_result)
        for number, call in enumerate(calls, start=1):
            self._submit(call, outstanding.deliver)
            outstanding.count += 1
            if outstanding.count >= most:
                await outstanding.wait(most - LOOKED_UP_AT_ONCE)
            elif number % LOOKED_UP_AT_ONCE == 0:
                await asyncio.sleep(0)  # lets the first calls leave while the next ones are built
                self._state.check()
        await outstanding.wait(0)
        self._state.check()

    async def ask_each(self, calls: Sequence[Call]) -> list[Answer | FailedCall]:
        """The result of each call, in the order of the calls."""
        places = {id(call): place for place, call in enumerate(calls)}
        results: dict[int, Answer | FailedCall] = {}

        def take(call: Call, result: Answer | FailedCall) -> None:
            results[places[id(call)]] = result

        await self.ask_all(calls, take)
        return [results[place] for place in range(len(calls))]

    async def look_up(self, calls: Sequence[Call]) -> list[Answer | None]:
        """What the journal, or what is replayed, answers to each call; asks nothing."""
        store = self._state.store
        source = self._answers or store.journal
        keys = [self._build(call).key for call in calls]
        found = await store.find(source, keys)
        return [found.get(key) for key in keys]

    async def recall(self, kind: str) -> list[str]:
        """What the journal, or what is replayed, knows of the model under `kind` (`keep`), in the order it came."""
        store = self._state.store
        source = self._answers or store.journal
        facts = [] if source is None else await store.read(source.facts)
        return [value for model, name, value in facts if (model, name) == (self.model.key, kind)]

    def keep(self, kind: str, value: Any) -> None:
        """Writes to the journal what a run has learnt of the model, as JSON. A run that pays nothing writes nothing:
        it learns the same again from the answers that it finds."""
        writer = self._state.store.writer
        if writer is not None:
            writer.add_fact(Fact(self.model.key, kind, dump(value).decode("utf-8")))

    def record(self, group: Callable[[Call], Hashable]) -> Usage:
        """Records from now on who answers; `group` says which calls are told together."""
        self._usage = Usage(group, lambda: (self.model, self.shape, self.guard.known))
        return self._usage

    def stop(self) -> list[asyncio.Task[Any]]:
        """Cancels what is in flight; returns the tasks that end."""
        others = (self._looking, self._connecting)
        tasks = [*self._slots.tasks, *self.tasks, *(task for task in others if task is not None)]
        for task in tasks:
            task.cancel()
        return tasks

    @property
    def is_looking(self) -> bool:
        """Whether calls are being looked up in the journal."""
        return self._looking is not None

    def check_alive(self) -> None:
        if self._sender is not None:
            self._sender.pool.check_alive()
            self._sender.pool.tell_silence(time.monotonic(), SILENT_SECONDS)

    def _submit(self, call: Call, deliver: Deliver) -> None:
        request = self._build(call)
        work = self._works.get(request.key)
        if work is not None:
            work.waiters.append((call, deliver))
            self._state.ledger.shared += 1
            return
        work = self._works[request.key] = Work(call, request, self.shape, deliver)
        self._fresh.append(work)
        if self._looking is None:
            self._looking = asyncio.create_task(self.supervise(self._look_up))

    def _build(self, call: Call) -> Request:
        extended = extend_call(call, self._state.options.extra)
        return build_request(extended, self.model.name, self.model.key, self.shape)

    async def _look_up(self) -> None:
        store = self._state.store
        while self._fresh:
            works, self._fresh = self._fresh[:LOOKED_UP_AT_ONCE], self._fresh[LOOKED_UP_AT_ONCE:]
            found = await store.find(self._answers or store.journal, [work.request.key for work in works])
            for work in works:
                answer = found.get(work.request.key)
                if answer is not None:
                    self._state.ledger.from_journal += 1
                    self._deliver(work, answer)
                elif self._answers is not None:
                    replayed = self._state.options.replay or self.model.source
                    raise ReplayMiss(
                        f"{work.call.row}: {replayed} holds no answer of model "
                        f"{self.model.name!r} to this call. Replay with the model, benchmark and options that the "
                        "journal was written with, or make the call without --replay."
                    )
                elif work.request.key in self._held:
                    raise BadInput(
                        f"{work.call.row}: this call is in a batch that is still open, and one by one it would be "
                        "paid again. Run the same command with --batch, which fetches what is done; or see to it "
                        f"with `xl-suite batches {self._state.options.journal}`."
                    )
                else:
                    self.enqueue(work)
        self._looking = None

    def enqueue_online(self, work: Work) -> None:
        """Has a call wait for a slot."""
        self._slots.put(work)

    async def supervise(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs a task of this client; whatever ends it ends the run, so that nobody waits for ever."""
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._state.fail(error)

    async def get_sender(self) -> Sender:
        """What sends this model's calls; the first that asks for it connects."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
        self._sender = await self._connecting
        return self._sender

    async def _serve_slot(self) -> None:
        sender = await self.get_sender()
        while True:
            work = await self._slots.take()
            result = await self._ask(sender, work)
            if result is None:
                continue
            try:
                await self._slots.wait_for_disk()
            finally:  # it is paid for: it goes to the journal also when the run is being ended
                self.hand_over(work, result)

    async def _ask(self, sender: Sender, work: Work) -> Answer | FailedCall | None:
        """What comes of a call, in the shape that its server wants; None where another one takes its place."""
        while True:
            if work.shape is not self.shape and not self.reshape(work):
                return None
            result = await sender.answer(work.call.row, work.request, work.shape)
            if not isinstance(result, Adapted):
                return result
            failed = self.adapt(work, result)
            if failed is not None:
                self._state.ledger.failed += 1
                return failed

    def adapt(self, work: Work, adapted: Adapted) -> FailedCall | None:
        """Takes the shape that a refusal asks for; a FailedCall where it was refused before."""
        if work.shape is self.shape and not self._learn(adapted):
            return FailedCall(work.call.row, f"refused in every shape: {adapted.line}", 1)
        return None

    def _learn(self, adapted: Adapted) -> bool:
        """Takes a shape for all further requests, tells it and keeps it in the journal; False for one tried."""
        if adapted.shape in self._shapes:
            return False
        self.shape = adapted.shape
        self._shapes.append(adapted.shape)
        note = tell(adapted.line, model=self.model.name, **dict(adapted.values))
        self.notes.append(note)
        logger.warning("%s", note)
        self.keep_shape()
        return True

    def keep_shape(self) -> None:
        """Writes the shape to the journal, so that the next run asks in it at once."""
        if self.shape != PLAIN:
            self._add_fact(Fact(self.model.key, SHAPE, dump(self.shape.to_dict()).decode("utf-8")))

    async def confirm(self, http: aiohttp.ClientSession) -> None:
        """At the first answer: keeps in the journal who gives it. Raises OtherServer where it is another model."""
        await self.guard.settle(http, last=True)
        self._add_fact(self.guard.take_fact())

    def _add_fact(self, fact: Fact | None) -> None:
        writer = self._state.store.writer
        if writer is not None and fact is not None:
            writer.add_fact(fact)

    def reshape(self, work: Work) -> bool:
        """Builds a call anew in the present shape; False where the same request is on its way already."""
        self._works.pop(work.request.key, None)
        work.request = self._build(work.call)
        work.shape = self.shape
        other = self._works.get(work.request.key)
        if other is None:
            self._works[work.request.key] = work
            return True
        other.waiters += work.waiters
        self._state.ledger.shared += len(work.waiters)
        return False

    def hand_over(self, work: Work, result: Answer | FailedCall) -> None:
        writer, request = self._state.store.writer, work.request
        if writer is None:
            self._deliver(work, result)
            return
        self._slots.undurable += 1

        def durable() -> None:
            self._slots.note_durable()
            self._deliver(work, result)

        name, now = self.model.name, int(time.time())
        text = request.canonical.decode("utf-8")
        if isinstance(result, FailedCall):
            failure = StoredFailure(request.key, name, result.row, result.reason, result.attempts, text, now)
            writer.add_failure(failure, durable)
            return
        answer = dump(answer_to_json(result)).decode("utf-8")
        stored = StoredAnswer(request.key, name, text, answer, result.prompt_tokens, result.completion_tokens, now)
        writer.add_answer(stored, durable)

    def _deliver(self, work: Work, result: Answer | FailedCall) -> None:
        self._works.pop(work.request.key, None)
        try:
            for call, deliver in work.waiters:
                if isinstance(result, FailedCall) and call is not work.call:
                    result = FailedCall(call.row, result.reason, result.attempts)
                if self._usage is not None and isinstance(result, Answer):
                    self._usage.note(call, work.request.key, result)
                deliver(call, result)
        except Exception as error:
            self._state.fail(error)
