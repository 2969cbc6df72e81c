"""Who holds a lock: what a lock's file says, and how it is opened."""

from __future__ import annotations

import json
import os
import shlex
import socket
import stat
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 4096
MOST_COMMAND = 200


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. machine: tells systems and their process spaces apart. since: Unix time in seconds."""

    pid: int
    host: str
    command: str
    since: int
    machine: str = ""
    token: str = ""

    def describe(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}: {self.command}"


def open_plain(path: Path, flags: int) -> int:
    """Opens a lock's file, which is never a link to another one."""
    file = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError("it is not a plain file")
    return file


def read_holder(path: Path) -> Holder | None:
    """Who a lock's file names; None where it names nobody."""
    try:
        file = open_plain(path, os.O_RDONLY)
        try:
            value: Any = json.loads(os.read(file, MOST_BYTES))
        finally:
            os.close(file)
        holder = Holder(
            int(value["pid"]),
            _clean(str(value["host"])),
            _clean(str(value["command"])),
            int(value["since"]),
            str(value.get("machine", "")),
            str(value.get("token", "")),
        )
        holder.describe()  # raises where no clock can show its time
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError):
        return None
    return holder


def describe_self(token: str = "") -> bytes:
    command = _clean(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
    holder = Holder(os.getpid(), socket.gethostname(), command, int(time.time()), identify_machine(), token)
    return json.dumps(asdict(holder)).encode() + b"\n"


def _clean(text: str) -> str:
    """What another process wrote, in one line that a terminal can show."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= MOST_COMMAND else line[: MOST_COMMAND - 3] + "..."


def identify_machine() -> str:
    """What tells systems, and containers with process numbers of their own, apart; empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() + os.readlink(
            "/proc/self/ns/pid"
        )
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to somebody else
        return True
    return True
