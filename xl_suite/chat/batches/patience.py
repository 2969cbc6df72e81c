"""Requests to a server's files and batches that are repeated as long as they may succeed."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, TypeVar

from xl_suite.chat.batches.service import Batch, BatchService, ServiceFault
from xl_suite.chat.batches.tables import Plan
from xl_suite.chat.faults import ModelLost
from xl_suite.chat.settings import Batching, ChatOptions
from xl_suite.errors import ModelUnavailable

logger = logging.getLogger("xl_suite.chat")
Value = TypeVar("Value")
# Clocks differ: a batch that the server says was made this long before it was ordered may be ours.
CLOCK_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class PatientService:
    """A server's files and batches, for one model. Raises what ends a run: ModelUnavailable, ModelLost."""

    service: BatchService
    batching: Batching
    options: ChatOptions
    model: str

    async def upload(self, file: IO[bytes], name: str) -> str:
        """Sends a file of requests; its ID."""

        async def send() -> str:
            again = os.fdopen(os.dup(file.fileno()), "rb")  # aiohttp closes what it has sent
            again.seek(0)
            return await self.service.upload(again, name)

        return await self._insist(send, "upload")

    async def order(self, plan: Plan) -> Batch:
        """Makes a plan's batch. After a fault it is looked for before it is ordered again: the server may have it."""

        async def order() -> Batch:
            try:
                return await self.service.create(plan.file, plan.plan)
            except ServiceFault as fault:
                if fault.status and fault.status < 500:
                    raise
                logger.info("batch %s: ordered, but %s; it is looked for", plan.plan, fault)
                found = await self.find(plan)
                if found is None:
                    raise
                return found

        return await self._insist(order, "batch")

    async def find(self, plan: Plan) -> Batch | None:
        """The batch that was made for a plan, if the server has one; not one that its validation refused."""
        await asyncio.sleep(self.batching.settle)

        async def look() -> Batch | None:
            async for batch in self.service.list():
                if batch.plan == plan.plan and batch.status != "failed":
                    return batch
                if 0 < batch.made < plan.since - CLOCK_SECONDS:  # the newest ones come first
                    return None
            return None

        return await self._insist(look, "list of batches")

    async def look(self, batch: str) -> Batch:
        """A batch as it is now."""
        return await self._insist(partial(self.service.get, batch), f"batch {batch}")

    async def fetch(self, number: str, file: IO[bytes]) -> None:
        """Adds a file of results to the end of `file`. Raises ServiceFault for one that the server does not have."""
        start = file.seek(0, 2)

        async def fetch() -> None:
            file.seek(start)
            file.truncate()
            await self.service.fetch(number, file)

        await self._insist(fetch, f"file {number}", may_lack=True)
        file.write(b"\n")

    async def delete(self, file: str) -> None:
        """Takes a file off the server; where that fails, it stays there and costs nothing."""
        if file:
            try:
                await self.service.delete_file(file)
            except ServiceFault as fault:
                logger.debug("file %s stays at the server: %s", file, fault)

    async def _insist(self, request: Callable[[], Awaitable[Value]], what: str, *, may_lack: bool = False) -> Value:
        begun, wait = time.monotonic(), min(1.0, self.batching.poll)
        while True:
            try:
                return await request()
            except ServiceFault as fault:
                if not fault.is_passing:
                    if may_lack and fault.status in (403, 404, 410):
                        raise
                    raise self._explain(fault, what) from fault
                waited = time.monotonic() - begun
                if waited > self.options.wait_for_server:
                    raise ModelLost(
                        f"{what}: {fault}. The server has been out of order for {waited:.0f} s. The batches go on "
                        "there; the same command fetches them."
                    ) from fault
                logger.debug("%s: %s", what, fault)
            await asyncio.sleep(wait)
            wait = min(2 * wait, self.batching.poll)

    def _explain(self, fault: ServiceFault, what: str) -> ModelUnavailable:
        place = f"{self.model}, {what}"
        if fault.status == 401:
            return ModelUnavailable(f"{place}: the server refuses the key: {fault}.")
        if what.startswith("batch ") and fault.status in (403, 404):
            name = what.removeprefix("batch ")
            return ModelUnavailable(
                f"{place}: the server does not know this batch: {fault}. Use the key of the project that made it, or "
                f"release its calls with `xl-suite batches {self.options.journal} --forget {name}`; they are then "
                "asked, and perhaps paid, again."
            )
        if fault.status in (404, 405):
            return ModelUnavailable(f"{place}: this server has no batches ({fault}). Leave --batch out.")
        return ModelUnavailable(f"{place}: {fault}.")
