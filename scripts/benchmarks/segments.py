"""Speed of segmentation, guards, `surface` and decontamination on real English answers.

    python scripts/benchmarks/segments.py ../shared/data/alpaca_eval

Prints one JSON object: megabytes a second of processor time, pairs a second, and the overlaps found.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from xl_instruct.corpus.decontamination import Decontaminator
from xl_instruct.qe import load_estimator
from xl_instruct.segments import segment
from xl_suite.translation.guards import check_translations

GENERATOR = "results/gpt4_1106_preview/model_outputs.json"


def measure(work: Callable[[], object]) -> float:
    """Processor seconds, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with alpaca_eval.json and results/")
    data: Path = parser.parse_args().data
    answers = [row["output"] for row in json.loads((data / GENERATOR).read_text(encoding="utf-8"))]
    prompts = [row["instruction"] for row in json.loads((data / "alpaca_eval.json").read_text(encoding="utf-8"))]
    size = sum(len(text.encode()) for text in answers) / 1e6
    parts = [part for text in answers for part in segment(text) if part.translatable][:5000]
    sources, protected = [part.text for part in parts], [part.protected for part in parts]
    search = Decontaminator(enumerate(prompts, start=1))
    surface = load_estimator("surface")
    result = {
        "megabytes": round(size, 2),
        "segment_mb_per_s": round(size / measure(lambda: [segment(text) for text in answers]), 2),
        "guards_pairs_per_s": round(
            len(parts) / measure(lambda: check_translations(sources, sources, "deu", protected))
        ),
        "surface_pairs_per_s": round(len(parts) / measure(lambda: surface(sources, sources, "deu"))),
        "decontamination_mb_per_s": round(size / measure(lambda: [search.find(text) for text in answers]), 2),
        "overlaps": sum(search.find(text) is not None for text in answers),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
