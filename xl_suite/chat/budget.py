"""What calls cost: the price list, and a budget that is never passed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import cache

from xl_suite.chat.models import Model
from xl_suite.errors import BadInput, BudgetReached
from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens of a model, as its provider lists them; `source` and `date` say where and when.

    cached: of prompt tokens that the provider has seen shortly before, None where no source tells; what a run costs
    is reckoned without that discount. batch: the share of both prices that is paid in batches; half at OpenAI,
    Anthropic and Google.
    """

    model: str
    prompt: float
    completion: float
    cached: float | None = None
    batch: float = 0.5
    source: str = ""
    date: str = ""

    @property
    def batched(self) -> Price:
        """The price in batches."""
        cached = None if self.cached is None else self.cached * self.batch
        return replace(
            self, prompt=self.prompt * self.batch, completion=self.completion * self.batch, cached=cached, batch=1.0
        )

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars of that many tokens."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


@cache
def prices() -> tuple[Price, ...]:
    """The price list, `prices.tsv`."""
    return read_table("xl_suite.chat", "prices.tsv", Price)


def find_price(model: Model, given: tuple[float, float] | None = None) -> Price | None:
    """The price of a model: what the user gave, nothing for servers of our own, else the list's; None if unknown."""
    if model.kind in ("vllm", "transformers", "replay"):
        return Price(model.name, 0.0, 0.0)
    if given is not None:
        return Price(model.name, *given, source="--price")
    return next((price for price in prices() if price.model == model.name), None)


def require_price(model: Model, given: tuple[float, float] | None = None) -> Price:
    """The price of a model that a budget is set for. Raises BadInput when it is unknown."""
    price = find_price(model, given)
    if price is None:
        listed = ", ".join(price.model for price in prices())
        raise BadInput(
            f"--budget: the price of {model.name!r} is unknown. Give it with --price PROMPT,COMPLETION in dollars "
            f"per million tokens (--price 0,0 for a server of your own). `xl-suite prices` lists: {listed}."
        )
    return price


class Budget:
    """Dollars that a run may cost. Every call in flight holds back the most that it can cost.

    limit: dollars; None for no limit.
    """

    def __init__(self, limit: float | None):
        if limit is not None and not limit >= 0:
            raise BadInput(f"--budget {limit}: dollars are needed, 0 or more.")
        self.limit = limit
        self.spent = 0.0
        self.begin()

    def begin(self) -> None:
        """Forgets what an earlier session had in flight, not what it spent: a budget can cover several in turn."""
        self.reserved = 0.0
        self._in_flight = 0
        self._settled = asyncio.Condition()

    @property
    def room(self) -> float:
        """Dollars that are neither spent nor held back; infinite without a limit."""
        return float("inf") if self.limit is None else self.limit - self.spent - self.reserved

    def hold(self, most: float) -> None:
        """Holds `most` dollars back without asking: for what fits by `room`, or is under way already."""
        if self.limit is not None:
            self.reserved += most
            self._in_flight += 1

    async def reserve(self, most: float) -> None:
        """Holds `most` dollars back for one attempt, once calls in flight have left room for it.

        Raises BudgetReached when it does not fit though nothing is in flight.
        """
        if self.limit is None:
            return
        async with self._settled:
            while self.spent + self.reserved + most > self.limit:
                if self._in_flight == 0:
                    raise BudgetReached(
                        f"The budget of ${self.limit:g} is reached: ${self.spent:.4f} is spent, and the next call "
                        f"could cost up to ${most:.4f}. What was answered is kept; the same command with a budget "
                        "for the rest goes on from here (a budget counts one run)."
                    )
                await self._settled.wait()
            self.reserved += most
            self._in_flight += 1

    async def settle(self, most: float, actual: float) -> None:
        """Books what an attempt cost, `actual` dollars, and gives back what was held for it."""
        if self.limit is None:
            return
        async with self._settled:
            self._in_flight -= 1
            self.reserved = self.reserved - most if self._in_flight else 0.0
            self.spent += actual
            self._settled.notify_all()
