"""A model's answers to a benchmark: one call a row, one file a language."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.errors import BadInput, XLSuiteError
from xl_suite.languages import parse_languages
from xl_suite.outputs import AnsweredRow, FailedRow, check_outputs, write_failed, write_outputs
from xl_suite.publishing.card import read_metadata
from xl_suite.publishing.dataset_folder import TAG, list_languages, read_benchmark
from xl_suite.records import BenchmarkRow
from xl_suite.response_report import LanguageCount, Report
from xl_suite.strategies import PLAIN, Strategy

if TYPE_CHECKING:
    from xl_suite.chat.client import ChatClient
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
    strategy: Strategy = PLAIN
    prompting: Prompting = DEFAULT_PROMPTING

    def follow(self, call: Call, row: BenchmarkRow, draft: str) -> Call | None:
        """The second call of a row, from the answer to its first one; None where the strategy has none."""
        if self.strategy.follow is None or not self.strategy.covers(row) or not draft.strip():
            return None
        return replace(call, messages=self.prompting.build_messages(self.strategy.follow(row, draft)))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.language for row in self.rows))


def plan_responses(
    benchmark: Path,
    *,
    languages: str = "all",
    limit: int | None = None,
    prompting: Prompting = DEFAULT_PROMPTING,
    sampling: Sampling = PAPER_SAMPLING,
    seed: int | None = None,
    strategy: Strategy = PLAIN,
) -> Plan:
    """The calls that answer a benchmark's folder; of a strategy of two calls a row, the first ones.

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
        text = strategy.ask(row) if strategy.covers(row) else row.instruction
        calls[name] = Call(name, prompting.build_messages(text), own)
    return Plan(name_benchmark(benchmark), tuple(rows), tuple(calls.values()), strategy, prompting)


def respond(plan: Plan, model: Model, out: Path, *, options: ChatOptions, name: str = "") -> Report:
    """Has `model` answer the plan's rows and writes `out/<generator>/<language>.json` as languages are complete.

    name: of the generator; by default the model's. A strategy other than `direct` is added to it. Rows that failed
    for good are left out of the files, listed in `failed.json`, and tried again by the next run. When the budget or a
    server's death ends the run, the files hold what there is.
    Raises BadInput before any call where `out` holds another benchmark or another generator under this name.
    """
    from xl_suite.chat.session import run_calls
    from xl_suite.chat.talk import run_talk

    generator = plan.strategy.name_generator(name or name_model(model))
    folder = check_outputs(out, generator, plan.benchmark)
    if plan.strategy.follow is None and _is_paid_for(plan, model, options):
        options = replace(
            options, replay=options.journal
        )  # no call is made: it needs no key, and no server is started
    rows = {call.row: row for call, row in zip(plan.calls, plan.rows, strict=True)}
    open_rows: Counter[str] = Counter()
    answered: dict[str, list[AnsweredRow]] = {}
    failed: list[FailedRow] = []
    drafts: dict[str, Answer] = {}

    def begin() -> None:
        drafts.clear()
        failed.clear()
        open_rows.update({language: -open_rows[language] for language in plan.languages})
        open_rows.update(row.language for row in plan.rows)
        answered.update({language: [] for language in plan.languages})

    def write(language: str) -> None:
        if answered[language]:
            write_outputs(folder, answered[language], generator=generator, benchmark=plan.benchmark)

    def note(call: Call, result: Answer | FailedCall) -> None:
        row = rows[call.row]
        if isinstance(result, FailedCall):
            failed.append(FailedRow(row.id, row.language, result.reason, result.attempts))
        else:
            answered[row.language].append(_read_answer(plan.strategy, row, result, drafts.get(call.row)))
        open_rows[row.language] -= 1
        if open_rows[row.language] == 0:
            write(row.language)

    async def ask_twice(client: ChatClient) -> None:
        begin()
        second: list[Call] = []

        def note_draft(call: Call, result: Answer | FailedCall) -> None:
            following = None if isinstance(result, FailedCall) else plan.follow(call, rows[call.row], result.text)
            if following is None or isinstance(result, FailedCall):
                note(call, result)
            else:
                drafts[call.row] = result
                second.append(following)

        await client.ask_all(plan.calls, note_draft)
        await client.ask_all(second, note)

    try:
        if plan.strategy.follow is None:
            begin()
            ledger = run_calls(model, plan.calls, note, options, label="respond", total=len(plan.calls))
        else:
            _, ledger = run_talk(model, ask_twice, options, label="respond", total=2 * len(plan.calls))
    except XLSuiteError as error:
        if error.exit_status == 1:  # stopped half-way, by the budget or a server's end: the same command goes on
            for language in plan.languages:
                write(language)
            write_failed(folder, failed, plan.languages)
        raise
    write_failed(folder, failed, plan.languages)
    failed.sort(key=lambda row: (plan.languages.index(row.language), row.id))
    counts = {language: _count(language, answered[language], failed, plan.strategy) for language in plan.languages}
    return Report(generator, plan.benchmark, folder, counts, tuple(failed), ledger)


def guess_calls(plan: Plan, model: Model, options: ChatOptions) -> list[Call]:
    """All calls of a plan, for an estimate. Second calls are known where the journal holds every first answer; else
    each is taken to hold a first answer of max_tokens."""
    from xl_suite.chat.session import run_calls

    first = list(plan.calls)
    if plan.strategy.follow is None:
        return first
    drafts = {call.row: "word" * call.sampling.max_tokens for call in first}
    if options.journal is not None and _is_paid_for(plan, model, options):
        known: dict[str, str] = {}

        def note(call: Call, result: Answer | FailedCall) -> None:
            known[call.row] = result.text if isinstance(result, Answer) else ""

        run_calls(model, first, note, replace(options, journal=None, replay=options.journal, progress=False))
        drafts |= known
    second = [plan.follow(call, row, drafts[call.row]) for call, row in zip(first, plan.rows, strict=True)]
    return [*first, *(call for call in second if call is not None)]


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


def _read_answer(strategy: Strategy, row: BenchmarkRow, answer: Answer, draft: Answer | None) -> AnsweredRow:
    """The row with its output; of a strategy, what led to it stands apart."""
    if not strategy.covers(row):
        return AnsweredRow(row, answer.text, answer.finish_reason)
    if strategy.read is not None:
        output, reasoning = strategy.read(answer.text)
        return AnsweredRow(row, output, answer.finish_reason, reasoning)
    if draft is None:  # the first answer was empty, so there was nothing to translate
        return AnsweredRow(row, "", answer.finish_reason, answer.text)
    cut = "length" in (draft.finish_reason, answer.finish_reason)
    return AnsweredRow(row, answer.text, "length" if cut else answer.finish_reason, draft.text)


def _count(
    language: str, answered: Sequence[AnsweredRow], failed: Sequence[FailedRow], strategy: Strategy
) -> LanguageCount:
    lacking = sum(not one.output.strip() and one.reasoning is not None for one in answered)
    return LanguageCount(
        n_rows=len(answered),
        n_truncated=sum(one.finish_reason == "length" for one in answered),
        n_empty=sum(not one.output.strip() for one in answered),
        n_failed=sum(row.language == language for row in failed),
        n_without_final=lacking if strategy.has_reasoning else None,
    )
