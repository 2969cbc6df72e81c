"""A model's answers to a benchmark: one call for each row, one file for each language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xl_suite.chat.answers import WITHHELD
from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import Call
from xl_suite.chat.estimates import find_answers
from xl_suite.chat.models import Model
from xl_suite.chat.replay import name_model
from xl_suite.chat.run import run
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import XLSuiteError
from xl_suite.provenance import describe_sampling, note_answered, sum_answered
from xl_suite.responding.collector import Collector
from xl_suite.responding.earlier import check_files, find_earlier
from xl_suite.responding.outputs import AnsweredRow, FailedRow, check_outputs, locate_sample
from xl_suite.responding.plan import Plan
from xl_suite.responding.report import LanguageCount, Report


def respond(
    plan: Plan,
    model: Model,
    out: Path,
    *,
    options: ChatOptions,
    name: str = "",
    servers: StartedServers | None = None,
    budget: Budget | None = None,
) -> Report:
    """Has `model` answer the plan's rows and writes `out/<generator>/<language>.json` as languages are complete.

    name: of the generator; by default the model's. A strategy other than `direct` is added to it. Rows that failed
    for good are left out of the files, listed in `failed.json`, and tried again by the next run. Rows beyond the
    plan's limit stay in the files where the journal answers the same calls. Further samples are written to
    `out/sample-2/<generator>` and so on, each a folder of outputs like `out`. When the budget or a
    server's death ends the run, the files hold what there is. servers, budget: of several runs in turn.
    Raises BadInput before any call where `out` holds another benchmark or another generator under this name.
    """
    generator = plan.strategy.name_generator(name or name_model(model))
    folders = [check_outputs(locate_sample(out, sample), generator, plan.benchmark) for sample in range(plan.samples)]
    asked = _describe_asked(plan, model, options)
    earlier = find_earlier(plan, folders, model, options)
    kept = tuple(zip(*earlier.kept, strict=True)) or ((), ())
    plan = replace(plan, rows=plan.rows + kept[0], calls=plan.calls + kept[1], later=())
    collector = Collector(plan, folders, generator, asked)
    options = replace(options, generator=name or name_model(model))
    total = len(plan.calls) * (1 if plan.strategy.follow is None else 2)
    try:
        _, ledger = run(model, collector.ask, options, label="respond", total=total, servers=servers, budget=budget)
    except XLSuiteError as error:
        if error.exit_status == 1:  # stopped half-way, by the budget or a server's end: the same command goes on
            collector.write_incomplete()
        raise
    collector.write_failed()
    failed = collector.failed()
    n_kept = earlier.count_kept()
    counts = {
        language: replace(
            _count(language, collector.answered(language), failed, plan),
            n_kept=n_kept[language] or None,
            n_dropped=earlier.lost[language] or None,
        )
        for language in plan.languages
    }
    answered = sum_answered(collector.describe_answered())
    notes = tuple(note_answered(name_model(model), answered))
    return Report(generator, plan.benchmark, folders[0], counts, tuple(failed), ledger, len(folders), answered, notes)


def check_finished(plan: Plan, model: Model, out: Path, options: ChatOptions, name: str = "") -> None:
    """Raises BadInput where a run would replace a file in `out` that was asked for otherwise, or pay for it twice."""
    generator = plan.strategy.name_generator(name or name_model(model))
    folders = [check_outputs(locate_sample(out, sample), generator, plan.benchmark) for sample in range(plan.samples)]
    earlier = find_earlier(plan, folders, model, options)
    check_files(plan, folders, _describe_asked(plan, model, options), earlier, model, options)


def _describe_asked(plan: Plan, model: Model, options: ChatOptions) -> dict[str, Any]:
    """What run.json says that was asked for: it determines the files. Slots, limit and budget do not."""
    value = {
        "model": name_model(model),
        "benchmark": plan.benchmark,
        "strategy": plan.strategy.name,
        "system": plan.prompting.system,
        "template": plan.prompting.template,
        "sampling": describe_sampling(plan.sampling),
        "seed": plan.seed,
        "extra": dict(options.extra),
    }
    return {name: one for name, one in value.items() if one not in (None, "", {})}


def guess_calls(plan: Plan, model: Model, options: ChatOptions) -> list[Call]:
    """All calls of a plan, for an estimate. A second call is known where the journal holds the first answer; else it
    is taken to hold a first answer of max_tokens."""
    first = list(plan.calls)
    if plan.strategy.follow is None:
        return first
    known = find_answers(model, first, options)
    drafts = {row: answer.text for row, answer in known.items()}
    second = [
        plan.follow(call, row, drafts.get(call.row, "word" * call.sampling.max_tokens))
        for call, row in zip(first, plan.rows, strict=True)
    ]
    return [*first, *(call for call in second if call is not None)]


def _count(language: str, answered: Sequence[AnsweredRow], failed: Sequence[FailedRow], plan: Plan) -> LanguageCount:
    lacking = sum(not one.output.strip() and one.reasoning is not None for one in answered)
    return LanguageCount(
        n_rows=len(answered),
        n_truncated=sum(one.finish_reason == "length" for one in answered),
        n_empty=sum(not one.output.strip() and one.finish_reason != WITHHELD for one in answered),
        n_withheld=sum(one.finish_reason == WITHHELD for one in answered) or None,
        n_reasoned=None if plan.strategy.has_reasoning else sum(bool(one.reasoning) for one in answered) or None,
        n_failed=sum(row.language == language for row in failed),
        n_without_final=lacking if plan.strategy.has_reasoning else None,
    )
