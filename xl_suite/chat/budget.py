"""What calls cost: the price list, and a budget that is never passed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from xl_suite.chat.models import Model
from xl_suite.errors import BadInput, BudgetReached
from xl_suite.tables import read_table

logger = logging.getLogger("xl_suite.chat")
# Models whose calls cost nothing.
FREE = ("vllm", "transformers", "replay")
# Dollars per million prompt and completion tokens, by the model's name; a pair alone is that of the only model that
# the price list lacks.
Given = tuple[float, float] | Mapping[str, tuple[float, float]]


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


def find_price(model: Model, given: Given | None = None) -> Price | None:
    """The price of a model: what the user gave for it, nothing for servers of our own, else the list's, else what the
    user gave without a name; None if unknown."""
    if model.kind in FREE:
        return Price(model.name, 0.0, 0.0)
    by_name = name_prices(given)
    if model.name in by_name:
        return Price(model.name, *by_name[model.name], source="--price")
    listed = next((price for price in prices() if price.model == model.name), None)
    if listed is None and "" in by_name:
        return Price(model.name, *by_name[""], source="--price")
    return listed


def name_prices(given: Given | None) -> Mapping[str, tuple[float, float]]:
    """Given prices by the model's name, which is empty for a price without one."""
    if given is None:
        return {}
    return given if isinstance(given, Mapping) else {"": given}


def check_prices(given: Given | None, models: Sequence[Model]) -> None:
    """Raises BadInput for a given price that does not say whose it is, or is that of a model that is not asked.

    A price without a name is that of the only model that the price list lacks, and this is noted.
    """
    by_name = name_prices(given)
    paid = {model.name: model for model in models if model.kind not in FREE}
    names = ", ".join(paid) or "none that costs anything"
    strange = [name for name in by_name if name and name not in paid and paid]
    if strange:
        raise BadInput(f"--price {strange[0]}=...: this model is not asked. Asked are: {names}.")
    if "" not in by_name or not paid:
        return
    pair = "{:g},{:g}".format(*by_name[""])
    listed = {price.model for price in prices()}
    unlisted = [name for name in paid if name not in by_name and name not in listed]
    if len(unlisted) != 1:
        why = f"{len(unlisted)} models have no listed price" if unlisted else "all models have a price"
        raise BadInput(f"--price {pair} does not say whose it is, and {why}: write MODEL={pair}. Asked are: {names}.")
    logger.info("note: --price %s is taken for %s. --price %s=%s says so.", pair, unlisted[0], unlisted[0], pair)


def require_price(model: Model, given: Given | None = None) -> Price:
    """The price of a model that a budget is set for. Raises BadInput when it is unknown."""
    price = find_price(model, given)
    if price is None:
        listed = ", ".join(price.model for price in prices())
        raise BadInput(
            f"--budget: the price of {model.name!r} is unknown. Give it with --price {model.name}=PROMPT,COMPLETION "
            f"in dollars per million tokens (0,0 for a server of your own). `xl-suite prices` lists: {listed}."
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
        self._stopped = ""
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
            while self._stopped or self.spent + self.reserved + most > self.limit:
                if self._in_flight == 0 and self._stopped:
                    raise BudgetReached(self._stopped)
                if self._in_flight == 0:
                    raise BudgetReached(
                        f"The budget of ${self.limit:g} is reached: ${self.spent:.4f} is spent, and the next call "
                        f"could cost up to ${most:.4f}. What was answered is kept; the same command with a budget "
                        "for the rest goes on from here (a budget counts one run)."
                    )
                await self._settled.wait()
            self.reserved += most
            self._in_flight += 1

    def stop(self, why: str) -> None:
        """Lets no attempt begin any more: `reserve` raises BudgetReached once what is in flight is booked."""
        self._stopped = self._stopped or why

    async def settle(self, most: float, actual: float) -> None:
        """Books what an attempt cost, `actual` dollars, and gives back what was held for it."""
        if self.limit is None:
            return
        async with self._settled:
            self._in_flight -= 1
            self.reserved = self.reserved - most if self._in_flight else 0.0
            self.spent += actual
            self._settled.notify_all()
