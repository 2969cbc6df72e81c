"""Wrong sentence boundaries of a splitter on the gold set, per half and language.

    python scripts/benchmarks/sentences.py --public DIR [--splitter sentencex] [--list]

DIR holds what the public half points to and the repository does not copy: `udhr/<language>.txt`, and the treebanks of
Universal Dependencies as `UD_<name>/<file>.conllu`, each at the commit that the row names. A row whose file is absent
is counted, not measured. Prints a Markdown table; ends with status 1 where a half has more than 2 % wrong boundaries:
false and missed ones, over those that are right or false.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from xl_instruct.splitters import Splitter, load_splitter
from xl_suite.scoring.shares import bound_share

GOLD = Path(__file__).resolve().parents[2] / "tests" / "data" / "sentences.jsonl"
BAR = 0.02


@dataclass(frozen=True, slots=True)
class Gold:
    """A text as its right sentences, which join back to it. half: `own` or `public`."""

    id: str
    language: str
    half: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.sentences)


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one text: right boundaries within it, boundaries that are none, and boundaries that were not found."""

    boundaries: int
    false: tuple[int, ...]
    missed: tuple[int, ...]


def read_gold(folders: Sequence[Path], path: Path = GOLD) -> tuple[list[Gold], list[str]]:
    """The rows of the gold set, and the ids of those whose text is in none of the folders.

    Raises ValueError where a text is not the one that the row was made from.
    """
    found, absent = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["half"] == "own":
            sentences = tuple(row["sentences"])
        else:
            file = next((folder / row["file"] for folder in folders if (folder / row["file"]).is_file()), None)
            if file is None:
                absent.append(row["id"])
                continue
            sentences = _read_public(row, file)
            if hashlib.sha256("".join(sentences).encode()).hexdigest() != row["sha256"]:
                raise ValueError(f"{file} does not hold the text of {row['id']}: another version than the row names.")
        found.append(Gold(row["id"], row["language"], row["half"], sentences))
    return found, absent


def _read_public(row: dict[str, Any], file: Path) -> tuple[str, ...]:
    if "ends" in row:
        line = file.read_text(encoding="utf-8").split("\n")[row["line"] - 1].strip()
        return tuple(line[start:end] for start, end in zip([0, *row["ends"]], row["ends"], strict=False))
    texts = _read_treebank(file)
    space = "" if row["language"] == "zho" else " "
    *first, last = (texts.get(number, "") for number in row["sentence_ids"])
    return (*(text + space for text in first), last)


@cache
def _read_treebank(file: Path) -> dict[str, str]:
    """The text of each sentence of a CoNLL-U file by its `sent_id`."""
    texts, number, text = {}, "", ""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.partition("=")
            if key == "# sent_id ":
                number = value.strip()
            elif key == "# text ":
                text = value.strip()
            elif not line.strip() and number:
                texts[number] = text
                number = text = ""
    return texts


def find_errors(row: Gold, split: Splitter) -> Errors:
    """The wrong boundaries as offsets into the text; whitespace at a boundary counts for neither side."""
    right, made = (_find_boundaries(pieces, row.text) for pieces in (row.sentences, split(row.text, row.language)))
    return Errors(len(right), tuple(sorted(made - right)), tuple(sorted(right - made)))


def _find_boundaries(pieces: Iterable[str], text: str) -> set[int]:
    ends = (len(text[:end].rstrip()) for end in accumulate(map(len, pieces)))
    return {end for end in ends if 0 < end < len(text.rstrip())}


def list_errors(row: Gold, errors: Errors) -> Iterator[str]:
    for name, offsets in (("false", errors.false), ("missed", errors.missed)):
        for at in offsets:
            yield f"{row.id} {name}: {row.text[max(0, at - 40) : at]!r} | {row.text[at : at + 30]!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, action="append", default=[], metavar="DIR", help="may be repeated")
    parser.add_argument("--gold", type=Path, default=GOLD, help="another gold set of the same form")
    parser.add_argument("--splitter", default="sentencex")
    parser.add_argument("--list", action="store_true", help="print each wrong boundary")
    args = parser.parse_args()
    split = load_splitter(args.splitter)
    rows, absent = read_gold(args.public, args.gold)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        errors = find_errors(row, split)
        for language in (row.language, "all"):
            count = counts.setdefault((row.half, language), Counter())
            count.update(
                texts=1, boundaries=errors.boundaries, false=len(errors.false), missed=len(errors.missed)
            )  # fmt: skip
        if args.list:
            print(*list_errors(row, errors), sep="\n", end="\n" if errors.false or errors.missed else "")
    print("| half | language | texts | boundaries | false | missed | wrong, % | upper bound, % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    missed_bar = False
    for (half, language), count in sorted(counts.items()):
        wrong, of = count["false"] + count["missed"], count["boundaries"] + count["false"]
        missed_bar |= language == "all" and wrong > BAR * of
        cells = [half, language, count["texts"], count["boundaries"], count["false"], count["missed"]]
        print(f"| {' | '.join(map(str, cells))} | {100 * wrong / of:.1f} | {100 * bound_share(wrong, of):.1f} |")
    if absent:
        print(f"{len(absent)} rows of the public half are not measured: their files are absent.", file=sys.stderr)
    return int(missed_bar)


if __name__ == "__main__":
    sys.exit(main())
