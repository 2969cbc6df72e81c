"""Builds the leaderboard again and again while runs go on, into the same static page; no server.

What changed is built: scores of new annotations, pages whose text differs, and `live.js`, a script that the index
loads every few seconds, so that it shows progress without being loaded anew. It is deleted at the end.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from xl_suite.errors import XLSuiteError
from xl_suite.leaderboard.answer_files import deliver
from xl_suite.leaderboard.results import find_results, sign_results
from xl_suite.leaderboard.running import Looker
from xl_suite.leaderboard.site import LIVE, Live, Report, Site, build_site
from xl_suite.records import atomic_write

Wait = Callable[[float], bool]  # waits so many seconds; whether to stop


def watch_site(
    results: Sequence[Path],
    out: Path,
    *,
    seconds: float,
    wait: Wait,
    benchmarks: Sequence[Path] = (),
    report: Report = lambda line: None,
    **options: Any,
) -> Site:
    """Builds the leaderboard until `wait` says that it is enough; options: as of `build_site`.

    Before anything is judged the page shows the runs alone. Results that cannot be read, as while somebody copies
    them, are told and looked at again; at the first build they raise, since the command may be wrong.
    """
    find_results(results, required=False)
    looker = Looker(results, benchmarks)
    built: Site | None = None
    signs: Any = None
    number = 0
    options |= {"benchmarks": benchmarks, "required": False, "report": report}
    try:
        while True:
            try:
                new = sign_results(results)
                if new != signs:
                    looker.add_benchmarks(find_results(results, required=False).benchmarks)
                    built = build_site(results, out, live=Live(seconds, number + 1), **options)
                    number += 1
                    report(f"{time.strftime('%H:%M:%S')} built: {built.n_scored} scored, {built.n_known} known")
                if looker.look() or new != signs:
                    _write_live(out, {"build": number, "at": int(time.time()), **looker.tell()})
                signs = new
            except (XLSuiteError, OSError) as error:  # a file that is being copied, or went away meanwhile
                if built is None:
                    raise
                report(f"{time.strftime('%H:%M:%S')} not built: {error}")
            if wait(seconds):
                return build_site(results, out, **options)
    finally:
        (out / LIVE).unlink(missing_ok=True)


@contextmanager
def stop_on_interrupt() -> Iterator[Wait]:
    """A `wait` that Ctrl-C ends; a second Ctrl-C interrupts whatever is done."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped.wait
    finally:
        signal.signal(signal.SIGINT, before)


def _write_live(out: Path, told: Any) -> None:
    with atomic_write(out / LIVE) as temporary:
        temporary.write_bytes(deliver(told))
