"""Between stages 2 and 3: pairs that overlap with a benchmark are dropped, the others are cut into segments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_instruct.config import Splitting
from xl_instruct.corpus.decontamination import Decontaminator
from xl_instruct.segments import TRANSLATABLE, Unit, segment
from xl_instruct.splitters import load_splitter
from xl_instruct.stages.files import LeftOut, Row
from xl_suite.chat.wire import dump
from xl_suite.errors import BadInput
from xl_suite.records import read_raw


@dataclass(frozen=True, slots=True)
class Preparation:
    """splitter, unit: how responses are cut. decontaminator: None where decontamination is off."""

    splitter: Splitting
    unit: Unit
    decontaminator: Decontaminator | None


def prepare_rows(rows: Iterable[Row], preparation: Preparation) -> Iterator[dict[str, Any] | LeftOut]:
    """Each refined row with its response's `segments`, or why it is left out."""
    split = load_splitter(preparation.splitter.name, **preparation.splitter.options)
    for row in rows:
        if preparation.decontaminator is not None:
            overlap = next(
                filter(None, map(preparation.decontaminator.find, (row["instruction"], row["response"]))), None
            )
            if overlap is not None:
                detail = f"prompt {overlap.prompt_id} ({overlap.reason}): {overlap.text[:120]}"
                yield LeftOut(row["id"], "prepared", "dropped", "overlaps with the benchmark", detail)
                continue
        segments = segment(row["response"], split, unit=preparation.unit)
        if not any(part.translatable for part in segments):
            yield LeftOut(row["id"], "prepared", "dropped", "nothing to translate")
            continue
        yield {**row, "segments": [asdict(part) for part in segments]}


def count_units(row: Row) -> int:
    """How many of a row's segments are translated."""
    return sum(part["kind"] in TRANSLATABLE for part in row["segments"])


def read_decontaminator(source: str | None) -> tuple[Decontaminator | None, str]:
    """What finds a benchmark's prompts, and a hash of them; (None, "off") without a source.

    source: a benchmark's folder, a file of prompts (`prompt` or `instruction`), or a dataset on the Hub.
    """
    if source is None:
        return None, "off"
    prompts = read_prompts(source)
    return Decontaminator(enumerate(prompts, start=1)), hashlib.sha256(dump(prompts)).hexdigest()


def read_prompts(source: str) -> list[str]:
    """The distinct English prompts of a benchmark, in their order. Raises BadInput where there are none."""
    path = Path(source)
    if not path.exists():
        path = _download(source)
    files = [path] if path.is_file() else _find_files(path)
    prompts: dict[str, None] = {}
    for file in files:
        prompts.update(dict.fromkeys(_read_file(file)))
    if not prompts:
        raise BadInput(f"decontaminate: {source}: no prompts (`prompt` or `instruction`) were found there.")
    return list(prompts)


def _find_files(folder: Path) -> list[Path]:
    """The files of English prompts: without a template where there are such, else those of any language."""
    found = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name.endswith((".parquet", ".json", ".jsonl", ".json.gz"))
    ]
    english = [file for file in found if file.parent.name == "eng" or file.name.startswith(("english", "eng."))]
    return english or found


def _read_file(file: Path) -> Iterator[str]:
    for row in read_raw(file):
        if isinstance(row, Mapping):
            text = row.get("prompt") or row.get("instruction")
            if isinstance(text, str) and text.strip():
                yield text


def _download(source: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(source, repo_type="dataset"))
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise BadInput(
            f"decontaminate: {source!r} is not a file or folder here, and could not be fetched from the Hub: {error} "
            "Build the benchmark (`xl-suite build xl-alpacaeval`), name its folder, or write null to go without."
        ) from error
