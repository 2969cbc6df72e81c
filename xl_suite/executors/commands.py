"""The commands of ranks: the user's command, restricted to one rank."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.executors.units import Rank

# The options of the whole run, with the number of their values.
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
    """The command of a rank. arguments: those after `xl-suite`. folder: its working directory. log: its stderr."""

    rank: Rank
    arguments: tuple[str, ...]
    folder: Path
    log: Path

    def describe(self) -> str:
        """The command in shell syntax."""
        return shlex.join(["xl-suite", *self.arguments])


def drop_options(arguments: Sequence[str], options: Mapping[str, int] = OWN) -> list[str]:
    """The arguments of a verb without some options, which may be shortened as argparse allows.

    options: the number of values of each; by default the options of the whole run.
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
    """The arguments with further options, inserted before the first option, since positionals may follow the last."""
    place = next((at for at, token in enumerate(arguments) if token.startswith("-")), len(arguments))
    return (*arguments[:place], *options, *arguments[place:])


def share_budget(budget: float, weights: Sequence[float]) -> list[float]:
    """Shares by weight, in dollars, rounded down, so that their sum is never above the budget."""
    total = sum(weights)
    return [math.floor(budget * weight / total * 1e9) / 1e9 if total else 0.0 for weight in weights]
