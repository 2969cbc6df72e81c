"""What the commands of a fixture have written, in the form in which two runs are compared.

JSON, JSONL, CSV and Parquet are kept as they are, journals as the hash of their exported text. Of pages, cards and
reports only the rows with numbers and the numbers of the text are kept, because their words and markup may change;
the scripts that hand a leaderboard's answers to its pages are left out, because the JSON beside them says the same.
Three things are masked, because they are not a property of the results: the names of a leaderboard's folders of
answers, which are hashes of the source code; this package's version; and how many of a run's calls waited for an
identical call in flight, which depends on timing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import yaml

from xl_suite import __version__
from xl_suite.chat.replay import export_journal
from xl_suite.provenance import RUN

DATA = (".json", ".jsonl", ".csv", ".parquet")
TEXTS = (".md", ".html")
NUMBERS = ".numbers.json"
LEFT_OUT = (".js",)
JOURNALS = "journals.json"
# A number, with its decimals or its thousands; not a part of a word, of a name such as gpt-4o, or of a hash.
_NUMBER = re.compile(r"(?<![\w.#-])[-−+]?\d+(?:[.,:/]\d+)*(?![\w-])")
_DIGEST = re.compile("[0-9a-f]{12}")


def take_snapshot(work: Path, inputs: Path) -> dict[str, bytes]:
    """The files that commands wrote in `work`, by path; hidden ones, inputs and journals are left out."""
    digests = number_digests(work)
    found = {JOURNALS: _encode({path.name: hash_journal(path) for path in sorted((work / "journals").iterdir())})}
    for path in sorted(work.rglob("*")):
        place = path.relative_to(work)
        hidden = any(part.startswith(".") for part in place.parts) or path.suffix in LEFT_OUT
        if not path.is_file() or hidden or place.parts[0] == "journals" or (inputs / place).exists():
            continue
        name = "/".join(digests.get(part, part) for part in place.parts)
        if path.suffix in TEXTS:
            found[name + NUMBERS] = _encode(extract_numbers(path))
        elif path.suffix in DATA:
            data = drop_versions(path.read_bytes()) if path.name == RUN else path.read_bytes()
            found[name] = mask_data(data, printed=place.parts[0] == "stdout")
        else:
            raise ValueError(f"{place}: it is not said how files of this kind are compared.")
    return found


def hash_journal(path: Path) -> str:
    """SHA-256 of a journal's text form: a text journal itself, of SQLite what is exported."""
    if path.suffix == ".jsonl":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        export_journal(path, Path(folder) / "text.jsonl")
        return hashlib.sha256((Path(folder) / "text.jsonl").read_bytes()).hexdigest()


def find_difference(expected: bytes, found: bytes, suffix: str, *, same_pyarrow: bool) -> str | None:
    """Where two files of a kind differ; None where they do not.

    Equal content needs equal bytes. The last digits of a float may differ, since processors round sums and logarithms
    differently; there, content is compared. So it is where another version of pyarrow has written a Parquet file:
    its name is in the file, and its encodings may be others.
    """
    if expected == found:
        return None
    if suffix == ".csv":
        return "other bytes"
    contents = [_read_content(data, suffix) for data in (expected, found)]
    if contents[0] == contents[1]:
        return None if suffix == ".parquet" and not same_pyarrow else "the same content in other bytes"
    return _compare(*contents)


def _read_content(data: bytes, suffix: str) -> Any:
    """What a file says; objects as lists of pairs, so that their order counts."""
    if suffix == ".parquet":
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(data))
        return [str(table.schema), str(table.schema.metadata), table.to_pylist()]
    texts = data.decode("utf-8").splitlines() if suffix == ".jsonl" else [data.decode("utf-8")]
    return [json.loads(text, object_pairs_hook=list) for text in texts]


def _compare(expected: Any, found: Any, place: str = "") -> str | None:
    if isinstance(expected, float) and isinstance(found, float):
        return None if math.isclose(expected, found, rel_tol=1e-9) else f"{place}: {expected}, now {found}"
    if isinstance(expected, dict) and isinstance(found, dict):
        expected, found = list(expected.items()), list(found.items())
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            return f"{place}: {len(expected)} parts, now {len(found)}"
        for number, (before, now) in enumerate(zip(expected, found, strict=True)):
            if _is_pair(before) and _is_pair(now) and before[0] == now[0]:
                difference = _compare(before[1], now[1], f"{place}/{before[0]}")
            else:
                difference = _compare(before, now, f"{place}/{number}")
            if difference:
                return difference
        return None
    return None if expected == found else f"{place}: {str(expected)[:200]!r}, now {str(found)[:200]!r}"


def _is_pair(value: Any) -> bool:
    """Whether it is a field of an object, as `_read_content` gives it."""
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)


def number_digests(work: Path) -> dict[str, str]:
    """Names for the folders whose own names are hashes: numbered by what they hold."""
    folders = [path for path in work.rglob("*") if path.is_dir() and _DIGEST.fullmatch(path.name)]
    folders.sort(key=lambda folder: [folder.parent, *(path.read_bytes() for path in sorted(folder.iterdir()))])
    return {folder.name: f"digest-{number}" for number, folder in enumerate(folders, start=1)}


def drop_versions(data: bytes) -> bytes:
    """A run.json without the versions of the programs, which are all that may differ between two runs."""
    value = json.loads(data)
    for entry in value["languages"].values():
        entry.pop("versions", None)
    return _encode(value)


def mask_data(data: bytes, *, printed: bool) -> bytes:
    """A file without this package's version; of what --json printed, also without what depends on timing."""
    data = data.replace(f'"version": "{__version__}"'.encode(), b'"version": ""')
    return _encode(_join_counts(json.loads(data))) if printed else data


def _join_counts(value: Any) -> Any:
    if isinstance(value, list):
        return [_join_counts(one) for one in value]
    if not isinstance(value, dict):
        return value
    joined = {key: _join_counts(one) for key, one in value.items()}
    if "from_journal" in joined and "shared" in joined:
        joined["from_journal"] += joined.pop("shared")
    return joined


def extract_numbers(path: Path) -> dict[str, Any]:
    """Rows and numbers of a page, a card or a report."""
    text = path.read_text(encoding="utf-8")
    return _read_html(text) if path.suffix == ".html" else _read_markdown(text)


def _read_markdown(text: str) -> dict[str, Any]:
    head, body = {}, text
    if text.startswith("---\n"):
        front, _, body = text[4:].partition("\n---\n")
        head = yaml.safe_load(front)
    lines = body.splitlines()
    rows = [_find_numbers(line) for line in lines if line.startswith("|")]
    prose = [line for line in lines if not line.startswith("|")]
    return {"configs": head.get("configs", []), "rows": [row for row in rows if row], "numbers": _list_numbers(prose)}


class _Page(HTMLParser):
    """Collects the rows of tables, the text beside them, and data that a page's script reads."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.prose: list[str] = []
        self.data: list[Any] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append("")
        if tag in ("style", "script", "tr", "svg"):
            self._inside.append("data" if dict(attrs).get("type") == "application/json" else tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "tr", "svg") and self._inside:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        kind = self._inside[-1] if self._inside else ""
        if kind == "data":
            self.data.append(json.loads(data))
        elif kind == "tr":
            self.rows[-1] += f" {data}"
        elif not kind:
            self.prose.append(data)


def _read_html(text: str) -> dict[str, Any]:
    page = _Page()
    page.feed(text)
    rows = [_find_numbers(row) for row in page.rows]
    data = [dict(_walk(one)) for one in page.data]
    return {"rows": [row for row in rows if row], "numbers": _list_numbers(page.prose), "data": data}


def _walk(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of JSON with the path to each."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield place, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _walk(one, f"{place}/{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _walk(one, f"{place}/{number}")


def _find_numbers(text: str) -> list[str]:
    """The numbers of a text, but for the version of this package."""
    return [number for number in _NUMBER.findall(text) if number != __version__]


def _list_numbers(texts: list[str]) -> list[str]:
    """The different numbers of running text: their order and how often they are repeated are a matter of words."""
    return sorted({number for text in texts for number in _find_numbers(text)})


def _encode(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=0) + "\n").encode("utf-8")
