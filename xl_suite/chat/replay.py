"""Reading a journal without a model, and its text form: JSONL that can be reviewed, published and written by hand.

A line holds one answer: {"model": name, "model_key": key, "sample": n, "request": {...}, "answer": {"text": ...}}.
`model_key` and `sample` are left out where they are the name and 0. The key of an answer is not written: it is
computed from the line. Lines with a `fact` come first and say what the journal knows of a model beside its answers:
{"model_key": key, "fact": "shape", "value": {...}}.
"""

from __future__ import annotations

import difflib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from xl_suite.chat.answers import answer_from_json, answer_to_json
from xl_suite.chat.calls import Answer, AnswerSource
from xl_suite.chat.identity import IDENTITY, read_identity
from xl_suite.chat.journal import MOST_NAMED, Journal
from xl_suite.chat.journal_file import MAGIC
from xl_suite.chat.journal_rows import UNREADABLE, Fact, StoredAnswer
from xl_suite.chat.locking import hold
from xl_suite.chat.models import Model
from xl_suite.chat.shapes import SHAPE
from xl_suite.chat.wire import dump, hash_request, load
from xl_suite.errors import BadRecord, JournalError, ReplayMiss
from xl_suite.records import atomic_write

GROUP = 256  # answers that are written at once


class TextJournal:
    """The answers of a JSONL file, by key."""

    def __init__(
        self, answers: Mapping[bytes, Answer], models: Sequence[tuple[str, str]], facts: Sequence[Fact] = ()
    ):
        self._answers, self._facts = answers, list(facts)
        self.models = list(models)
        self._keys = {key for _, key in models}

    def facts(self) -> list[Fact]:
        return self._facts

    def holds(self, key: str) -> bool:
        return key in self._keys

    def look_up(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        return {key: self._answers[key] for key in keys if key in self._answers}


def export_journal(path: Path, out: Path) -> int:
    """Writes the answers of the journal at `path` to the JSONL file `out`; returns how many.

    The order is by model and key, and the time of a call is left out: journals that hold the same answers give the
    same bytes.
    """
    count = 0
    with Journal(path, read_only=True) as journal, atomic_write(out) as temporary, temporary.open("wb") as file:
        # Of a model's shapes the last one counts, and it alone is written.
        latest = {(fact.model, fact.kind, "" if fact.kind == SHAPE else fact.value): fact for fact in journal.facts()}
        lines = {
            dump({"model_key": fact.model, "fact": fact.kind, "value": _publish(fact)}) for fact in latest.values()
        }
        for line in sorted(lines):
            file.write(line + b"\n")
        for stored in journal.answers():
            file.write(dump(_to_line(stored)) + b"\n")
            count += 1
    return count


def import_journal(source: Path, path: Path) -> int:
    """Adds the answers of a JSONL file to the journal at `path`, made if need be; returns how many were new."""
    now = int(time.time())
    new = 0
    with hold(path), Journal(path) as journal:
        journal.add([], facts=read_facts(source))
        group: list[StoredAnswer] = []
        for model, key, canonical, answer in read_text(source):
            group.append(
                StoredAnswer(
                    key,
                    model[0],
                    canonical.decode(),
                    dump(answer_to_json(answer)).decode(),
                    answer.prompt_tokens,
                    answer.completion_tokens,
                    now,
                )
            )
            if len(group) == GROUP:
                new += journal.add(group)
                group = []
        return new + journal.add(group)


def merge_journals(sources: Sequence[Path], path: Path) -> int:
    """Adds the answers of other journals, SQLite or JSONL, to the journal at `path`; returns how many were new.

    A key that is there already keeps its answer. The journal is made where there is none.
    """
    new = 0
    for source in sources:
        if _is_text(source):
            new += import_journal(source, path)
            continue
        with hold(path), Journal(source, read_only=True) as read, Journal(path) as journal:
            journal.add([], facts=read.facts())
            answers = read.answers()
            while group := list(islice(answers, GROUP)):
                new += journal.add(group)
    return new


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What a journal holds of one model. first, last: Unix times of its answers; None in a JSONL file.

    damaged: rows that cannot be read, or that something changed after they were written; they are among `answers`.
    """

    model: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    failed: int
    first: int | None
    last: int | None
    damaged: int = 0


def summarize_journal(path: Path) -> list[ModelSummary]:
    """What a journal, SQLite or JSONL, holds of each model, by name."""
    if not _is_text(path):
        with Journal(path, read_only=True) as journal:
            failed = Counter(failure.model for failure in journal.failures())
            rows = journal.count_by_model()
            for _ in journal.answers():  # only reading every row finds those that are damaged
                pass
            damaged = Counter(journal.damaged.values())
        known = {row[0] for row in rows}
        rows += [(model, 0, 0, 0, None, None) for model in sorted(set(failed) - known)]
        return [
            ModelSummary(model, answers, asked, given, failed[model], first, last, damaged[model[:MOST_NAMED]])
            for model, answers, asked, given, first, last in rows
        ]
    found: dict[str, list[int]] = {}
    for model, _, _, answer in read_text(path):
        counts = found.setdefault(model[0], [0, 0, 0])
        for place, count in enumerate((1, answer.prompt_tokens, answer.completion_tokens)):
            counts[place] += count
    return [
        ModelSummary(model, answers, asked, given, 0, None, None)
        for model, (answers, asked, given) in sorted(found.items())
    ]


def _is_text(path: Path) -> bool:
    """Whether a journal is a JSONL file. Raises JournalError for a file that is not a journal of either kind."""
    if not path.is_file():
        what = (
            "there is no journal here" if not path.exists() else "not a regular file (but a folder, pipe or device)"
        )
        raise JournalError(f"{path}: {what}. Name the file of a journal, SQLite or JSONL.")
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start == MAGIC or not start:  # a run that was killed before its first write leaves an empty file
        return False
    if not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        raise JournalError(f"{path}: not a journal: neither SQLite nor JSONL that xl-suite has exported.")
    return True


def open_replay(path: Path) -> tuple[AnswerSource, Callable[[], None], list[tuple[str, str]]]:
    """(what answers, how to close it, its models as (name, key)) of a journal, SQLite or JSONL.

    Raises JournalError for a file that is neither.
    """
    if not _is_text(path):
        journal = Journal(path, read_only=True)
        return journal, journal.close, journal.models()
    answers: dict[bytes, Answer] = {}
    models: dict[tuple[str, str], None] = {}
    for model, key, _, answer in read_text(path):
        answers.setdefault(key, answer)
        models[model] = None
    text = TextJournal(answers, sorted(models), read_facts(path))
    return text, lambda: None, text.models


def choose_model(path: Path, models: Sequence[tuple[str, str]], name: str) -> tuple[str, str]:
    """(name, key) of the journal's model `name`, or of its only one when `name` is empty."""
    fitting = [model for model in models if not name or model[0] == name]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(sorted({model[0] for model in models})) or "none"
    if fitting and name:
        raise ReplayMiss(f"{path} holds answers of {len(fitting)} different weights under the name {name!r}.")
    if not name and fitting:
        raise ReplayMiss(f"{path} holds several models: choose with replay:{path}#MODEL. Its models: {listed}.")
    near = difflib.get_close_matches(name, [model[0] for model in models], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ReplayMiss(f"{path} holds no answers of model {name!r}.{hint} Its models: {listed}.")


def name_model(model: Model) -> str:
    """The model's own name; of a replay, the name of the model that its journal holds."""
    if model.kind != "replay":
        return model.name
    path = Path(model.source)
    _, close, models = open_replay(path)
    close()
    return choose_model(path, models, model.name)[0]


def read_text(path: Path) -> Any:
    """Yields ((model name, model key), key, canonical request, answer) of each line of a JSONL journal.

    Raises BadRecord, naming line and field, for a line that does not fit.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = load(line.lstrip(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError) as error:
                raise BadRecord(path, f"not JSON: {error}.", row=number) from error
            if not isinstance(value, dict):
                raise BadRecord(path, "expected an object.", row=number)
            if "fact" in value:
                continue
            for field, kind in (("model", str), ("request", dict), ("answer", dict)):
                if not isinstance(value.get(field), kind):
                    raise BadRecord(path, f"expected {kind.__name__}.", row=number, field=field)
            try:
                answer = answer_from_json(value["answer"])
                messages = [(one["role"], one["content"]) for one in value["request"]["messages"]]
                name = value["model"]
                model_key = str(value.get("model_key", name))
                key, canonical = hash_request(model_key, _normal(value["request"]), value.get("sample", 0))
            except UNREADABLE as error:
                raise BadRecord(
                    path, f"no request with messages and answer with text: {error!r}.", row=number
                ) from error
            if not messages:
                raise BadRecord(path, "no messages.", row=number, field="request")
            yield (name, model_key), key, canonical, answer


def read_facts(path: Path) -> list[Fact]:
    """The facts of a JSONL journal, which are its first lines. Raises BadRecord for one that does not fit."""
    facts = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = load(line.lstrip(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError):
                break  # `read_text` says so
            if not isinstance(value, dict) or "fact" not in value:
                break
            if not isinstance(value.get("model_key"), str) or not isinstance(value.get("value"), dict):
                raise BadRecord(path, "a fact needs `model_key` and `value`, an object.", row=number)
            facts.append(Fact(value["model_key"], str(value["fact"]), dump(value["value"]).decode()))
    return facts


def _publish(fact: Fact) -> Any:
    try:
        value = load(fact.value)
        return read_identity(value).to_dict(public=True) if fact.kind == IDENTITY else value
    except UNREADABLE as error:
        raise JournalError(f"what the journal knows of the model {fact.model} cannot be read: {error}") from error


def _normal(request: dict[str, Any]) -> dict[str, Any]:
    """A request as `build_body` writes it, where a person may have written 1 for 1.0."""
    return {
        name: float(value) if name in ("temperature", "top_p") and isinstance(value, int) else value
        for name, value in request.items()
    }


def _to_line(stored: StoredAnswer) -> dict[str, Any]:
    try:
        form = load(stored.request)
        line: dict[str, Any] = {"model": stored.model, "request": form["request"], "answer": load(stored.answer)}
        if form["model"] != stored.model:
            line["model_key"] = form["model"]
        if form["sample"] != 0:
            line["sample"] = form["sample"]
        return line
    except UNREADABLE as error:
        raise JournalError(f"a row of {stored.model!r} has no request that can be read: {error!r}.") from error
