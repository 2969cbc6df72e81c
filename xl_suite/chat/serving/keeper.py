"""Runs a server and ends with it, or ends it when the process that asked for it is gone.

Run by its path, with a bare interpreter: `python -I -S keeper.py COMMAND ...`, as the leader of a process group
of its own, its stdin being a pipe that the asking process holds open. When that pipe closes, because the asking
process closed it or died in any way, kill -9 included, the whole group is ended: first asked, then killed.

Why not PR_SET_PDEATHSIG: it is Linux only, it follows the thread that forked and not the process, and it reaches
the server alone, while vLLM's workers are the server's children.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

GRACE_SECONDS = 5.0
CHECK_SECONDS = 0.1


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=_restore_signals)
    while server.poll() is None and not select.select([0], [], [], CHECK_SECONDS)[0]:
        pass
    status = server.poll()
    if status is None:
        os.killpg(0, signal.SIGTERM)  # this process ignores it
        with suppress(subprocess.TimeoutExpired):
            server.wait(GRACE_SECONDS)
    else:
        print(f"the server ended with status {status}", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)  # whatever is left of the group, this process included


def _restore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
