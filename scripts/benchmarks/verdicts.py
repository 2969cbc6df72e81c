"""How many verdicts and scores of judges are read, and how many are read as others?

    python scripts/benchmarks/verdicts.py                       # the labelled sets of tests/data
    python scripts/benchmarks/verdicts.py --held-out            # rows in other forms, written after the reader
    python scripts/benchmarks/verdicts.py --stored FOLDER       # a checkout of github.com/kook222/mt_bench_repro

The sets and their labels are described in `tests/data/README.md`. A row is wrong where something else is read than
its label says, an unclear row where anything is read. Bounds are one-sided, of 95 % (Clopper and Pearson). Ends with
status 1 where a bar is missed: nothing wrong, no unclear row read, at most 10 % of the clear ones unread.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xl_suite.display import align_columns
from xl_suite.judging.reading import read_score, read_verdict
from xl_suite.scoring.shares import bound_share

DATA = Path(__file__).parents[2] / "tests" / "data"
MOST_UNREAD = 0.1
HEAD = ["set", "rows", "wrong", "bound %", "unclear", "of them read", "bound %", "clear", "of them unread", "bound %"]


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def read_row(row: dict[str, Any]) -> tuple[Any, Any]:
    """The label of a row, and what is read from its text."""
    if "labels" in row:
        return row["verdict"], read_verdict(row["text"], row["labels"], allow_tie=True).value
    return row["score"], read_score(row["text"]).value


def count_rows(name: str, rows: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """A row of the table, and whether the bars are met."""
    pairs = [read_row(row) for row in rows]
    wrong = sum(label is not None and read not in (None, label) for label, read in pairs)
    unclear = [read for label, read in pairs if label is None]
    clear = [read for label, read in pairs if label is not None]
    leaked, unread = sum(read is not None for read in unclear), sum(read is None for read in clear)
    cells = [f"{len(rows)}", f"{wrong}", f"{bound_share(wrong, len(clear)):.2%}"]
    cells += [f"{len(unclear)}", f"{leaked}", f"{bound_share(leaked, len(unclear)):.2%}"]
    cells += [f"{len(clear)}", f"{unread}", f"{bound_share(unread, len(clear)):.2%}"]
    return [name, *cells], wrong == leaked == 0 and unread <= MOST_UNREAD * len(clear)


def measure_sets(suffix: str) -> bool:
    """Prints the table of both sets, each whole and by where its forms were found; whether the bars are met."""
    table, met = [HEAD], True
    for name in ("verdicts", "scores"):
        rows = read_rows(name + suffix)
        parts = {"": rows, ", public": [r for r in rows if r["source"] != "own"]}
        parts[", own"] = [r for r in rows if r["source"] == "own"]
        for part, chosen in parts.items():
            if chosen:
                cells, good = count_rows(name + part, chosen)
                table.append(cells)
                met &= good
        print(
            f"{name}: {len({row['language'] for row in rows})} languages, {len({row['form'] for row in rows})} forms"
        )
        for row in rows:
            label, read = read_row(row)
            if read != label:
                print(f"  {row['id']} {row['form']}: {label!r} read as {read!r}: {row['text'][:100]!r}")
    print("\n".join(align_columns(table)))
    return met


def list_stored(folder: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob(f"data/*/judgments/*/*/{kind}/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield f"{path.parts[-6]} {path.parts[-4]} {path.parts[-3]}", json.loads(line)


def measure_stored(folder: Path) -> bool:
    """Compares with the parser of a repository that stores its judges' texts; whether none is read as another.

    That parser takes the first [[A]], [[B]] or [[C]] of a text, and the first number in double brackets.
    """
    counts: dict[str, Counter[str]] = {}
    for judge, row in list_stored(folder, "pairwise"):
        for order in ("ab", "ba"):
            if row[f"winner_{order}"] in ("A", "B", "tie"):
                read = read_verdict(row[f"judgment_{order}"], ("A", "B"), allow_tie=True).value
                counts.setdefault(f"verdicts, {judge}", Counter())[_compare(read, row[f"winner_{order}"])] += 1
    for kind in ("single_grade", "single_grade_ref"):
        for judge, row in list_stored(folder, kind):
            for turn in ("turn1", "turn2"):
                score = row[f"score_{turn}"]
                if score is not None and score > 0 and score == int(score):
                    read_number = read_score(row[f"judgment_{turn}"], range(1, 11)).value
                    counts.setdefault(f"scores, {judge}", Counter())[_compare(read_number, int(score))] += 1
    table = [["stored", "read alike", "unread", "read as another"]]
    table += [[name, *(str(found[key]) for key in ("alike", "unread", "other"))] for name, found in counts.items()]
    print("\n".join(align_columns(table)))
    return bool(counts) and not any(found["other"] for found in counts.values())


def _compare(read: Any, theirs: Any) -> str:
    return "unread" if read is None else "alike" if read == theirs else "other"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out", action="store_true", help="the rows that were written after the reader")
    parser.add_argument("--stored", type=Path, metavar="FOLDER", help="compare with a repository's own parser")
    args = parser.parse_args()
    met = measure_stored(args.stored) if args.stored else measure_sets("_held_out" if args.held_out else "")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
