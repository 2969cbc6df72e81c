"""A judge's length slope as a file: how much it prefers the longer one of two texts with the same content.

`length_slope.json` is in an annotator's folder; `judge` copies it beside the annotations that it writes.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.annotator import find_folder, find_shipped
from xl_suite.records import read_object, write_text
from xl_suite.responding.outputs import name_folder

logger = logging.getLogger("xl_suite.scoring")
SLOPE_FILE = "length_slope.json"


@dataclass(frozen=True, slots=True)
class LengthSlope:
    """slope, standard_error: logits of the mean preference for each unit of the natural logarithm of the ratio of
    lengths. n: the number of prompts measured. annotator: the judge's name in annotations, empty where the file has
    none. assumed: whether a user gave the slope instead of a measurement.
    """

    slope: float
    standard_error: float
    n: int = 0
    languages: tuple[str, ...] = ()
    date: str = ""
    how: str = ""
    annotator: str = ""
    assumed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What `length_slope.json` holds."""
        return {
            "annotator": self.annotator,
            "slope": self.slope,
            "standard_error": self.standard_error,
            "n": self.n,
            "languages": list(self.languages),
            "date": self.date,
            "how": self.how,
        }

    def describe(self, languages: Iterable[str] = ()) -> str:
        """`measured slope 0.70 (standard error 0.11)`, with its languages if they are not all of `languages`."""
        kind = "assumed" if self.assumed else "measured"
        elsewhere = self.languages and any(language and language not in self.languages for language in languages)
        where = f", measured in {', '.join(self.languages)} only" if elsewhere else ""
        return f"{kind} slope {self.slope:.2f} (standard error {self.standard_error:.2f}{where})"


def read_slope(path: Path) -> LengthSlope:
    """The slope of a file. Raises BadRecord where a field is missing or invalid."""
    value = read_object(path)
    numbers = {}
    for name in ("slope", "standard_error"):
        number = value.get(name)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise BadRecord(path, f"{number!r} is not a number of logits.", field=name)
        numbers[name] = float(number)
    if numbers["standard_error"] < 0:
        raise BadRecord(path, f"{numbers['standard_error']} is negative.", field="standard_error")
    n, languages = value.get("n", 0), value.get("languages", [])
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise BadRecord(path, f"{n!r} is not a number of prompts.", field="n")
    if not isinstance(languages, list) or not all(isinstance(one, str) for one in languages):
        raise BadRecord(path, f"{languages!r} is not a list of language codes.", field="languages")
    texts = {name: value.get(name, "") for name in ("date", "how", "annotator")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise BadRecord(path, f"{text!r} is not a text.", field=name)
    return LengthSlope(
        numbers["slope"],
        numbers["standard_error"],
        n,
        tuple(languages),
        texts["date"],
        texts["how"],
        texts["annotator"],
    )


def write_slope(path: Path, slope: LengthSlope) -> None:
    write_text(path, json.dumps(slope.to_dict(), indent=2) + "\n")


def list_places(paths: Iterable[Path], annotator: str, folder: str = "") -> list[Path]:
    """The folders in which an annotator's slope may be, in the order of preference.

    paths: files and folders of annotations. folder: the name or folder of the annotator, or a folder with a slope
    written by `audit`, if the user gave one. Raises BadInput for anything else.
    """
    places = [] if not folder else [Path(folder) if (Path(folder) / SLOPE_FILE).is_file() else find_folder(folder)]
    for path in paths:
        places += [path.parent] if path.is_file() else [path, path / name_folder(annotator)]
    shipped = find_shipped(annotator)
    return places if shipped is None else [*places, find_folder(shipped)]


def find_slope(folders: Iterable[Path], annotator: str) -> LengthSlope | None:
    """The annotator's first slope in `folders`; a file without a name is valid for all annotators of its folder."""
    for folder in folders:
        path = folder / SLOPE_FILE
        if path.is_file():
            slope = read_slope(path)
            if slope.annotator in ("", annotator):
                return slope
            logger.warning("%s is the slope of %s, not of %s: it is not used.", path, slope.annotator, annotator)
    return None


def parse_assumed(text: str) -> LengthSlope:
    """The slope that `--assume-length-slope MEAN,SE` gives. Raises BadInput for anything else."""
    try:
        mean, error = map(float, text.split(","))
    except ValueError:
        mean = error = math.nan
    if not math.isfinite(mean) or not math.isfinite(error) or error < 0:
        raise BadInput(
            f"the length slope is {text!r}; valid: a mean and its standard error, in logits for each unit of the "
            "logarithm of the ratio of lengths, with a comma between, such as 0.7,0.11."
        )
    return LengthSlope(mean, error, how="assumed by the user", assumed=True)
