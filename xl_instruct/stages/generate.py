"""A whole run: every stage, then the dataset, its report and what is to be said about it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from xl_instruct.config import Config
from xl_instruct.dataset.arms import BLIND, KEY, Arms, compare_arms, export_pairs
from xl_instruct.dataset.card import describe_run, find_run, list_stages, render
from xl_instruct.dataset.composing import describe_provenance
from xl_instruct.dataset.folder import (
    Composer,
    is_shards,
    measure,
    move_into_place,
    write_dataset,
    write_quarantine,
)
from xl_instruct.dataset.report import render_report
from xl_instruct.stages.asking import Progress
from xl_instruct.stages.files import FOLDER, clear_temporary, lock
from xl_instruct.stages.pipeline import Pipeline, open_pipeline
from xl_instruct.stages.refusals import NearlyAllRefused
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.locking import hold_for
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, XLSuiteError
from xl_suite.executors.parts import PARTS
from xl_suite.records import write_jsonl, write_text
from xl_suite.staging import clear_abandoned, list_entries

REPORT = "report.html"
QUARANTINE = "quarantine.jsonl"
_OURS = ("README.md", REPORT, QUARANTINE, BLIND, KEY, FOLDER, PARTS, ".git", ".gitattributes", ".cache")


class NothingLeft(XLSuiteError):
    """A run that ended without a row for its dataset."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """What a run made. rows: by config and language. thresholds: the lowest score kept, likewise."""

    folder: Path
    fingerprint: str
    rows: Mapping[str, Mapping[str, int]]
    thresholds: Mapping[str, Mapping[str, float | None]]
    stages: Sequence[tuple[str, int, str]]
    quarantined: int
    warnings: Sequence[str]
    ledgers: Mapping[str, Ledger]
    arms: Arms | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the verb's `--json`."""
        return {
            "folder": str(self.folder),
            "fingerprint": self.fingerprint,
            "rows": {name: dict(own) for name, own in self.rows.items()},
            "thresholds": {name: dict(own) for name, own in self.thresholds.items()},
            "stages": [{"stage": stage, "rows": rows, "left_out": out} for stage, rows, out in self.stages],
            "quarantined": self.quarantined,
            "warnings": list(self.warnings),
            "calls": add_ledgers(self.ledgers),
            **({} if self.arms is None else {"arms": self.arms.to_dict()}),
            "ledgers": {label: ledger.to_dict() for label, ledger in self.ledgers.items()},
        }

    def describe(self) -> str:
        """A few lines for a person."""
        lines = [
            f"{name}: {sum(own.values()):,} rows ({', '.join(f'{code} {count:,}' for code, count in own.items())})"
            for name, own in self.rows.items()
        ]
        if self.quarantined:
            lines.append(
                f"{self.quarantined:,} rows in quarantine ({self.folder / QUARANTINE}); the same command tries them "
                "again with new samples."
            )
        lines += [] if self.arms is None else list(self.arms.describe())
        lines += [f"{label}: {ledger.describe()}" for label, ledger in self.ledgers.items()]
        return "\n".join([*lines, f"dataset: {self.folder}", f"report: {self.folder / REPORT}"])


def generate(
    config: Config,
    out: Path,
    options: ChatOptions,
    *,
    limit: int | None = None,
    progress: Progress = lambda line: None,
    own_journal: bool = False,
) -> Generated:
    """Runs the pipeline in `out`, from wherever an earlier run stopped, and writes the dataset there.

    limit: takes the first passages of the sample only. own_journal: as Pipeline has it. Raises BadInput where `out`
    holds anything else, and what ends a run (BudgetReached, ModelUnavailable, ...): the same call goes on from there.
    """
    check_out(out)
    with hold_for(options), lock(out / FOLDER):
        clear_temporary(out / FOLDER)
        clear_abandoned(out)
        pipeline = open_pipeline(config, out, options, limit=limit, progress=progress, own_journal=own_journal)
        try:
            return _generate(pipeline)
        except NearlyAllRefused as error:
            write_jsonl(out / QUARANTINE, error.rows)
            pipeline.finish()
            raise


def _generate(pipeline: Pipeline) -> Generated:
    config, out, progress = pipeline.config, pipeline.out, pipeline.progress
    before = find_run(out / "README.md")
    if before not in (None, describe_run(pipeline.fingerprint)):
        progress(
            f"{out} holds the dataset of another configuration ({before}). Stages that the change does not touch are "
            "taken as they are, the journal answers what was asked before, and the dataset is written anew."
        )
    warnings = find_warnings(config)
    for warning in warnings:
        progress(f"warning: {warning}")
    prepared = pipeline.prepared()
    translated = pipeline.documented(pipeline.translated(prepared))
    scored = pipeline.scored(translated)
    reported = pipeline.reported(translated)
    measured = measure(config, scored)
    summaries = [file.summary() for file in pipeline.files]
    estimators = {
        stage: next((one.extra["estimator"]["name"] for one in summaries if one.stage == stage), "")
        for stage in ("scored", "reported")
    }
    common = describe_provenance(
        config,
        pipeline.models.teacher.name,
        [model.name for model in pipeline.models.translators],
        estimators["scored"],
        estimators["reported"],
        pipeline.fingerprint,
    )
    quarantined = write_quarantine(out / QUARANTINE, pipeline.files, measured, scored)
    composer = Composer(config, prepared, scored, reported, measured, common)
    if not any(own.kept for cuts in measured.cuts.values() for own in cuts.values()):
        pipeline.finish()
        reasons = [
            f"  {stage}: {left}" for stage, _, left in list_stages(config, summaries, measured) if left != "none"
        ]
        again = (
            f"The same command tries the {quarantined:,} quarantined with new samples; {out / QUARANTINE} lists them."
        )
        dropped = "What was dropped is dropped again: change the passages or the configuration."
        raise NothingLeft("\n".join(["No row is left. Left out:", *reasons, again if quarantined else dropped]))
    arms = None
    if config.document is not None:
        arms = compare_arms(config, scored, reported, (estimators["scored"], estimators["reported"]))
        arms = replace(arms, pairs=export_pairs(out, config, composer, measured))
    built = pipeline.folder / "dataset"
    shutil.rmtree(built, ignore_errors=True)
    card = partial(
        render, config, common, summaries, measured, warnings if arms is None else [*warnings, *arms.describe()]
    )
    write_dataset(built, config, composer, measured, card)
    said = warnings if arms is None else [*warnings, *arms.describe()]
    html = render_report(config, common, summaries, measured, composer, said)
    write_text(out / REPORT, html)
    move_into_place(built, out)
    pipeline.finish()
    return Generated(
        out,
        pipeline.fingerprint,
        {name: {code: len(own.kept) for code, own in cuts.items()} for name, cuts in measured.cuts.items()},
        {
            name: {code: own.threshold if own.kept else None for code, own in cuts.items()}
            for name, cuts in measured.cuts.items()
        },
        list_stages(config, summaries, measured),
        quarantined,
        warnings,
        pipeline.asking.ledgers,
        arms,
    )


def find_warnings(config: Config) -> list[str]:
    """What to know about this run's languages and estimators before it costs anything."""
    from xl_instruct.qe import warn_languages

    names = [(config.estimation.model, config.estimation.options)]
    if config.estimation.report_with is not None:
        names.append((config.estimation.report_with, config.estimation.report_options))
    warnings = []
    for name, options in names:
        warnings += warn_languages(_declare(name, options), config.languages)
    if config.estimation.model == "surface":
        warnings.append("`surface` looks at the surface of translations only: it does not replace an estimator.")
    if config.decontaminate is None:
        warnings.append("decontamination is off: rows may overlap with XL-AlpacaEval's prompts.")
    return warnings


def _declare(name: str, options: Mapping[str, Any]) -> Any:
    """What an estimator declares of itself. Large models are not loaded for it: a translator may need the memory."""
    from types import SimpleNamespace

    from xl_instruct.qe import load_estimator

    backend, _, model = name.partition(":")
    if backend in ("cometkiwi", "comet"):
        from xl_instruct.qe.cometkiwi import XLMR_LANGUAGES

        return SimpleNamespace(name=model, languages=XLMR_LANGUAGES)
    if backend == "lm":
        return SimpleNamespace(name=f"lm:{Path(model).name}", languages=None, experimental=True)
    return load_estimator(name, **options)


def check_out(out: Path) -> None:
    """Raises BadInput where `out` holds anything that a run does not write."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput(f"{out} is a file. Name a folder that does not exist yet, or an empty one.")
    strange = [
        entry.name
        for entry in list_entries(out)
        if entry.name not in _OURS and not entry.name.startswith(".journal") and not is_shards(entry)
    ]
    if strange or ((out / "README.md").exists() and not (out / FOLDER).is_dir()):
        found = ", ".join(strange[:3]) or "README.md"
        raise BadInput(
            f"{out} holds something that `xl-suite generate` did not write ({found}), and it is left as it is. "
            "Name a new or empty folder, or one of an earlier run."
        )


def add_ledgers(ledgers: Mapping[str, Ledger]) -> dict[str, Any]:
    """The sums of all stages' ledgers."""
    names = ("paid", "from_journal", "shared", "repeated", "failed", "retries", "prompt_tokens", "completion_tokens")
    sums: dict[str, Any] = {name: sum(getattr(own, name) for own in ledgers.values()) for name in names}
    dollars = [own.dollars for own in ledgers.values()]
    sums["dollars"] = None if None in dollars else round(sum(filter(None, dollars)), 6)
    return sums
