"""The card of a run's dataset, filled from what the run did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import xl_suite
from xl_instruct.config import Config, ModelSettings
from xl_instruct.dataset.composing import Provenance
from xl_instruct.dataset.folder import Measured
from xl_instruct.dataset.selection import NAIVE
from xl_instruct.dataset.statistics import BINS
from xl_instruct.stages.files import Summary
from xl_suite.dataset.card import name_language, read_metadata, render_card
from xl_suite.languages import find_language

_UNITS = {"sentence": "sentence by sentence", "paragraph": "paragraph by paragraph", "document": "as a whole"}
_SHOWN_BINS = 20


def render(
    config: Config,
    common: Provenance,
    summaries: Sequence[Summary],
    measured: Measured,
    warnings: Sequence[str],
    metadata: Mapping[str, Any],
) -> str:
    """The README of the dataset's folder. summaries: of the stages, in their order."""
    template = files("xl_instruct").joinpath("card.md").read_text(encoding="utf-8")
    languages = [find_language(code) for code in config.languages]
    own = {
        "language": ["en", *(name_language(language) for language in languages)],
        "license": config.licence,
        "pretty_name": config.title,
    }
    # The cache of datasets tells folders of one name apart by their cards' configs alone: runs must differ there.
    described = [
        {"config_name": one["config_name"], "description": describe_run(common.fingerprint), **one}
        for one in metadata["configs"]
    ]
    return render_card(
        template, {**own, **metadata, "configs": described}, _values(config, common, summaries, measured, warnings)
    )


def describe_run(fingerprint: str) -> str:
    return f"configuration {fingerprint[:16]}"


def find_run(card: Path) -> str | None:
    """What `describe_run` wrote into the card of an earlier run; None where there is none."""
    if not card.is_file():
        return None
    configs = (read_metadata(card.read_text(encoding="utf-8", errors="replace")) or {}).get("configs")
    first = configs[0] if isinstance(configs, list) and configs and isinstance(configs[0], dict) else {}
    return str(first["description"]) if "description" in first else None


def list_usage(summaries: Sequence[Summary]) -> Iterator[tuple[str, str, int, int, int]]:
    """(stage, model, answers, prompt tokens, completion tokens), summed over languages."""
    sums: dict[tuple[str, str], list[int]] = {}
    for summary in summaries:
        stage = "translated" if summary.stage.startswith("translated") else summary.stage
        for model, usage in summary.usage.items():
            own = sums.setdefault((stage, model), [0, 0, 0])
            for place, value in enumerate((usage.answers, usage.prompt_tokens, usage.completion_tokens)):
                own[place] += value
    for (stage, model), (answers, prompt, completion) in sums.items():
        yield stage, model, answers, prompt, completion


def list_stages(config: Config, summaries: Sequence[Summary], measured: Measured) -> list[tuple[str, int, str]]:
    """(stage, rows out of it, what it left out) of each stage, summed over languages where it has several."""
    rows: dict[str, int] = {}
    left_out: dict[str, Counter[tuple[str, str]]] = {}
    for summary in summaries:
        if summary.stage == "reported":
            continue
        stage = summary.stage
        if stage.startswith("translated") and len(config.translators) > 1:
            stage = f"translated by {stage.removeprefix('translated')}"
        rows[stage] = rows.get(stage, 0) + summary.rows
        left_out.setdefault(stage, Counter()).update(summary.left_out)
    found = [(stage, count, _describe_left_out(left_out[stage])) for stage, count in rows.items()]
    for name, cuts in measured.cuts.items():
        own = Counter((row.kind, row.reason) for row, _ in measured.unsound if row.translations == name)
        own["dropped", "lowest scores"] = sum(one.dropped for one in cuts.values())
        found.append((f"filtered, {name}", sum(len(one.kept) for one in cuts.values()), _describe_left_out(+own)))
    return found


def _describe_left_out(counts: Mapping[tuple[str, str], int]) -> str:
    return "; ".join(f"{count:,} {kind}: {reason}" for (kind, reason), count in sorted(counts.items())) or "none"


def _values(
    config: Config, common: Provenance, summaries: Sequence[Summary], measured: Measured, warnings: Sequence[str]
) -> dict[str, str]:
    best = "default" if len(config.translators) == 1 else config.best_of
    settings, estimator = config.filtering, _find_estimator(summaries, "scored")
    example = next(code for code in config.languages if measured.cuts[NAIVE][code].kept)
    licences = {
        f"corpus {name_source(config.passages.source)}": config.passages.licence,
        common.teacher: config.teacher.licence,
        **{name: own.licence for name, own in zip(common.translators, config.translators, strict=True)},
        common.qe_model: str(estimator.get("licence", "unknown")),
    }
    reported = _find_estimator(summaries, "reported")
    return {
        "title": inline(config.title),
        "unit": _UNITS[config.translation.unit],
        "best": best,
        "example_split": find_language(example).split,
        "example_language": example,
        "splits": "\n".join(_list_splits(measured)),
        "stages": "\n".join(
            f"| {stage} | {rows:,} | {inline(left_out)} |"
            for stage, rows, left_out in list_stages(config, summaries, measured)
        ),
        "corpus": _describe_corpus(config),
        "teacher": _describe_model(common.teacher, config.teacher),
        "translators": "; ".join(
            _describe_model(name, own) for name, own in zip(common.translators, config.translators, strict=True)
        ),
        "estimator": _describe_estimator(common.qe_model, config.estimation.options),
        "report_with": _describe_estimator(common.report_model, config.estimation.report_options)
        if reported
        else "none",
        "splitter": f"`{inline(config.splitter.name)}` {inline(str(dict(config.splitter.options) or ''))}".strip(),
        "unit_and_mix": f"{config.translation.unit}; best of each {config.translation.mix}",
        "cut": _describe_cut(settings.drop, settings.scope, settings.stratify),
        "decontamination": _describe_decontamination(config, summaries),
        "prompts": ", ".join(f"{prompt.name} `{prompt.sha256[:16]}`" for prompt in common.prompts),
        "fingerprint": common.fingerprint,
        "version": xl_suite.__version__,
        "assumed": _describe_assumed(config.assumed),
        "histogram": "\n".join(_draw_histogram(measured)),
        "warnings": "\n".join(f"- {inline(warning)}" for warning in warnings)
        or "No language is outside its training.",
        "ledger": "\n".join(
            f"| {stage} | `{inline(model)}` | {answers:,} | {prompt:,} | {completion:,} |"
            for stage, model, answers, prompt, completion in list_usage(summaries)
        ),
        "licences": "\n".join(f"- {inline(name)}: {inline(licence)}" for name, licence in licences.items()),
    }


def _list_splits(measured: Measured) -> Iterator[str]:
    for name, cuts in measured.cuts.items():
        for code, own in cuts.items():
            language = find_language(code)
            config = "default" if name == NAIVE else name
            threshold = f"{own.threshold:.4f}" if own.kept else "none kept"
            yield (
                f"| `{config}` | `{language.split}` | {language.name} (`{code}`) | {len(own.kept):,} | "
                f"{own.dropped:,} | {threshold} |"
            )


def _describe_corpus(config: Config) -> str:
    own = config.passages
    parts = [f"`{inline(name_source(own.source))}`"]
    parts += [f"config `{inline(own.subset)}`"] if own.subset else []
    parts += [f"revision `{inline(own.revision)}`"] if own.revision else []
    return ", ".join([*parts, f"{own.count:,} passages asked for, seed {own.seed}"])


def _describe_model(name: str, settings: ModelSettings) -> str:
    revision = f" at `{inline(settings.revision)}`" if settings.revision else " (revision not recorded)"
    return f"`{inline(name)}`{revision}"


def _describe_cut(drop: float, scope: str, stratify: str) -> str:
    where = "in each language" if scope == "language" else "over all languages together"
    how = ", within bins of equally long responses" if stratify == "length" else ""
    return f"the {100 * drop:g} % of rows with the lowest scores are dropped {where}{how}"


def _describe_decontamination(config: Config, summaries: Sequence[Summary]) -> str:
    if config.decontaminate is None:
        return "not checked: decontamination was off, so prompts of XL-AlpacaEval may occur"
    count = sum(
        number
        for summary in summaries
        for (_, reason), number in summary.left_out.items()
        if reason == "overlaps with the benchmark"
    )
    return f"checked against `{inline(name_source(config.decontaminate))}`: {count:,} rows dropped, none left"


def _describe_assumed(assumed: Sequence[str]) -> str:
    if not assumed:
        return "The configuration names no assumption."
    return "\n".join(["What the paper leaves unstated was assumed:", "", *(f"- {inline(line)}" for line in assumed)])


def _draw_histogram(measured: Measured) -> Iterator[str]:
    """A histogram for each config as text, all languages together."""
    step = BINS // _SHOWN_BINS
    yield "```text"
    for name in measured.scores:
        counts = [0] * _SHOWN_BINS
        for (config, _), own in measured.statistics.rows.items():
            if config == name:
                counts = [a + sum(own[place * step : (place + 1) * step]) for place, a in enumerate(counts)]
        yield name
        most = max(counts) or 1
        for place, count in enumerate(counts):
            if count:
                low = place / _SHOWN_BINS
                bar = "#" * max(1, round(40 * count / most))
                yield f"  {low:.2f} to {low + 1 / _SHOWN_BINS:.2f} {count:>9,} {bar}"
    yield "```"


def _describe_estimator(name: str, options: Mapping[str, Any]) -> str:
    """The estimator and the options that change its scores; the others say something of the machine only."""
    told = {key: options[key] for key in ("precision", "settle") if key in options}
    return f"`{inline(name)}` {inline(str(told or ''))}".strip()


def _find_estimator(summaries: Sequence[Summary], stage: str) -> Mapping[str, Any]:
    found = (summary.extra.get("estimator", {}) for summary in summaries if summary.stage == stage)
    return next(filter(None, found), {})


def name_source(source: str) -> str:
    """A dataset's ID on the Hub as it is, but of a path only the last name: where it lay is nobody's business."""
    return Path(source).name if Path(source).exists() or source.startswith(("/", ".", "~")) else source


def inline(text: str) -> str:
    """Text of a user or a model, safe as code or in a table of Markdown."""
    return " ".join(re.sub(r"[`|{}<>]", "_", text).split())
