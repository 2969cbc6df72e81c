"""Where the 805 prompts come from: a local file or the Hub, checked against the prompts that this code was made for.

AlpacaEval's texts are not part of this package. What is: the SHA-256 over all of them in order, and eight digits of
each one's own (digests.tsv), which are enough to say which prompts of another source differ.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from xl_suite.errors import BadInput, BadRecord
from xl_suite.publishing.hub_files import HubFiles, download, find_on_hub
from xl_suite.records import Prompt, read_records
from xl_suite.tables import read_table

HUB_SOURCE = "tatsu-lab/alpaca_eval"
FILE_NAME = "alpaca_eval.json"
# AlpacaEval's 805 prompts at commit cd543a1 of its repository; `checksum` says how it is computed.
SHA256 = "05874acd2f5dc4db5c0ed2515ab7340393be12e68dee657396eba0aa9e81903b"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class RawPrompt:
    """What a file of AlpacaEval has for each prompt; files of outputs have it too."""

    dataset: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A row of digests.tsv: the first eight hexadecimal digits of a prompt's own checksum."""

    id: int
    digest: str


@dataclass(frozen=True, slots=True)
class Source:
    """Prompts and where they come from.

    name: a Hub ID, or the name of a local file without its folder. revision: the commit on the Hub, empty for a
    file. sha256: over the ordered pairs of dataset and instruction. difference: empty for the pinned prompts.
    """

    prompts: tuple[Prompt, ...]
    name: str
    revision: str
    sha256: str
    difference: tuple[str, ...] = field(default=())


def read_source(
    source: str = HUB_SOURCE, *, allow_changed: bool = False, find: Callable[[str], HubFiles] = find_on_hub
) -> Source:
    """AlpacaEval's prompts from a JSON file, a folder that holds `alpaca_eval.json`, or a Hub ID.

    Raises BadInput where there is nothing, where the file cannot be read, and where the prompts are not the
    pinned 805, naming the IDs that differ; `allow_changed` takes those as they are, IDs kept where a prompt is
    known again.
    """
    path, name, revision = find_source(source, find)
    raw = read_records(path, RawPrompt)
    _check_texts(raw, path)
    sha256 = checksum(raw)
    difference = tuple(_describe_difference(raw)) if sha256 != SHA256 else ()
    if difference and not allow_changed:
        raise BadInput(
            f"{source} does not hold AlpacaEval's 805 prompts as this benchmark was made from:\n"
            + "\n".join(f"- {line}" for line in difference)
            + "\nTake the prompts from https://huggingface.co/datasets/tatsu-lab/alpaca_eval, or go on with these: "
            "--allow-changed-source. Results on changed prompts cannot be compared with published ones."
        )
    ids = assign_ids(raw)
    prompts = tuple(Prompt(number, row.dataset, row.instruction) for number, row in zip(ids, raw, strict=True))
    return Source(prompts, name, revision, sha256, difference)


def find_source(source: str, find: Callable[[str], HubFiles] = find_on_hub) -> tuple[Path, str, str]:
    """The file of a source on this machine, its name for the card, and its revision."""
    path = Path(source)
    if path.is_dir() and (path / FILE_NAME).is_file():
        path = path / FILE_NAME
    if path.exists():
        return path, path.name, ""
    if not is_hub_id(source):
        raise BadInput(f"{source}: no such file. --source takes a JSON file of AlpacaEval's prompts, or a Hub ID.")
    hub = find(source)
    if FILE_NAME not in hub.files:
        raise BadInput(f"{source} on the Hub has no {FILE_NAME}. The prompts are in {HUB_SOURCE}.")
    return download(hub, FILE_NAME), source, hub.revision


def is_hub_id(source: str) -> bool:
    """Whether a source that is not a file here may be a dataset on the Hub: `ORG/NAME`, not a file name."""
    return bool(_HUB_ID.fullmatch(source)) and not source.endswith((".json", ".jsonl", ".gz", ".parquet"))


def checksum(rows: Sequence[RawPrompt] | Sequence[Prompt]) -> str:
    """SHA-256 over the pairs of dataset and instruction in order.

    What is hashed is their compact JSON, `[["dataset","instruction"],...]` with everything but ASCII escaped, so
    that no two lists of pairs are written alike.
    """
    return hashlib.sha256(_dump([[row.dataset, row.instruction] for row in rows])).hexdigest()


def digest(row: RawPrompt | Prompt) -> str:
    """The first eight digits of the SHA-256 of one pair, written as in `checksum`."""
    return hashlib.sha256(_dump([row.dataset, row.instruction])).hexdigest()[:8]


@cache
def pinned_digests() -> dict[str, int]:
    """The IDs of the 805 prompts by digest."""
    return {row.digest: row.id for row in read_table("xl_alpacaeval", "digests.tsv", Digest)}


def assign_ids(rows: Sequence[RawPrompt]) -> list[int]:
    """The ID of each row: its own where the prompt is known again, so that exclusions and edits still meet it.

    A changed prompt takes the ID that its neighbours leave free, and a new one a number above 805.
    """
    known = [pinned_digests().get(digest(row)) for row in rows]
    taken = {number for number in known if number is not None}
    last = len(pinned_digests())
    ids: list[int] = []
    following = 1
    for number in known:
        if number is None:
            number = following if following <= len(pinned_digests()) and following not in taken else last + 1
            taken.add(number)
        last = max(last, number)
        ids.append(number)
        following = number + 1
    return ids


def _describe_difference(rows: Sequence[RawPrompt]) -> list[str]:
    pinned = pinned_digests()
    wrong_count = f"it has {len(rows)} prompts; there are {len(pinned)}"
    lines = [wrong_count] if len(rows) != len(pinned) else []
    ids = assign_ids(rows)
    known = {digest(row) for row in rows}
    changed = [number for number, row in zip(ids, rows, strict=True) if digest(row) not in pinned]
    missing = sorted(set(pinned.values()) - set(ids))
    order = [number for number, row in zip(ids, rows, strict=True) if digest(row) in pinned]
    moved = [number for place, number in enumerate(order[1:]) if number < order[place]]
    new = [number for number in changed if number > len(pinned)]
    changed = [number for number in changed if number <= len(pinned)]
    for what, numbers in (("changed", changed), ("missing", missing), ("out of order", moved)):
        if numbers:
            lines.append(f"{what}: prompt {_list(numbers)}")
    if new:
        places = [place for place, number in enumerate(ids, start=1) if number in new]
        lines.append(f"unknown: record {_list(places)}")
    if len(known) < len(rows):
        lines.append("some prompts are there more than once")
    return lines


def _check_texts(rows: Sequence[RawPrompt], path: Path) -> None:
    counts = Counter(row.instruction for row in rows)
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        for name, text in (("dataset", row.dataset), ("instruction", row.instruction)):
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise BadRecord(path, "half a surrogate pair is not text.", row=number, field=name) from error
        if not row.instruction.strip():
            raise BadRecord(path, "the prompt is empty.", row=number, field="instruction")
        if counts[row.instruction] > 1 and row.instruction in seen:
            raise BadRecord(path, "the same prompt is in an earlier record.", row=number, field="instruction")
        seen.add(row.instruction)


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _list(numbers: Sequence[int], most: int = 10) -> str:
    text = ", ".join(str(number) for number in numbers[:most])
    return text if len(numbers) <= most else f"{text} and {len(numbers) - most} more"
