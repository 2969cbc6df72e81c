"""Audit a real small judge: `make real-audit`, in some twenty minutes on two busy cores.

    python scripts/real/audit.py --out build/real/audit

SmolLM2 (135 million parameters, over llama.cpp) judges planted defects in the demo's answers, in both orders; eight
answers are too few for marks. In German it was seen to favour the answer that is shown first. What is checked was
written before the first run in Portuguese: there too the interval of the position bias lies above 0; and the same
audit from its journal alone, without the server, gives the same card.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from run import JUDGES, LLAMA
from steps import Report, serve
from weights import SMOLLM2, fetch_gguf

# The language in which the judge was looked at before, and the one that the check is about.
SEEN, UNSEEN = "deu", "por"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/real/audit"))
    parser.add_argument("--cache", type=Path, default=Path("build/real/weights"), help="where weights are kept")
    options = parser.parse_args()
    out: Path = options.out
    shutil.rmtree(out, ignore_errors=True)
    report = Report(out / "report")
    report.run("demo", "demo", "--out", out / "demo")
    good, slips = (out / "demo" / "outputs" / name for name in ("demo-good", "demo-slips"))
    with serve(
        "llama.py", fetch_gguf(SMOLLM2, options.cache), "--name", "smollm2", port=LLAMA, log=out / "llama.log"
    ) as url:
        words = ["audit", JUDGES / "small_smollm2", good, "--reference", slips, "--model", f"smollm2@{url}"]
        words += [
            "--languages",
            ",".join((SEEN, UNSEEN)),
            "--method",
            "logprobs",
            "--slots",
            "2",
            "--out",
            out / "card",
        ]
        report.run("estimate", *words, "--estimate")
        report.run("audit", *words, "--json", accept=(0, 1))
    written = (out / "card" / "card.json").read_bytes()
    report.run("audit again, without the server", *words, "--json", accept=(0, 1))
    if (out / "card" / "card.json").read_bytes() != written:
        sys.exit("the same audit from its journal gave another card.")
    card = json.loads(written)
    asked = [one for one in card["defects"] if one["n"]]
    found = sum(one["detected"] * one["n"] for one in asked) / sum(one["n"] for one in asked)
    report.facts = {"found": found, "marked": card["marked"], "languages": card["languages"]}
    report.write()
    print(report.show(), f"\nfound {found:.0%} of the defects; marked: {card['marked']}", sep="\n")
    for one in card["languages"]:
        print(f"{one['language']}: position bias {one['position_bias']:+.1%} {one['mark']}")
    bias = next(one for one in card["languages"] if one["language"] == UNSEEN)
    if bias["low"] is None or bias["low"] <= 0:
        sys.exit(f"{UNSEEN}: the first place is not favoured, as it was in {SEEN}: look at the card.")


if __name__ == "__main__":
    main()
