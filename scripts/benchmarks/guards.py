"""CPU-milliseconds per pair of each guard on translations, over the candidates of a finished run: all are distinct.

    python scripts/benchmarks/pipeline.py --calls 20000 --keep DIR
    python scripts/benchmarks/guards.py DIR/out [--pairs 6000]

A row's candidates of one translator are looked at together, as the pipeline does. Each guard's time is that of the
function that `xl_suite.translation.guards` calls; what is left is its own. CPU time of this process, best of three.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from xl_suite.translation import guards

GUARDS = {
    "wrong_language": "judge_answers",
    "lost_number": "compare_numbers",
    "copied": "is_copied",
    "copied (headings)": "has_english_heading",
    "preamble": "has_preamble",
    "answer": "is_answer",
    "repetition": "is_repetitive",
    "length": "fits_length",
    "lost_span": "measure_spans",
}

Group = tuple[str, list[str], list[str], list[list[str]]]


def read_groups(folder: Path, pairs: int) -> list[Group]:
    """(language, sources, translations, protected spans) of a row and translator each."""
    groups: list[Group] = []
    files = sorted((folder / ".stages").glob("translated*-???-*.jsonl"))
    each = pairs // max(1, len(files))
    for file in files:
        count = 0
        for group in _read_file(file):
            if count >= each:
                break
            groups.append(group)
            count += len(group[1])
    return groups


def _read_file(file: Path) -> Iterator[Group]:
    language = file.name.split("-")[1]
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            segments = [part for part in row.get("segments", ()) if "candidates" in part]
            for number in range(min((len(part["candidates"]) for part in segments), default=0)):
                yield (
                    language,
                    [part["text"] for part in segments],
                    [part["candidates"][number]["text"] for part in segments],
                    [part["protected"] for part in segments],
                )


def measure(groups: list[Group], names: dict[str, str]) -> tuple[float, Counter[str]]:
    """(seconds of all, seconds by guard)."""
    spent: Counter[str] = Counter()
    originals = {function: getattr(guards, function) for function in names.values()}

    def wrap(title: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = time.process_time_ns()
            try:
                return function(*arguments)
            finally:
                spent[title] += time.process_time_ns() - start

        return timed

    for title, function in names.items():
        setattr(guards, function, wrap(title, originals[function]))
    try:
        start = time.process_time()
        for language, sources, translations, protected in groups:
            guards.inspect_translations(sources, translations, language, protected)
        return time.process_time() - start, Counter({title: value / 1e9 for title, value in spent.items()})
    finally:
        for function, original in originals.items():
            setattr(guards, function, original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=6000)
    options = parser.parse_args()
    groups = read_groups(options.folder, options.pairs)
    count = sum(len(group[1]) for group in groups)
    if not count:
        parser.error(f"{options.folder}: no finished translations there.")
    measure(groups[:20], {})
    whole = min(measure(groups, {})[0] for _ in range(3))
    parts = [measure(groups, GUARDS)[1] for _ in range(3)]
    best = {title: min(part[title] for part in parts) for title in GUARDS}
    print(f"{count:,} pairs, {whole / count * 1000:.3f} ms a pair ({count / whole:,.0f} pairs a CPU-second)")
    for title, seconds in sorted(best.items(), key=lambda item: -item[1]):
        print(f"| {title} | {seconds / count * 1000:.3f} |")


if __name__ == "__main__":
    main()
