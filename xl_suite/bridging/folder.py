"""A bridge's folder: the design, the outputs that it is about, and what each judge said of the rows drawn.

    design.json                                    models, families, rows with their probabilities, checksums
    outputs/<generator>/<language>.json            the models' outputs, all of them
    reference/<generator>/<language>.json          the reference's
    annotations/<generator>/<annotator>/<language>.json
    repeats/2/<generator>/<annotator>/<language>.json, repeats/3/...
    judges/<annotator>.json                        each judge's model, sampling, and hashes of its instructions

An archive has the same layout, and its journal as journal.jsonl beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.bridging.design import REPEATS, DrawnRow
from xl_suite.chat.models import Model
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation, read_annotations
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.pairs import Pair, pair_outputs
from xl_suite.records import ModelOutput, atomic_folder, dump_json, parse_record, read_object, write_json, write_text
from xl_suite.responding.outputs import name_folder, read_outputs

FORMAT = 1
DESIGN, JOURNAL, JUDGES = "design.json", ".journal.sqlite", "judges"


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of a bridge. family: of models that are not new evidence about one another."""

    model: str
    family: str


@dataclass(frozen=True, slots=True)
class BridgeDesign:
    """What design.json holds.

    annotator: of the judge that is to be replaced. drawn_by: what the drawing of the rows went by. told: what the
    plan said of precision and cost, for people. checksums: SHA-256 of the outputs, by path.
    """

    reference: str
    annotator: str
    models: tuple[PlannedModel, ...]
    rows: tuple[DrawnRow, ...]
    drawn_by: tuple[str, ...]
    seed: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({row.language for row in self.rows}))


def write_bridge(
    out: Path,
    design: BridgeDesign,
    outputs: Mapping[str, Mapping[str, Sequence[ModelOutput]]],
    reference: Mapping[str, Sequence[ModelOutput]],
) -> BridgeDesign:
    """Writes a new bridge's folder, all at once; the design with its checksums. outputs: by model and language.

    The same design over the same outputs may be written again; it changes nothing. Raises BadInput where `out`
    holds another bridge, or anything else.
    """
    with atomic_folder(out.parent / f".{out.name}.plan") as folder:
        for model, by_language in outputs.items():
            _write_outputs(folder / "outputs" / name_folder(model), by_language)
        _write_outputs(folder / "reference" / name_folder(design.reference), reference)
        files = sorted(path for path in folder.rglob("*.json"))
        checksums = {path.relative_to(folder).as_posix(): hash_file(path) for path in files}
        written = {**asdict(design), "checksums": checksums}
        write_text(folder / DESIGN, dump_json(written))
    plan = out.parent / f".{out.name}.plan"
    try:
        if out.exists():
            _require_same(out, plan)
        else:
            plan.rename(out)
    finally:
        remove_folder(plan)
    return read_design(out)


def read_design(folder: Path) -> BridgeDesign:
    """The design of a bridge. Raises BadInput where there is none, of a newer format, or where outputs changed."""
    path = folder / DESIGN
    if not path.is_file():
        raise BadInput(
            f"{folder} is not a bridge: it has no {DESIGN}. `xl-suite bridge plan --out {folder}` makes one."
        )
    try:
        raw = read_object(path)
        require_format(path, raw["format"], FORMAT)
        models = [parse_record(one, PlannedModel, path, place) for place, one in enumerate(raw["models"], 1)]
        rows = [parse_record(one, DrawnRow, path, place) for place, one in enumerate(raw["rows"], 1)]
        design = BridgeDesign(
            raw["reference"],
            raw["annotator"],
            tuple(models),
            tuple(rows),
            tuple(raw["drawn_by"]),
            raw["seed"],
            raw["checksums"],
            raw.get("told", {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not a bridge's design ({type(error).__name__}: {error}).") from error
    unknown = {row.model for row in design.rows} - {one.model for one in design.models}
    if unknown:
        raise BadInput(f"{path}: rows of models that it does not list: {', '.join(sorted(unknown))}.")
    for name, checksum in design.checksums.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file() or hash_file(file) != checksum:
            raise BadInput(
                f"{file}: not the file that the design was made for. Put it back, or plan a new bridge; verdicts on "
                "other outputs would be mixed with those that are there."
            )
    return design


def require_format(path: Path, found: Any, known: int) -> None:
    """Raises BadInput for a file of a format that this version does not know."""
    if found != known:
        raise BadInput(
            f"{path}: format {found!r}; this version of xl-suite reads format {known}. Install a newer one."
        )


def read_pairs(folder: Path, design: BridgeDesign, *, repeated: bool = False) -> dict[str, dict[str, list[Pair]]]:
    """The pairs to judge, by model and language. repeated: only the rows that are judged again."""
    reference = read_outputs(folder / "reference" / name_folder(design.reference))
    wanted = {(row.model, row.language, row.prompt) for row in design.rows if row.repeated or not repeated}
    pairs: dict[str, dict[str, list[Pair]]] = {}
    for one in design.models:
        codes = ",".join(code for code in design.languages if any(row[:2] == (one.model, code) for row in wanted))
        if not codes:
            continue
        outputs = read_outputs(folder / "outputs" / name_folder(one.model))
        joined = pair_outputs(outputs, reference, languages=codes, allow_partial=True)
        pairs[one.model] = {
            code: [pair for pair in rows if (one.model, code, pair.prompt) in wanted] for code, rows in joined.items()
        }
    return pairs


def locate_annotations(folder: Path, repeat: int = 0) -> Path:
    """Where the verdicts lie: those of the first judging, or of a repeat (1 and 2)."""
    return folder / "repeats" / str(repeat + 1) if repeat else folder / "annotations"


def list_annotators(folder: Path) -> list[str]:
    """The annotators that have judged rows of this bridge."""
    return sorted({path.parent.name for path in locate_annotations(folder).glob("*/*/*.json")})


def read_verdicts(folder: Path, design: BridgeDesign, annotator: str, repeat: int = 0) -> list[Annotation]:
    """An annotator's verdicts on the rows of the design, of all models; none where it has not judged yet."""
    drawn = {(row.model, row.language, row.prompt) for row in design.rows}
    found = []
    for one in design.models:
        place = locate_annotations(folder, repeat) / name_folder(one.model) / name_folder(annotator)
        if place.is_dir():
            rows = read_annotations(place)
            found += [row for row in rows if (row.generator_2, row.language, row.prompt) in drawn]
    return found


def write_judge_settings(folder: Path, name: str, annotator: Annotator, model: Model, method: str) -> None:
    """Writes who judges under a name. Raises BadInput where another model or other instructions did before."""
    sampling = {key: value for key, value in asdict(annotator.sampling).items() if value not in (None, (), False)}
    settings = {
        "annotator": annotator.name,
        "model": model.name or annotator.model,
        "model_key": model.key or annotator.model,
        "method_asked": method,
        "sampling": sampling,
        "prompt_sha256": hash_file(annotator.prompt_path),
        "config_sha256": hashlib.sha256(json.dumps(dict(annotator.config), sort_keys=True).encode()).hexdigest(),
    }
    earlier = read_judge_settings(folder, name)
    differing = [key for key, value in settings.items() if earlier.get(key, value) != value]
    if differing:
        raise BadInput(
            f"{folder} holds verdicts of {name} with another {', '.join(differing)}. One name is one judge: put the "
            "instructions back as they were, or give the annotator's folder another name."
        )
    write_text(folder / JUDGES / f"{name_folder(name)}.json", dump_json(settings))


def read_judge_settings(folder: Path, name: str) -> dict[str, Any]:
    """What judges/<annotator>.json says; nothing where the annotator has not judged."""
    path = folder / JUDGES / f"{name_folder(name)}.json"
    return read_object(path) if path.is_file() else {}


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def remove_folder(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def repeats() -> Iterable[int]:
    return range(1, REPEATS)


def _write_outputs(folder: Path, by_language: Mapping[str, Sequence[ModelOutput]]) -> None:
    for language, rows in by_language.items():
        write_json(folder / f"{language}.json", rows)


def _require_same(out: Path, plan: Path) -> None:
    if (out / DESIGN).is_file() and (out / DESIGN).read_bytes() == (plan / DESIGN).read_bytes():
        return
    what = "another bridge's design" if (out / DESIGN).is_file() else "something that is not a bridge"
    raise BadInput(f"{out} holds {what}, and it is left as it is. Name another folder with --out.")
