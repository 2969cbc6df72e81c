"""XL-Instruct into Portuguese over real passages, with real translators: numbers, and rows to read.

    python scripts/real/corpus.py FILE [FILE ...] --count 2000 --translators bergamot --show 30
    python scripts/real/corpus.py FILE --count 30 --teacher smollm2 --estimator lm --show 30

FILE is a JSON array with `instruction` and `output`, as AlpacaEval has outputs: the outputs are the passages. The
teacher `known` gives the instruction that an output answered (known_teacher.py); `smollm2` is a real model. The
translators are those of translators.py; `surface` scores, or Gemma's log-probability (`lm`). What was kept and left
out at each stage, the time of the whole run and each guard's refusals are printed, then the rows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from steps import Report, serve
from weights import CACHE, GEMMA, SMOLLM2, fetch_gguf, make_folder

TRANSLATOR_PORT, TEACHER_PORT = 18092, 18093
SHOWN = 1500  # characters of a response that are printed


def join(files: list[Path], target: Path) -> None:
    """One corpus of the outputs of all files."""
    rows = [{"text": row["output"]} for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def describe(options: argparse.Namespace, corpus: Path) -> dict[str, Any]:
    """The configuration of the run."""
    known = options.teacher == "known"
    estimator = f"lm:{make_folder(GEMMA, options.cache)}" if options.estimator == "lm" else "surface"
    return {
        "title": "XL-Instruct with real translators",
        "licence": "unknown",
        "languages": ["por"],
        "passages": {"source": str(corpus), "count": options.count},
        "teacher": {
            "model": f"{options.teacher}@http://127.0.0.1:{TEACHER_PORT}/v1",
            "max_tokens": 4096 if known else 768,
        },
        "translators": [
            {"model": f"{name}@http://127.0.0.1:{TRANSLATOR_PORT}/v1"} for name in options.translators.split(",")
        ],
        "estimation": {"model": estimator},
        "decontaminate": None,
    }


def count_refused(path: Path) -> dict[str, Counter[str]]:
    """The refusals in quarantine.jsonl, by stage and guard."""
    counts: dict[str, Counter[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        own = counts.setdefault(row["stage"], Counter())
        own.update({one["guard"] for one in row["refused"]} or {row["reason"]})
    return counts


def show_rows(folder: Path, count: int) -> None:
    """Prints rows from the best to the worst, evenly spaced, with what they were made of."""
    import pyarrow.parquet as pq

    best = list(folder.glob("bestof*/*.parquet")) or list(folder.glob("default/*.parquet"))
    rows = [row for path in sorted(best) for row in pq.read_table(path).to_pylist()]
    step = max(1, len(rows) // count)
    for number, row in enumerate(rows[::step][:count], 1):
        print(f"\n## {number}. row {row['id']}, {row['qe_score']:.4f}\n{row['instruction']}")
        print(f"--- English\n{row['source_response'][:SHOWN]}\n--- Portuguese\n{row['response'][:SHOWN]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path("build/real/corpus"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where weights are kept")
    parser.add_argument("--count", type=int, default=2000, help="passages to sample")
    parser.add_argument("--teacher", choices=("known", "smollm2"), default="known")
    parser.add_argument("--translators", default="bergamot,eng-spa+es-pt_BR,eng-cat+cat-por_BR")
    parser.add_argument("--estimator", choices=("surface", "lm"), default="surface")
    parser.add_argument("--show", type=int, default=30, help="rows to print")
    options = parser.parse_args()
    report = Report(options.out)
    corpus, config = options.out / "corpus.jsonl", options.out / "config.yaml"
    join(options.files, corpus)
    config.write_text(yaml.safe_dump(describe(options, corpus), sort_keys=False), encoding="utf-8")
    start = time.perf_counter()
    with ExitStack() as stack:
        log = options.out / "logs" / "teacher.log"
        if options.teacher == "known":
            stack.enter_context(serve("known_teacher.py", *options.files, port=TEACHER_PORT, log=log))
        else:
            weights = fetch_gguf(SMOLLM2, options.cache)
            stack.enter_context(serve("llama.py", weights, "--name", "smollm2", port=TEACHER_PORT, log=log))
        stack.enter_context(serve("translators.py", port=TRANSLATOR_PORT, log=log.with_name("translators.log")))
        words = ["generate", config, "--out", options.out / "data", "--slots", "64", "--json"]
        said = report.run("XL-Instruct", *words, accept=(0, 1))
    print(f"{time.perf_counter() - start:.0f} seconds")
    made = json.loads(said) if said.strip().startswith("{") else {}
    for stage in made.get("stages", ()):
        print(f"{stage['stage']}: {stage['rows']:,} rows; left out: {stage['left_out']}")
    print(f"calls: {made.get('calls')}")
    quarantine = options.out / "data" / "quarantine.jsonl"
    if quarantine.exists():
        for name, counts in count_refused(quarantine).items():
            print(f"refused, {name}: {', '.join(f'{guard} {count:,}' for guard, count in counts.most_common())}")
    if options.show and made:
        show_rows(options.out / "data", options.show)


if __name__ == "__main__":
    main()
