"""The commands of ranks: the command that was given, for one rank of it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.executors.units import Rank

# The options that are the whole run's, and how many values each takes.
OWN: Mapping[str, int] = {
    "--executor": 1,
    "--executor-config": 1,
    "--ranks": 1,
    "--print-only": 0,
    "--detach": 0,
    "--status": 0,
    "--budget": 1,
    "--json": 0,
}


@dataclass(frozen=True, slots=True)
class Command:
    """The command of a rank. arguments: what follows `xl-suite`. folder: where it runs. log: for its stderr."""

    rank: Rank
    arguments: tuple[str, ...]
    folder: Path
    log: Path

    def describe(self) -> str:
        """The command as a shell takes it."""
        return shlex.join(["xl-suite", *self.arguments])


def drop_options(arguments: Sequence[str], options: Mapping[str, int] = OWN) -> list[str]:
    """The arguments of a verb without some options, which may be shortened as argparse allows.

    options: how many values each takes; those of the whole run by default.
    """
    kept: list[str] = []
    left = list(arguments)
    while left:
        token = left.pop(0)
        if token == "--":
            return [*kept, token, *left]
        name, equals, _ = token.partition("=")
        option = next((one for one in options if one == name or (len(name) > 2 and one.startswith(name))), None)
        if option is None or not name.startswith("--") or name == "--rank":
            kept.append(token)
        elif not equals:
            del left[: options[option]]
    return kept


def add_options(arguments: Sequence[str], *options: str) -> tuple[str, ...]:
    """The arguments with further options, which go before the first one that is there: positionals may follow it."""
    place = next((at for at, token in enumerate(arguments) if token.startswith("-")), len(arguments))
    return (*arguments[:place], *options, *arguments[place:])


def share_budget(budget: float, weights: Sequence[float]) -> list[float]:
    """Shares by weight, in dollars, rounded down, so that their sum is never above the budget."""
    total = sum(weights)
    return [math.floor(budget * weight / total * 1e9) / 1e9 if total else 0.0 for weight in weights]
