"""The answers of a job as files: JSON for people and programs, and scripts that the pages load when they show them.

A page that was opened from a file may not read other files, but it may load scripts. So each data file is a script
of one statement, `deliver(JSON)`. A model's side is one file per language; prompts and reference answers, which many
models share, are kept under a hash of their content; preferences by prompt are one small file for all languages.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.judging.addressed import describe_addressed
from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.records import atomic_write
from xl_suite.scoring.preferences import average
from xl_suite.surrogates import escape_surrogates

if TYPE_CHECKING:
    from xl_suite.fidelity import Verdict
    from xl_suite.scoring.answers import Answers
    from xl_suite.scoring.preferences import Array, Preferences

VALUES = "values.js"
PROMPTS = "prompts"  # the folder of prompts and references beside those of jobs


@dataclass(frozen=True, slots=True)
class Judged:
    """What was judged in one language. column: the one of the language in `table`. gated: runs x prompts.

    gated is None where languages were not looked at. expected: by ID, the language that a prompt expects where it is
    not the target language. addressed: by run and prompt, the kinds of text for a judge that an answer holds.
    """

    table: Preferences
    column: int
    answers: Answers
    gated: Array | None
    expected: Mapping[int, str]
    addressed: Mapping[tuple[int, int | str], tuple[str, ...]] = field(default_factory=dict)

    @property
    def language(self) -> str:
        return self.table.languages[self.column]

    @property
    def name(self) -> str:
        """The stem of this language's files."""
        return self.language or "all"


def write_answers(folder: Path, shared: Path, judged: Sequence[Judged], rows: Iterable[Annotation]) -> None:
    """Writes `<language>.json`, `<language>.js` and VALUES to `folder`, and what models share to `shared`.

    rows: all annotations, for the preferences by order. The files of `shared` are named by their content.
    """
    by_order: dict[tuple[int, int | str, str], dict[str, float | None]] = defaultdict(dict)
    for row in rows:
        by_order[row.sample, row.prompt, row.language][row.order] = scale_preference(row.preference)
    values: dict[str, Any] = {"prompts": list(judged[0].table.prompts) if judged else [], "languages": {}}
    for one in judged:
        told = _tell_rows(one)
        orders = [_round_orders(by_order[row["sample"], row["key"], one.language]) for row in told]
        digest = _write_shared(shared, _tell_prompts(told, one))
        (folder / f"{one.name}.js").write_bytes(deliver({"prompts": digest, **_tell_side(told, orders)}))
        kept = [{key: value for key, value in row.items() if key not in ("key", "sample")} for row in told]
        (folder / f"{one.name}.json").write_bytes(dump(kept, indent=True))
        values["languages"][one.language] = {
            "prompts": digest,
            "n": len(told),
            "raw": _list_values(one.table.values[:, :, one.column]),
            "gated": None if one.gated is None else _list_values(one.gated),
        }
    (folder / VALUES).write_bytes(deliver(values))


def deliver(value: Any) -> bytes:
    """The script that hands `value` to the page that loads it."""
    return b"deliver(" + dump(value) + b");\n"


def dump(value: Any, *, indent: bool = False) -> bytes:
    """JSON; lone surrogates, which UTF-8 cannot hold, stay escaped."""
    import orjson

    try:
        return orjson.dumps(value, option=(orjson.OPT_INDENT_2 if indent else 0) | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2 if indent else None)
        return escape_surrogates(text).encode("utf-8")


def list_shared(folder: Path) -> set[str]:
    """The names in the shared folder that the files of a job refer to."""
    data = json.loads((folder / VALUES).read_bytes()[len("deliver(") : -len(");\n")])
    return {f"{language['prompts']}.js" for language in data["languages"].values()}


def _write_shared(shared: Path, told: Mapping[str, Any]) -> str:
    content = deliver(told)
    digest = hashlib.sha256(content).hexdigest()[:20]
    path = shared / f"{digest}.js"
    if not path.exists():
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
    return digest


def _tell_rows(judged: Judged) -> list[dict[str, Any]]:
    """Every row of a language in the order of runs and prompts; preferences from 0 (lost) to 1 (won) or null."""
    table, answers = judged.table, judged.answers
    own = answers.fidelity.verdicts if answers.fidelity else [None] * len(answers.cells)
    theirs = answers.reference_fidelity.verdicts if answers.reference_fidelity else [None] * len(answers.cells)
    told = []
    for place, (run, at) in enumerate(answers.cells):
        row = table.rows[run, table.prompts[at], judged.language]
        gated = None if judged.gated is None else _round(float(judged.gated[run, at]))
        told.append(
            {
                "key": row.prompt,
                "sample": row.sample,
                "id": row.id,
                "dataset": row.dataset,
                "run": run,
                "instruction": row.instruction,
                "output": row.output_2,
                "reference": row.output_1,
                "preference": _round(float(table.values[run, at, judged.column])),
                "gated_preference": gated,
                "order": row.order,
                "verdict": _tell_verdict(own[place]),
                "reference_verdict": _tell_verdict(theirs[place]),
                "finish_reason": answers.model[place].finish_reason,
                "reference_finish_reason": answers.reference[place].finish_reason,
                "flags": [describe_addressed(kinds)] if (kinds := judged.addressed.get((run, row.prompt))) else [],
            }
        )
    return told


def _tell_prompts(told: Sequence[Mapping[str, Any]], judged: Judged) -> dict[str, Any]:
    """The columns that models share: a prompt once, however many runs answered it."""
    first = {row["key"]: row for row in reversed(told)}
    rows = [first[key] for key in dict.fromkeys(row["key"] for row in told)]
    return {
        "keys": [row["key"] for row in rows],
        "instruction": [row["instruction"] for row in rows],
        "dataset": [row["dataset"] for row in rows],
        "expected": [judged.expected.get(row["id"], "target") for row in rows],
        "reference": [row["reference"] for row in rows],
        "verdict": [_pack_verdict(row["reference_verdict"]) for row in rows],
        "finish_reason": [row["reference_finish_reason"] for row in rows],
    }


def _tell_side(told: Sequence[Mapping[str, Any]], orders: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The columns of a model's side. orders: the preference in each order, of rows judged in both."""
    return {
        "keys": [row["key"] for row in told],
        "run": [row["run"] for row in told] if any(row["run"] for row in told) else None,
        "output": [row["output"] for row in told],
        "preference": [row["preference"] for row in told],
        "gated": [row["gated_preference"] for row in told],
        "order": [row["order"] for row in told],
        "by_order": orders if any(orders) else None,
        "verdict": [_pack_verdict(row["verdict"]) for row in told],
        "finish_reason": [row["finish_reason"] for row in told],
        "flags": [row["flags"] for row in told] if any(row["flags"] for row in told) else None,
    }


def _tell_verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    lines = [[line.line, line.language, line.probability, line.text] for line in verdict.lines]
    return {"verdict": verdict.verdict, "note": verdict.note, "lines": lines}


def _pack_verdict(verdict: Mapping[str, Any] | None) -> list[Any] | None:
    return None if verdict is None else [verdict["verdict"], verdict["note"], verdict["lines"]]


def _list_values(values: Array) -> list[float | None]:
    """The mean over runs of runs x prompts, by prompt."""
    return [_round(float(value)) for value in average(values, axis=0)]


def _round_orders(orders: Mapping[str, float | None]) -> dict[str, float | None] | None:
    if len(orders) < 2:
        return None
    return {order: None if value is None else _round(value) for order, value in sorted(orders.items())}


def _round(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
