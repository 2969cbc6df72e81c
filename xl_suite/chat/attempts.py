"""Attempts: how one call is sent, tried again and given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from xl_suite.chat.budget import Budget, Price
from xl_suite.chat.calls import Answer, FailedCall
from xl_suite.chat.deadlines import Deadlines
from xl_suite.chat.faults import Fault, Kind, choose_wait, judge_status
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model
from xl_suite.chat.pool import Host, Pool
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.wire import Malformed, Request, Withheld, excerpt, parse_answer

if TYPE_CHECKING:
    import aiohttp


class Sender:
    """Sends the calls of one model to its URLs."""

    def __init__(
        self,
        model: Model,
        pool: Pool,
        http: aiohttp.ClientSession,
        options: ChatOptions,
        ledger: Ledger,
        budget: Budget,
        price: Price | None,
    ):
        self.pool = pool
        self._model, self._http, self._options = model, http, options
        self._ledger, self._budget, self._price = ledger, budget, price
        self._deadlines = Deadlines(options.timeout)

        from aiohttp import BytesPayload

        self._payload = BytesPayload

    async def answer(self, row: str, request: Request) -> Answer | FailedCall:
        """Tries until there is an answer, or the call is given up. Raises what ends the run."""
        pool, ledger, budget = self.pool, self._ledger, self._budget
        attempts = failures = 0
        seen = pool.successes
        last: Host | None = None
        most = self._most_dollars(request)
        limited = budget.limit is not None
        while True:
            host = pool.enter_at_once() or await pool.enter(last)
            try:
                if limited:
                    await budget.reserve(most)
                result, dollars = await self._attempt(host, request, most)
                if limited:
                    await budget.settle(most, dollars)
            finally:
                pool.leave(host)
            if isinstance(result, Answer):
                pool.note_success(host)
                price = self._price
                cost = price.of(result.prompt_tokens, result.completion_tokens) if price else None
                ledger.add_cost(result.prompt_tokens, result.completion_tokens, cost)
                return result
            pool.note_fault(host, result)
            failures += 1
            # A server that cannot be reached, or is busy while it answers others, says nothing about this call.
            excused = result.kind is Kind.UNREACHABLE or (result.kind is Kind.THROTTLED and pool.successes > seen)
            attempts += not excused
            seen = pool.successes
            if result.kind is Kind.REFUSED or attempts >= self._options.attempts:
                if not result.own_fault:
                    pool.note_given_up(result.reason)
                ledger.failed += 1
                return FailedCall(row, result.reason, attempts)
            ledger.retries += 1
            last = host
            # How long to wait for a server that cannot be reached is the pool's to say.
            await asyncio.sleep(choose_wait(1 if result.kind is Kind.UNREACHABLE else failures, result))

    async def _attempt(self, host: Host, request: Request, most: float) -> tuple[Answer | Fault, float]:
        """One request: what came of it, and the dollars to book, `most` where it may have been paid for."""
        ledger = self._ledger
        begun = ledger.begin_request()
        try:
            status, retry_after, data = await self._post(host, request.payload)
        except Exception as error:
            fault = explain_exception(error, self._options.timeout)
            return fault, most if fault.maybe_paid else 0.0
        finally:
            ledger.end_request(begun)
        if status == 200:
            try:
                answer, counted = parse_answer(data)
            except Withheld as error:
                return Fault(Kind.REFUSED, str(error), own_fault=True), most
            except Malformed as error:
                return Fault(Kind.MALFORMED, f"{error}: {excerpt(self._hide_key(data))}"), most
            if not counted or self._price is None:
                return answer, most
            return answer, self._price.of(answer.prompt_tokens, answer.completion_tokens)
        place = f"{host.url}, model {self._model.name}"
        proven = self.pool.successes > 0
        return judge_status(status, retry_after, self._hide_key(data), place=place, proven=proven), 0.0

    async def _post(self, host: Host, payload: bytes) -> tuple[int, str | None, bytes]:
        body = self._payload(payload, content_type="application/json")
        task = self._deadlines.enter()
        try:
            async with self._http.post(host.endpoint, data=body, allow_redirects=False) as response:
                data = await response.read()
                if response.status == 200:
                    return 200, None, data
                return response.status, response.headers.get("Retry-After"), data
        except asyncio.CancelledError:
            self._deadlines.explain(task)
            raise
        finally:
            self._deadlines.leave(task)

    def _hide_key(self, data: bytes) -> bytes:
        """A body to be quoted, without our key: servers like to quote that."""
        return data.replace(self._model.api_key.encode(), b"***") if self._model.api_key else data

    def _most_dollars(self, request: Request) -> float:
        if self._price is None:
            return 0.0
        return self._price.of(request.most_prompt_tokens, request.most_completion_tokens)


def explain_exception(error: Exception, timeout: float) -> Fault:
    """The fault of an attempt that ended without a response. Raises what is no fault of connection or server."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Fault(Kind.UNREACHABLE, f"{error}.")
    if isinstance(error, TimeoutError):
        return Fault(Kind.BROKEN, f"no response within {timeout:g} s", maybe_paid=True)
    if isinstance(error, aiohttp.ClientError | OSError):
        text = str(error) or type(error).__name__
        return Fault(Kind.BROKEN, f"the connection broke: {text}", maybe_paid=True)
    raise error
