"""What a folder must be before it goes to the Hub: its card, its rows, and nothing in them that must stay here."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import math
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from xl_suite.dataset.card import check_card, read_metadata
from xl_suite.errors import BadInput
from xl_suite.keys import VARIABLES

# What building a dataset leaves beside it: rows that were set aside, for whoever builds it.
WORKING = ("review.jsonl", "quarantine.jsonl", "failed.json", "blind-pairs.jsonl", "blind-pairs-key.jsonl")
# Forms of keys as their providers document them; the last is any private key in PEM.
_KEYS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{30,}|\bgh[pousr]_[A-Za-z0-9]{36,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}\b|\bxox[abprs]-[0-9A-Za-z-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    re.ASCII,  # a letter of another script before a key does not hide it
)
# One of these is in each form of a key. Looking for them first is fast enough for weights.
_MARKS = ("sk-", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "AKIA", "AIza", "xox", "PRIVATE KEY-----")
_EMAIL = re.compile(r"\b[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,24}\b")
_BATCH_ROWS = 1024
_BLOCK = 1 << 20
# Text across the end of a block is looked at with the next block; a key or an address is shorter than this.
_OVERLAP = 1 << 9
_SQLITE = b"SQLite format 3\0"
_SHOWN = 10
# Compressed files by their first bytes, and how much of one is looked at: more is refused, since it may be a bomb.
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_UNPACKED_BYTES = 1 << 32


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a folder. kind: `dataset`, `model` or `space`.

    problems: reasons not to publish it. emails: addresses, each with its place.
    """

    kind: str
    problems: tuple[str, ...]
    emails: tuple[tuple[str, str], ...]
    n_rows: int


def find_files(folder: Path) -> list[Path]:
    """What is published: every file but WORKING at the top, and the hidden ones, which hold journals and caches.

    Raises BadInput for a symbolic link to anything but a file that is published itself.
    """
    paths = [path for path in sorted(folder.rglob("*")) if _is_published(path, folder)]
    for path in paths:
        if path.is_symlink():
            target = path.resolve()
            inside = target.is_relative_to(folder.resolve()) and _is_published(target, folder.resolve())
            if not inside or not target.is_file():
                raise BadInput(
                    f"{path} is a symbolic link to {os.readlink(path)}, which is not a file that is published from "
                    "this folder; nothing was uploaded. Put a copy of the file there if it is to be published."
                )
    return [path for path in paths if path.is_file()]


def _is_published(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not any(part.startswith(".") for part in parts) and not (len(parts) == 1 and path.name in WORKING)


def check_folder(folder: Path) -> Checked:
    """Checks a dataset's folder, that of an adapter or model (config.json or adapter_config.json), or of a Space.

    Raises BadInput where it is not a folder, or empty. Texts are read a part at a time, so that size does not matter.
    """
    if not folder.is_dir():
        raise BadInput(
            f"{folder} is not a folder. `xl-suite build`, `generate` and `train` make what can be published."
        )
    files = find_files(folder)
    if not files:
        raise BadInput(f"{folder} is empty.")
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    kind = _find_kind(folder, text)
    if not text:
        return Checked(kind, ("There is no card (README.md).",), (), 0)
    if kind == "dataset":
        problems = check_card(text, with_clients=True)
        if not problems:
            shards = [path for path in files if path.suffix == ".parquet"]
            problems += _check_rows(folder, shards, read_metadata(text) or {})
    else:
        problems = list(_check_model_card(text) if kind == "model" else _check_space_card(text, folder))
    found = Findings()
    n_rows = 0
    for path in files:
        name = found.look_at_name(str(path.relative_to(folder)))
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                problems.append(
                    f"{name} is an SQLite file, such as a journal. Move it out of the folder, or hide it."
                )
        for row, cell in _texts(path):
            n_rows = n_rows + 1 if row == "new" else n_rows
            if row == "binary":
                found.look_for_keys(cell, name)
            elif row == "problem":
                problems.append(f"{name} {cell}")
            else:
                found.look(cell, name)
    return Checked(kind, (*problems, *found.keys), tuple(found.emails.items()), n_rows)


def _find_kind(folder: Path, card: str) -> str:
    if any((folder / name).is_file() for name in ("adapter_config.json", "config.json")):
        return "model"
    return "space" if "sdk" in (read_metadata(card) or {}) else "dataset"


class Findings:
    def __init__(self) -> None:
        self.emails: dict[str, str] = {}
        self.keys: list[str] = []
        self._own = [value for name in VARIABLES if len(value := os.environ.get(name, "")) >= 8]

    def look(self, text: str, place: str) -> None:
        if "@" in text:
            for address in _EMAIL.findall(text):
                self.emails.setdefault(address, place)
        self.look_for_keys(text, place)

    def look_at_name(self, name: str) -> str:
        """Looks for keys in the name of a file, and returns the name as messages may show it."""
        shown = _KEYS.sub("[key]", name)
        for own in self._own:
            shown = shown.replace(own, "[key]")
        self.look_for_keys(name, f"The name of {shown}")
        return shown

    def look_for_keys(self, text: str, place: str) -> None:
        if len(self.keys) >= _SHOWN:
            return
        match = _find_key(text)
        if match or any(own in text for own in self._own):
            start = match[0][:6] if match else "one of your environment's keys"
            problem = f"{place} holds what looks like a key ({start}...). Take it out, and revoke it."
            if problem not in self.keys:
                self.keys.append(problem)


def _find_key(text: str) -> re.Match[str] | None:
    """What looks like a key: the form is looked for only around its marks."""
    for mark in _MARKS:
        place = text.find(mark)
        while place >= 0:
            if match := _KEYS.search(text, max(0, place - 40), place + 100):
                return match
            place = text.find(mark, place + 1)
    return None


def _check_model_card(text: str) -> Iterator[str]:
    metadata = read_metadata(text)
    if metadata is None:
        yield "The card has no YAML between --- lines at its top."
        return
    for name in ("license", "base_model"):
        if not metadata.get(name):
            yield f"{name} is missing from the card's YAML."


def _check_space_card(text: str, folder: Path) -> Iterator[str]:
    metadata = read_metadata(text) or {}
    if not metadata.get("title"):
        yield "title is missing from the card's YAML."
    if metadata.get("sdk") != "static":
        yield f"sdk is {metadata.get('sdk')!r}; only static Spaces are published here."
    if not (folder / "index.html").is_file():
        yield "There is no index.html, which a static Space shows."


def _check_rows(folder: Path, shards: list[Path], metadata: dict[str, Any]) -> Iterator[str]:
    """The shards against the card: the columns of each config and their types, and the rows of each split."""
    import pyarrow
    import pyarrow.parquet
    from datasets import Features

    counted: dict[str, int] = {}
    schemas: dict[str, Any] = {}
    for shard in shards:
        name = str(shard.relative_to(folder))
        try:
            file = pyarrow.parquet.ParquetFile(shard)
        except (pyarrow.ArrowException, OSError) as error:
            yield f"{name} is not a readable Parquet file: {error}."
            continue
        counted[name], schemas[name] = file.metadata.num_rows, file.schema_arrow
    layouts = {config["config_name"]: config["data_files"] for config in metadata.get("configs") or []}
    for info in metadata.get("dataset_info") or []:
        wanted = Features._from_yaml_list(info["features"]).arrow_schema
        told = {split["name"]: split["num_examples"] for split in info["splits"]}
        for part in layouts.get(info["config_name"], []):
            paths = part["path"] if isinstance(part["path"], list) else [part["path"]]
            matched = [name for name in counted if any(Path(name).match(path) for path in paths)]
            place = f"{info['config_name']}/{part['split']}"
            if not matched:
                yield f"{place}: no file matches {', '.join(paths)}."
            for name in matched:
                if schemas[name].names != wanted.names:
                    has, says = ", ".join(schemas[name].names), ", ".join(wanted.names)
                    yield f"{name} has the columns {has}; the card says {says}."
                    continue
                for column in wanted.names:
                    if schemas[name].field(column).type != wanted.field(column).type:
                        has, says = schemas[name].field(column).type, wanted.field(column).type
                        yield f"{name}: {column} is {has}; the card says {says}."
            rows = sum(counted[name] for name in matched)
            if matched and told.get(part["split"]) != rows:
                yield f"{place} has {rows:,} rows; the card says {told.get(part['split'])}."


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """The texts of a file, with what they are: `new` is the first of a row of a dataset, `binary` what can be read in
    bytes that are not text, `problem` why the rest of the file cannot be looked into."""
    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        try:
            file = pyarrow.parquet.ParquetFile(path)
            yield from (("", text) for text in _strings(file.metadata.metadata or {}))
            yield from (("", text) for one in file.schema_arrow for text in _strings([one.name, one.metadata or {}]))
            for batch in file.iter_batches(_BATCH_ROWS):
                for row in batch.to_pylist():
                    yield "new", ""
                    for cell in row.values():
                        yield from (("", text) for text in _strings(cell))
        except (pyarrow.ArrowException, OSError):
            return  # said by _check_rows
        return
    with path.open("rb") as raw:
        yield from _read_blocks(raw)
        raw.seek(0)
        start = raw.read(6)
        raw.seek(0)
        opened = next((opener for magic, opener in _PACKED.items() if start.startswith(magic)), None)
        if opened is None:
            return
        try:
            with opened(raw) as inner:
                yield from _read_blocks(inner, _UNPACKED_BYTES)
                if inner.read(1):
                    yield "problem", f"holds more than {_UNPACKED_BYTES:,} bytes unpacked. Publish it unpacked."
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            yield "problem", f"looks compressed, and cannot be unpacked ({error}), so that nobody can look into it."


def _read_blocks(file: IO[bytes], most: float = math.inf) -> Iterator[tuple[str, str]]:
    """The text in a stream, a part at a time; bytes of binary files also without their NULs, as UTF-16 has them."""
    kept, seen, is_binary, kept_text = b"", 0, False, ""
    wide: codecs.IncrementalDecoder | None = None
    while seen < most and (block := file.read(_BLOCK)):
        if not seen:
            is_wide = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            wide = codecs.getincrementaldecoder("utf-16")("replace") if is_wide else None
        seen += len(block)
        part = kept + block
        is_binary = is_binary or b"\0" in block
        if wide is not None:
            text = kept_text + wide.decode(block)
            yield "", text
            kept_text = text[-_OVERLAP:]
        elif not is_binary:
            yield "", part.decode("utf-8", "replace")
        if is_binary:
            yield "binary", part.decode("latin-1")
            yield "binary", part.replace(b"\0", b"").decode("latin-1")
        kept = block[-_OVERLAP:]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
        yield value.replace(b"\0", b"").decode("latin-1")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(name)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
