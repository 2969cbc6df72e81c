"""What a run has done and what it cost, kept while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Ledger:
    """Counts of one session, over all its models.

    paid: calls that this run was answered. from_journal: calls that needed none. shared: calls that waited for an
    identical one in flight. repeated: paid calls whose answer the journal held already when it came to be written
    (another process had asked the same). failed: calls that failed for good. retries: attempts after a first one.
    dollars: None as soon as a paid model has no known price.
    uncounted: responses that say nothing usable about their tokens, counted in dollars at the most they can cost.
    uncertain: dollars at most of attempts that ended without a response and may have been charged; not in `dollars`.
    busy_seconds: the time that slots had a request in flight, summed.
    """

    paid: int = 0
    from_journal: int = 0
    shared: int = 0
    repeated: int = 0
    failed: int = 0
    retries: int = 0
    wasted: int = 0
    uncounted: int = 0
    uncertain: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = 0.0
    busy_seconds: float = 0.0
    slots: int = 0
    started: float = field(default=0.0, repr=False)
    ended: float = field(default=0.0, repr=False)

    @property
    def done(self) -> int:
        """Calls that have come to an end, well or not."""
        return self.paid + self.from_journal + self.shared + self.failed

    @property
    def utilisation(self) -> float | None:
        """Share of the slots that had a request in flight, from the first request to the last response."""
        available = (self.ended - self.started) * self.slots
        return min(1.0, self.busy_seconds / available) if available > 0 else None

    def begin_request(self) -> float:
        now = time.perf_counter()
        if self.started == 0.0:
            self.started = now
        return now

    def end_request(self, begun: float) -> None:
        now = time.perf_counter()
        self.busy_seconds += now - begun
        self.ended = now

    def add_cost(self, prompt_tokens: int, completion_tokens: int, dollars: float | None) -> None:
        self.paid += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.dollars = None if dollars is None or self.dollars is None else self.dollars + dollars

    def add_wasted(self, prompt_tokens: int, completion_tokens: int, dollars: float | None) -> None:
        """What a response without an answer cost."""
        if prompt_tokens or completion_tokens:
            self.add_cost(prompt_tokens, completion_tokens, dollars)
            self.paid -= 1
            self.wasted += 1

    def to_dict(self) -> dict[str, Any]:
        """The ledger as the `--json` of a verb has it."""
        doubtful = {"uncounted": self.uncounted, "uncertain_dollars": round(self.uncertain, 6)}
        return {
            "paid": self.paid,
            "from_journal": self.from_journal,
            "shared": self.shared,
            "repeated": self.repeated,
            "failed": self.failed,
            "retries": self.retries,
            "wasted": self.wasted,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "dollars": None if self.dollars is None else round(self.dollars, 6),
            "utilisation": None if self.utilisation is None else round(self.utilisation, 4),
            **{name: value for name, value in doubtful.items() if value},
        }

    def describe(self) -> str:
        """One line for a person."""
        cost = "price unknown" if self.dollars is None else f"${self.dollars:.4f}"
        parts = [
            f"{self.paid:,} paid",
            f"{self.from_journal:,} from journal",
            f"{self.failed:,} failed",
            f"{self.retries:,} retries",
            f"{self.repeated:,} repeated",
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens",
            cost,
        ]
        if self.wasted:
            parts.insert(4, f"{self.wasted:,} paid without an answer")
        if self.uncounted:
            parts.append(f"{self.uncounted:,} without usable token counts, taken at the most they can cost")
        if self.uncertain:
            parts.append(f"up to ${self.uncertain:.4f} more for attempts without a response")
        if self.shared:
            parts.insert(2, f"{self.shared:,} shared")
        if self.utilisation is not None:
            parts.append(f"utilisation {self.utilisation:.2f}")
        return ", ".join(parts)


_collected: ContextVar[list[Ledger] | None] = ContextVar("collected", default=None)


@contextmanager
def collect_ledgers() -> Iterator[list[Ledger]]:
    """Gives a list that gets the ledger of every run in the block, also of one that ends with an error."""
    ledgers: list[Ledger] = []
    token = _collected.set(ledgers)
    try:
        yield ledgers
    finally:
        _collected.reset(token)


def note_ledger(ledger: Ledger) -> None:
    """Adds a run's ledger to what `collect_ledgers` gives, where something collects."""
    ledgers = _collected.get()
    if ledgers is not None:
        ledgers.append(ledger)


def sum_ledgers(ledgers: Iterable[Ledger]) -> Ledger:
    """The counts of several runs in one ledger; it has no utilisation."""
    total = Ledger()
    for own in ledgers:
        for name in ("paid", "from_journal", "shared", "repeated", "failed", "retries", "wasted", "uncounted"):
            setattr(total, name, getattr(total, name) + getattr(own, name))
        total.prompt_tokens += own.prompt_tokens
        total.completion_tokens += own.completion_tokens
        total.uncertain += own.uncertain
        total.dollars = None if total.dollars is None or own.dollars is None else total.dollars + own.dollars
    return total
