"""The batches of a journal, to be shown, cancelled or forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.chat.batches.service import Batch, BatchService, ServiceFault
from xl_suite.chat.batches.tables import Plan, count_unanswered, list_plans, release_plan
from xl_suite.chat.http import open_http
from xl_suite.chat.journal import Journal
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.run import complete
from xl_suite.errors import BadInput, ModelUnavailable

CANCEL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A batch with the calls in it that the journal does not answer yet."""

    plan: Plan
    unanswered: int

    @property
    def is_open(self) -> bool:
        """Whether the next run still has something to do for it, be it only to ask for its results."""
        return self.plan.is_open and self.unanswered > 0

    @property
    def name(self) -> str:
        """What it is called by: the server's ID, or ours where the server has given none."""
        return self.plan.batch or self.plan.plan


def find_journal(path: Path) -> Path:
    """The journal that is meant by a folder of results or by itself. Raises BadInput where there is none."""
    journal = path / ".journal.sqlite" if path.is_dir() else path
    if not journal.is_file():
        raise BadInput(
            f"{journal}: there is no journal. Name a folder that a run with --batch wrote, or its journal."
        )
    return journal


def list_batches(path: Path) -> list[Listed]:
    """The batches of a journal, the oldest first. Asks no server."""
    with Journal(path, read_only=True) as journal:
        return [
            Listed(plan, count_unanswered(journal, plan.plan) if plan.is_open else 0) for plan in list_plans(journal)
        ]


def choose_batches(listed: Sequence[Listed], wanted: str) -> list[Listed]:
    """The open batches that are meant by a name, or by `all`. Raises BadInput where there is none."""
    still = [one for one in listed if one.is_open]
    chosen = still if wanted == "all" else [one for one in still if wanted in (one.name, one.plan.plan)]
    if not chosen:
        names = ", ".join(one.name for one in still) or "none"
        raise BadInput(f"{wanted}: there is no open batch of that name. Open batches: {names}.")
    return chosen


def cancel_batches(chosen: Sequence[Listed], model: str | None) -> list[Batch]:
    """Cancels batches at their server. The next run of the same command takes what they had answered.

    model: MODEL@URL of the server, for one that the environment does not name; a key goes to no URL that only a file
    names. Raises BadInput where that differs, and ModelUnavailable where the server refuses.
    """
    done = []
    for one in chosen:
        if not one.plan.batch:
            raise BadInput(f"{one.name} has no batch at the server yet. The command that made it goes on with it.")
        parsed = parse_model(model or one.plan.name)
        if one.plan.url not in parsed.urls:
            raise BadInput(
                f"{one.name} is at {one.plan.url}, and {model or one.plan.name} is at {', '.join(parsed.urls)}. "
                f"Say whose key is meant: --model {one.plan.name}@{one.plan.url}"
            )
        done.append(complete(_cancel(parsed, one.plan)))
    return done


def forget_batches(path: Path, chosen: Sequence[Listed]) -> None:
    """Releases the calls in batches: the next run asks, and perhaps pays for, them again."""
    with Journal(path) as journal:
        for one in chosen:
            release_plan(journal, one.plan.plan, "forgotten")


async def _cancel(model: Model, plan: Plan) -> Batch:
    async with open_http(model) as http:
        try:
            return await BatchService(http, model, plan.url, CANCEL_SECONDS).cancel(plan.batch)
        except ServiceFault as fault:
            raise ModelUnavailable(f"{plan.batch} cannot be cancelled: {fault}.") from fault
