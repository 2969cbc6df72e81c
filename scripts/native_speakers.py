"""Pages on which native speakers check what this suite says in their language: open until people have answered.

    python scripts/native_speakers.py templates --out pages/templates.html
    python scripts/native_speakers.py rubrics --out pages/rubrics.html
    python scripts/native_speakers.py rubrics my-rubrics --languages hin --out pages/rubrics-hin.html
    python scripts/native_speakers.py fidelity outputs/MODEL --languages deu,hin --out pages/fidelity.html
    python scripts/native_speakers.py choices xl-instruct/bestof3 --out pages/choices.html

templates: which wording of the request for a language a native speaker would use. rubrics: of two neighbouring levels
of a criterion, which describes the better answer, for where people do not say the higher one the wording is at fault;
with a folder of rubrics, as `rate --rubrics` takes it, which of two wordings of a criterion they would rate with.
fidelity: the answers that the
language check calls wrong, mixed or undetermined, and as many that it calls right, unmarked; the page's question
whether an answer is in the language is what counts. choices: the translation that quality estimation chose beside the
one it liked least. Rows are chosen for what is in them, so they have no probability and correct no rate. Labels come
back with `xl-suite annotate --import`.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.fidelity.verdicts import FidelityAnswer, judge_answers
from xl_suite.judging.pairs import Pair
from xl_suite.languages import find_language
from xl_suite.languages import table as list_all
from xl_suite.people.page import write_page
from xl_suite.people.sheet import make_sheet
from xl_suite.placeholders import fill
from xl_suite.rating.rubric import read_rubrics
from xl_suite.responding.outputs import read_outputs
from xl_suite.templates import templates

TITLES = {
    "templates": "Which wording would you use?",
    "rubrics": "What describes the better answer?",
    "fidelity": "Is the answer in the language?",
    "choices": "Which translation is better?",
}
Pairs = dict[str, list[Pair]]


def pair_templates(languages: Sequence[str]) -> Pairs:
    """Every two wordings of the request, in each language that has its own."""
    pairs: Pairs = {}
    for code in languages:
        name = find_language(code).name
        asked = (
            f"A request for an answer in {name}, as it follows a prompt. Which wording would a native speaker use?"
        )
        own = [one for one in templates(code) if one.language == code]
        pairs[code] = [
            Pair(number, "templates", code, asked, one.text, one.id, other.text, other.id)
            for number, (one, other) in enumerate(combinations(own, 2), start=1)
        ]
    return pairs


def pair_levels(languages: Sequence[str]) -> Pairs:
    """Of each criterion of `rate`, every two neighbouring levels; the second output is the higher one's."""
    criteria = read_rubrics().criteria
    pairs: Pairs = {}
    for code in languages:
        name = find_language(code).name
        asked = f"Two descriptions from a scale for answers in {name}. Which one describes the better answer? {{}}"
        texts = {criterion: _split_levels(fill(text, {"language": name})) for criterion, text in criteria.items()}
        pairs[code] = [
            Pair(4 * place + level, "rubrics", code, asked.format(head), levels[level - 1], f"{criterion} {level}",
                 levels[level], f"{criterion} {level + 1}")
            for place, (criterion, (head, levels)) in enumerate(texts.items())
            for level in range(1, len(levels))
        ]  # fmt: skip
    return pairs


def pair_rubrics(folder: Path, languages: Sequence[str]) -> Pairs:
    """The shipped wording of each criterion beside that of a folder, such as a translation."""
    shipped, other = read_rubrics().criteria, read_rubrics(folder).criteria
    pairs: Pairs = {}
    for code in languages:
        name = {"language": find_language(code).name}
        asked = f"Two wordings of one scale for answers in {name['language']}. Which one would you rate answers with?"
        pairs[code] = [
            Pair(
                number,
                "rubrics",
                code,
                asked,
                fill(shipped[one], name),
                f"{one}, shipped",
                fill(other[one], name),
                one,
            )
            for number, one in enumerate((one for one in shipped if one in other), start=1)
        ]
    return pairs


def _split_levels(text: str) -> tuple[str, list[str]]:
    """A rubric's head, and its levels' descriptions without their numbers, the lowest first."""
    head, *levels = re.split(r"^Level [1-5]: ", text, flags=re.MULTILINE)
    return head.strip(), [level.strip() for level in levels]


def pair_verdicts(outputs: Path, languages: Sequence[str], rows: int, seed: int) -> Pairs:
    """Of each language at most `rows` answers that the check does not call right, each beside one that it does."""
    pairs: Pairs = {}
    found = read_outputs(outputs, "")
    for code in languages:
        own = [row for row in found.get(code, ()) if row.output.strip()]
        verdicts = judge_answers([FidelityAnswer(row.output, row.instruction) for row in own], code)
        right = [row for row, one in zip(own, verdicts, strict=True) if one.verdict == "right"]
        doubted = [(row, one.verdict) for row, one in zip(own, verdicts, strict=True) if one.verdict != "right"]
        source = random.Random(f"native speakers/{seed}/{code}")
        asked = f"Two answers to two prompts. Is each of them in {find_language(code).name}? Choose a tie below."
        pairs[code] = [
            Pair(number, "fidelity", code, asked, source.choice(right).output, "right", row.output, verdict)
            for number, (row, verdict) in enumerate(doubted[:rows] if right else [], start=1)
        ]
    return pairs


def pair_choices(folder: Path, rows: int, seed: int) -> Pairs:
    """Of each language at most `rows` sentences: the chosen translation beside the sound one with the least score."""
    import pyarrow.parquet as parquet

    pairs: Pairs = {}
    for path in sorted(folder.glob("*.parquet")):
        for row in parquet.read_table(path, columns=["language", "segments"]).to_pylist():
            pairs.setdefault(row["language"], []).extend(_pair_segments(row))
    if not pairs:
        raise BadInput(f"{folder}: no Parquet files. Name a config of XL-Instruct, such as xl-instruct/bestof3.")
    chosen: Pairs = {}
    for code, own in pairs.items():
        drawn = random.Random(f"native speakers/{seed}/{code}").sample(own, min(rows, len(own)))
        asked = f"Which translation into {find_language(code).name} is better?"
        chosen[code] = [
            Pair(number, "choices", code, f"{asked}\n\n{one.instruction}", *_list_sides(one))
            for number, one in enumerate(drawn, start=1)
        ]
    return chosen


def _pair_segments(row: Mapping[str, Any]) -> list[Pair]:
    found = []
    for segment in row["segments"]:
        sound = [one for one in segment["candidates"] if not one["refused"] and one["score"] is not None]
        worst = min(sound, key=lambda one: one["score"], default=None)
        if worst is not None and worst["text"] != segment["translation"]:
            sides = (worst["text"], "least score", segment["translation"], "chosen")
            found.append(Pair(None, "choices", row["language"], segment["text"], *sides))
    return found


def _list_sides(pair: Pair) -> tuple[str, str, str, str]:
    return pair.output_1, pair.generator_1, pair.output_2, pair.generator_2


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(TITLES))
    parser.add_argument(
        "source",
        type=Path,
        nargs="?",
        help="outputs for fidelity, a config of XL-Instruct for choices, rubrics beside the shipped ones",
    )
    parser.add_argument(
        "--languages", default="", help="ISO 639-3 codes with commas between (default: all but English)"
    )
    parser.add_argument("--rows", type=int, default=50, help="of each language (default: 50)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="the page, such as page.html")
    options = parser.parse_args(arguments)
    given = [code for code in options.languages.split(",") if code]
    codes = given or [one.code for one in list_all() if one.code != "eng"]
    if options.what in ("fidelity", "choices") and options.source is None:
        parser.error(f"{options.what} needs a source")
    if options.what == "templates":
        pairs = pair_templates(codes)
    elif options.what == "rubrics":
        pairs = pair_levels(codes) if options.source is None else pair_rubrics(options.source, codes)
    elif options.what == "fidelity":
        pairs = pair_verdicts(options.source, codes, options.rows, options.seed)
    else:
        chosen = pair_choices(options.source, options.rows, options.seed)
        pairs = {code: own for code, own in chosen.items() if not given or code in given}
    ids = sorted({pair.id for own in pairs.values() for pair in own if pair.id is not None})
    sheet = make_sheet([{code: own for code, own in pairs.items() if own}], known=0, seed=options.seed, ids=ids)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    key = write_page(options.out, sheet, TITLES[options.what])
    print(f"{options.out}: {len(sheet.items)} rows in {', '.join(sheet.languages)}. Keep {key}.")


if __name__ == "__main__":
    main()
