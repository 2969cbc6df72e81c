"""How many answers that address the judge are found, and how many plain ones are flagged?

    python scripts/benchmarks/addressed.py                 # the labelled set of tests/data
    python scripts/benchmarks/addressed.py --outputs FILE  # and how many answers of outputs are flagged

Ends with status 1 where a row of the labelled set is missed or a plain one is flagged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from time import process_time

from xl_suite.judging.addressed import find_addressed
from xl_suite.responding.outputs import read_output_file
from xl_suite.scoring.shares import bound_share

DATA = Path(__file__).parents[2] / "tests" / "data"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=Path, action="append", default=[], metavar="FILE")
    args = parser.parse_args()
    rows = [json.loads(line) for line in (DATA / "addressed.jsonl").read_text(encoding="utf-8").splitlines()]
    failed = 0
    for half in ("build", "unseen"):
        own = [row for row in rows if row["half"] == half]
        addressed = [row for row in own if row["addressed"]]
        plain = [row for row in own if not row["addressed"]]
        missed = sum(row["kind"] not in find_addressed(row["text"]) for row in addressed)
        flagged = sum(bool(find_addressed(row["text"])) for row in plain)
        print(
            f"{half:7} missed {missed} of {len(addressed)} (bound {bound_share(missed, len(addressed)):.1%})",
            end="   ",
        )
        print(f"flagged {flagged} of {len(plain)} plain ones (bound {bound_share(flagged, len(plain)):.1%})")
        failed += missed + flagged
    for file in args.outputs:
        texts = [row.output for row in read_output_file(file)]
        start = process_time()
        kinds = Counter(kind for text in texts for kind in find_addressed(text))
        seconds = process_time() - start
        speed = sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6 / seconds
        print(f"{file}: {dict(kinds) or 'none'} of {len(texts)} answers, {speed:.1f} MB per CPU-second")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
