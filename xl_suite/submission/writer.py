"""Writes an accepted submission: a folder for a pull request to the leaderboard, and scores for the model's own page.

OUT/pull-request/<benchmark>/<generator>/   outputs/<language>.json  annotations/<annotator>/<language>.json
                                            metrics.json  fidelity.json  manifest.json  models.tsv
OUT/model/                                  .eval_results/<benchmark>.yaml  model-index.yaml
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.records import atomic_folder, dump_json, read_object, write_json, write_text
from xl_suite.responding.outputs import AnsweredRow, name_folder, write_outputs
from xl_suite.staging import clear_abandoned, list_entries
from xl_suite.submission.checks import Requirements
from xl_suite.submission.model_results import ModelReport, write_eval_results, write_model_index
from xl_suite.submission.results import find_results
from xl_suite.submission.submission import MADE_BY, Submission, check_submission

PULL_REQUEST, MODEL = "pull-request", "model"
# What goes beside the scores.
ABOUT = ("model_id", "billions", "training", "benchmark_id", "benchmark_revision", "date", "source_url")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a leaderboard shows of a model beside its scores. hub_id: its repository. billions: of parameters."""

    hub_id: str = ""
    billions: float | None = None
    training: str = ""


def check_and_write(
    results: Path | None,
    *,
    benchmark: Path,
    reference: Path,
    out: Path | None,
    name: str = "",
    outputs: Path | None = None,
    annotations: Path | None = None,
    annotator: str = "",
    journals: Sequence[Path] = (),
    required: Requirements,
    about: Mapping[str, Any],
) -> Submission:
    """Checks the results in a folder and, where they are accepted and `out` is given, writes the submission.

    annotator: the judge's name or its folder. about: see `api.submit`. Raises BadInput for a key that is unknown.
    """
    odd = sorted(set(about) - set(ABOUT))
    if odd:
        raise BadInput(f"about has {', '.join(odd)}; valid: {', '.join(ABOUT)}.")
    if out:
        check_out(out)
    judge = annotator if Path(annotator, "configs.yaml").is_file() else ""
    found = find_results(
        results, generator=name, annotator=required.annotator, outputs=outputs, annotations=annotations
    )
    submission = check_submission(found, benchmark, reference, required, judge=judge, journals=journals)
    if submission.problems or submission.score is None or out is None:
        return submission
    report = ModelReport(
        generator=submission.generator,
        dataset=about.get("benchmark_id") or f"xl-suite/{submission.benchmark}",
        title=submission.benchmark,
        score=submission.score,
        revision=about.get("benchmark_revision", ""),
        date=about.get("date", ""),
        source_url=about.get("source_url", ""),
    )
    facts = ModelFacts(about.get("model_id", ""), about.get("billions"), about.get("training", ""))
    return replace(submission, folder=write_submission(submission, out, report, facts))


def write_submission(submission: Submission, out: Path, report: ModelReport, facts: ModelFacts) -> Path:
    """Writes the submission to `out`, all at once; returns the folder that goes into the pull request.

    The same results give the same bytes. Raises BadInput where it has problems, or `out` holds anything else.
    """
    if submission.problems:
        raise BadInput(f"{submission.generator} is refused: {len(submission.problems)} problems.")
    check_out(out)
    inner = Path(PULL_REQUEST, name_folder(submission.benchmark), name_folder(submission.generator))
    with atomic_folder(Path(os.path.realpath(out))) as folder:
        place = folder / inner
        for code, rows in submission.rows.items():
            outputs = {row.id: row for row in submission.outputs[code]}
            answered = [AnsweredRow(row, outputs[row.id].output, outputs[row.id].finish_reason) for row in rows]
            write_outputs(place / "outputs", answered, generator=submission.generator, benchmark=submission.benchmark)
            judged = submission.annotations[code]
            write_json(place / "annotations" / name_folder(judged[0].annotator) / f"{code}.json", judged)
        for name in ("metrics", "fidelity", "manifest"):
            write_text(place / f"{name}.json", dump_json(getattr(submission, name)))
        if any((facts.hub_id, facts.billions, facts.training)):
            billions = "" if facts.billions is None else f"{facts.billions:g}"
            cells = (submission.generator, billions, facts.training, facts.hub_id)
            line = "\t".join(" ".join(cell.split()) for cell in cells)
            write_text(place / "models.tsv", f"generator\tbillions\ttraining\thub_id\n{line}\n")
        name = f"{name_folder(submission.benchmark)}.yaml"
        write_text(folder / MODEL / ".eval_results" / name, write_eval_results(report))
        write_text(folder / MODEL / "model-index.yaml", write_model_index(report))
    return out / inner


def check_out(out: Path) -> None:
    """Raises BadInput unless `out` is missing, empty, or holds a submission and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput(f"{out} is a file. Name a folder with --out.")
    clear_abandoned(out)
    entries = list_entries(out)
    strange = [entry.name for entry in entries if entry.name not in (PULL_REQUEST, MODEL)]
    manifests = list((out / PULL_REQUEST).glob("*/*/manifest.json"))
    foreign = [path for path in manifests if read_object(path).get("made_by") != MADE_BY]
    if strange or foreign or (entries and not manifests):
        found = strange[0] if strange else entries[0].name
        raise BadInput(
            f"{out} holds {found}, which is not a submission of xl-suite; nothing was changed. "
            "Name a new or an empty folder with --out."
        )
