"""The progress of a run's ranks, read from its folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.executors.coordinator import LOGS
from xl_suite.executors.running import read_answer, read_last_line
from xl_suite.executors.units import Unit
from xl_suite.records import dump_json, write_text

# A rank logs a line every 30 seconds.
STALE_SECONDS = 60.0
DONE = "done.json"


@dataclass(frozen=True, slots=True)
class RankStatus:
    """A rank that an executor started. state: running, silent (for `seconds`) or ended. line: the last of its log."""

    rank: str
    state: str
    seconds: float
    line: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """done: finished units. failed: their rows without an answer. total: all units of the run."""

    done: int
    failed: int
    total: int
    ranks: tuple[RankStatus, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `--json`."""
        return {
            "n_units": self.total,
            "n_done": self.done,
            "n_failed": self.failed,
            "ranks": [asdict(one) for one in self.ranks],
        }

    def describe(self) -> str:
        failed = f"; rows that failed: {self.failed}" if self.failed else ""
        lines = [f"units done: {self.done} of {self.total}{failed}"]
        for one in self.ranks:
            state = f"silent for {one.seconds:.0f} s" if one.state == "silent" else one.state
            lines.append(f"rank {one.rank}: {state}: {one.line}")
        return "\n".join(lines)


def note_done(folder: Path, unit: Unit, failed: int) -> None:
    """Marks a unit as finished, in its folder."""
    write_text(folder / DONE, dump_json({"rows": unit.end - unit.start, "failed": failed}))


def read_status(units: Sequence[Unit], folder: Path, now: float | None = None) -> RunStatus:
    """The progress of a run. folder: the units' folder. now: Unix time in seconds, for tests."""
    found = [(unit, read_answer(folder / unit.name / DONE)) for unit in units]
    done = [told for unit, told in found if told.get("rows") == unit.end - unit.start]
    logs = sorted((folder / LOGS).glob("*-of-*.log"), key=lambda log: int(log.name.partition("-")[0]))
    return RunStatus(
        len(done),
        sum(int(told.get("failed", 0)) for told in done),
        len(units),
        tuple(_read_rank(log, time.time() if now is None else now) for log in logs),
    )


def _read_rank(log: Path, now: float) -> RankStatus:
    seconds = max(0.0, now - log.stat().st_mtime)
    ended = bool(read_answer(log.with_suffix(".json")))
    state = "ended" if ended else "silent" if seconds > STALE_SECONDS else "running"
    return RankStatus(log.stem.replace("-of-", "/"), state, round(seconds, 1), read_last_line(log))
