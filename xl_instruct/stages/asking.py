"""How the stages reach their models: servers started when needed, one session a stage, one budget over all."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model, serve
from xl_suite.chat.session import ChatSession, choose_log
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BudgetReached

Value = TypeVar("Value")
Served = tuple[Model, Callable[[], str | None]]
# Models whose server a run starts: one after another, since two would share one machine's memory.
STARTED = ("vllm", "transformers")


@dataclass(slots=True)
class Asker:
    """Opens sessions for the stages of a run. ledgers: of the stages that made calls, by their label."""

    options: ChatOptions
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    spent: float = 0.0

    @contextmanager
    def serve(self, models: Sequence[Model]) -> Iterator[list[Served]]:
        """The models, ready to be called while the block runs."""
        with ExitStack() as stack:
            if self.options.replay is not None:
                yield [(model, lambda: None) for model in models]
                return
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="xl-suite-"))
            log = choose_log(self.options, scratch)
            yield [
                (model, lambda: None) if model.kind == "replay" else stack.enter_context(serve(model, log))
                for model in models
            ]

    def run(
        self,
        served: Sequence[Served],
        label: str,
        total: int | None,
        work: Callable[[list[ChatClient]], Awaitable[Value]],
    ) -> Value:
        """What `work` returns, given a client of each model. Models that are asked together share the slots.
        Raises what ends a run."""
        options = replace(self.options, slots=max(1, self.options.slots // len(served)))
        if options.budget is not None:
            if self.spent > options.budget:
                raise BudgetReached(f"The budget of ${options.budget:g} is spent.")
            options = replace(options, budget=options.budget - self.spent)

        async def ask() -> Value:
            async with ChatSession(options, label, total) as chat:
                self.ledgers[label] = chat.ledger
                try:
                    return await work([await chat.open(model, alive) for model, alive in served])
                finally:
                    self.spent += chat.budget.spent

        return asyncio.run(ask())
