"""The paper's published numbers (Tables 1, 2, 3, 6, 7, 8, 9 and 10) and the models that it names.

published.csv holds every number as printed; docs/published.md lists what does not fit together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from xl_suite.errors import BadInput, BadRecord
from xl_suite.tables import read_table

AVERAGE = "avg"
TABLES = (1, 2, 3, 6, 7, 8, 9, 10)


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """A number of the paper.

    training: `none`, `xl-instruct` (selection of translations not named in that table), `xl-instruct:best-of-3`,
    `xl-instruct:naive`, `xl-instruct:random`, or `x-instruction`.
    size: instructions trained on; 0 for none.
    strategy: how the model was asked, `direct` or `reason-then-translate`.
    language: ISO 639-3, or `avg` for the average as printed.
    metric: `win_rate` (percent against GPT-4o-Mini, judged by GPT-4o), `win_rate_change` (Table 2: percentage
    points against Table 1), or one of Table 8's scores from 1 to 5, whose printed mean is the metric `average`.
    version: of the paper on arXiv.
    """

    table: int
    benchmark: str
    model: str
    training: str
    size: int
    strategy: str
    language: str
    metric: str
    value: float
    version: str


@dataclass(frozen=True, slots=True)
class PaperModel:
    """A model that the paper names.

    kind: `base` or `instruct`. billions: parameters. prompt_format: `plain` for a base model, else the family of
    its chat template. languages: those of our twelve that its makers say it supports.
    roles: `evaluated` (Table 1), `trained` (Table 6), `teacher` or `translator` (section 4).
    """

    name: str
    hub_id: str
    kind: str
    billions: float
    prompt_format: str
    languages: tuple[str, ...]
    roles: tuple[str, ...]
    source: str


@cache
def published_scores() -> tuple[PublishedScore, ...]:
    """Every number, in the order of the tables. Raises BadRecord where the file was edited into something else."""
    text = files("xl_suite.paper").joinpath("published.csv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines())
    columns = [field.name for field in fields(PublishedScore)]
    if next(rows, None) != columns:
        raise BadRecord("published.csv", f"the header must be {','.join(columns)}.", row=0)
    return tuple(_parse(cells, number) for number, cells in enumerate(rows, start=1))


def find_scores(
    *,
    table: int | None = None,
    benchmark: str | None = None,
    model: str | None = None,
    training: str | None = None,
    size: int | None = None,
    strategy: str | None = None,
    language: str | None = None,
    metric: str | None = None,
) -> tuple[PublishedScore, ...]:
    """The numbers that have all the given values, in the order of the tables; none of them filters nothing out.

    Raises BadInput for a value that no published number has, so that a typing error is not an empty answer.
    """
    rows = published_scores()
    wanted = {
        "table": table,
        "benchmark": benchmark,
        "model": model,
        "training": training,
        "size": size,
        "strategy": strategy,
        "language": language,
        "metric": metric,
    }
    for name, value in wanted.items():
        if value is None:
            continue
        known = dict.fromkeys(getattr(row, name) for row in published_scores())
        if value not in known:
            raise BadInput(f"No published number has {name} {value!r}; known: {', '.join(map(str, known))}.")
        rows = tuple(row for row in rows if getattr(row, name) == value)
    return rows


def group_by_run(rows: Iterable[PublishedScore]) -> dict[tuple[int, str, str, int], dict[str, float]]:
    """The printed lines: (table, model, training, size) to {column: value}, `avg` among the columns.

    The columns are languages; for Table 8 they are its metrics, `average` among them.
    """
    lines: dict[tuple[int, str, str, int], dict[str, float]] = {}
    for row in rows:
        column = row.metric if row.table == 8 else row.language
        line = lines.setdefault((row.table, row.model, row.training, row.size), {})
        if column in line:
            raise BadInput(f"Table {row.table} has two values of {row.model} ({row.training}) for {column}.")
        line[column] = row.value
    return lines


@cache
def paper_models() -> tuple[PaperModel, ...]:
    """The models of the paper that are on the Hub, in the order of Table 1, then those that made the data."""
    return read_table("xl_suite.paper", "models.tsv", PaperModel)


def find_model(name: str) -> PaperModel:
    """The model of a name as the paper prints it, or of a Hub ID. Raises BadInput, listing the names."""
    for model in paper_models():
        if name in (model.name, model.hub_id):
            return model
    raise BadInput(f"{name!r} is not a model of the paper: {', '.join(model.name for model in paper_models())}.")


def _parse(cells: list[str], number: int) -> PublishedScore:
    if len(cells) != len(fields(PublishedScore)):
        raise BadRecord("published.csv", f"expected {len(fields(PublishedScore))} cells: {cells}.", row=number)
    table, benchmark, model, training, size, strategy, language, metric, value, version = cells
    try:
        return PublishedScore(
            int(table), benchmark, model, training, int(size), strategy, language, metric, float(value), version
        )
    except ValueError as error:
        raise BadRecord("published.csv", f"{error}: {cells}.", row=number) from error
