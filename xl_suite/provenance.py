"""`run.json`: who gave the answers, verdicts or ratings of a folder, and how they were asked for, by language.

The files themselves are bare arrays, as AlpacaEval has them; the number of their format is in here too. A folder
without a `run.json` is of format 0.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired

from typing_extensions import TypedDict

from xl_suite import __version__
from xl_suite.errors import BadInput, BadRecord
from xl_suite.records import dump_json, parse_record, read_object, write_text

if TYPE_CHECKING:
    from xl_suite.chat.calls import Sampling

RUN = "run.json"
# The formats of the files, which begin at 0. 1: withheld answers are rows of outputs; annotations have a status.
# 2: annotations say why both answers ended, since the gate leaves out the last sentence of one that was cut off.
FORMATS = {"outputs": 1, "annotations": 2, "ratings": 1}
# Fields of `asked` that are told in one line.
_TOLD = ("annotator", "method", "order", "strategy", "reference", "system", "extra")


class _Server(TypedDict):
    urls: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class _Answered:
    """What is read of `answered`."""

    model: str = ""
    answered_as: Mapping[str, int] = field(default_factory=dict)
    servers: Sequence[_Server] = ()
    n_calls: int = 0
    journal_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a run says of one language.

    asked: what a user asked for and what determines the file (model, prompts, sampling); a run that asks otherwise
    makes another file. answered: who answered, as `Usage.describe` has it. versions: of the programs.
    """

    format: int
    asked: Mapping[str, Any]
    answered: Mapping[str, Any]
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "asked": dict(self.asked),
            "answered": dict(self.answered),
            "versions": dict(self.versions),
        }

    def describe(self) -> str:
        """One line: the model as asked and as answered, its servers, and what was asked of it."""
        model = str(self.answered.get("model", self.asked.get("model", "")))
        counts = self.answered.get("answered_as", {})
        others = [name for name in counts if name not in ("", model)]
        parts = [model + (f" (answered as {', '.join(others)})" if others else "")]
        urls = [url for one in self.answered.get("servers", ()) for url in one.get("urls", ())]
        parts += [f"at {', '.join(dict.fromkeys(urls))}"] if urls else []
        parts += [f"{name} {self.asked[name]}" for name in _TOLD if self.asked.get(name) not in (None, "", {}, [])]
        shape = self.answered.get("shape")
        parts += [f"requests adapted: {shape}"] if shape else []
        print_ = str(self.answered.get("journal_fingerprint", ""))[:12]
        return "; ".join([*parts, f"{self.answered.get('n_calls', 0):,} calls, journal {print_}"])


def make_entry(kind: str, asked: Mapping[str, Any], answered: Mapping[str, Any]) -> Entry:
    """The entry of a run with this version of the programs. kind: one of FORMATS."""
    versions = {"xl_suite": __version__, "python": platform.python_version()}
    return Entry(FORMATS[kind], asked, answered, versions)


def describe_sampling(sampling: Sampling) -> dict[str, Any]:
    """The sampling parameters that are set, but for the seed, which differs from row to row."""
    values = {name: getattr(sampling, name) for name in ("temperature", "max_tokens", "top_p", "logprobs")}
    values |= {"top_logprobs": sampling.top_logprobs, "stop": list(sampling.stop)}
    return {name: value for name, value in values.items() if value not in (None, False, [])}


def write_run(folder: Path, kind: str, entries: Mapping[str, Entry]) -> None:
    """Brings a folder's `run.json` up to date with the entries of some languages; those of others stay.

    A file that cannot be read is made anew, since each language that is written is described as a whole.
    """
    try:
        earlier = {code: one.to_dict() for code, one in read_run(folder, kind).items()}
    except BadInput:
        earlier = {}
    earlier |= {code: one.to_dict() for code, one in entries.items()}
    value = {"kind": kind, "languages": {code: earlier[code] for code in sorted(earlier)}}
    write_text(folder / RUN, dump_json(value))


def read_run(folder: Path, kind: str) -> dict[str, Entry]:
    """The entries of a folder's `run.json` by language; none where there is no such file.

    Raises BadRecord for a file that is not one, and BadInput for files of a format that this version does not know.
    """
    path = folder / RUN
    if not path.is_file():
        return {}
    value = read_object(path)
    if value.get("kind") != kind or not isinstance(value.get("languages"), dict):
        raise BadRecord(path, f"it does not say what was run for {kind}. Remove it, and run the same command again.")
    entries: dict[str, Entry] = {}
    for language, one in value["languages"].items():
        parts = [one.get(name) for name in ("asked", "answered", "versions")] if isinstance(one, dict) else []
        number = one.get("format") if isinstance(one, dict) else None
        if not isinstance(number, int) or len(parts) != 3 or not all(isinstance(part, dict) for part in parts):
            raise BadRecord(path, f"the entry of {language!r} lacks format, asked, answered or versions.")
        if number > FORMATS[kind]:
            raise BadInput(
                f"{path}: {language} is of format {number} of {kind}; this xl-suite reads up to {FORMATS[kind]}. "
                "Use the version that wrote it, or a newer one."
            )
        parse_record(one["answered"], _Answered, path, len(entries) + 1)
        entries[str(language)] = Entry(number, one["asked"], one["answered"], one["versions"])
    return entries


def describe_runs(folder: Path, kind: str) -> list[str]:
    """The lines that tell who made a folder's files: one, or one for each language that differs from the others."""
    try:
        lines = {language: entry.describe() for language, entry in read_run(folder, kind).items()}
    except BadInput as error:
        return [str(error)]
    if len({_drop_count(line) for line in lines.values()}) == 1:
        return [_drop_count(next(iter(lines.values())))]
    return [f"{language}: {line}" for language, line in lines.items()]


def tell_runs(verb: str, kind: str, paths: Iterable[Path]) -> list[str]:
    """The lines of the run.json files in folders, or beside files; of a generator's folder, those of all judges.

    verb: what the run did: `answered`, `judged`, `rated`.
    """
    folders: list[Path] = []
    for path in paths:
        folder = path if path.is_dir() else path.parent
        folders += [folder] if (folder / RUN).is_file() else sorted(folder.glob("*/"))
    lines = [f"{verb} by {line}" for folder in dict.fromkeys(folders) for line in describe_runs(folder, kind)]
    return list(dict.fromkeys(lines))


def note_answered(model: str, counts: Mapping[str, int]) -> list[str]:
    """What a user should know of the models that answers name: another one than was asked for, or several."""
    named = {name: count for name, count in counts.items() if name}
    notes = []
    other = {name: count for name, count in named.items() if not _is_same(model, name)}
    if other:
        told = ", ".join(f"{name} ({count:,} answers)" for name, count in other.items())
        notes.append(f"{model} was asked for, and the server names another model in its answers: {told}.")
    if len(named) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in named.items())
        notes.append(f"the answers name {len(named)} models, so the server changed or re-routed in the run: {told}.")
    return notes


def sum_answered(described: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How often the answers of all languages name each model."""
    counts: dict[str, int] = {}
    for one in described.values():
        for name, count in one.get("answered_as", {}).items():
            counts[name] = counts.get(name, 0) + count
    return dict(sorted(counts.items()))


def _is_same(asked: str, answered: str) -> bool:
    """Whether a server may mean the model that was asked for: `gpt-4o` is answered as `gpt-4o-2024-08-06`."""
    simplify: Callable[[str], str] = lambda name: name.replace("\\", "/").rpartition("/")[2].lower()  # noqa: E731
    one, other = simplify(asked), simplify(answered)
    return one.startswith(other) or other.startswith(one)


def _drop_count(line: str) -> str:
    return line.rpartition("; ")[0]
