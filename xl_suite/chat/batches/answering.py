"""What the lines of a batch's results mean: answers go to the journal and to who waits; the rest is told."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from xl_suite.chat.answers import WITHHELD, ErrorInside, answer_to_json, parse_answer
from xl_suite.chat.attempts import EMPTY_ATTEMPTS, Sender
from xl_suite.chat.batches.results import Line, read_lines, rebuild_request
from xl_suite.chat.batches.service import Batch, ServiceFault
from xl_suite.chat.batches.tables import Plan, PlannedCall
from xl_suite.chat.batches.waiting import Waiting
from xl_suite.chat.calls import Answer, FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.faults import Fault, Kind
from xl_suite.chat.journal_rows import StoredAnswer
from xl_suite.chat.refusals import judge_refusal
from xl_suite.chat.state import SessionState
from xl_suite.chat.wire import Request, dump, load
from xl_suite.chat.work import Work
from xl_suite.errors import ModelUnavailable, XLSuiteError

# Lines that are taken at a time; as many calls are looked up in one query.
PART = 500
Find = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, PlannedCall]]]


@dataclass(slots=True)
class Settlement:
    """What came of a batch.

    settled: keys that need nothing more. left: calls of this run that have no answer. reasons: why, by key.
    refused: keys of calls that can never be answered. ending: what ends the run, when all that was answered is kept.
    """

    plan: Plan
    calls: int
    settled: set[bytes] = field(default_factory=set)
    left: list[Work] = field(default_factory=list)
    reasons: dict[bytes, str] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)
    answered: int = 0
    failed: int = 0
    doubled: int = 0
    strange: int = 0
    lost_files: list[str] = field(default_factory=list)
    dollars: float = 0.0
    ending: XLSuiteError | None = None

    def lose_file(self, number: str, fault: ServiceFault) -> None:
        self.lost_files.append(f"{number} ({fault})")

    def refuse(self, batch: Batch, keys: Sequence[bytes]) -> None:
        """A batch that the server's validation refused: by its lines the calls that are to blame, or as a whole."""
        lines = {line: message or code for code, message, line in batch.errors if line is not None}
        told = "; ".join(dict.fromkeys(message or code for code, message, _ in batch.errors)) or "no reason is given"
        if 0 < len(lines) < len(keys) and len(lines) == len(batch.errors):
            for line, message in lines.items():
                if 0 < line <= len(keys):
                    self.refused.add(keys[line - 1])
                    self.reasons[keys[line - 1]] = f"refused by the batch's validation: {message}"
            return
        self.ending = ModelUnavailable(f"The server refuses the batch {batch.id}: {told[:600]}.")

    def describe(self, batch: Batch) -> str:
        parts = [f"{batch.status}, {self.answered:,} of {self.calls:,} calls answered"]
        parts += [f"{self.failed:,} refused"] if self.failed else []
        missing = self.calls - self.answered - self.failed
        parts += [f"{missing:,} without an answer"] if missing else []
        parts += [f"{self.doubled:,} lines came twice"] if self.doubled else []
        parts += [f"{self.strange:,} lines are of no call that waits"] if self.strange else []
        parts += [f"results are gone: {', '.join(self.lost_files)}"] if self.lost_files else []
        return "; ".join(parts)


class Settling:
    """Takes the results of a batch. find: the calls of some keys, as they were planned."""

    def __init__(
        self,
        settlement: Settlement,
        find: Find,
        waiting: Waiting,
        sender: Sender,
        client: ChatClient,
        state: SessionState,
    ):
        self._settlement, self._find, self._waiting = settlement, find, waiting
        self._sender, self._client, self._state = sender, client, state
        self._price = None if sender.price is None else sender.price.batched

    async def settle(self, file: IO[bytes], keys: set[bytes]) -> None:
        """Takes a file of results, part by part. Its answers are durable when this returns.

        keys: of the plan's calls.
        """
        settlement = self._settlement
        bad: dict[bytes, Line] = {}
        lines = read_lines(file)
        while part := list(islice(lines, PART)):
            known = [line for line in part if line is not None and line.key in keys]
            settlement.strange += len(part) - len(known)
            requests = await self._find_requests(known)
            for line in known:
                if line.key in settlement.settled:
                    settlement.doubled += 1
                    continue
                settlement.doubled += line.key in bad
                if not await self._take_answer(line, requests[line.key]):
                    bad.setdefault(line.key, line)
            await self._flush()
        # Only now is it known that no other line answers them.
        left = [line for key, line in bad.items() if key not in settlement.settled and key in self._waiting.works]
        for start in range(0, len(left), PART):
            requests = await self._find_requests(left[start : start + PART])
            for line in left[start : start + PART]:
                await self._take_fault(line, self._waiting.works[line.key], requests[line.key])
        await self._flush()

    async def _find_requests(self, lines: Sequence[Line]) -> dict[bytes, Request]:
        calls = await self._find([line.key for line in lines])
        return {key: rebuild_request(call, self._settlement.plan.name) for key, call in calls.items()}

    async def _take_answer(self, line: Line, request: Request) -> bool:
        """Delivers a line's answer, if it holds one."""
        if line.status != 200:
            return False
        try:
            answer, counted = parse_answer(line.data)
        except ErrorInside:
            return False
        if not isinstance(answer, Answer):
            return False
        await self._sender.confirm_answered()
        self._deliver(answer, request)
        cost = None if self._price is None else self._price.of(answer.prompt_tokens, answer.completion_tokens)
        self._state.ledger.add_cost(answer.prompt_tokens, answer.completion_tokens, cost)
        if self._price is not None and not counted:
            cost = self._price.of(request.most_prompt_tokens, request.most_completion_tokens)
        self._settlement.dollars += cost or 0.0
        if not answer.is_withheld:
            self._sender.pool.successes += 1
        return True

    async def _take_fault(self, line: Line, work: Work, request: Request) -> None:
        """Says what becomes of a call whose line holds no answer."""
        settlement, sender, ledger = self._settlement, self._sender, self._state.ledger
        if line.status == 0:
            settlement.reasons[line.key] = line.reason
            return
        fault = self._read_fault(line, work, request)
        settlement.reasons[line.key] = fault.reason
        if fault.tokens is not None:
            cost = None if self._price is None else self._price.of(*fault.tokens)
            ledger.add_wasted(*fault.tokens, cost)
            settlement.dollars += cost or 0.0
        if fault.adapted is not None:
            failed = self._client.adapt(work, fault.adapted)
            if failed is None:
                return
            fault = Fault(Kind.REFUSED, failed.reason)
        if fault.kind is Kind.ENDED:
            if settlement.ending is None:
                settlement.ending = await sender.explain_end(sender.pool.hosts[0], request, fault)
        elif fault.kind is Kind.WITHHELD or fault.kind is Kind.UNFINISHED:
            ledger.add_cost(0, 0, 0.0)
            kept = Answer("", WITHHELD, 0, 0, said=fault.reason)
            unfinished = Answer("", "length", 0, 0, reasoning="")
            self._deliver(kept if fault.kind is Kind.WITHHELD else unfinished, request)
        elif fault.kind is Kind.REFUSED or (fault.kind is Kind.EMPTY and settlement.plan.attempt >= EMPTY_ATTEMPTS):
            ledger.failed += 1
            settlement.failed += 1
            settlement.settled.add(line.key)
            work.request = request
            reason = sender.tell_failed(work.call.row, request, sender.pool.hosts[0], fault)
            self._client.hand_over(work, FailedCall(work.call.row, reason, settlement.plan.attempt))

    def _read_fault(self, line: Line, work: Work, request: Request) -> Fault:
        sender, status = self._sender, line.status
        if status == 200:
            try:
                found, _ = parse_answer(line.data)
                if isinstance(found, Fault):
                    return found
            except ErrorInside as error:
                status = error.status
        body = load(request.payload)
        proven = sender.pool.successes > 0
        return judge_refusal(status, {}, line.data, shape=work.shape, body=body, proven=proven)

    def _deliver(self, answer: Answer, request: Request) -> None:
        """To the journal, and to who waits for it in this run."""
        self._settlement.answered += 1
        self._settlement.settled.add(request.key)
        work = self._waiting.works.get(request.key)
        if work is not None:
            work.request = request
            self._client.hand_over(work, answer)
            return
        writer = self._state.store.writer
        assert writer is not None
        stored = StoredAnswer(
            request.key,
            self._client.model.name,
            request.canonical.decode("utf-8"),
            dump(answer_to_json(answer)).decode("utf-8"),
            answer.prompt_tokens,
            answer.completion_tokens,
            int(time.time()),
        )
        writer.add_answer(stored, lambda: None)

    async def _flush(self) -> None:
        """Until what was handed over is on the disk."""
        await self._state.store.change(lambda journal: None)
