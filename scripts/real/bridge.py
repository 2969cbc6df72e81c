"""Plan, collect and archive a bridge between two real small judges: `make real-bridge`.

    python scripts/real/bridge.py --out build/real/bridge

SmolLM2 answers ten prompts of the demo at three temperatures; SmolLM2 judges the answers as the old judge and Gemma
as the new one, both over llama.cpp. Three models of one family are too few for a map: `fit` must refuse.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from run import GEMMA_PORT, JUDGES, LLAMA
from steps import Report, serve
from weights import GEMMA, SMOLLM2, fetch_gguf

TEMPERATURES = {"cold": "0", "warm": "0.7", "hot": "1.2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/real/bridge"))
    parser.add_argument("--cache", type=Path, default=Path("build/real/weights"), help="where weights are kept")
    options = parser.parse_args()
    out: Path = options.out
    shutil.rmtree(out, ignore_errors=True)
    report = Report(out / "report")
    report.run("demo", "demo", "--out", out / "demo")
    smol, gemma = fetch_gguf(SMOLLM2, options.cache), fetch_gguf(GEMMA, options.cache)
    first = serve("llama.py", smol, "--name", "smollm2", port=LLAMA, log=out / "smollm2.log")
    second = serve("llama.py", gemma, "--name", "gemma", "--plain", port=GEMMA_PORT, log=out / "gemma.log")
    with first as one, second as two:
        for name, temperature in [*TEMPERATURES.items(), ("reference", "0.7")]:
            words = ["respond", out / "demo" / "benchmark", "--model", f"smollm2@{one}", "--name", name]
            words += ["--languages", "deu", "--limit", "10", "--max-tokens", "32", "--temperature", temperature]
            words += ["--seed", "2" if name == "reference" else "1", "--slots", "2"]
            report.run(f"answers, {name}", *words, "--out", out / "outputs", "--same-model")
        models = [out / "outputs" / name for name in TEMPERATURES]
        families = out / "families.tsv"
        families.write_text("".join(f"{name}\tSmolLM2\n" for name in TEMPERATURES), encoding="utf-8")
        old, new = JUDGES / "small_smollm2", JUDGES / "small_gemma"
        words = ["bridge", "plan", *models, "--reference", out / "outputs" / "reference", "--annotator", old]
        words += ["--families", families]
        report.run("plan", *words, "--model", f"smollm2@{one}", "--out", out / "bridge")
        words = ["bridge", "collect", out / "bridge", "--slots", "2", "--method", "logprobs", "--annotator"]
        report.run("collect, old judge", *words, old, "--model", f"smollm2@{one}", accept=(0, 1))
        report.run(
            "archive", "bridge", "archive", out / "bridge", "--allow-gaps", "--out", out / "archive", accept=(0, 1)
        )
        words = ["bridge", "collect", out / "archive", "--slots", "2", "--method", "logprobs", "--annotator"]
        report.run("collect, new judge", *words, new, "--model", f"gemma@{two}", accept=(0, 1))
    report.run("fit refuses", "bridge", "fit", out / "archive", "--out", out / "map", accept=(1, 2))
    said = (report.folder / "logs" / f"{len(report.steps) - 1:02d}.log").read_text(encoding="utf-8")
    print(report.show(), f"\nfit: {said.strip()}", sep="\n")
    if (out / "map").exists():
        sys.exit("fit wrote a map from three models of one family.")


if __name__ == "__main__":
    main()
