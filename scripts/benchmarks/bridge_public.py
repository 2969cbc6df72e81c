"""Bridges on public data, with families of models left out: error beside no map, coverage, width.

    git clone --depth 1 https://github.com/shisa-ai/shaberi DATA/shaberi
    git clone --depth 1 https://github.com/tatsu-lab/alpaca_eval DATA/alpaca_eval
    git clone --depth 1 https://github.com/kook222/mt_bench_repro DATA/mt_bench_repro
    python scripts/benchmarks/bridge_public.py DATA

shaberi (Apache-2.0): absolute scores of Japanese answers; a model's row is won where its score is above the
reference's, with the model whose mean score is the median's (or the upper fifth's) as the reference. Only models
whose answers are the same under both judges count, and a row only where both answers are; a model whose name does
not tell its family is left out. alpaca_eval (data CC BY-NC 4.0): the win rates of its first leaderboards under
GPT-4 and Claude; the errors of the prompts are binomial, and how they go together is not known. mt_bench_repro
(Apache-2.0): six models, so that the bridge must be refused. Nothing of these data is written anywhere.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xl_suite.bridging.bridge import fit_bridge
from xl_suite.bridging.rates import Rate, measure_rate, to_logit
from xl_suite.errors import BadInput
from xl_suite.scoring.agreement import find_family

PAIRS = (
    ("gpt-4-turbo-preview", "llmjudge-athenev2"),
    ("gpt-4-turbo-preview", "llmjudge-llama33"),
    ("gpt-4-turbo-preview", "llmjudge-tulu405"),
    ("gpt-4.1-2025-04-14", "gpt-5.1-2025-11-13"),
)
REFERENCES = {"median": 0.5, "upper fifth": 0.8}
LEAST_ROWS = 300
# What the names on AlpacaEval's first leaderboards do not tell: from whose weights these were made.
BASES = {
    "Meta": ("Vicuna", "Guanaco", "WizardLM", "Nous Hermes", "Alpaca", "LLaMA"),
    "EleutherAI": ("Pythia",),
    "Jina AI": ("JinaChat",),
}
Scores = dict[tuple[str, str], tuple[float, str]]


def read_shaberi(folder: Path, judge: str, models: set[str] | None = None) -> dict[str, Scores]:
    """(score, hash of the answer) by model, and by benchmark and question."""
    found: dict[str, Scores] = {}
    for path in sorted((folder / "data" / "judgements" / f"judge_{judge}").glob("*/*.json")):
        if models is not None and path.stem not in models:
            continue
        for line in path.read_text(encoding="utf-8").split("\n"):
            if not line.strip():
                continue
            row = json.loads(line)
            try:
                score = float(row["score"])
            except (TypeError, ValueError):
                score = math.nan
            digest = hashlib.sha256(str(row["ModelAnswer"]).encode("utf-8", "replace")).hexdigest()
            found.setdefault(path.stem, {})[path.parent.name, str(row["Question"])] = score, digest
    return found


def pair_shaberi(old: dict[str, Scores], new: dict[str, Scores], at: float) -> tuple[list[Rate], str, int]:
    """(rates, reference, models without a family) of two judges; at: the reference's place among the models."""
    kept = [model for model in sorted(old) if model in new and count_same(old[model], new[model]) >= LEAST_ROWS]
    means = {model: float(np.nanmean([score for score, _ in old[model].values()])) for model in kept}
    reference = sorted(kept, key=lambda model: means[model])[int(at * (len(kept) - 1))]
    rates, unknown = [], 0
    for model in kept:
        family = find_family(model)
        if model == reference:
            continue
        if family is None:
            unknown += 1
            continue
        rows = [
            row
            for row in old[reference]
            if all(row in scores for scores in (new[reference], old[model], new[model]))
            and old[model][row][1] == new[model][row][1]
            and old[reference][row][1] == new[reference][row][1]
        ]
        wins = [
            np.array([0.5 + 0.5 * np.sign(judge[model][row][0] - judge[reference][row][0]) for row in rows])
            for judge in (old, new)
        ]
        weights = np.ones(len(rows))
        rate = measure_rate(wins[0], wins[1], weights, model=model, family=family, language="jpn")
        rates += [rate] if rate is not None else []
    return rates, reference, unknown


def count_same(one: Scores, other: Scores) -> int:
    return sum(row in other and digest == other[row][1] for row, (_, digest) in one.items())


def read_alpaca_eval(folder: Path) -> list[Rate]:
    tables = [
        {row["name"]: float(row["win_rate"]) for row in csv.DictReader(path.open(encoding="utf-8"))}
        for path in (
            folder / "docs" / "data_AlpacaEval" / f"{judge}_leaderboard.csv"
            for judge in ("alpaca_eval_gpt4", "claude")
        )
    ]
    rates = []
    for name, new in sorted(tables[1].items()):
        old = tables[0].get(name)
        base = next((base for base, starts in BASES.items() if name.startswith(starts)), find_family(name))
        if old is None or base is None or name == "Davinci003":  # the reference itself
            continue
        variances = [1 / (805 * rate / 100 * (1 - rate / 100)) for rate in (old, new)]
        rates.append(Rate(name, base, "eng", to_logit(old), to_logit(new), variances[0], variances[1], 0.0, 805))
    return rates


def read_mt_bench(folder: Path) -> Iterator[Rate]:
    """The six models against the first of them, under two judges, in both languages."""
    for language, code in (("en", "eng"), ("ko", "kor")):
        wins: dict[str, dict[str, dict[int, float]]] = {}
        for judge in ("gpt/judge_gpt4omini", "qwen/judge_32B"):
            for path in sorted((folder / "data" / language / "judgments" / judge / "pairwise").glob("*.jsonl")):
                names = path.stem.split("_vs_")
                reference = "Llama-3.1-8B-Instruct"
                if reference not in names:
                    continue
                model = names[1 - names.index(reference)]
                for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
                    row = json.loads(line)
                    share = {model: 1.0, reference: 0.0}.get(row["winner"], 0.5)
                    wins.setdefault(judge, {}).setdefault(model, {})[row["question_id"]] = share
        old, new = wins.values()
        for model in sorted(old):
            rows = sorted(set(old[model]) & set(new[model]))
            values = [np.array([judge[model][row] for row in rows]) for judge in (old, new)]
            rate = measure_rate(*values, np.ones(len(rows)), model=model, family=model, language=code)
            if rate is not None:
                yield rate


def report(name: str, rates: list[Rate], note: str = "") -> None:
    bridge = fit_bridge(rates)
    (worth,) = bridge.worth.values()
    errors = [(abs(one.mapped - one.new), abs(one.old - one.new)) for one in bridge.left_out]
    by_model = np.mean(errors, axis=0)
    inside = 100 * np.mean([one.low <= one.new <= one.high for one in bridge.left_out])
    assert worth.coverage is not None
    assert worth.coverage_error is not None
    print(
        f"| {name} | {worth.n_models} / {worth.n_families} | {bridge.map.describe()['slope']:.2f} "
        f"| {by_model[0]:.2f} / {by_model[1]:.2f} | {worth.error_map:.2f} / {worth.error_none:.2f} "
        f"| {worth.floor:.2f} | {inside:.1f} | {100 * worth.coverage:.1f} ± {100 * worth.coverage_error:.1f} "
        f"| {worth.width:.1f} "
        f"| {worth.difference:+.2f} ({worth.ci_low:+.2f}, {worth.ci_high:+.2f}) | {worth.verdict} "
        f"| {'yes' if worth.usable else 'no'} | {note}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the three clones")
    args = parser.parse_args()
    print(
        "| judges | models / families | slope | error, models alike: map / none | families alike: map / none | floor "
        "| cover %, models alike | families alike ± SE | width | mapped - measured (90 %) | verdict | usable | note"
    )
    print("| --- " * 13)
    for old, new in PAIRS:
        other = read_shaberi(args.data / "shaberi", new)
        one = read_shaberi(args.data / "shaberi", old, set(other))
        for place, at in REFERENCES.items():
            rates, reference, unknown = pair_shaberi(one, other, at)
            note = f"reference {reference}; {unknown} without a family"
            report(f"{old} → {new}, {place}", rates, note)
    report("alpaca_eval v1: gpt4 → claude", read_alpaca_eval(args.data / "alpaca_eval"), "aggregates")
    try:
        fit_bridge(list(read_mt_bench(args.data / "mt_bench_repro")))
    except BadInput as error:
        print(f"mt_bench_repro is refused: {error}")
        return 0
    print("missed: mt_bench_repro was not refused")
    return 1


if __name__ == "__main__":
    sys.exit(main())
