"""Temporary names beside a file or folder that is being written: whose they are, and what a killed run left of them.

A name holds a hash of the host and the number of the process, so that a later run on the same machine can tell a name
whose process has ended from one that is in use. Names of other hosts are left alone: their processes cannot be seen
from here.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import secrets
import shutil
import socket
from functools import cache
from pathlib import Path

from xl_suite.errors import BadInput

# `.NAME.HOST-PROCESS-RANDOM`; earlier versions wrote it without the host.
_NAME = re.compile(r"\.(?P<name>.+)\.(?:(?P<host>[0-9a-f]{8})-)?(?P<process>[0-9]{1,10})-[0-9a-f]{8}(?P<old>-old)?")
_OLD = "-old"
_PROBE = "probe"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# The folders in which this process has looked for what killed runs left, with its number, which a fork changes.
_CLEARED: set[tuple[int, Path]] = set()


def name_temporary(path: Path) -> Path:
    """A new temporary name beside `path`, on the same file system."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}")


def name_old(temporary: Path) -> Path:
    """Where the old folder waits while the new one takes its place, on systems that cannot exchange the two."""
    return temporary.with_name(temporary.name + _OLD)


def is_temporary(name: str) -> bool:
    """Whether a name is one that `name_temporary` or `name_old` made, in this version or an earlier one."""
    return _NAME.fullmatch(name) is not None


def list_entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without temporary names: those say nothing about whose folder it is."""
    return sorted(entry for entry in folder.iterdir() if not is_temporary(entry.name))


def clear_abandoned(folder: Path, name: str | None = None) -> None:
    """Removes the temporary files and folders in `folder` whose process on this machine has ended.

    An old folder whose successor never came is put back first. name: only those of the entry with this name.
    """
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir(), key=lambda entry: not entry.name.endswith(_OLD)):
        found = _NAME.fullmatch(entry.name)
        if found is None or found["host"] != _host() or name not in (None, _find_entry(found["name"])):
            continue
        if _is_running(int(found["process"])):
            continue
        target = folder / found["name"]
        if found["old"] and not os.path.lexists(target):
            entry.rename(target)
        elif entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def clear_once(folder: Path) -> None:
    """As `clear_abandoned`, for each folder the first time that this process writes in it."""
    place = (os.getpid(), folder.absolute())
    if place not in _CLEARED:
        _CLEARED.add(place)
        clear_abandoned(folder)


def exchange(one: Path, other: Path) -> bool:
    """Exchanges two names in one step. False, with nothing changed, where the system or the disk cannot."""
    function = _find_renameat2()
    if function is None:
        return False
    return bool(function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def refuse_links(folder: Path) -> None:
    """Raises BadInput where `folder`, or a folder in it, is a symbolic link: what is deleted or written in it would
    be deleted or written elsewhere."""
    linked = [folder] if folder.is_symlink() else []
    for parent, folders, _ in os.walk(folder):
        linked += [Path(parent, name) for name in folders if Path(parent, name).is_symlink()]
    if linked:
        raise BadInput(
            f"{linked[0]} is a symbolic link, and files in it would be deleted or replaced at the place that it "
            "points to; nothing was changed. Remove the link, or name another folder with --out."
        )


def _find_entry(name: str) -> str:
    """The entry that a name is temporary for; a folder that is written in a temporary folder has two such names."""
    while found := _NAME.fullmatch(name):
        name = found["name"]
    return name


def check_writable(out: Path) -> None:
    """Raises BadInput where nothing can be written in `out`, or where it cannot be made; leaves nothing behind.

    It is for runs that pay first and write later.
    """
    place = out.absolute()
    while not os.path.lexists(place):
        place = place.parent
    probe = place / name_temporary(Path(_PROBE)).name
    try:
        clear_abandoned(place, _PROBE)  # of a run that was killed at this place
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        what = "it" if place == out.absolute() else str(place)
        raise BadInput(
            f"{out} cannot be written: {what}: {error.strerror}. Nothing was asked or paid. Name another place with "
            "--out, or change the rights of this one."
        ) from error


@cache
def _host() -> str:
    try:  # containers may share the name of their host, and number their processes each for itself
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


@cache
def _find_renameat2() -> ctypes._NamedFuncPointer | None:
    """Linux's renameat2 (glibc 2.28 and later), or None."""
    try:
        function = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    function.restype = ctypes.c_int
    return function


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it runs, and belongs to somebody else
        return True
    return True
