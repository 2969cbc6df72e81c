"""One generator's results as they lie in a folder: outputs, annotations, and what was written about them.

Two layouts are read. The one of `respond` and `judge`, `outputs/<generator>/<language>.json` and
`annotations/<generator>/<annotator>/<language>.json`; and that of a submission, which holds one generator:
`outputs/<language>.json`, `annotations/<annotator>/<language>.json` and the files of TOLD.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import ANNOTATIONS
from xl_suite.listing import Kind, list_folder, list_folders
from xl_suite.responding.outputs import OUTPUTS, name_folder

TOLD = ("metrics.json", "fidelity.json", "manifest.json")
JOURNAL = ".journal.sqlite"


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """Where one generator's results lie.

    outputs, annotations: folders of `<language>.json`. told: files of TOLD that are beside them.
    journals: those that `respond` and `judge` keep by default, where they are.
    """

    outputs: Path
    annotations: Path
    told: tuple[Path, ...]
    journals: tuple[Path, ...]


def find_results(
    folder: Path | None,
    *,
    generator: str = "",
    annotator: str = "",
    outputs: Path | None = None,
    annotations: Path | None = None,
) -> ResultsFolder:
    """The results of one generator by one annotator.

    generator, annotator: names, where the folder holds several. outputs, annotations: folders of `<language>.json`
    that lie elsewhere. Raises BadInput where something is missing, or several would do.
    """
    if folder is None and (outputs is None or annotations is None):
        raise BadInput("Name a folder of results, or both --outputs and --annotations.")
    if folder is not None and not folder.is_dir():
        raise BadInput(f"{folder}: no such folder. RESULTS holds outputs/ and annotations/.")
    bases = [folder / name for name in ("outputs", "annotations")] if folder else []
    if annotations is None:
        base = bases[1]
        if not _is_single(bases[0]):
            base = _choose(
                base, generator, "generators", "--name", "`xl-suite judge --out` writes annotations there."
            )
            generator = generator or base.name
        annotations = _choose(base, annotator, "annotators", "--annotator", "`xl-suite judge` writes them.")
    if outputs is None:
        outputs = bases[0] if _is_single(bases[0]) else bases[0] / name_folder(generator or annotations.parent.name)
    for place, kind, maker in ((outputs, OUTPUTS, "respond"), (annotations, ANNOTATIONS, "judge")):
        if not list_files(place, kind):
            raise BadInput(f"{place} holds no <language>.json. `xl-suite {maker}` writes them.")
    told = [folder / name for name in TOLD if (folder / name).is_file()] if folder else []
    journals = [place / JOURNAL for place in dict.fromkeys((*bases, outputs.parent, annotations.parent.parent))]
    return ResultsFolder(outputs, annotations, tuple(told), tuple(path for path in journals if path.is_file()))


def list_files(folder: Path, kind: Kind) -> dict[str, Path]:
    """The files of a kind in a folder, by the first part of their names, which is a language."""
    return {path.name.partition(".")[0]: path for path in list_folder(folder, kind).files}


def _is_single(outputs: Path) -> bool:
    """Whether a folder `outputs` holds one generator's files themselves, as a submission's does."""
    return bool(list_files(outputs, OUTPUTS))


def _choose(base: Path, name: str, what: str, option: str, hint: str) -> Path:
    """The folder of `name` in `base`, or its only one."""
    found = list_folders(base)
    if name:
        chosen = [folder for folder in found if folder.name == name_folder(name)]
        # An annotator's folder also names the judge, where it is another than the annotator's own.
        chosen = chosen or [folder for folder in found if folder.name.startswith(f"{name_folder(name)}-")]
    else:
        chosen = found
    if len(chosen) == 1:
        return chosen[0]
    if not found:
        raise BadInput(f"{base} holds no folder. {hint}")
    listed = ", ".join(folder.name for folder in found[:10])
    if not chosen:
        raise BadInput(f"{base} has no {name_folder(name)}. It has: {listed}.")
    raise BadInput(f"{base} holds several {what}: {listed}. Name one with {option}.")
