"""What the lm-eval tasks of `harness_tasks` call: documents, metrics, and the judge where one is named.

Settings come from `lm_eval --metadata '{"benchmark": "DIR", ...}'`, or from environment variables named
XL_SUITE_ and the setting's name in capitals. Without a judge, log the samples and give them to `xl-suite judge`.

| setting | meaning |
| --- | --- |
| benchmark | a benchmark's folder, instead of the task's dataset on the Hub |
| judge | the judge's model name (DESIGN, "Model name"): `gpt-4o-2024-08-06`, `MODEL@URL`, `replay:JOURNAL` |
| annotator | the annotator's name or folder; `xl_gpt4o` where nothing is said |
| reference | the reference outputs: a generator's folder, or one file |
| journal | where the judge's answers are kept; without it nothing is kept |
| extra | further fields of the judge's requests, a JSON object: `{"reasoning_effort": "low"}` |
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from xl_suite.chat.models import parse_model
from xl_suite.chat.reasoning import split_reasoning
from xl_suite.chat.settings import ChatOptions
from xl_suite.dataset.folder import read_benchmark
from xl_suite.errors import BadInput, XLSuiteError
from xl_suite.fidelity import FidelityAnswer, judge_answers, judge_language
from xl_suite.fidelity.repeats import count_repeats
from xl_suite.judging.annotations import scale_preference
from xl_suite.judging.annotator import read_annotator
from xl_suite.judging.judge import judge_pairs
from xl_suite.judging.pairs import join_outputs
from xl_suite.records import ModelOutput, read_records
from xl_suite.responding.plan import name_benchmark
from xl_suite.scoring.gating import gate_preferences
from xl_suite.scoring.win_rate import summarize_preferences
from xl_suite.surrogates import replace_surrogates, tell_replaced

SETTINGS = ("benchmark", "judge", "annotator", "reference", "journal", "extra")
GENERATOR = "lm-eval"
eval_logger = logging.getLogger(__name__)


def load_documents(language: str, repo: str, **metadata: Any) -> dict[str, Any]:
    """The benchmark's rows in one language, as lm-eval wants them: `{"test": Dataset}`.

    repo: the dataset on the Hub. Where a judge is named, each document carries the settings of the judge.
    Raises BadInput for a judge without reference outputs: hours of generation must not end in that error.
    """
    from datasets import Dataset, load_dataset

    settings = {
        name: _to_text(value) for name in SETTINGS if (value := metadata.get(name) or _read_environment(name))
    }
    if "benchmark" in settings:
        rows = _read_rows(Path(settings["benchmark"]), language)
    else:
        rows = list(load_dataset(repo, language, split="test"))
    if "judge" in settings:
        if "reference" not in settings:
            raise BadInput(
                'a judge is named, but no reference outputs. Add them: --metadata \'{"reference": "DIR", ...}\' or '
                "XL_SUITE_REFERENCE=DIR; `xl-suite respond` makes them."
            )
        _read_reference(settings["reference"], language)
        _read_extra(settings)
        rows = [{**row, "judging": settings} for row in rows]
    rows, replaced = replace_surrogates(rows)
    tell_replaced(f"{repo}, {language}", replaced)
    return {"test": Dataset.from_list(rows)}


def replace_lone_surrogates(answers: Sequence[list[Any]], documents: Sequence[Any]) -> Sequence[list[Any]]:
    """lm-eval's filter of all answers of a task: U+FFFD in the place of each lone surrogate.

    lm-eval writes its samples as UTF-8 and loses all of a task to one answer that has none, so the answers are
    changed where they lie: the samples' `resps` too.
    """
    count = 0
    for own in answers:
        own[:], found = replace_surrogates(own)
        count += found
    tell_replaced("answers of lm-eval", count)
    return answers


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """The metrics of one document.

    fidelity: 1 where the answer is in the language asked for, 0 where it is not, is mixed or empty; an undetermined
    answer is left out, as in the pass rate. constant and the judge's metrics need all answers: their values are
    material.
    """
    # Null, which some servers send for an empty answer, is one.
    output = split_reasoning(results[0] or "")[0]
    verdict = judge_language(output, doc["language"], prompt=doc["prompt"], expected=doc["expected"]).verdict
    metrics: dict[str, Any] = {"constant": output}
    if verdict != "undetermined":
        metrics["fidelity"] = float(verdict == "right")
    if doc.get("judging"):
        item = {
            key: doc[key] for key in ("id", "dataset", "instruction", "prompt", "language", "expected", "judging")
        }
        item["output"] = output
        metrics |= dict.fromkeys(("win_rate", "win_rate_stderr_prompts", "gated_win_rate"), item)
    return metrics


def count_constant(outputs: Sequence[str]) -> int:
    """How many answers repeat one text (the NullModel attack), 0 where they are as different as answers are."""
    return count_repeats(list(outputs))


def aggregate_win_rate(items: Sequence[Mapping[str, Any]]) -> float:
    """Win rate against the reference, percent (AlpacaEval's definition)."""
    return float(_judge(items)["win_rate"])


def aggregate_stderr(items: Sequence[Mapping[str, Any]]) -> float:
    """Standard error of the win rate over prompts, in percentage points (AlpacaEval's definition)."""
    return float(_judge(items)["standard_error"])


def aggregate_gated_win_rate(items: Sequence[Mapping[str, Any]]) -> float:
    """Win rate, percent, where an answer in the wrong language loses, on prompts that expect the target language."""
    return float(_judge(items)["gated_win_rate"])


def _to_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, Mapping) else str(value)


def _read_extra(settings: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    """The judge's further fields, as `ChatOptions` has them. Raises BadInput for what is not a JSON object."""
    text = settings.get("extra", "{}")
    try:
        fields_of_request = json.loads(text)
    except ValueError:
        fields_of_request = None
    if not isinstance(fields_of_request, dict):
        raise BadInput(f'extra is {text!r}; a JSON object is needed, such as {{"reasoning_effort": "low"}}.')
    return ChatOptions(extra=tuple(sorted(fields_of_request.items()))).extra


def _read_environment(name: str) -> str | None:
    return os.environ.get(f"XL_SUITE_{name.upper()}")


def _read_rows(folder: Path, language: str) -> list[dict[str, Any]]:
    """The rows of a folder, with the benchmark's name where its card says it: the task's is not another one's."""
    named = {"benchmark": name_benchmark(folder)} if (folder / "README.md").is_file() else {}
    return [asdict(row) | named for row in read_benchmark(folder, [language])]


@lru_cache(maxsize=32)
def _read_reference(path: str, language: str) -> tuple[ModelOutput, ...]:
    place = Path(path)
    return tuple(read_records(place / f"{language}.json" if place.is_dir() else place, ModelOutput, unique="id"))


def _judge(items: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    """The scores of one language's documents; lm-eval asks for each of them, and the judge is asked once."""
    key = tuple((item["id"], item["output"]) for item in items)
    settings = tuple(sorted(items[0]["judging"].items()))
    return _judge_once(key, settings, tuple(_Document(**_pick(item)) for item in items))


def _pick(item: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: item[field.name] for field in fields(_Document)}


@dataclass(frozen=True, slots=True)
class _Document:
    id: int
    dataset: str
    instruction: str
    prompt: str
    language: str
    expected: str
    output: str


@lru_cache(maxsize=64)
def _judge_once(
    key: tuple[tuple[int, str], ...], settings: tuple[tuple[str, str], ...], documents: tuple[_Document, ...]
) -> Mapping[str, float]:
    import numpy as np

    chosen = dict(settings)
    language = documents[0].language
    outputs = [
        ModelOutput(row.instruction, row.output, GENERATOR, row.id, row.dataset, row.language) for row in documents
    ]
    # With --limit the reference has more rows than were answered; that a row lacks its reference is still an error.
    asked = {row.id for row in documents}
    reference = [row for row in _read_reference(chosen["reference"], language) if row.id in asked or row.id is None]
    pairs = join_outputs(outputs, reference, language)
    options = ChatOptions(journal=Path(chosen["journal"]) if "journal" in chosen else None, extra=_read_extra(chosen))
    try:
        annotator = read_annotator(chosen.get("annotator", "xl_gpt4o"))
        judgement = judge_pairs({language: pairs}, annotator, parse_model(chosen["judge"]), options)
    except XLSuiteError as error:  # hours of generation must not end in that
        eval_logger.error(
            "%s: the judge failed, so its metrics are not a number: %s: %s The results and samples of the model "
            "are kept: see to the judge, and judge them with `xl-suite judge OUTPUT_PATH/MODEL --reference %s "
            "--annotator %s --out annotations`.",
            *(language, type(error).__name__, error, chosen["reference"], chosen.get("annotator", "xl_gpt4o")),
        )
        return dict.fromkeys(("win_rate", "standard_error", "gated_win_rate"), math.nan)
    failed = judgement.failures[language]
    if failed:
        eval_logger.warning("%d of %d judgements failed: %s", len(failed), len(pairs), failed[0].reason)
    preferences = {row.id: scale_preference(row.preference) for row in judgement.annotations[language]}
    values = np.array([preferences.get(pair.id) for pair in pairs], dtype=float)
    by_id = {row.id: row for row in documents}
    rows = [by_id[pair.id] for pair in pairs if pair.id is not None]

    def judge_side(texts: Sequence[str], reasons: Sequence[str]) -> list[str]:
        answers = [
            FidelityAnswer(text, row.prompt, row.expected, reason)
            for text, row, reason in zip(texts, rows, reasons, strict=True)
        ]
        return [verdict.verdict for verdict in judge_answers(answers, language)]

    gated = gate_preferences(
        values,
        judge_side([pair.output_2 for pair in pairs], [pair.finish_reason_2 for pair in pairs]),
        judge_side([pair.output_1 for pair in pairs], [pair.finish_reason_1 for pair in pairs]),
    )
    raw = summarize_preferences(values)
    return {
        "win_rate": _or_nan(raw.win_rate),
        "standard_error": _or_nan(raw.standard_error),
        "gated_win_rate": _or_nan(summarize_preferences(gated.values).win_rate),
    }


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
