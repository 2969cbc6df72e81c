"""The two kinds of locks: the system's on an open file, and a lease, which its holder renews."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xl_suite.chat.holder import Holder, describe_self, identify_machine, is_alive, open_plain, read_holder
from xl_suite.errors import JournalError

# A lease that has not been renewed for LEASE_SECONDS is given up. SETTLE_SECONDS: how long who takes such a lease
# waits before it counts as taken, so that of several only the last one has it (Fischer's algorithm).
RENEW_SECONDS, LEASE_SECONDS, SETTLE_SECONDS = 10.0, 60.0, 2.0


def lock_of(journal: Path) -> Path:
    return journal.with_name(journal.name + ".lock")


class Unsupported(Exception):
    """The file system has no flock."""


class SystemLock:
    """The system's lock on an open file. The file is removed by its holder, so that none is left behind."""

    def __init__(self, journal: Path):
        self._path = lock_of(journal)
        self._file: int | None = None

    def take(self) -> bool:
        import fcntl

        while True:
            file = open_plain(self._path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            except OSError as error:
                os.close(file)
                raise Unsupported from error
            if _is_at(self._path, file):
                break
            os.close(file)  # its holder has removed it in the meantime: the lock is on another file now
        os.ftruncate(file, 0)
        os.pwrite(file, describe_self(), 0)
        self._file = file
        return True

    def check(self) -> None:
        """Nobody else can take it while its holder lives."""

    def release(self) -> None:
        if self._file is None:
            return
        if _is_at(self._path, self._file):
            with suppress(OSError):
                self._path.unlink()
        os.close(self._file)
        self._file = None

    def read_holder(self) -> Holder | None:
        return read_holder(self._path)


class Lease:
    """A file that exists as long as its holder renews it."""

    def __init__(self, journal: Path):
        self._path = lock_of(journal)
        self._token = secrets.token_hex(16)
        self._ended = threading.Event()
        self._lost = False
        self._thread: threading.Thread | None = None

    def take(self) -> bool:
        if not self._create() and not self._take_over():
            return False
        self._thread = threading.Thread(target=self._renew, name="journal-lease", daemon=True)
        self._thread.start()
        return True

    def check(self) -> None:
        if self._lost:
            raise JournalError(
                f"{self._path}: this run has lost the lock of its journal, because it could not renew it for "
                f"{LEASE_SECONDS:.0f} s, and another run may write to it now. What was answered is kept; the same "
                "command goes on from there."
            )

    def release(self) -> None:
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        if self._is_ours():
            with suppress(OSError):
                self._path.unlink()

    def read_holder(self) -> Holder | None:
        return read_holder(self._path)

    def _create(self) -> bool:
        """Makes the file where there is none. It is linked to its place with its content in it, in one step."""
        with self._draft() as draft:
            try:
                os.link(draft, self._path)
            except FileExistsError:
                return False
        return True

    def _take_over(self) -> bool:
        """Takes a lease whose holder is gone."""
        if not self._is_abandoned():
            return False
        with self._draft() as draft:
            draft.replace(self._path)
        time.sleep(SETTLE_SECONDS)
        return self._is_ours()

    def _is_abandoned(self) -> bool:
        holder = self.read_holder()
        if holder is not None and holder.machine and holder.machine == identify_machine():
            return not is_alive(holder.pid)
        with self._draft() as draft:  # its time is by the same clock, the drive's, as the lease's
            try:
                return draft.stat().st_mtime - _look(self._path).st_mtime > LEASE_SECONDS
            except FileNotFoundError:
                return False

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            draft.write_bytes(describe_self(self._token))
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        holder = self.read_holder()
        return holder is not None and holder.token == self._token

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(RENEW_SECONDS):
            with suppress(OSError):  # a drive that is away comes back, maybe
                if not self._is_ours():
                    self._lost = True
                    return
                os.utime(self._path)
                renewed = time.monotonic()
            if time.monotonic() - renewed > LEASE_SECONDS:
                self._lost = True
                return


def _look(path: Path) -> os.stat_result:
    """A file's state, asked of its drive anew: opening it does that on network drives."""
    file = open_plain(path, os.O_RDONLY)
    try:
        return os.fstat(file)
    finally:
        os.close(file)


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file))
    except FileNotFoundError:
        return False
