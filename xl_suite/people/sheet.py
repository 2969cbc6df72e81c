"""The rows that people are asked about: drawn at random with recorded probabilities, with known answers between them.

A row is shown blind: which of the two answers is A is drawn for each row, and neither names nor sides are on the
page. They are in the key, a file beside the page, which stays with whoever asks.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.auditing.defects import CONSTANT
from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.pairs import Pair
from xl_suite.records import parse_record, read_object, write_text

FORMAT = 1
# Labels that a cell (a language and a model) needs before anything is said of it.
LEAST_ROWS = 50
KEY_ENDING = ".key.json"
TASKS_ENDING = ".tasks.json"
# What a planted row names as the model of the worse answer.
ANOTHER, NONSENSE = "planted: the answer to another prompt", "planted: one text of no content"
_HASH_DIGITS = 20
_ENGLISH = "eng"


@dataclass(frozen=True, slots=True)
class Item:
    """A row of a page. row: the hash that the page and the labels name it by.

    first: which output is shown as A, 1 (the reference's) or 2. probability: of being drawn; None where the row was
    chosen by hand, or is planted. known: the better side, `A` or `B`, of a planted row; empty for all others.
    foreign: the side of a planted row that is not in the language, or empty.
    """

    row: str
    language: str
    instruction: str
    output_1: str
    generator_1: str
    output_2: str
    generator_2: str
    first: int
    probability: float | None = None
    known: str = ""
    foreign: str = ""
    id: int | None = None
    dataset: str = ""
    benchmark: str = ""

    @property
    def shown(self) -> tuple[str, str]:
        """The answers as A and B."""
        return (self.output_1, self.output_2) if self.first == 1 else (self.output_2, self.output_1)

    @property
    def prompt(self) -> int | str:
        """What tells prompts apart: the ID, or else the instruction."""
        return self.instruction if self.id is None else self.id


@dataclass(frozen=True, slots=True)
class Cell:
    """What one language and model have: n_eligible rows, of which n_drawn are on the page.

    n_identical: pairs of one text, which are a tie without anybody's label; n_withheld: those without an answer.
    """

    language: str
    generator: str
    n_eligible: int
    n_drawn: int
    n_identical: int
    n_withheld: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's rows in the order in which they are shown. page: a hash of them, which each label repeats."""

    page: str
    seed: int
    items: tuple[Item, ...]
    cells: tuple[Cell, ...]

    @property
    def languages(self) -> list[str]:
        return list(dict.fromkeys(item.language for item in self.items))

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "page": self.page,
            "seed": self.seed,
            "cells": [asdict(cell) for cell in self.cells],
            "rows": [asdict(item) for item in self.items],
        }


def make_sheet(
    pairs: Iterable[Mapping[str, Sequence[Pair]]],
    *,
    rows: int = LEAST_ROWS,
    known: int = 5,
    seed: int = 0,
    ids: Sequence[int] = (),
) -> Sheet:
    """Draws at most `rows` pairs of each language and model without replacement; plants `known` in each language.

    pairs: of each model by language. ids: prompts that are chosen by hand instead of at random; such rows have no
    probability. Raises BadInput where nothing is left to ask, and for IDs that no pair has.
    """
    items: list[Item] = []
    cells: list[Cell] = []
    by_language: dict[str, list[Pair]] = {}
    for model in pairs:
        for language, own in model.items():
            eligible = [pair for pair in own if pair.needs_judge]
            if not eligible:
                continue
            if not language:
                raise BadInput("the outputs name no language, and people are asked for one: add --language CODE.")
            drawn, probability = _draw(eligible, language, rows, seed, ids)
            items += [_make_item(pair, seed, probability) for pair in drawn]
            cells.append(_count(language, own, eligible, drawn))
            by_language.setdefault(language, []).extend(eligible)
    if not items:
        raise BadInput(
            "there is nothing to ask: no two answers differ." if not ids else f"no pair has the IDs {list(ids)[:10]}."
        )
    asked = {(item.language, item.prompt) for item in items}
    for language, own in by_language.items():
        items += _plant(own, language, known, seed, asked)
    ordered = [item for language in by_language for item in _order(items, language, seed)]
    text = json.dumps([[item.row, item.first, item.probability] for item in ordered])
    return Sheet(_hash(text)[:12], seed, tuple(ordered), tuple(cells))


def write_key(path: Path, sheet: Sheet) -> None:
    write_text(path, json.dumps(sheet.to_dict(), ensure_ascii=True, indent=1) + "\n")


def read_key(path: Path) -> Sheet:
    """The sheet of a key's file. Raises BadInput and BadRecord for what is not one."""
    value = read_object(path)
    rows, cells, seed = value.get("rows"), value.get("cells", []), value.get("seed", 0)
    if value.get("format") != FORMAT or not isinstance(rows, list) or not isinstance(cells, list):
        raise BadInput(
            f"{path}: not the key of a page (format {FORMAT}). `xl-suite annotate` writes it beside the page."
        )
    if not isinstance(seed, int):
        raise BadRecord(path, f"the seed is {seed!r}, and not a whole number.")
    return Sheet(
        str(value.get("page", "")),
        seed,
        tuple(parse_record(raw, Item, path, number) for number, raw in enumerate(rows, start=1)),
        tuple(parse_record(raw, Cell, path, number) for number, raw in enumerate(cells, start=1)),
    )


def list_tasks(sheet: Sheet) -> list[dict[str, str]]:
    """The rows as tasks for other tools, which show them blind too; `row` must come back with each label."""
    return [
        {
            "row": item.row,
            "language": item.language,
            "instruction": item.instruction,
            "answer_a": item.shown[0],
            "answer_b": item.shown[1],
        }
        for item in sheet.items
    ]


def _draw(
    eligible: Sequence[Pair], language: str, rows: int, seed: int, ids: Sequence[int]
) -> tuple[list[Pair], float | None]:
    if ids:
        return [pair for pair in eligible if pair.id in ids], None
    source = random.Random(f"annotate/{seed}/{language}/{eligible[0].generator_2}")
    places = sorted(source.sample(range(len(eligible)), min(rows, len(eligible))))
    return [eligible[place] for place in places], min(rows, len(eligible)) / len(eligible)


def _make_item(pair: Pair, seed: int, probability: float | None, known: int = 0, foreign: bool = False) -> Item:
    """The row of a pair. known: which output is the better one, where that is known."""
    content = [pair.language, pair.instruction, pair.output_1, pair.generator_1, pair.output_2, pair.generator_2]
    digest = _hash(json.dumps([*content, pair.id]))
    # Of the part of the hash that the page does not show, so that nobody can tell the sides from the page.
    first = 1 + int(_hash(f"{seed}/{digest[_HASH_DIGITS:]}")[:8], 16) % 2
    better = "" if not known else "A" if known == first else "B"
    worse = {"A": "B", "B": "A", "": ""}[better]
    return Item(
        row=digest[:_HASH_DIGITS],
        language=pair.language,
        instruction=pair.instruction,
        output_1=pair.output_1,
        generator_1=pair.generator_1,
        output_2=pair.output_2,
        generator_2=pair.generator_2,
        first=first,
        probability=probability,
        known=better,
        foreign=worse if foreign else "",
        id=pair.id,
        dataset=pair.dataset,
        benchmark=pair.benchmark,
    )


def _count(language: str, own: Sequence[Pair], eligible: Sequence[Pair], drawn: Sequence[Pair]) -> Cell:
    withheld = sum(bool(pair.withheld) for pair in own)
    identical = len(own) - len(eligible) - withheld
    return Cell(language, own[0].generator_2, len(eligible), len(drawn), identical, withheld)


def _plant(
    pairs: Sequence[Pair], language: str, known: int, seed: int, asked: set[tuple[str, int | str]]
) -> list[Item]:
    """Rows whose better answer is known: an answer against another prompt's, or against a text of no content.

    Prompts that are not on the page otherwise are taken first, so that few people see a prompt twice.
    """
    source = random.Random(f"annotate/{seed}/known/{language}")
    usable = [pair for pair in pairs if pair.output_2.strip()]
    source.shuffle(usable)
    usable.sort(key=lambda pair: (language, pair.prompt) in asked)
    planted = []
    for place, pair in enumerate(usable[:known]):
        others = [one for one in usable if one.prompt != pair.prompt and one.output_2 != pair.output_2]
        if place % 2 == 0 and others:
            worse, name, foreign = source.choice(others).output_2, ANOTHER, False
        else:
            worse, name, foreign = CONSTANT, NONSENSE, language != _ENGLISH
        made = Pair(
            pair.id,
            pair.dataset,
            language,
            pair.instruction,
            pair.output_2,
            pair.generator_2,
            worse,
            name,
            pair.benchmark,
        )
        planted.append(_make_item(made, seed, None, known=1, foreign=foreign))
    return planted


def _order(items: Sequence[Item], language: str, seed: int) -> list[Item]:
    own = sorted((item for item in items if item.language == language), key=lambda item: item.row)
    random.Random(f"annotate/{seed}/order/{language}").shuffle(own)
    return own


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
