"""A model's answers to a benchmark: one call a row, one file a language."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.errors import BadInput, XLSuiteError
from xl_suite.languages import parse_languages
from xl_suite.outputs import AnsweredRow, FailedRow, check_outputs, write_failed, write_outputs
from xl_suite.publishing.card import read_metadata
from xl_suite.publishing.dataset_folder import TAG, list_languages, read_benchmark
from xl_suite.records import BenchmarkRow

if TYPE_CHECKING:
    from xl_suite.chat.ledger import Ledger
    from xl_suite.chat.models import Model
    from xl_suite.chat.session import ChatOptions

INSTRUCTION = "{instruction}"
_LANGUAGE = re.compile("[a-z]{3}(-[a-z]{3})?")


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a row becomes messages. system: the system prompt, empty for none. template: the text of the user's
    turn, in which `{instruction}` stands for the row's instruction; for base models that need a frame."""

    system: str = ""
    template: str = INSTRUCTION

    def __post_init__(self) -> None:
        if INSTRUCTION not in self.template:
            raise BadInput(f"The template has no {INSTRUCTION}, so every row would get the same prompt.")

    def build_messages(self, instruction: str) -> tuple[Message, ...]:
        user = Message("user", self.template.replace(INSTRUCTION, instruction))
        return (Message("system", self.system), user) if self.system else (user,)


DEFAULT_PROMPTING = Prompting()
# Temperature 0.7 and 2,048 tokens (paper, section 3, "Models").
PAPER_SAMPLING = Sampling(temperature=0.7, max_tokens=2048)


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a benchmark that are to be answered, and their calls, in the same order."""

    benchmark: str
    rows: tuple[BenchmarkRow, ...]
    calls: tuple[Call, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.language for row in self.rows))


@dataclass(frozen=True, slots=True)
class LanguageCount:
    """n_rows: rows answered. n_truncated: of these, cut off by max_tokens. n_empty: without any text."""

    n_rows: int
    n_truncated: int
    n_empty: int
    n_failed: int


@dataclass(frozen=True, slots=True)
class Report:
    """What `respond` did; `folder` holds the files."""

    generator: str
    benchmark: str
    folder: Path
    languages: dict[str, LanguageCount]
    failed: tuple[FailedRow, ...]
    ledger: Ledger

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the verb's `--json`."""
        from dataclasses import asdict

        return {
            "generator": self.generator,
            "benchmark": self.benchmark,
            "folder": str(self.folder),
            "languages": {language: asdict(count) for language, count in self.languages.items()},
            "failed": [asdict(row) for row in self.failed],
            "ledger": self.ledger.to_dict(),
        }

    def describe(self) -> str:
        """A few lines for a person."""
        lines = []
        for language, count in self.languages.items():
            parts = [f"{count.n_rows} rows"]
            parts += [f"{count.n_truncated} truncated"] if count.n_truncated else []
            parts += [f"{count.n_empty} empty"] if count.n_empty else []
            parts += [f"{count.n_failed} failed"] if count.n_failed else []
            lines.append(f"{language}: {', '.join(parts)}")
        if self.failed:
            reasons = Counter(row.reason for row in self.failed)
            lines.append(
                f"{len(self.failed)} rows failed ({self.folder / 'failed.json'}); the same command retries them:"
            )
            lines += [f"  {count} x {reason}" for reason, count in reasons.most_common(3)]
        return "\n".join([*lines, self.ledger.describe(), f"outputs: {self.folder}"])


def plan_responses(
    benchmark: Path,
    *,
    languages: str = "all",
    limit: int | None = None,
    prompting: Prompting = DEFAULT_PROMPTING,
    sampling: Sampling = PAPER_SAMPLING,
    seed: int | None = None,
) -> Plan:
    """The calls that answer a benchmark's folder.

    languages: codes with commas between, or `all` that the folder has. limit: the first rows of each language, by
    ID. seed: gives every row a seed of its own, derived from it; None leaves seeds to the server.
    """
    known = list_languages(benchmark)
    rows: list[BenchmarkRow] = []
    for language in _choose(languages, known):
        rows += sorted(read_benchmark(benchmark, [language]), key=lambda row: row.id)[:limit]
    calls: dict[str, Call] = {}
    for row in rows:
        name = f"{row.language}/{row.id}"
        if not _LANGUAGE.fullmatch(row.language):  # it names a file
            raise BadInput(f"{benchmark}: {row.language!r} is no language's code (row {row.id}).")
        if name in calls:
            raise BadInput(f"{benchmark}: {row.language} has row {row.id} twice.")
        own = sampling if seed is None else replace(sampling, seed=derive_seed(seed, name))
        calls[name] = Call(name, prompting.build_messages(row.instruction), own)
    return Plan(name_benchmark(benchmark), tuple(rows), tuple(calls.values()))


def respond(plan: Plan, model: Model, out: Path, *, options: ChatOptions, name: str = "") -> Report:
    """Has `model` answer the plan's rows and writes `out/<generator>/<language>.json` as languages are complete.

    name: of the generator; by default the model's. Rows that failed for good are left out of the files, listed in
    `failed.json`, and tried again by the next run. When the budget or a server's death ends the run, the files hold
    what there is.
    Raises BadInput before any call where `out` holds another benchmark or another generator under this name.
    """
    from xl_suite.chat.session import run_calls

    generator = name or name_model(model)
    folder = check_outputs(out, generator, plan.benchmark)
    if _is_paid_for(plan, model, options):
        options = replace(
            options, replay=options.journal
        )  # no call is made: it needs no key, and no server is started
    rows = {call.row: row for call, row in zip(plan.calls, plan.rows, strict=True)}
    open_rows = Counter(row.language for row in plan.rows)
    answered: dict[str, list[AnsweredRow]] = {language: [] for language in plan.languages}
    failed: list[FailedRow] = []

    def write(language: str) -> None:
        if answered[language]:
            write_outputs(folder, answered[language], generator=generator, benchmark=plan.benchmark)

    def note(call: Call, result: Answer | FailedCall) -> None:
        row = rows[call.row]
        if isinstance(result, FailedCall):
            failed.append(FailedRow(row.id, row.language, result.reason, result.attempts))
        else:
            answered[row.language].append(AnsweredRow(row, result.text, result.finish_reason))
        open_rows[row.language] -= 1
        if open_rows[row.language] == 0:
            write(row.language)

    try:
        ledger = run_calls(model, plan.calls, note, options, label="respond", total=len(plan.calls))
    except XLSuiteError as error:
        if error.exit_status == 1:  # stopped half-way, by the budget or a server's end: the same command goes on
            for language in plan.languages:
                write(language)
            write_failed(folder, failed, plan.languages)
        raise
    write_failed(folder, failed, plan.languages)
    failed.sort(key=lambda row: (plan.languages.index(row.language), row.id))
    counts = {language: _count(language, answered[language], failed) for language in plan.languages}
    return Report(generator, plan.benchmark, folder, counts, tuple(failed), ledger)


def name_benchmark(folder: Path) -> str:
    """The benchmark's name: from its card, the tag that our builders write or `pretty_name`; else the folder's."""
    card = folder / "README.md"
    metadata = (read_metadata(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None) or {}
    tags = metadata.get("tags")
    if isinstance(tags, list) and TAG in tags[:-1]:
        return str(tags[tags.index(TAG) + 1])
    title = metadata.get("pretty_name")
    return "-".join(str(title).lower().split()) if title else folder.resolve().name


def name_model(model: Model) -> str:
    """The model's own name; of a replay, the name of the model that its journal holds."""
    if model.kind != "replay":
        return model.name
    from xl_suite.chat.replay import choose_model, open_replay

    path = Path(model.source)
    _, close, models = open_replay(path)
    close()
    return choose_model(path, models, model.name)[0]


def read_prompt(path: Path) -> str:
    """The text of a system prompt's or template's file, without the line break at its end."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {error}.") from error
    if not text.strip():
        raise BadInput(f"{path}: the file is empty.")
    return text.removesuffix("\n")


def derive_seed(seed: int, row: str) -> int:
    """A row's own seed, 0 to 2^31 - 1: rows differ, and a row's does not depend on which others are asked."""
    digest = hashlib.sha256(f"{seed}:{row}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _choose(languages: str, known: Sequence[str]) -> list[str]:
    if languages == "all":
        return list(known)
    codes = [code.strip() for code in languages.split(",") if code.strip()]
    strange = [code for code in codes if code not in known]
    if strange or not codes:
        parse_languages(
            ",".join(strange), known
        )  # explains a code that is none; the folder's lack is told on reading
    return list(dict.fromkeys(codes))


def _is_paid_for(plan: Plan, model: Model, options: ChatOptions) -> bool:
    """Whether the journal answers every call."""
    from xl_suite.chat.estimates import estimate

    if model.kind == "replay" or options.replay is not None or options.journal is None:
        return False
    return options.journal.exists() and estimate(model, plan.calls, options).new == 0


def _count(language: str, answered: Sequence[AnsweredRow], failed: Sequence[FailedRow]) -> LanguageCount:
    return LanguageCount(
        n_rows=len(answered),
        n_truncated=sum(one.finish_reason == "length" for one in answered),
        n_empty=sum(not one.output.strip() for one in answered),
        n_failed=sum(row.language == language for row in failed),
    )
