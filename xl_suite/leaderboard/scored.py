"""Scores one model by one judge for the leaderboard, once: the score, and all answers as files.

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
from xl_suite.leaderboard.answer_files import PROMPTS, Judged, dump, write_answers
from xl_suite.records import atomic_folder
from xl_suite.scoring.answers import FidelityCache, collect_answers, gate_language, look_at_languages, read_reasons
from xl_suite.scoring.context import Context
from xl_suite.scoring.length_slope import LengthSlope, find_slope, list_places
from xl_suite.scoring.preferences import average, tabulate_preferences
from xl_suite.scoring.scores import score_annotations

if TYPE_CHECKING:
    from xl_suite.scoring.answers import FidelityKey
    from xl_suite.scoring.gating import Gated
    from xl_suite.scoring.preferences import Array, Preferences

SUMMARY = "summary.json"
_RULES = (
    *("judging/annotations.py", "judging/addressed.py", "judging/addressed.tsv"),
    *("dataset/expected.py", "markdown", "fidelity", "scoring"),
    *("leaderboard/scored.py", "leaderboard/answer_files.py"),
)


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
    """The name under which the job's scores are kept: 32 hexadecimal digits."""
    digest = hashlib.sha256(f"{_hash_rules()} {resamples}".encode())
    for path in (*job.files, *job.outputs, *job.reference_outputs):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(repr(find_job_slope(job)).encode())
    for marks in (job.expected, job.prompts):
        for language, prompts in sorted(marks.items()):
            digest.update(repr((language, sorted(prompts.items()))).encode())
    return digest.hexdigest()[:32]


def find_job_slope(job: Job) -> LengthSlope | None:
    """The judge's length slope, beside the annotations or in the annotator that ships."""
    return find_slope(list_places(job.files, job.annotator), job.annotator)


@cache
def _hash_rules() -> str:
    """A hash of the modules that decide the scores: another version of them scores anew."""
    digest = hashlib.sha256()
    package = Path(str(files("xl_suite")))
    for name in _RULES:
        place = package / name
        inner = (path for path in place.iterdir() if path.is_file()) if place.is_dir() else [place]
        for path in sorted(inner):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def score_job(job: Job, folder: Path, resamples: int, known: dict[FidelityKey, Any] | None = None) -> None:
    """Scores a job into `folder`: SUMMARY and the answers as `write_answers` writes them.

    known: what was found of references before; this job's is added. Raises BadRecord where a prompt is judged in
    two of the files.
    """
    rows = [row for path in job.files for row in read_file(path)]
    _refuse_doubled(rows, job)
    context = Context(
        expected=job.expected,
        prompts=job.prompts,
        reasons=read_reasons(job.outputs),
        reference_reasons=read_reasons(job.reference_outputs),
        slope=find_job_slope(job),
    )
    table = tabulate_preferences(rows)
    shared = {} if known is None else known
    cache = FidelityCache(dict(shared))
    answers = look_at_languages(
        {language: collect_answers(table, language, context) for language in table.languages}, job.expected, cache
    )
    score = score_annotations(rows, context, resamples=resamples, cache=cache)
    own = {id(one.fidelity) for one in answers.values()}
    shared.update({look: found for look, found in cache.found.items() if id(found) not in own})
    costs = _sum_costs(rows)
    gated = {
        language: gate_language(table, column, answers[language], "both")
        for column, language in enumerate(table.languages)
    }
    summary = {
        "provenance": asdict(score.provenance),
        "n_runs": score.n_runs,
        "languages": {code: one.to_json() | {"cost": costs.get(code)} for code, one in score.languages.items()},
        "overall": score.overall and score.overall.to_json(),
        "covariance": _covary(table),
        "references": _digest_references(table),
        "prompts": [str(prompt) for prompt in table.prompts],
        "preferences": _list_preferences(table, gated),
    }
    judged = [
        Judged(
            table,
            column,
            answers[language],
            None if (one := gated[language]) is None else one.values,
            job.expected.get(language, {}),
            {(one.run, one.prompt): one.kinds for one in score.languages[language].addressed},
        )
        for column, language in enumerate(table.languages)
    ]
    with atomic_folder(folder) as temporary:
        write_answers(temporary, folder.parent / PROMPTS, judged, rows)
        (temporary / SUMMARY).write_bytes(dump(summary))


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


def _list_preferences(
    table: Preferences, gated: Mapping[str, Gated | None]
) -> dict[str, dict[str, list[float | None]]]:
    """The preferences by rate, language and prompt, the mean over runs; gated ones if all languages have them."""
    import numpy as np

    def tell(values: Array) -> list[float | None]:
        return [None if np.isnan(value) else round(float(value), 6) for value in values]

    found = {"win_rate": {code: tell(table.by_prompt[:, place]) for place, code in enumerate(table.languages)}}
    known = {code: one.values for code, one in gated.items() if one is not None}
    if len(known) == len(gated):
        found["gated"] = {code: tell(average(values, axis=0)) for code, values in known.items()}
    return found


def _covary(table: Preferences) -> list[list[float]]:
    """The covariance of the languages' win rates, in squared percent points: prompts are shared by languages.

    From it follows the standard error of the mean over any choice of languages.
    """
    import numpy as np

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
