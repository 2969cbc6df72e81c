"""What a leaderboard knows of models beside their scores: size, training, Hub ID."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xl_suite.errors import BadRecord
from xl_suite.paper.published import paper_models


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model beside its scores. training: in words, empty where none is named."""

    billions: float | None = None
    training: str = ""
    hub_id: str = ""


def find_model(name: str) -> Model:
    """Size and Hub ID of a model of the paper; else the size that is in the name (`Qwen2.5-7B`)."""
    plain = _plain(name)
    for model in paper_models():
        if plain in (_plain(model.name), _plain(model.hub_id), _plain(model.hub_id.partition("/")[2])):
            return Model(model.billions, "", model.hub_id)
    sizes = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)\s?[bB](?![A-Za-z0-9])", name.replace("_", " ").replace("-", " "))
    return Model(float(sizes[0]) if sizes else None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def read_models(paths: Iterable[Path]) -> dict[str, Model]:
    """What models.tsv files say: `generator`, and any of `billions`, `training`, `hub_id`, separated by tabs."""
    models = {}
    for path in paths:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if "generator" not in (rows.fieldnames or []):
                raise BadRecord(path, "the header needs a column `generator`.", row=0)
            for number, row in enumerate(rows, start=1):
                try:
                    billions = float(row["billions"]) if row.get("billions") else None
                except ValueError as error:
                    raise BadRecord(path, f"{error}.", row=number, field="billions") from error
                models[row["generator"]] = Model(billions, row.get("training") or "", row.get("hub_id") or "")
    return models
