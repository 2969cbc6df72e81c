"""Attempts: how one call is sent, tried again and given up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xl_suite.chat.answers import WITHHELD, ErrorInside, parse_answer
from xl_suite.chat.budget import Budget, Price
from xl_suite.chat.calls import Answer, FailedCall
from xl_suite.chat.deadlines import Deadlines
from xl_suite.chat.faults import Fault, Kind, ModelLost, choose_wait
from xl_suite.chat.http import (
    MOST_REDIRECTS,
    WrongRedirect,
    find_target,
    join_path,
    read_bounded,
    request_json,
)
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.lines import tell
from xl_suite.chat.models import Model
from xl_suite.chat.pool import Host, Pool
from xl_suite.chat.refusals import judge_refusal
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.shapes import PLAIN, Adapted, Shape
from xl_suite.chat.waits import MOST_WAIT, describe_wait
from xl_suite.chat.wire import Request, load
from xl_suite.errors import ModelUnavailable

if TYPE_CHECKING:
    import aiohttp
from xl_suite.chat.explaining import explain_exception, tell_surprise

logger = logging.getLogger("xl_suite.chat")
# An answer without content is asked for once more: asking on would pay again and again for nothing.
EMPTY_ATTEMPTS = 2
# Waits longer than this are told.
SHOWN_WAIT = 60.0
# An answer of fewer tokens is a look at a verdict, which is asked for anew with more of them.
SHOWN_TOKENS = 64
# An answer that costs this many times the most that was held back for it ends a run with a budget.
SURPRISE = 2.0
LISTED = 10
LIST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Got:
    """A response: its status and body, and the headers where it is not an answer."""

    status: int
    data: bytes
    headers: Mapping[str, str] | None = None


class Sender:
    """Sends the calls of one model to its URLs. confirm: what is to be done when it answers for the first time."""

    def __init__(
        self,
        model: Model,
        pool: Pool,
        http: aiohttp.ClientSession,
        options: ChatOptions,
        ledger: Ledger,
        budget: Budget,
        price: Price | None,
        confirm: Callable[[], Awaitable[None]] | None = None,
    ):
        self.pool = pool
        self._confirm = confirm
        self._model, self._http, self._options = model, http, options
        self._ledger, self._budget, self._price = ledger, budget, price
        self._deadlines = Deadlines(options.timeout)
        self._shown = 0.0
        self._told: set[str] = set()

        from aiohttp import BytesPayload

        self._payload = BytesPayload

    @property
    def model(self) -> Model:
        """The model as it is served."""
        return self._model

    @property
    def http(self) -> aiohttp.ClientSession:
        return self._http

    @property
    def price(self) -> Price | None:
        return self._price

    async def answer(self, row: str, request: Request, shape: Shape = PLAIN) -> Answer | FailedCall | Adapted:
        """Tries until there is an answer, the call is given up, or the server wants it in another shape.

        shape: that of the request. Raises what ends the run.
        """
        pool, ledger, budget = self.pool, self._ledger, self._budget
        attempts = failures = empty = 0
        seen = pool.successes
        last: Host | None = None
        most = self.most_dollars(request)
        limited = budget.limit is not None
        while True:
            host = pool.enter_at_once() or await pool.enter(last)
            try:
                if limited:
                    await budget.reserve(most)
                result, dollars = await self._attempt(host, request, most, shape)
                if limited:
                    await budget.settle(most, dollars)
            finally:
                pool.leave(host)
            if isinstance(result, Answer):
                if self._confirm is not None:
                    await self.confirm_answered()
                price = self._price
                ledger.add_cost(result.prompt_tokens, result.completion_tokens, dollars if price else None)
                if limited and dollars > SURPRISE * most:
                    budget.stop(tell_surprise(row, result, dollars, most))
                self._tell_first(row, request, host, result)
                if result.is_withheld:
                    pool.note_refused(result.said, withheld=True)
                else:
                    pool.note_success(host)
                return result
            if result.adapted is not None:
                return result.adapted
            if result.kind is Kind.ENDED:
                raise await self.explain_end(host, request, result)
            if result.tokens is not None:
                ledger.add_wasted(*result.tokens, dollars if self._price else None)
            elif self._price:
                ledger.uncertain += dollars
            if result.kind is Kind.WITHHELD:
                ledger.add_cost(0, 0, 0.0)
                answer = Answer("", WITHHELD, 0, 0, said=result.reason)
                self._tell_first(row, request, host, answer)
                pool.note_refused(result.reason, withheld=True)
                return answer
            if result.kind is Kind.UNFINISHED:
                ledger.add_cost(0, 0, 0.0)
                pool.note_success(host)
                answer = Answer("", "length", 0, 0, reasoning="")
                self._tell_first(row, request, host, answer)
                return answer
            pool.note_fault(host, result)
            failures += 1
            empty += result.kind is Kind.EMPTY
            # A server that cannot be reached, or is busy while it answers others, says nothing about this call.
            busy = result.kind in (Kind.THROTTLED, Kind.WAITING)
            excused = result.kind in (Kind.UNREACHABLE, Kind.WAITING) or (busy and pool.successes > seen)
            attempts += not excused
            seen = pool.successes
            hopeless = result.kind is Kind.REFUSED or empty >= EMPTY_ATTEMPTS or attempts >= self._options.attempts
            if hopeless:
                if result.kind is Kind.REFUSED:
                    pool.note_refused(result.reason, withheld=False)
                elif not result.own_fault:
                    pool.note_given_up(result.reason)
                ledger.failed += 1
                reason = self.tell_failed(row, request, host, result)
                return FailedCall(row, reason, max(1, attempts))
            ledger.retries += 1
            last = host
            # How long to wait for a server that cannot be reached is the pool's to say.
            wait = pool.bound_wait(choose_wait(1 if result.kind is Kind.UNREACHABLE else failures, result), result)
            self._show_wait(host, result, wait)
            await asyncio.sleep(wait)

    async def confirm_answered(self) -> None:
        """Once, before any answer counts as the model's."""
        if self._confirm is not None:
            await self._confirm()
            self._confirm = None

    async def _attempt(self, host: Host, request: Request, most: float, shape: Shape) -> tuple[Answer | Fault, float]:
        """One request: what came of it, and the dollars to book, `most` where it may have been paid for."""
        ledger = self._ledger
        begun = ledger.begin_request()
        try:
            got = await self._post(host, request.payload)
        except Exception as error:
            fault = explain_exception(error, self._options.timeout, host.url)
            return fault, most if fault.maybe_paid else 0.0
        finally:
            ledger.end_request(begun)
        status = got.status
        if status == 200:
            try:
                result, counted = parse_answer(got.data)
            except ErrorInside as error:
                status = error.status
            else:
                if isinstance(result, Fault):
                    if result.tokens is None or not counted:
                        return result, most if result.kind is not Kind.BROKEN else 0.0
                    return result, self._price.of(*result.tokens) if self._price else most
                if not counted or self._price is None:
                    self._note_uncounted(counted)
                    return result, most
                return result, self._price.of(result.prompt_tokens, result.completion_tokens)
        fault = judge_refusal(
            status,
            got.headers or {},
            got.data,
            shape=shape,
            body=load(request.payload),
            proven=self.pool.successes > 0,
        )
        return fault, 0.0

    def _note_uncounted(self, counted: bool) -> None:
        """Counts, and tells once, an answer without usable numbers of tokens, which is booked at its most."""
        if counted or self._price is None:
            return
        self._ledger.uncounted += 1
        if "uncounted" not in self._told:
            self._told.add("uncounted")
            logger.warning(
                "%s gives no usable numbers of tokens (usage) with an answer: such answers count at the most that "
                "they can cost.",
                self._model.name,
            )

    async def _post(self, host: Host, payload: bytes) -> _Got:
        task = self._deadlines.enter()
        try:
            for _ in range(MOST_REDIRECTS):
                body = self._payload(payload, content_type="application/json")
                async with self._http.post(
                    host.endpoint, data=body, allow_redirects=False, proxy=host.proxy
                ) as response:
                    if 300 <= response.status < 400:
                        location = response.headers.get("Location")
                        host.redirect(find_target(str(host.endpoint), response.status, location))
                        continue
                    data = await read_bounded(response)
                    headers = None if response.status == 200 else response.headers
                    return _Got(response.status, data, headers)
            raise WrongRedirect(310, str(host.endpoint))
        except asyncio.CancelledError:
            self._deadlines.explain(task)
            raise
        finally:
            self._deadlines.leave(task)

    async def explain_end(self, host: Host, request: Request, fault: Fault) -> ModelUnavailable:
        """The error that ends the run, in one line. What was answered is kept."""
        values: dict[str, Any] = {
            "url": host.url,
            "model": self._model.name,
            "said": fault.reason,
            "variable": self._model.key_variable or "XL_SUITE_API_KEY",
            "done": f"{self._ledger.paid + self._ledger.from_journal:,}",
            "limit": fault.limit,
            "sent": request.most_completion_tokens,
        }
        if fault.line == "ended_model":
            values["models"] = await self._list_models(host)
        if fault.line == "ended_quota":
            wait = fault.retry_after if (fault.retry_after or 0) > MOST_WAIT else None
            at = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + wait)) if wait else "it resets"
            values["reset"] = f"{at} (in {describe_wait(wait)})" if wait else at
        kind = ModelLost if self.pool.successes or fault.line == "ended_quota" else ModelUnavailable
        return kind(tell(fault.line, **values))

    async def _list_models(self, host: Host) -> str:
        _, listed = await request_json(self._http, join_path(host.url, "/models"), LIST_SECONDS)
        entries = listed.get("data") if isinstance(listed, dict) else None
        names = [str(one["id"]) for one in entries or () if isinstance(one, dict) and "id" in one]
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        return ", ".join(names[:LISTED]) + more if names else "none that it tells"

    def tell_failed(self, row: str, request: Request, host: Host, fault: Fault) -> str:
        """Why a call failed for good, as its user reads it."""
        line = "failed_empty" if fault.kind is Kind.EMPTY else fault.line
        if not line.startswith("failed_"):
            return fault.reason
        values = {"row": row, "url": host.url, "model": self._model.name, "said": fault.reason}
        return tell(line, sent=request.most_completion_tokens, **values)

    def _tell_first(self, row: str, request: Request, host: Host, answer: Answer) -> None:
        """Tells of the first row that is withheld, and of the first whose tokens all went into reasoning; further
        ones are counted at the end."""
        sent = request.most_completion_tokens
        spent = answer.finish_reason == "length" and not answer.text.strip() and sent >= SHOWN_TOKENS
        line = "withheld" if answer.is_withheld else "truncated" if spent else ""
        if not line or line in self._told:
            return
        self._told.add(line)
        values = {"row": row, "url": host.url, "model": self._model.name, "sent": sent}
        logger.warning("%s", tell(line, said=answer.said, **values))

    def _show_wait(self, host: Host, fault: Fault, wait: float) -> None:
        """Tells of a server that makes us wait, at most once in half a minute."""
        now = time.monotonic()
        long = wait > SHOWN_WAIT or fault.kind is Kind.WAITING
        if not long or now - self._shown < self._options.tell_seconds:
            return
        self._shown = now
        line = "waiting_rate" if fault.kind is Kind.THROTTLED else fault.line or "waiting_broken"
        waited = self.pool.waited(now) if line in ("waiting_loading", "waiting_unready") else wait
        values = {"url": host.url, "model": self._model.name, "said": fault.reason}
        logger.warning("%s", tell(line, wait=describe_wait(waited), **values))

    def most_dollars(self, request: Request) -> float:
        """What one attempt can cost at most."""
        if self._price is None:
            return 0.0
        return self._price.of(request.most_prompt_tokens, request.most_completion_tokens)
