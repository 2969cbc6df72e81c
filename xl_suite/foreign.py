"""Files that strangers wrote, read within bounds: their kind, their size, and how deep and how large they unfold.

Nothing here waits for a pipe or a device, unpacks without a limit, or lets a parser's own error through.
"""

from __future__ import annotations

import gzip
import json
import os
import stat
import zlib
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput

# A file of rows, as it is and unpacked: about a hundred times what the largest benchmark's outputs take.
MOST_BYTES = 1 << 32
# A configuration or a card. The largest that ship have some kilobytes.
MOST_YAML_CHARACTERS = 1 << 22
MOST_YAML_DEPTH = 64
# Of a YAML text with every alias written out; an alias bomb of a kilobyte has billions.
MOST_YAML_NODES = 1_000_000
_NOT_REGULAR = "is not a regular file (but a folder, a pipe or a device). Write it to a file."


def check_regular(path: Path) -> None:
    """Raises BadInput where a library that opens the file itself would wait for a pipe or read a device."""
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} {_NOT_REGULAR}")


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file, unpacked where its name ends in .gz. Raises BadInput for all else."""
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to waits for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                raise BadInput(f"{path} {_NOT_REGULAR}")
            if told.st_size > most:
                raise BadInput(f"{path} has {told.st_size:,} bytes; at most {most:,} are read. Split it.")
            if path.suffix != ".gz":
                return file.read()
            with gzip.open(file) as unpacked:
                data = unpacked.read(most + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    if len(data) > most:
        raise BadInput(f"{path} has more than {most:,} bytes unpacked, and no more are read. Split it.")
    return data


def parse_json(text: str, path: Path | str, line: int | None = None) -> Any:
    """The value of a JSON text. line: of the file where the text is. Raises BadInput, naming the place."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}, line {line or error.lineno}, column {error.colno}"
        raise BadInput(f"{place}: not JSON: {error.msg}.") from error
    except RecursionError as error:
        raise BadInput(f"{path}, line {line or 1}: nested too deeply.") from error
    except ValueError as error:  # a number of thousands of digits
        raise BadInput(f"{path}, line {line or 1}: a number cannot be read: {error}.") from error


def parse_yaml(text: str, name: Path | str) -> Any:
    """The value of a YAML text, of plain types only. name: of the file, for errors. Raises BadInput."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(text) > MOST_YAML_CHARACTERS:
        raise BadInput(
            f"{name}: not YAML: it has {len(text):,} characters; at most {MOST_YAML_CHARACTERS:,} are read."
        )
    try:
        _check_unfolded(text, name, loader)
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError, AttributeError) as error:
        raise BadInput(f"{name}: not YAML: {error}") from error


def _check_unfolded(text: str, name: Path | str, loader: Any) -> None:
    """Counts what the text has with its aliases written out, without writing them out."""
    import yaml

    sizes: dict[str, int] = {}
    # Of each open collection: its anchor, and how many nodes it has so far.
    stack: list[tuple[str | None, int]] = [(None, 0)]

    def add(count: int) -> None:
        anchor, before = stack[-1]
        stack[-1] = (anchor, before + count)
        if before + count > MOST_YAML_NODES:
            raise BadInput(f"{name}: not YAML that is read here: more than {MOST_YAML_NODES:,} values.")

    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise BadInput(
                    f"{name}: not YAML that is read here: *{event.anchor} contains itself, or is not known."
                )
            add(sizes[event.anchor])
        elif isinstance(event, yaml.ScalarEvent):
            add(1)
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, 1))
            if len(stack) > MOST_YAML_DEPTH:
                raise BadInput(f"{name}: not YAML that is read here: nested deeper than {MOST_YAML_DEPTH} levels.")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = stack.pop()
            if anchor:
                sizes[anchor] = size
            add(size)
