"""Rates answers from 1 to 5 by a rubric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from xl_suite.api.answers import open_outputs
from xl_suite.api.jobs import (
    ChatSettings,
    Job,
    Languages,
    Paid,
    Place,
    divide_job,
    estimate_calls,
    join_languages,
    logger,
    prepare,
)

if TYPE_CHECKING:
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.executors.parts import Tools
    from xl_suite.executors.units import Unit
    from xl_suite.rating.results import Ratings
    from xl_suite.records import ModelOutput
    from xl_suite.results import Outputs, Rated


@Paid
def rate(
    outputs: Outputs | Place,
    *,
    out: Place,
    model: str = "gpt-4o-2024-08-06",
    rubrics: Place | None = None,
    method: str = "auto",
    samples: int = 1,
    max_tokens: int | None = None,
    retry_unread: bool = False,
    languages: Languages = "all",
    limit: int | None = None,
    language: str = "",
    **chat: Unpack[ChatSettings],
) -> Job[Rated]:
    """Has a judge rate outputs from 1 to 5 per criterion; writes `out/<generator>/<judge>/ratings-<language>.json`.

    rubrics: a folder with one `.txt` per criterion; None takes those of the package (paper, section 6).
    retry_unread: ask on where a score is unread after three samples.
    """
    from xl_suite.chat.replay import name_model
    from xl_suite.finished import check_held, check_settings
    from xl_suite.judging.asking import count_waves
    from xl_suite.rating.earlier import find_held
    from xl_suite.rating.rate import choose_method, describe_settings, plan_calls, rate_outputs, select_outputs
    from xl_suite.rating.results import list_files, write_ratings
    from xl_suite.rating.rubric import read_rubrics
    from xl_suite.results import Rated

    read = read_rubrics(None if rubrics is None else Path(rubrics))
    parsed, options = prepare(model, out, chat)
    opened = open_outputs(outputs, language)
    chosen = select_outputs(opened, join_languages(languages), limit)
    fixed = None if method == "auto" else choose_method(method, samples, max_tokens)

    def rate_rows(rows: Mapping[str, Sequence[ModelOutput]], options: ChatOptions, **shared: Any) -> Ratings:
        return rate_outputs(
            rows,
            read,
            parsed,
            options,
            method=method,
            samples=samples,
            max_tokens=max_tokens,
            retry_unread=retry_unread,
            **shared,
        )

    def work(unit: Unit, tools: Tools) -> int:
        rows = {unit.language: unit.take(chosen[unit.language])}
        ratings = rate_rows(rows, tools.options, servers=tools.servers, budget=tools.budget)
        return len(ratings.failures[unit.language])

    def check(options: ChatOptions) -> None:
        files = list_files(Path(out), chosen, name_model(parsed))
        check_settings("ratings", files, dict.fromkeys(files, describe_settings(read, parsed, options, fixed)))
        for code, path in files.items():
            check_held(path, find_held(path, code, chosen[code], read, max_tokens), parsed, options)

    def run(options: ChatOptions) -> Rated:
        ratings = rate_rows(chosen, options)
        beyond = {} if limit is None else {code: opened[code][limit:] for code in chosen}
        folder = write_ratings(Path(out), ratings, beyond)
        for note in ratings.noted:
            logger.info("note: %s", note)
        return Rated(folder, ratings)

    def estimate() -> list[Estimate]:
        calls = plan_calls(chosen, read, choose_method(method, samples, max_tokens))
        waves = count_waves(len(calls), options, learnt=method == "auto")
        return estimate_calls(parsed, calls, options, "verdict", waves)

    generators = {row.generator for rows in chosen.values() for row in rows}
    label = "-".join([*sorted(generators), "rated", name_model(parsed)])
    sizes = {code: len(rows) for code, rows in chosen.items()}
    return divide_job(run, estimate, out, label, options, sizes, work, check)
