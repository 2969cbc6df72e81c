"""The URLs of one model: the load is shared among them, and each has a circuit breaker.

A breaker opens after some failures in a row, and lets one call through after a pause to see whether the server is
back. When no URL can be reached for a while, or nothing is ever answered, the run ends: no rows are given up for a
server that is gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xl_suite.chat.faults import Fault, Kind, ModelLost
from xl_suite.chat.http import endpoint, find_proxy
from xl_suite.chat.lines import tell
from xl_suite.chat.waits import describe_wait
from xl_suite.errors import ModelUnavailable

if TYPE_CHECKING:
    import yarl

logger = logging.getLogger("xl_suite.chat")
FAILURES_TO_OPEN = 5
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
SHORTEST_POLL = 0.1
# How long a server that has never answered, and one that has, may be out of reach.
FIRST_PATIENCE = 3.0
PATIENCE = 60.0
# Rows that were given up, one after the other and without any answer between them, before the run ends.
ROWS_GIVEN_UP = 32
# Where nothing has ever been answered: calls given up, and seconds since the first failure, before the run ends.
FAILED_CALLS = 12
FAILED_SECONDS = 120.0
# Rows that the server refuses with the same words, the first ones of the run, before it ends.
REFUSED_ROWS = 12
WITHHELD_ROWS = 36
# How long a server may take to be ready, unless --wait-for-server says otherwise.
WAIT_FOR_SERVER = 900.0


@dataclass(slots=True, eq=False)
class Host:
    """One base URL. closed_until: no call before this time; probing: one call is out to see whether it is back."""

    url: str
    endpoint: yarl.URL
    proxy: str | None = None
    in_flight: int = 0
    failures: int = 0
    throttles: int = 0
    pause: float = FIRST_PAUSE
    opens_at: float = 0.0
    tripped: bool = False
    probing: bool = False

    @classmethod
    def at(cls, url: str) -> Host:
        """The host of a base URL, with the proxy that the environment names for it."""
        return cls(url, endpoint(url), find_proxy(url))

    def redirect(self, target: str) -> None:
        """Sends further calls to `target`."""
        import yarl

        self.endpoint = yarl.URL(target, encoded=True)

    def is_ready(self, now: float) -> bool:
        return not self.tripped or (now >= self.opens_at and not self.probing)


class Pool:
    """Chooses a URL for each attempt, and keeps what happened to it."""

    def __init__(
        self,
        hosts: Sequence[Host],
        model: str,
        alive: Callable[[], str | None],
        patience: float = PATIENCE,
        wait_for_server: float = WAIT_FOR_SERVER,
    ):
        self.hosts, self._model, self._alive = list(hosts), model, alive
        self._patience, self._wait_for_server = patience, wait_for_server
        self.successes = 0
        self._given_up = 0
        self._lost_since: float | None = None
        self._waiting_since: float | None = None
        self._failed_since: float | None = None
        self._refused = self._withheld = 0
        self._silent_since: float | None = None
        self._last: Fault | None = None
        self._ending: str | None = None
        self._changed: asyncio.Event | None = None

    def enter_at_once(self) -> Host | None:
        """The only URL, where there is one and it is in order: the usual case, without a wait."""
        host = self.hosts[0]
        if host.tripped or self._ending is not None or len(self.hosts) > 1:
            return None
        host.in_flight += 1
        return host

    async def enter(self, avoid: Host | None = None) -> Host:
        """The ready URL with the fewest calls in flight, another one than `avoid` if there is one; waits for it.

        `leave` must be called when the attempt is over.
        """
        while True:
            await self._settle_end()
            now = time.monotonic()
            ready = [host for host in self.hosts if host.is_ready(now)]
            if ready:
                if len(ready) > 1:
                    others = [host for host in ready if host is not avoid]
                    fewest = min(host.in_flight for host in others)
                    host = random.choice([host for host in others if host.in_flight == fewest])
                else:
                    host = ready[0]
                host.in_flight += 1
                host.probing = host.tripped
                return host
            wait = min(host.opens_at for host in self.hosts) - now
            await asyncio.sleep(max(SHORTEST_POLL, wait) * (1 + random.random() / 4))

    def leave(self, host: Host) -> None:
        host.in_flight -= 1
        host.probing = False
        if self._changed is not None:
            self._changed.set()

    async def _settle_end(self) -> None:
        """Where the run is about to end: waits for what is in flight, which may be answered. Raises ModelLost."""
        while self._ending is not None:
            if not any(host.in_flight for host in self.hosts):
                raise ModelLost(self._ending)
            self._changed = asyncio.Event()
            await self._changed.wait()

    def note_success(self, host: Host) -> None:
        host.failures = host.throttles = 0
        host.tripped = False
        host.pause = FIRST_PAUSE
        self.successes += 1
        self._given_up = 0
        self._lost_since = self._waiting_since = self._failed_since = self._silent_since = None
        self._ending = None

    def note_fault(self, host: Host, fault: Fault) -> None:
        """Keeps a failed attempt. Raises ModelUnavailable when the model cannot be reached any more."""
        if fault.kind is Kind.REFUSED:
            return
        now = time.monotonic()
        self._last = fault
        self._silent_since = now if self._silent_since is None else self._silent_since
        if fault.kind is Kind.WAITING:
            self._note_waiting(now, fault)
        elif fault.kind not in (Kind.THROTTLED, Kind.UNREACHABLE) and not self.successes:
            self._failed_since = now if self._failed_since is None else self._failed_since
            if now - self._failed_since > FAILED_SECONDS:
                self._end(fault.reason)
        if fault.kind is Kind.THROTTLED:
            # One 429 among good answers concerns one call. Many in a row concern all: wait as long as was asked.
            host.throttles += 1
            if host.throttles >= 2 * FAILURES_TO_OPEN and (not host.tripped or now >= host.opens_at):
                self._trip(host, now, fault.retry_after)
            return
        if fault.kind is Kind.UNREACHABLE:
            if not host.tripped or now >= host.opens_at:
                self._trip(host, now)
            self._check_lost(now, fault)
            return
        # An answer without content, or one that ended in an error, came from a server that answers: the calls' own
        # waits are enough.
        host.failures += fault.tokens is None
        if host.failures >= FAILURES_TO_OPEN and (not host.tripped or now >= host.opens_at):
            asked = fault.retry_after
            self._trip(host, now, None if asked is None else self.bound_wait(asked, fault))
        self.check_alive()

    def _note_waiting(self, now: float, fault: Fault) -> None:
        self.check_alive()
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        if now - self._waiting_since > self._wait_for_server:
            wait = describe_wait(self._wait_for_server)
            raise ModelLost(tell("ended_waiting", url=self._urls(), wait=wait, said=fault.reason))

    def _end(self, reason: str) -> None:
        """Lets no further call go out; what is in flight may still be answered."""
        values = {"url": self._urls(), "model": self._model, "said": reason}
        self._ending = tell("ended_never", count=self._given_up, **values)

    def note_refused(self, reason: str, *, withheld: bool) -> None:
        """Keeps that a row was refused or withheld. Raises where all of the first rows were."""
        if self.successes:
            return
        self._refused += not withheld
        self._withheld += withheld
        if self._refused >= REFUSED_ROWS or self._withheld >= WITHHELD_ROWS:
            count = self._refused + self._withheld
            kind = ModelLost if withheld else ModelUnavailable
            raise kind(tell("ended_refused", url=self._urls(), model=self._model, count=count, said=reason))

    def bound_wait(self, wait: float, fault: Fault) -> float:
        """The wait that a server asks for, as far as `wait_for_server` goes; then it is asked once more.

        A rate limit is waited for as it says; one that is hours away has ended the run.
        """
        if fault.kind is Kind.THROTTLED:
            return wait
        left = self._wait_for_server - self.waited(time.monotonic())
        return min(wait, max(left, 0.0) + FIRST_PAUSE)

    def waited(self, now: float) -> float:
        """Seconds since the server first asked to wait, without an answer since."""
        return 0.0 if self._waiting_since is None else now - self._waiting_since

    def tell_silence(self, now: float, seconds: float) -> None:
        """Logs, once in so many seconds, that calls fail and none has been answered since."""
        if self._silent_since is None or self._last is None or now - self._silent_since < seconds:
            return
        waited = describe_wait(now - self._silent_since)
        self._silent_since = now
        values = {"url": self._urls(), "model": self._model, "said": self._last.reason}
        logger.warning("%s", tell("waiting_silent", wait=waited, **values))

    def note_given_up(self, reason: str) -> None:
        """Keeps that a row failed for good. Raises ModelLost when only failures have come for many rows."""
        self._given_up += 1
        if not self.successes and self._given_up >= FAILED_CALLS:
            self._end(reason)
        elif self._given_up >= ROWS_GIVEN_UP:
            raise ModelLost(
                f"{self._place()}: the last {self._given_up} calls all failed for good, the last one with: {reason}. "
                "The run ends here, so that the other rows are not given up too. See to the server; the same command "
                "goes on from there."
            )

    def check_alive(self) -> None:
        """Raises ModelLost when the server that was started for this model has ended."""
        death = self._alive()
        if death is not None:
            raise ModelLost(
                f"{self._model}: {death}\nWhat was answered is kept; the same command goes on from there."
            )

    def _trip(self, host: Host, now: float, pause: float | None = None) -> None:
        host.opens_at = now + (host.pause if pause is None else max(pause, FIRST_PAUSE))
        host.pause = min(LONGEST_PAUSE, 2 * host.pause)
        host.tripped = True

    def _check_lost(self, now: float, fault: Fault) -> None:
        self.check_alive()
        if not all(host.tripped for host in self.hosts):
            return
        if self._lost_since is None:
            self._lost_since = now
        gone = now - self._lost_since
        if self.successes == 0 and gone >= min(FIRST_PATIENCE, self._patience):
            raise ModelUnavailable(
                f"{self._place()}: no connection. {fault.reason} Check host and port, and that the server runs."
            )
        if gone >= self._patience:
            raise ModelLost(
                f"{self._place()}: the server answered, but has been out of reach for {gone:.0f} s. {fault.reason} "
                "What was answered is kept; the same command goes on from there."
            )

    def _urls(self) -> str:
        return ", ".join(host.url for host in self.hosts)

    def _place(self) -> str:
        return f"{self._urls()}, model {self._model}"
