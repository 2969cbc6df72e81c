"""Audit a real small judge: `make real-audit`, in some ten minutes on two busy cores.

    python scripts/real/audit.py --out build/real/audit

SmolLM2 (135 million parameters, over llama.cpp) judges planted defects in the demo's German answers, in both orders.
It favours the answer that is shown first, which its card must show; eight answers are too few for marks.
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
        words += ["--languages", "deu", "--method", "logprobs", "--slots", "2", "--out", out / "card"]
        report.run("estimate", *words, "--estimate")
        report.run("audit", *words, "--json", accept=(0, 1))
        report.run("audit again, from the journal", *words, "--json", accept=(0, 1))
    card = json.loads((out / "card" / "card.json").read_text(encoding="utf-8"))
    asked = [one for one in card["defects"] if one["n"]]
    found = sum(one["detected"] * one["n"] for one in asked) / sum(one["n"] for one in asked)
    report.facts = {"found": found, "marked": card["marked"], "languages": card["languages"]}
    report.write()
    print(report.show(), f"\nfound {found:.0%} of the defects; marked: {card['marked']}", sep="\n")
    for one in card["languages"]:
        print(f"{one['language']}: position bias {one['position_bias']:+.1%} {one['mark']}")
    if any(one["low"] is None or one["low"] <= 0 for one in card["languages"]):
        sys.exit("the first place is not favoured, as this judge did where it was measured: look at the card.")


if __name__ == "__main__":
    main()
