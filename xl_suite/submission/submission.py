"""A leaderboard submission: one generator's results, checked as the leaderboard's maintainer would."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import xl_suite
from xl_suite.chat.wire import dump
from xl_suite.dataset.expected import list_marks
from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.errors import BadInput, XLSuiteError
from xl_suite.judging.annotations import ANNOTATIONS, Annotation, read_file
from xl_suite.judging.annotator import find_shipped, read_annotator
from xl_suite.listing import Kind
from xl_suite.provenance import read_run
from xl_suite.records import BenchmarkRow, ModelOutput, read_object, read_records, to_dict
from xl_suite.responding.outputs import OUTPUTS, read_outputs
from xl_suite.responding.plan import name_benchmark
from xl_suite.scoring.answers import FidelityCache, collect_answers, look_at_languages
from xl_suite.scoring.context import Context
from xl_suite.scoring.denominators import list_prompts
from xl_suite.scoring.preferences import tabulate_preferences
from xl_suite.scoring.score import Provenance, Score
from xl_suite.scoring.scores import score_annotations
from xl_suite.submission.checks import (
    MOST_BYTES,
    Requirements,
    check_annotations,
    check_fidelity,
    check_names,
    check_outputs,
    check_repeats,
    check_texts,
    check_verdicts,
    compare_told,
)
from xl_suite.submission.evidence import describe_calls, find_judgements, find_responses, read_journals
from xl_suite.submission.results import ResultsFolder, list_files

MADE_BY = "xl-suite submit"
MANY_CHARACTERS = 4_000_000  # from here on, processes that share the work are worth their start
# What takes part in asking, judging and scoring.
_PACKAGES = ("aiohttp", "numpy", "orjson", "py3langid", "pyarrow")
_ADVICE = "Leave it out, or submit the results as they were written: `xl-suite submit` computes it."

Result = TypeVar("Result", ModelOutput, Annotation)


@dataclass(frozen=True, slots=True)
class Submission:
    """Results that were read and checked. problems: why they are refused, a line each; empty where they are not.

    outputs, annotations: by language, sorted by ID. prompts: all of the benchmark's, by language and ID. fidelity: by
    language, with the verdict on each prompt. metrics: `score` as `xl-suite score --json` says it. manifest: what the
    results depend on. These three are empty where the results cannot be scored. notes: what could not be checked.
    """

    benchmark: str
    generator: str
    rows: Mapping[str, Sequence[BenchmarkRow]]
    outputs: Mapping[str, Sequence[ModelOutput]]
    annotations: Mapping[str, Sequence[Annotation]]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    score: Score | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    prompts: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def check_submission(
    results: ResultsFolder,
    benchmark: Path,
    reference: Path,
    required: Requirements,
    *,
    judge: str = "",
    journals: Sequence[Path] = (),
) -> Submission:
    """Reads and checks results. benchmark: its dataset folder. reference: the outputs that they were judged against.

    judge: the annotator's folder, where it does not ship. journals: beside those of `results`, for the manifest.
    Raises BadInput where benchmark, reference or annotator cannot be read: what is wrong with the results
    themselves is in `problems`.
    """
    languages = required.languages or tuple(code for code in list_languages(benchmark) if code != "eng")
    everything = {code: sorted(read_benchmark(benchmark, [code]), key=lambda row: row.id) for code in languages}
    rows = {code: whole[: required.limit] for code, whole in everything.items()}
    cut = {code: {row.id for row in whole[len(rows[code]) :]} for code, whole in everything.items()}
    theirs = read_outputs(reference)
    problems: list[str] = []
    outputs = _read_all(results.outputs, OUTPUTS, cut, lambda path: read_records(path, ModelOutput), problems)
    annotations = _read_all(results.annotations, ANNOTATIONS, cut, read_file, problems)
    base = {code: [row for row in theirs.get(code, []) if row.id not in cut[code]] for code in languages}
    problems += check_names(outputs, annotations, base, required)
    name = name_benchmark(benchmark)
    both = _has_two_orders(annotations)
    for code in languages:
        if code in outputs:
            problems += check_outputs(code, rows[code], outputs[code], name)
        if code in outputs and code in annotations:
            problems += check_annotations(code, outputs[code], base[code], annotations[code], both_orders=both)
    problems += check_texts(outputs, annotations, required)
    generator = next((row.generator for one in outputs.values() for row in one), "")
    found = Submission(name, generator, rows, outputs, annotations, tuple(problems), prompts=list_prompts(everything))
    if problems:
        return found  # what is computed from such results would only say the same again
    return _measure(found, results, base, required, judge, (*results.journals, *journals))


def _measure(
    found: Submission,
    results: ResultsFolder,
    base: Mapping[str, Sequence[ModelOutput]],
    required: Requirements,
    judge: str,
    journals: Sequence[Path],
) -> Submission:
    """Scores results that are complete; what was told of them is compared with that, and verdicts with answers."""
    annotator = _find_annotator(judge, next(iter(found.annotations.values()))[0].annotator)
    judged = [row for one in found.annotations.values() for row in one]
    expected = {code: list_marks(rows) for code, rows in found.rows.items()}
    reasons: dict[tuple[str, int | str], str] = {
        (code, row.id or 0): row.finish_reason for code, rows in found.outputs.items() for row in rows
    }
    reference_reasons: dict[tuple[str, int | str], str] = {
        (code, row.id or 0): row.finish_reason for code, rows in base.items() for row in rows
    }
    size = sum(len(row.output_1) + len(row.output_2) for row in judged)
    context = Context(expected=expected, prompts=found.prompts, reasons=reasons, reference_reasons=reference_reasons)
    cache = FidelityCache(workers=(os.cpu_count() or 1) if size > MANY_CHARACTERS else 1)
    table = tabulate_preferences(judged)
    answers = {code: collect_answers(table, code, context) for code in table.languages}
    looked = {code: one.fidelity for code, one in look_at_languages(answers, expected, cache).items()}
    problems: list[str] = []
    for code, fidelity in looked.items():
        if fidelity is not None:
            problems += check_fidelity(code, fidelity, required.min_fidelity)
        if annotator is not None:
            problems += check_verdicts(code, found.annotations[code], annotator)
    if not any(one.is_constant for one in looked.values() if one is not None):
        problems += check_repeats(found.outputs)
    score = score_annotations(judged, context, cache=cache)
    metrics = score.to_json()
    fidelity_told = {
        code: {
            **one.to_json(),
            "is_constant": one.is_constant,
            "verdicts": {
                str(row.id): verdict.verdict for row, verdict in zip(answers[code].model, one.verdicts, strict=True)
            },
        }
        for code, one in looked.items()
        if one is not None
    }
    told = {path.name: path for path in results.told}
    manifest = _describe(found, base, score.provenance)
    for file, value in (("metrics.json", metrics), ("fidelity.json", fidelity_told), ("manifest.json", manifest)):
        if file in told:
            try:
                problems += compare_told(file, read_object(told[file]), value, _ADVICE)
            except BadInput as error:
                problems.append(str(error))
    folders = {"outputs": results.outputs, "annotations": results.annotations}
    runs = {kind: _read_runs(folder, kind, found.rows) for kind, folder in folders.items()}
    manifest = {**manifest, "versions": _list_versions(), "runs": runs, **_find_calls(found, annotator, journals)}
    if "manifest.json" in told and not journals and not problems:  # a maintainer has no journals
        before = read_object(told["manifest.json"])
        manifest |= {key: before[key] for key in ("versions", "runs", "responses", "judgements") if key in before}
    notes = []
    if annotator is None:
        notes.append(
            f"the annotator {judged[0].annotator} does not ship with xl-suite, so the preferences were not compared "
            "with what the judge said. Name its folder with --annotator."
        )
    for code, one in score.languages.items():
        if one.addressed:
            named = ", ".join(str(row.prompt) for row in one.addressed[:5]) + ", ..." * (len(one.addressed) > 5)
            notes.append(
                f"{code}: {len(one.addressed)} of {len(found.outputs[code])} outputs address the judge "
                f"(prompts {named}): read them before you trust the win rate."
            )
    if manifest["responses"]["fingerprint"] is None:
        notes.append("no journal of these outputs was found, so nobody can replay them. Name it with --journal.")
    return replace(
        found,
        problems=tuple(problems),
        notes=tuple(notes),
        score=score,
        metrics=metrics,
        fidelity=fidelity_told,
        manifest=manifest,
    )


def _describe(found: Submission, base: Mapping[str, Sequence[ModelOutput]], origin: Provenance) -> dict[str, Any]:
    """What can be told from the results themselves, and must therefore be told again by whoever checks them."""
    reference = {code: [(row.id, row.instruction, row.output) for row in rows] for code, rows in base.items()}
    return {
        "made_by": MADE_BY,
        "generator": found.generator,
        "benchmark": {
            "name": found.benchmark,
            "sha256": _digest({code: [to_dict(row) for row in rows] for code, rows in found.rows.items()}),
            "n": {code: len(rows) for code, rows in found.rows.items()},
        },
        "reference": {"generator": origin.reference, "sha256": _digest(reference)},
        "judge": {"annotator": origin.annotator, "method": origin.method, "order": origin.order},
        "results_sha256": _digest(
            [[to_dict(row) for rows in side.values() for row in rows] for side in (found.outputs, found.annotations)]
        ),
    }


def _find_calls(found: Submission, annotator: Any, journals: Sequence[Path]) -> dict[str, Any]:
    """The calls behind the results, from the journals; nothing where there is no journal."""
    outputs = [row for rows in found.outputs.values() for row in rows]
    judged = [row for rows in found.annotations.values() for row in rows]
    asked = sum(row.output_1 != row.output_2 and not row.is_withheld for row in judged)
    prices = [row.price_per_example for row in judged]
    spent = None if None in prices else round(sum(sorted(price for price in prices if price is not None)), 6)
    responses = find_responses(read_journals(journals), outputs)
    judgements = find_judgements(read_journals(journals), judged, annotator) if annotator is not None else []
    return {
        "responses": describe_calls(responses, len(outputs)),
        "judgements": {**describe_calls(judgements, asked), "dollars": spent},
    }


def _read_runs(folder: Path, kind: str, languages: Iterable[str]) -> dict[str, Any]:
    """Who answered or judged, by language, as the folder's run.json has it; nothing where there is none."""
    try:
        return {code: one.to_dict() for code, one in read_run(folder, kind).items() if code in languages}
    except BadInput:
        return {}


def _list_versions() -> dict[str, str]:
    return {
        "xl-suite": xl_suite.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def _find_annotator(judge: str, name: str) -> Any:
    """The annotator of a name in annotations, which may end with a judge's; None where it does not ship."""
    chosen = judge or find_shipped(name)
    return read_annotator(chosen) if chosen else None


def _read_all(
    folder: Path,
    kind: Kind,
    cut: Mapping[str, set[int]],
    read: Callable[[Path], list[Result]],
    problems: list[str],
) -> dict[str, list[Result]]:
    """The rows of each required language by ID, without those that the limit cuts off; what is wrong is noted."""
    files = list_files(folder, kind)
    missing = [code for code in cut if code not in files]
    if missing:
        problems.append(
            f"{folder}: {len(missing)} languages are missing: {', '.join(missing)}. Run the verb again for them, or "
            "name what the leaderboard lets you submit with --languages."
        )
    found: dict[str, list[Result]] = {}
    for code, beyond in cut.items():
        if code not in files:
            continue
        size = files[code].stat().st_size
        if size > MOST_BYTES:
            problems.append(f"{files[code]} has {size:,} bytes; at most {MOST_BYTES:,} can be submitted.")
            continue
        try:
            rows = [row for row in read(files[code]) if row.id not in beyond]
        except XLSuiteError as error:
            problems.append(str(error))
            continue
        found[code] = sorted(rows, key=lambda row: (row.id or 0, getattr(row, "order", "")))
    return found


def _has_two_orders(annotations: Mapping[str, Sequence[Annotation]]) -> bool:
    orders: dict[tuple[str, int | None], set[str]] = {}
    for code, rows in annotations.items():
        for row in rows:
            orders.setdefault((code, row.id), set()).add(row.order)
    return any(len(one) > 1 or "both" in one for one in orders.values())


def _digest(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(dump(value)).hexdigest()
