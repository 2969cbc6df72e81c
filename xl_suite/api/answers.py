"""A model's answers: asked for, read, and checked for their language."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from xl_suite.api.benchmarks import load_benchmark
from xl_suite.api.jobs import (
    ChatSettings,
    Job,
    Languages,
    Paid,
    Place,
    divide_job,
    estimate_calls,
    join_languages,
    prepare,
)

if TYPE_CHECKING:
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.executors.parts import Tools
    from xl_suite.executors.units import Unit
    from xl_suite.fidelity.folders import FidelityScores
    from xl_suite.records import ModelOutput
    from xl_suite.results import Benchmark, Outputs


def read_outputs(path: Place, language: str = "") -> Outputs:
    """The outputs of one generator: its folder, one file, or lm-eval's samples.

    language: ISO 639-3 code of rows that name no language. Raises BadInput where there are no outputs.
    """
    from xl_suite.results import Outputs

    outputs = Outputs(Path(path), language)
    outputs.by_language  # noqa: B018  read now, so that what is wrong is said here
    return outputs


def open_outputs(outputs: Outputs | Place, language: str) -> Mapping[str, list[ModelOutput]]:
    """The rows by language of outputs that are open, or that a path holds."""
    if isinstance(outputs, (str, os.PathLike)):
        return read_outputs(outputs, language).by_language
    return outputs.by_language


@Paid
def respond(
    benchmark: Benchmark | Place,
    model: str,
    *,
    out: Place,
    languages: Languages = "all",
    limit: int | None = None,
    samples: int = 1,
    name: str = "",
    strategy: str = "direct",
    system: str = "",
    template: str = "{instruction}",
    temperature: float | None = 0.7,
    max_tokens: int = 2048,
    top_p: float | None = None,
    seed: int | None = None,
    **chat: Unpack[ChatSettings],
) -> Job[Outputs]:
    """Has a model answer a benchmark; writes `out/<generator>/<language>.json`.

    model: see `xl-suite respond --help`. languages: ISO 639-3 codes or `all`. limit: rows per language. samples:
    answers per prompt. strategy: `direct`, `reason-then-translate` or `reason-then-translate-2-calls`. The sampling
    defaults are the paper's (section 3). Rows that failed are listed in `failed.json` and in `.report.failed`.
    """
    from xl_suite.chat.calls import Sampling
    from xl_suite.chat.replay import name_model
    from xl_suite.responding.plan import Prompting, plan_responses, take_rows
    from xl_suite.responding.respond import check_finished, guess_calls
    from xl_suite.responding.respond import respond as ask
    from xl_suite.responding.strategies import find_strategy
    from xl_suite.results import Outputs

    plan = plan_responses(
        load_benchmark(benchmark).folder,
        languages=join_languages(languages),
        limit=limit,
        prompting=Prompting(system, template),
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens, top_p=top_p),
        seed=seed,
        strategy=find_strategy(strategy),
        samples=samples,
    )
    parsed, options = prepare(model, out, chat)

    def run(options: ChatOptions) -> Outputs:
        report = ask(plan, parsed, Path(out), options=options, name=name)
        return Outputs(report.folder, report=report)

    def work(unit: Unit, tools: Tools) -> int:
        own = take_rows(plan, unit.language, unit.start, unit.end)
        report = ask(
            own,
            parsed,
            tools.folder,
            options=tools.options,
            name=name,
            servers=tools.servers,
            budget=tools.budget,
        )
        return len(report.failed)

    def estimate() -> list[Estimate]:
        rounds = 1 if plan.strategy.follow is None else 2
        return estimate_calls(parsed, guess_calls(plan, parsed, options), options, "answer", (rounds, rounds))

    label = plan.strategy.name_generator(name or name_model(parsed))
    sizes = Counter(row.language for row in plan.rows)
    return divide_job(
        run,
        estimate,
        out,
        label,
        options,
        sizes,
        work,
        lambda options: check_finished(plan, parsed, Path(out), options, name),
    )


def fidelity(
    outputs: Outputs | Place,
    *,
    benchmark: Benchmark | Place | None = None,
    language: str | None = None,
    languages: Languages = "all",
    progress: bool = True,
) -> FidelityScores:
    """Tells for each generator and language how many outputs are in the language that was asked for.

    outputs: a file, a generator's folder or a folder of those. benchmark: its folder says whose answers may be in
    another language (default for XL-AlpacaEval and m-AlpacaEval: the packaged list).
    """
    from xl_suite.fidelity.folders import score_folders

    path = outputs if isinstance(outputs, (str, os.PathLike)) else outputs.path
    folder = None if benchmark is None else load_benchmark(benchmark).folder
    return score_folders(
        Path(path), folder, language=language, languages=join_languages(languages), progress=progress
    )
