"""Scores one model by one judge for the leaderboard, once: the score, telling prompts, and all answers as files.

Looking at the languages of 9,000 answers and resampling take far longer than writing a page. So what was scored is
kept in a folder named by a hash of everything that it depends on, this package's rules for it included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.errors import BadRecord
from xl_suite.judging.annotations import Annotation, read_file
from xl_suite.records import atomic_folder
from xl_suite.surrogates import escape_surrogates

if TYPE_CHECKING:
    from xl_suite.fidelity import Verdict
    from xl_suite.scoring.answers import Answers, Look
    from xl_suite.scoring.preferences import Preferences

SHOWN = 10  # worst and best prompts of a language on a model's page
MOST_CHARACTERS = 6000  # of one text on a page; the files beside it have all of it
_RULES = ("annotations.py", "fidelity", "scoring", "leaderboard/scored.py")


@dataclass(frozen=True, slots=True)
class Job:
    """One model's annotations by one judge against one reference, over all languages.

    outputs, reference_outputs: files of the outputs, for why answers ended. expected: by language and prompt ID.
    prompts: the benchmark's instructions by language and ID, where its dataset folder was found.
    """

    generator: str
    annotator: str
    reference: str
    benchmark: str
    files: tuple[Path, ...]
    outputs: tuple[Path, ...]
    reference_outputs: tuple[Path, ...]
    expected: Mapping[str, Mapping[int, str]]
    prompts: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def hash_job(job: Job, resamples: int) -> str:
    """What the job's scores are kept under: 32 hexadecimal digits."""
    digest = hashlib.sha256(f"{_hash_rules()} {resamples}".encode())
    for path in (*job.files, *job.outputs, *job.reference_outputs):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for marks in (job.expected, job.prompts):
        for language, prompts in sorted(marks.items()):
            digest.update(repr((language, sorted(prompts.items()))).encode())
    return digest.hexdigest()[:32]


@cache
def _hash_rules() -> str:
    """A hash of the modules that decide the scores: another version of them scores anew."""
    digest = hashlib.sha256()
    package = Path(str(files("xl_suite")))
    for name in _RULES:
        place = package / name
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()


def score_job(job: Job, folder: Path, resamples: int, known: dict[Look, Any] | None = None) -> None:
    """Scores a job into `folder`: summary.json, cases.json, and the answers as <language>.json.

    known: what was found of references before; this job's is added. Raises BadRecord where a prompt is judged in
    two of the files.
    """
    from xl_suite.scoring.answers import collect_answers, look_at_languages, read_reasons
    from xl_suite.scoring.preferences import tabulate_preferences
    from xl_suite.scoring.scores import score_annotations

    rows = [row for path in job.files for row in read_file(path)]
    _refuse_doubled(rows, job)
    reasons, reference_reasons = read_reasons(job.outputs), read_reasons(job.reference_outputs)
    table = tabulate_preferences(rows)
    shared = {} if known is None else known
    looks = dict(shared)
    answers = look_at_languages(
        {
            language: collect_answers(
                table, language, expected=job.expected, reasons=reasons, reference_reasons=reference_reasons
            )
            for language in table.languages
        },
        job.expected,
        known=looks,
    )
    score = score_annotations(
        rows,
        expected=job.expected,
        prompts=job.prompts,
        reasons=reasons,
        reference_reasons=reference_reasons,
        resamples=resamples,
        known=looks,
    )
    own = {id(one.fidelity) for one in answers.values()}
    shared.update({look: found for look, found in looks.items() if id(found) not in own})
    costs = _sum_costs(rows)
    summary = {
        "provenance": asdict(score.provenance),
        "n_runs": score.n_runs,
        "languages": {code: keys | {"cost": costs.get(code)} for code, keys in score.languages.items()},
        "overall": score.overall,
        "covariance": _covary(table),
        "references": _digest_references(table),
    }
    cases = {}
    with atomic_folder(folder) as temporary:
        for column, language in enumerate(table.languages):
            told = _tell_cases(table, column, answers[language])
            chosen = _choose(told)
            cases[language] = {"n": len(told), **{kind: [_cut(case) for case in chosen[kind]] for kind in chosen}}
            (temporary / f"{language or 'all'}.json").write_bytes(dump(told, indent=True))
        (temporary / "cases.json").write_bytes(dump(cases))
        (temporary / "summary.json").write_bytes(dump(summary))


def dump(value: Any, *, indent: bool = False) -> bytes:
    """JSON; lone surrogates, which UTF-8 cannot hold, stay escaped."""
    import json

    import orjson

    try:
        return orjson.dumps(value, option=(orjson.OPT_INDENT_2 if indent else 0) | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2 if indent else None)
        return escape_surrogates(text).encode("utf-8")


def _refuse_doubled(rows: Sequence[Annotation], job: Job) -> None:
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = (row.prompt, row.language, row.order, row.sample)
        if row.id is not None and key in seen:
            places = ", ".join(map(str, job.files))
            problem = (
                f"prompt {row.id} ({row.language}) of {job.generator} is judged by {job.annotator} in two of the "
                f"files {places}. Leave one of them out; several runs of a model need `sample` to tell them apart."
            )
            raise BadRecord(job.files[-1], problem)
        seen.add(key)


def _sum_costs(rows: Sequence[Annotation]) -> dict[str, float]:
    """What judging a language cost, in dollars, where the judge's price is known."""
    costs: dict[str, float] = {}
    for row in rows:
        if row.price_per_example is not None:
            costs[row.language] = costs.get(row.language, 0.0) + row.price_per_example
    return costs


def _covary(table: Preferences) -> list[list[float]]:
    """The covariance of the languages' win rates, in squared percent points: prompts are shared by languages.

    From it follows the standard error of the mean over any choice of languages.
    """
    import numpy as np

    from xl_suite.scoring.preferences import average

    values = table.by_prompt * 100
    present = ~np.isnan(values)
    n = np.maximum(present.sum(axis=0), 1)
    influence = np.where(present, values - average(values, axis=0), 0) / n
    matrix = influence.T @ influence * (len(values) / max(len(values) - 1, 1))
    return [[float(f"{value:.4g}") for value in row] for row in matrix]


def _digest_references(table: Preferences) -> dict[str, dict[str, str]]:
    """A short hash of each reference answer by language and prompt: scores against other answers don't compare."""
    digests: dict[str, dict[str, str]] = {language: {} for language in table.languages}
    for (_, prompt, language), row in table.rows.items():
        text = row.output_1.encode("utf-8", "surrogatepass")
        digests[language][str(prompt)] = hashlib.blake2b(text, digest_size=4).hexdigest()
    return digests


def _tell_cases(table: Preferences, column: int, answers: Answers) -> list[dict[str, Any]]:
    """Every judged prompt of a language, in the order of the prompts; preference from 0 (lost) to 1 (won) or null."""
    import math

    language = table.languages[column]
    own = answers.fidelity.verdicts if answers.fidelity else [None] * len(answers.cells)
    theirs = answers.reference_fidelity.verdicts if answers.reference_fidelity else [None] * len(answers.cells)
    cases = []
    for place, (run, at) in enumerate(answers.cells):
        prompt = table.prompts[at]
        row = table.rows[run, prompt, language]
        share = float(table.values[run, at, column])
        cases.append(
            {
                "id": row.id,
                "run": run,
                "instruction": row.instruction,
                "output": row.output_2,
                "reference": row.output_1,
                "preference": None if math.isnan(share) else round(share, 4),
                "order": row.order,
                "verdict": _tell_verdict(own[place]),
                "reference_verdict": _tell_verdict(theirs[place]),
                "finish_reason": answers.model[place].finish_reason,
                "reference_finish_reason": answers.reference[place].finish_reason,
            }
        )
    return cases


def _tell_verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    lines = [[line.line, line.language, line.probability, line.text] for line in verdict.lines]
    return {"verdict": verdict.verdict, "note": verdict.note, "lines": lines}


def _choose(cases: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The SHOWN worst and best, none of them both."""
    judged = sorted((case for case in cases if case["preference"] is not None), key=lambda case: case["preference"])
    half = (len(judged) + 1) // 2
    return {"worst": judged[:half][:SHOWN], "best": judged[half:][::-1][:SHOWN]}


def _cut(case: dict[str, Any]) -> dict[str, Any]:
    """The case with its texts cut to what a page shows; `cut` has the full length of those that were."""
    texts = {name: case[name] for name in ("instruction", "output", "reference")}
    long = {name: len(text) for name, text in texts.items() if len(text) > MOST_CHARACTERS}
    return case | {name: texts[name][:MOST_CHARACTERS] for name in long} | ({"cut": long} if long else {})
