"""Which files of a folder hold records of a kind. All other files are left alone and named, never read by mistake.

The first record of a file says what the file is: model outputs, annotations and ratings are beside each other, and
beside files of other tools such as alpaca_eval. Where no record can be read the name decides: `<language>.json` is
always meant, so that what is wrong in it is an error; `failed.json` and `*.partial.json` never are.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
FAILED = "failed.json"
# The first record of most files lies in the first of these; hostile ones may be longer.
_HEADS = (1 << 14, 1 << 20, 1 << 24)
_CODE = re.compile("[a-z]{3}")
_DATA = re.compile(r"\.jsonl?(\.gz)?$")
_KEPT_QUIET = re.compile(r"run\.json|length_slope\.json|README\.md|\.journal\.sqlite.*|\..*\.\d+-[0-9a-f]{8}(-old)?")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of files.

    is_record: whether a first record is of the kind. prefix: what is before the language in a file's name.
    copies: names, without their ending, of files that other tools write and that may hold the same rows again; they
    count only in a folder that has nothing else of the kind.
    """

    name: str
    is_record: Callable[[Mapping[str, Any]], bool]
    prefix: str = ""
    copies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a kind at a path, sorted by name within each folder, and the files that were left alone."""

    files: tuple[Path, ...]
    left_alone: tuple[Path, ...] = ()

    def describe(self, kind: Kind) -> str:
        """A note that names the files that were left alone; empty where there are none."""
        if not self.left_alone:
            return ""
        names = [f"{path.parent.name}/{path.name}" for path in self.left_alone]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        return f"note: left alone, because they do not hold {kind.name}: {shown}."


def list_folder(folder: Path, kind: Kind) -> Listing:
    """The files of a kind in a folder itself; nothing where it is not a folder."""
    if not folder.is_dir():
        return Listing(())
    places = sorted(place for place in folder.iterdir() if not place.is_dir())
    found = [place for place in places if is_data(place) and _is_of(place, kind)]
    return _leave_copies(places, found, kind)


def join_listings(listings: Iterable[Listing]) -> Listing:
    """The listings of several folders as one."""
    listings = list(listings)
    return Listing(
        tuple(path for one in listings for path in one.files),
        tuple(path for one in listings for path in one.left_alone),
    )


def log_left_alone(listing: Listing, kind: Kind) -> None:
    """Names the files that were left alone in the log, where there are any."""
    if listing.left_alone:
        logger.info(listing.describe(kind))


def list_folders(folder: Path) -> list[Path]:
    """The folders in a folder by name, without hidden ones; none where it is not a folder."""
    if not folder.is_dir():
        return []
    return sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))


def is_data(path: Path) -> bool:
    """Whether a file may hold records by its name: not hidden, JSON, and not a list of failed or unfinished rows."""
    stem, _, rest = path.name.partition(".")
    return (
        bool(_DATA.search(path.name))
        and path.name != FAILED
        and not (bool(stem) and rest.startswith("partial."))
        and not path.name.startswith(".")
        and path.is_file()
    )


def drop_copies(files: Iterable[Path], kind: Kind) -> list[Path]:
    """The files without those which repeat the rows of others in their folder (`Kind.copies`)."""
    files = list(files)
    others = {path.parent for path in files if _get_stem(path) not in kind.copies}
    return [path for path in files if path.parent not in others or _get_stem(path) not in kind.copies]


def read_head(path: Path) -> dict[str, Any] | None:
    """The first record of a JSON array or of JSON lines; None where there is none, or it cannot be read."""
    record = _read_first(path)
    return record if isinstance(record, dict) else None


def _leave_copies(places: list[Path], found: list[Path], kind: Kind) -> Listing:
    files = drop_copies(found, kind)
    alone = [place for place in places if place not in files and not _KEPT_QUIET.fullmatch(place.name)]
    return Listing(tuple(files), tuple(alone))


def _is_of(path: Path, kind: Kind) -> bool:
    head = _read_first(path)
    if isinstance(head, dict) and kind.is_record(head):
        return True
    if path.name == "run.json" and isinstance(head, dict):  # what was run; `run` is also the code of Rundi
        return False
    # A file that is meant or cannot be read is not passed over: its reader says what is wrong with it.
    stem = _get_stem(path)
    return stem.startswith(kind.prefix) and (head is _UNREADABLE or bool(_CODE.fullmatch(stem, len(kind.prefix))))


def _get_stem(path: Path) -> str:
    return path.name.partition(".")[0]


_UNREADABLE = object()


def _read_first(path: Path) -> Any:
    """The first record of a file, whatever it is; None where there is none, _UNREADABLE where it is not JSON."""
    decoder = json.JSONDecoder()
    for size in _HEADS:
        try:
            with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
                data = file.read(size)
        except (OSError, EOFError):
            return _UNREADABLE
        text = data.decode("utf-8-sig", "ignore").lstrip().removeprefix("[").lstrip()
        if text[:1] in ("", "]"):
            return None
        try:
            return decoder.raw_decode(text)[0]
        except (ValueError, RecursionError):
            if len(data) < size:
                return _UNREADABLE
    return _UNREADABLE
