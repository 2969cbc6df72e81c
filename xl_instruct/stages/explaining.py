"""A row's life: what each stage of the newest run made of one passage, and where and why it was left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xl_instruct.config import Config
from xl_instruct.dataset.folder import measure
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import FOLDER, LeftOut, Row, StageFile, read_files
from xl_instruct.stages.refusals import describe_refused, list_refused
from xl_suite.errors import BadInput

# What each stage makes new; a row's other fields are those of the stage before it.
_NEW = {
    "passages": ("passage_id", "passage_source", "text"),
    "instructions": ("instruction",),
    "refined": ("draft", "instruction", "response"),
    "prepared": ("segments",),
}


def explain_row(config: Config, out: Path, id: int) -> list[dict[str, Any]]:
    """What became of a passage, an entry for each stage and language, in their order.

    Keys: `stage`, `language`, and `left_out` (what quarantine.jsonl says) or `row` with what the stage made. The last
    ones are of the stage `cut`: for each config (`translations`) the score and whether the row is `kept`.
    Makes no call. Raises BadInput where `out` holds no run, or no such row.
    """
    files = read_files(out / FOLDER)
    life = [entry for file in files for entry in _look_up(file, id)]
    if not life:
        raise BadInput(f"{out} has no passage with the ID {id}. IDs count the run's passages from 1.")
    return [*life, *_find_cuts(config, files, id)]


def describe_life(life: list[dict[str, Any]]) -> str:
    """The same for a person."""
    return "\n".join(line for entry in life for line in _describe(entry))


def _look_up(file: StageFile, id: int) -> Iterator[dict[str, Any]]:
    head = {"stage": file.stage, "language": file.language}
    for left in file.left_out():
        if left.id == id:
            yield {**head, "left_out": _tell(left)}
    for row in file.rows():
        if row["id"] == id:
            names = _NEW.get(file.stage, ("segments",))
            yield {**head, "row": {name: row[name] for name in names if name in row}}


def _tell(left: LeftOut) -> dict[str, Any]:
    return {"kind": left.kind, "reason": left.reason, "detail": left.detail, "refused": left.refused}


def _find_cuts(config: Config, files: list[StageFile], id: int) -> Iterator[dict[str, Any]]:
    scored = {file.language: file for file in files if file.stage == "scored"}
    if set(scored) != set(config.languages):
        return
    measured = measure(config, scored)
    for left, _ in measured.unsound:
        if left.id == id:
            yield {"stage": "cut", "language": left.language, "translations": left.translations,
                   "left_out": _tell(left)}  # fmt: skip
    for translations, languages in measured.scores.items():
        for language, own in languages.items():
            if id in own.ids:
                place = own.ids.index(id)
                cut = measured.cuts[translations][language]
                said = {"score": own.scores[place], "kept": place in cut.kept, "threshold": cut.threshold}
                yield {"stage": "cut", "language": language, "translations": translations, "row": said}


def _describe(entry: dict[str, Any]) -> Iterator[str]:
    name = " ".join(filter(None, (entry["stage"], entry["language"], entry.get("translations"))))
    if "left_out" in entry:
        left = entry["left_out"]
        yield f"{name}: {left['kind']}: {left['reason']}{': ' if left['detail'] else ''}{left['detail']}"
        for one in left["refused"]:
            yield f"  {one['guard']} of {one.get('translator') or one.get('teacher')}: {one['candidate']!r}"
        return
    row = entry["row"]
    if "segments" not in row:
        yield f"{name}:"
        yield from (f"  {key}: {value!r}" for key, value in row.items())
        return
    todo = [segment for segment in row["segments"] if segment["kind"] in TRANSLATABLE]
    yield f"{name}: {len(todo)} segments to translate of {len(row['segments'])}"
    if entry["stage"].startswith("prepared"):
        return
    if refused := list_refused(row):
        yield f"  refused: {describe_refused(refused)}"
    for segment in todo:
        yield f"  {segment['text']!r}"
        yield from (f"    {_describe_candidate(one)}" for one in segment.get("candidates", ()))
        if "document" in segment:
            yield f"    document: {_describe_candidate(segment['document'])}"


def _describe_candidate(candidate: Row) -> str:
    score = candidate.get("score")
    said = [f"score {score:.3f}"] if score is not None else []
    said += [f"refused: {', '.join(candidate['refused'])}"] if candidate["refused"] else []
    said += list(candidate["flags"])
    return f"{candidate['model']}: {candidate['text']!r}" + (f" ({'; '.join(said)})" if said else "")
