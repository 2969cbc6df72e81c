"""A model's answers to a benchmark: one call a row, one file a language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.errors import XLSuiteError
from xl_suite.records import BenchmarkRow
from xl_suite.responding.earlier import find_earlier
from xl_suite.responding.outputs import (
    AnsweredRow,
    FailedRow,
    check_outputs,
    locate_sample,
    write_failed,
    write_outputs,
)
from xl_suite.responding.plan import (
    PAPER_SAMPLING,
    Plan,
    Prompting,
    derive_seed,
    name_benchmark,
    plan_responses,
    read_prompt,
)
from xl_suite.responding.report import LanguageCount, Report
from xl_suite.responding.strategies import Strategy

if TYPE_CHECKING:
    from xl_suite.chat.client import ChatClient
    from xl_suite.chat.models import Model
    from xl_suite.chat.session import ChatOptions

__all__ = [
    "PAPER_SAMPLING",
    "Plan",
    "Prompting",
    "Report",
    "derive_seed",
    "guess_calls",
    "name_benchmark",
    "name_model",
    "plan_responses",
    "read_prompt",
    "respond",
]


def respond(plan: Plan, model: Model, out: Path, *, options: ChatOptions, name: str = "") -> Report:
    """Has `model` answer the plan's rows and writes `out/<generator>/<language>.json` as languages are complete.

    name: of the generator; by default the model's. A strategy other than `direct` is added to it. Rows that failed
    for good are left out of the files, listed in `failed.json`, and tried again by the next run. Rows beyond the
    plan's limit stay in the files where the journal answers the same calls. Further samples are written to
    `out/sample-2/<generator>` and so on, each a folder of outputs like `out`. When the budget or a
    server's death ends the run, the files hold what there is.
    Raises BadInput before any call where `out` holds another benchmark or another generator under this name.
    """
    from xl_suite.chat.session import run_calls
    from xl_suite.chat.talk import run_talk

    generator = plan.strategy.name_generator(name or name_model(model))
    folders = [check_outputs(locate_sample(out, sample), generator, plan.benchmark) for sample in range(plan.samples)]
    earlier = find_earlier(plan, folders, model, options)
    kept = tuple(zip(*earlier.kept, strict=True)) or ((), ())
    plan = replace(plan, rows=plan.rows + kept[0], calls=plan.calls + kept[1], later=())
    if plan.strategy.follow is None and _is_paid_for(plan, model, options):
        options = replace(
            options, replay=options.journal
        )  # no call is made: it needs no key, and no server is started
    rows = {call.row: row for call, row in zip(plan.calls, plan.rows, strict=True)}
    groups = Counter((call.sample, row.language) for call, row in zip(plan.calls, plan.rows, strict=True))
    open_rows: Counter[tuple[int, str]] = Counter()
    answered: dict[tuple[int, str], list[AnsweredRow]] = {}
    failed: dict[int, list[FailedRow]] = {}
    drafts: dict[str, Answer] = {}

    def begin() -> None:
        drafts.clear()
        failed.update({sample: [] for sample in range(len(folders))})
        open_rows.update({group: groups[group] - open_rows[group] for group in groups})
        answered.update({group: [] for group in groups})

    def write(group: tuple[int, str]) -> None:
        if answered[group]:
            write_outputs(folders[group[0]], answered[group], generator=generator, benchmark=plan.benchmark)

    def write_failures() -> None:
        for sample, folder in enumerate(folders):
            write_failed(folder, failed[sample], plan.languages)

    def note(call: Call, result: Answer | FailedCall) -> None:
        row = rows[call.row]
        group = call.sample, row.language
        if isinstance(result, FailedCall):
            failed[call.sample].append(FailedRow(row.id, row.language, result.reason, result.attempts))
        else:
            answered[group].append(_read_answer(plan.strategy, row, result, drafts.get(call.row)))
        open_rows[group] -= 1
        if open_rows[group] == 0:
            write(group)

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
            for group in groups:
                write(group)
            write_failures()
        raise
    write_failures()
    every = sorted(
        (row for rows in failed.values() for row in rows),
        key=lambda row: (plan.languages.index(row.language), row.id),
    )
    n_kept = earlier.count_kept()
    counts = {
        language: replace(
            _count(
                language, [row for group in groups if group[1] == language for row in answered[group]], every, plan
            ),
            n_kept=n_kept[language] or None,
            n_dropped=earlier.lost[language] or None,
        )
        for language in plan.languages
    }
    return Report(generator, plan.benchmark, folders[0], counts, tuple(every), ledger, len(folders))


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


def name_model(model: Model) -> str:
    """The model's own name; of a replay, the name of the model that its journal holds."""
    if model.kind != "replay":
        return model.name
    from xl_suite.chat.replay import choose_model, open_replay

    path = Path(model.source)
    _, close, models = open_replay(path)
    close()
    return choose_model(path, models, model.name)[0]


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


def _count(language: str, answered: Sequence[AnsweredRow], failed: Sequence[FailedRow], plan: Plan) -> LanguageCount:
    lacking = sum(not one.output.strip() and one.reasoning is not None for one in answered)
    return LanguageCount(
        n_rows=len(answered),
        n_truncated=sum(one.finish_reason == "length" for one in answered),
        n_empty=sum(not one.output.strip() for one in answered),
        n_failed=sum(row.language == language for row in failed),
        n_without_final=lacking if plan.strategy.has_reasoning else None,
    )
