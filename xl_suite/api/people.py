"""What people say of answers: a page to ask them with, and their labels and other harnesses' judgements read in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.api.answers import open_outputs
from xl_suite.api.jobs import Languages, Place, join_languages, logger
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.people.judge import JudgeCheck
    from xl_suite.people.labelled import Labelled
    from xl_suite.people.sheet import Sheet
    from xl_suite.results import Annotations, Outputs


def annotate(
    outputs: Outputs | Place | Sequence[Outputs | Place],
    reference: Outputs | Place,
    *,
    out: Place,
    rows: int = 50,
    known: int = 5,
    ids: Sequence[int] = (),
    languages: Languages = "all",
    language: str = "",
    seed: int = 0,
    title: str = "Which answer is better?",
    allow_partial: bool = False,
) -> Sheet:
    """Writes the page `out` on which people compare answers, its key (`.key.json`) and its rows as tasks for other
    tools (`.tasks.json`).

    outputs: of one model or several. rows: of each language and model, drawn at random, with the probability
    recorded. ids: prompts chosen by hand instead; their labels correct no win rate. known: rows with a known answer
    in each language.
    """
    from xl_suite.judging.pairs import pair_outputs
    from xl_suite.people.page import write_page
    from xl_suite.people.sheet import LEAST_ROWS, make_sheet

    page = Path(out)
    if page.suffix != ".html" or page.is_dir():
        raise BadInput(f"{page}: name the page with --out, such as page.html.")
    several: Sequence[Any] = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    base = open_outputs(reference, language)
    pairs = [
        pair_outputs(
            open_outputs(one, language), base, languages=join_languages(languages), allow_partial=allow_partial
        )
        for one in several
    ]
    sheet = make_sheet(pairs, rows=rows, known=known, seed=seed, ids=ids)
    write_page(page, sheet, title)
    for cell in sheet.cells:
        if cell.n_drawn < LEAST_ROWS and not ids:
            logger.warning(
                "%s, %s: %d rows, and %d are needed before anything is said of a language and a model.",
                cell.language or "no language",
                cell.generator,
                cell.n_drawn,
                LEAST_ROWS,
            )
    return sheet


def import_labels(
    labels: Place | Sequence[Place], *, key: Place, out: Place | None = None, least_known: float = 0.0
) -> Labelled:
    """Reads labels of a page's rows: CSV of the page, or exports of Label Studio and Argilla.

    key: the file beside the page. out: a folder for `labels.csv` and for the labels as annotations of judges named
    `people-<annotator>`. least_known: the share of known answers below which a person's labels are left out.
    """
    from xl_suite.people.labelled import join_labels, write_labelled
    from xl_suite.people.sheet import read_key
    from xl_suite.people.tools import read_any_labels

    several = [labels] if isinstance(labels, (str, os.PathLike)) else labels
    read = [label for path in several for label in read_any_labels(Path(path))]
    found = join_labels(read_key(Path(key)), read, least_known)
    if out is not None:
        write_labelled(Path(out), found)
    return found


def check_judge(labels: Labelled, judged: Annotations | Place) -> JudgeCheck:
    """Compares a judge with people in each language: agreement beyond chance, and its win rate corrected by labels.

    labels: from `import_labels`. judged: one judge's annotations of the outputs that the page was made of.
    """
    from xl_suite.api.judgements import read_annotations
    from xl_suite.people.judge import check_judge as check

    rows = (read_annotations(judged) if isinstance(judged, (str, os.PathLike)) else judged).rows
    return check(labels, rows)


def import_judgements(folder: Place, *, out: Place, language: str = "", baseline: str = "") -> list[Annotations]:
    """Reads another harness' judgements, and writes them as `out/<generator>/<judge>/<language>.json`.

    folder: a result folder of JudgeArena, or a data folder of arena-hard-auto, for which baseline names the model
    that all were compared with. language: ISO 639-3 code, which neither form says.
    """
    from xl_suite.judging.harnesses import read_harness_folder, write_harness_annotations
    from xl_suite.languages import find_language
    from xl_suite.results import Annotations

    if language:
        find_language(language)
    rows = read_harness_folder(Path(folder), language, baseline)
    return [Annotations(path) for path in write_harness_annotations(Path(out), rows)]
