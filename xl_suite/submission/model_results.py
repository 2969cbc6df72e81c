"""Scores for a model's own repository on the Hub: `.eval_results/<benchmark>.yaml`, and the older `model-index`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.scoring.score import OVERALL, LanguageScore, OverallScore, Score

# Name on the Hub, what it is called for people, and where it is in a score.
METRICS: tuple[tuple[str, str, Callable[[LanguageScore | OverallScore], float | None]], ...] = (
    ("win_rate", "win rate (%)", lambda score: score.raw.win_rate),
    (
        "gated_win_rate",
        "win rate (%) where an answer in the wrong language loses",
        lambda score: score.gated.win_rate,
    ),
    ("length_controlled_winrate", "length-controlled win rate (%)", lambda score: score.controlled.win_rate),
)


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What the two files say. dataset: the benchmark's ID on the Hub. date: ISO 8601, empty for that of the commit.

    title: the benchmark's name for people.
    """

    generator: str
    dataset: str
    title: str
    score: Score
    revision: str = ""
    date: str = ""
    source_url: str = ""

    @property
    def setting(self) -> str:
        """What the win rates depend on, in a sentence."""
        origin = self.score.provenance
        orders = "each pair in both orders" if origin.order == "both" else "each pair in one random order"
        return (
            f"percent of answers that the judge {origin.annotator} ({origin.method or 'unknown method'}, "
            f"{orders}) prefers to those of {origin.reference} ({origin.reference_digest})"
        )


def write_eval_results(report: ModelReport) -> str:
    """The text of `.eval_results/*.yaml`: an entry for each language with its win rate, and one over all."""
    entries = []
    for name, one in report.score.list_rows():
        dataset = {"id": report.dataset, "task_id": name}
        if report.revision:
            dataset["revision"] = report.revision
        entry: dict[str, Any] = {"dataset": dataset, "value": _round(one.raw.win_rate)}
        if report.date:
            entry["date"] = report.date
        if report.source_url:
            entry["source"] = {"url": report.source_url, "name": "xl-suite"}
        others = [f"{name} {_round(value)}" for _, name, find in METRICS[1:] if (value := find(one)) is not None]
        if one.raw.ci_low is not None:
            others.insert(0, f"95 % interval {_round(one.raw.ci_low)} to {_round(one.raw.ci_high)}")
        entry["notes"] = "; ".join([report.setting, *others])
        entries.append(entry)
    return _dump(entries)


def write_model_index(report: ModelReport) -> str:
    """The YAML `model-index: ...` for a model's card. Raises BadInput where huggingface_hub reads it otherwise."""
    import yaml
    from huggingface_hub import EvalResult, ModelCardData

    source = {"source_url": report.source_url, "source_name": "xl-suite"} if report.source_url else {}
    results = [
        EvalResult(
            task_type="text-generation",
            task_name=f"Cross-lingual generation, {_name(language)}",
            dataset_type=report.dataset,
            dataset_name=f"{report.title} ({_name(language)})",
            dataset_config="default" if language == OVERALL else language,
            dataset_split="test",
            dataset_revision=report.revision or None,
            metric_type=metric,
            metric_name=name,
            metric_value=_round(value),
            metric_args={"setting": report.setting},
            **source,
        )
        for language, one in report.score.list_rows()
        for metric, name, find in METRICS
        if (value := find(one)) is not None
    ]
    text = _dump(
        {"model-index": ModelCardData(model_name=report.generator, eval_results=results).to_dict()["model-index"]}
    )
    read = ModelCardData(**yaml.safe_load(text)).eval_results
    if read != results:
        raise BadInput("the model-index cannot be read back as it was written; please report this.")
    return text


def _name(language: str) -> str:
    return "all languages" if language == OVERALL else find_language(language).name


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _dump(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return text
