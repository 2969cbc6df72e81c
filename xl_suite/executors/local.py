"""Ranks as parallel processes on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from xl_suite.executors.commands import Command
from xl_suite.executors.devices import VISIBLE, find_devices, share_devices
from xl_suite.executors.running import Ended, Run, Setting, Started, start

POLL_SECONDS = 0.05


@contextmanager
def open_engine(_: Setting) -> Iterator[Run]:
    """Runs each rank once."""
    yield _run


def _run(commands: Sequence[Command]) -> Iterator[Ended]:
    running: list[Started] = []
    shares = share_devices(find_devices(), len(commands))
    try:
        for command, devices in zip(commands, shares, strict=True):
            running.append(start(command, {VISIBLE: devices} if devices else None))
        while running:
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                yield one.end()
            time.sleep(POLL_SECONDS)
    finally:
        for one in running:  # all at once, then waits for each
            assert one.process.stdin is not None
            one.process.stdin.close()
        for one in running:
            one.stop()
