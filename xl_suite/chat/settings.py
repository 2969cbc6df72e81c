"""How calls are made: the options of a session, and what follows from them for this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.pool import PATIENCE, WAIT_FOR_SERVER
from xl_suite.errors import BadInput

TAILS = ("batch", "online")
# Calls that are handed over at a time where batches take them; each takes some kilobytes of memory.
MOST_IN_BATCHES = 100_000


@dataclass(frozen=True, slots=True)
class Batching:
    """How calls go out as half-price batches instead of one by one.

    tail: `batch` or `online`: how calls are asked again that a batch left without an answer. least: fewer calls than
    this at a time go out one by one, since a batch may take a day. requests, bytes: what one batch may hold; the
    defaults are OpenAI's limits. linger: seconds without a new call after which those that wait become a batch.
    poll: seconds between two looks at a batch, at most. settle: seconds before a batch that was perhaps made is
    looked for.
    """

    tail: str = "batch"
    least: int = 100
    requests: int = 50_000
    bytes: int = 200_000_000
    linger: float = 1.0
    poll: float = 60.0
    settle: float = 5.0

    def __post_init__(self) -> None:
        if self.tail not in TAILS:
            raise BadInput(f"--batch-tail {self.tail}: valid are {', '.join(TAILS)}.")


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How calls are made; none of it but `extra` changes an answer.

    journal: where answers are kept; None keeps nothing. replay: answer everything from this journal, without network.
    slots: calls in flight to each model. timeout: seconds that one attempt may take. attempts: before a call is given
    up. budget: dollars this run may cost. price: dollars per million prompt and completion tokens, by the model's
    name, or of the only model that the price list lacks. patience: seconds that a server that has answered may be out
    of reach.
    log: the file for the output of servers that are started; None puts it beside the journal.
    wait_for_server: seconds that a server may take to start, load or make room. tell_seconds: how often that, and a
    run that stops succeeding, is told. extra: (name, JSON value) of further fields in the body of every request.
    same_model: takes a server that differs from the one in the journal for the same model. generator: its name, which
    helps to tell models apart whose servers say nothing. batch: asks in half-price batches; None asks one by one.
    wait: for another run that writes to the journal. replace: makes finished files anew that have other settings, or
    rows that the journal lacks. further: a journal whose answers count as well, and to which
    nothing is written.
    """

    journal: Path | None = None
    replay: Path | None = None
    slots: int = 64
    timeout: float = 600.0
    attempts: int = 6
    budget: float | None = None
    price: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None
    patience: float = PATIENCE
    progress: bool = True
    log: Path | None = None
    wait_for_server: float = WAIT_FOR_SERVER
    tell_seconds: float = 30.0
    extra: tuple[tuple[str, Any], ...] = ()
    same_model: bool = False
    generator: str = ""
    batch: Batching | None = None
    wait: bool = False
    replace: bool = False
    further: Path | None = None

    def __post_init__(self) -> None:
        taken = [name for name, _ in self.extra if name in ("messages", "model", "stream", "n")]
        if taken:
            raise BadInput(f"{taken[0]!r} cannot be an extra field of a request: it is set by the call itself.")
        bounds = {"slots": 1, "attempts": 1, "timeout": 0.001, "patience": 0.0, "wait_for_server": 0.0}
        for name, least in bounds.items():
            if not getattr(self, name) >= least:
                raise BadInput(f"{name} is {getattr(self, name)}; {least:g} or more is needed.")


def choose_log(options: ChatOptions, scratch: str | Path) -> Path:
    """The log file of a server that is started: as told, else beside the journal, else in `scratch`."""
    if options.log is not None:
        return options.log
    if options.journal is not None:
        return options.journal.with_name(options.journal.name.removesuffix(".sqlite") + "-server.log")
    return Path(scratch) / "server.log"


def raise_file_limit(wanted: int) -> None:
    """A connection is a file: lets this process open as many as the slots need, where the system allows it."""
    try:
        import resource
    except ImportError:  # no such limit on this system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
