"""One writer for each journal: a lock beside it, `<journal>.lock`, with who holds it written inside.

Two runs on one journal would each pay for calls that the other one has in flight. On local drives the lock is
`flock`, which the system gives up when its holder ends, however it ends. On network drives `flock` may hold on one
machine only, so there the file itself is a lease, which its holder renews and which counts as given up when it has
not been renewed for a while. `XL_SUITE_LOCK=lease` asks for a lease where the kind of the drive is not recognised.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from xl_suite.chat.holder import Holder
from xl_suite.chat.locks import Lease, SystemLock, Unsupported, lock_of
from xl_suite.errors import JournalError

if TYPE_CHECKING:
    from xl_suite.chat.settings import ChatOptions

logger = logging.getLogger("xl_suite.chat")
POLL_SECONDS = 0.25
# How often a run that waits for another one says so.
TELL_SECONDS = 60.0
# File systems whose files several machines write, by the names that Linux gives them.
NETWORK = re.compile(
    r"(nfs|smb|cifs|lustre|gpfs|beegfs|ceph|afs|panfs|pvfs2|orangefs|glusterfs|ocfs2|gfs2|9p|virtiofs|fuse\.)"
)
MOUNTS = Path("/proc/self/mountinfo")


class JournalBusy(JournalError):
    """Another run writes to the journal."""


class Lock(Protocol):
    """take: whether it is ours now; it may be asked again. check: raises JournalError where it has been lost."""

    def take(self) -> bool: ...
    def check(self) -> None: ...
    def release(self) -> None: ...
    def read_holder(self) -> Holder | None: ...


_held: ContextVar[Mapping[Path, Lock] | None] = ContextVar("held", default=None)


@contextmanager
def hold(journal: Path | None, *, wait: bool = False) -> Iterator[Lock | None]:
    """Keeps other runs from writing to a journal while the block runs; inside it the same lock may be held again.

    None, without a lock, for no journal and for one in a folder that cannot be written, which nobody can write to.
    wait: waits until the holder has ended; else raises JournalBusy, which names it.
    """
    if journal is None:
        yield None
        return
    place = Path(os.path.realpath(journal))
    held = _held.get() or {}
    if place in held:
        yield held[place]
        return
    made = _make_parents(place)
    if not os.access(place.parent, os.W_OK):
        yield None
        return
    lock: Lock | None = None
    try:
        lock = _take(place, journal, wait)
        token = _held.set({**held, place: lock})
        try:
            yield lock
        finally:
            _held.reset(token)
    finally:
        if lock is not None:
            lock.release()
        for folder in made:
            with suppress(OSError):  # it holds something now
                folder.rmdir()


def hold_for(options: ChatOptions) -> AbstractContextManager[Lock | None]:
    """Holds the lock of the journal that a run with these options writes to; a replay writes to none."""
    return hold(options.journal if options.replay is None else None, wait=options.wait)


def find_file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that a path is on, as Linux names it; empty where that is not told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found, longest = "", -1
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if not dash or len(fields) < 5 or not kind:
            continue
        point = Path(re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        if (path == point or point in path.parents) and len(point.parts) >= longest:  # the last one is on top
            found, longest = kind[0], len(point.parts)
    return found


def _take(place: Path, journal: Path, wait: bool) -> Lock:
    lock = _choose(place)
    told = -TELL_SECONDS
    while True:
        try:
            if lock.take():
                return lock
        except Unsupported:
            lock = Lease(place)
            continue
        except OSError as error:
            raise JournalError(f"{lock_of(place)}: the journal's lock cannot be used: {error}.") from error
        holder = lock.read_holder()
        who = holder.describe() if holder else "a process that has not written its name into it"
        if not wait:
            raise JournalBusy(
                f"{journal}: another run writes to this journal, and two would pay for the same calls: {who}. Wait "
                "for it (--wait does), or give this run a journal of its own with --journal."
            )
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            logger.warning("%s: waits for another run that writes to this journal: %s.", journal, who)
        time.sleep(POLL_SECONDS)


def _choose(place: Path) -> Lock:
    network = NETWORK.match(find_file_system(place.parent)) is not None
    if network or os.name == "nt" or os.environ.get("XL_SUITE_LOCK") == "lease":
        return Lease(place)
    return SystemLock(place)


def _make_parents(place: Path) -> list[Path]:
    """Makes the folders that a file needs; those that were not there, the innermost first."""
    missing = [folder for folder in place.parents if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"{place}: the folder of the journal cannot be made: {error}. Name another with --out or --journal."
        ) from error
    return missing
