"""Speed of quality estimation: pairs, tokens and FLOP a second, against others on the same random weights.

    python scripts/benchmarks/qe.py    # one CPU thread
    python scripts/benchmarks/qe.py --kind XLM-RoBERTa --layers 12 --hidden 768 --pairs 400
    python scripts/benchmarks/qe.py --outputs ../shared/data/alpaca_eval/results/gpt4_1106_preview/model_outputs.json
    python scripts/benchmarks/qe.py --device cuda --dtype bf16 --kind XLM-RoBERTa-XL --layers 36 --hidden 2560 \\
        --pairs 60000 --baseline-pairs 2000

Needs torch, transformers and tokenizers; no network, no checkpoint: weights, tokenizer and pairs are made on the
spot. `plain` is what one would write with transformers: batches of 16 sorted by the source's characters, padded,
all hidden states kept and mixed. On the CPU time is that of the process, on a GPU that of the clock.
unbabel-comet, where it is installed (`make test-comet` builds its environment), scores the same checkpoint. With
--outputs, sources have the lengths and the repetitions of the segments of real outputs (an AlpacaEval array), drawn
as whole outputs, a candidate standing wherever its source does; their words are made up as the others are.

The last lines say what the processor's own product of matrices reaches, which bounds any scorer in that precision.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from qe_baselines import Pairs, encode, plain, unbabel_comet
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from xl_instruct.qe.affine import make_affine
from xl_instruct.qe.cometkiwi import PRECISIONS, CometKiwi
from xl_instruct.qe.network import Network
from xl_instruct.qe.settling import TieBreak
from xl_instruct.qe.shape import Shape
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.segments import segment as segment_text

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def main() -> None:
    options = parse_options()
    if options.device == "cpu":
        torch.set_num_threads(1)
    shape = make_shape(options)
    tokenizer, words = make_tokenizer(options.vocabulary)
    if options.outputs:
        pairs = make_pairs_of_outputs(words, options.pairs, options.outputs)
    else:
        pairs = make_pairs(words, options.pairs, options.repeated, options.runaway, loose=options.loose)
    device, dtype = torch.device(options.device), getattr(torch, PRECISIONS[options.dtype])
    state = make_state(shape, device, dtype if device.type == "cuda" else torch.float32)
    counts = [len(ids) for ids in encode(tokenizer, pairs)]
    parameters = sum(value.numel() for value in state.values())
    print(
        f"{options.kind}, {shape.layers} layers, hidden {shape.hidden}, {parameters / 1e6:.0f} M parameters, on "
        f"{torch.cuda.get_device_name() if device.type == 'cuda' else 'one CPU thread'}, torch {torch.__version__}.\n"
        f"{len(pairs)} pairs ({len(set(pairs))} different), {sum(counts) / len(counts):.1f} tokens each "
        f"(longest {max(counts)}).\n"
    )
    bench = Bench(device, shape, tokenizer, pairs, options.rounds)

    def load(precision: str, fuse: bool = False, settle: bool = False) -> CometKiwi:
        network = Network(shape, state, device, getattr(torch, PRECISIONS[precision]), fuse=fuse)
        return CometKiwi(
            network,
            tokenizer,
            name="bench",
            batch_tokens=options.batch_tokens,
            make_precise=(lambda: load("fp32")) if settle else None,
        )

    def ours(precision: str, fuse: bool = False) -> Callable[[Pairs], list[float]]:
        scorer = load(precision, fuse)
        return lambda some: scorer([source for source, _ in some], [translation for _, translation in some])

    def settled(precision: str) -> Callable[[Pairs], list[float]]:
        """Best of three as the pipeline scores it: close contests again in fp32."""
        scorer = load(precision, settle=True)
        settle = TieBreak(scorer, None)

        def score(some: Pairs) -> list[float]:
            values = scorer([source for source, _ in some], [translation for _, translation in some])
            candidates = [{"text": text, "score": value} for (_, text), value in zip(some, values, strict=True)]
            contests = [(some[at][0], candidates[at : at + 3]) for at in range(0, len(some), 3)]
            settle(contests, "")
            return [one["score"] for one in candidates]

        return score

    few = pairs[: options.baseline_pairs]
    expected = bench.row("plain, fp32, batches of 16", plain(shape, options, state, tokenizer, torch.float32), few)
    if options.dtype != "fp32":
        bench.row(f"plain, {options.dtype}, batches of 16", plain(shape, options, state, tokenizer, dtype), few)
    if device.type == "cpu" and (comet := unbabel_comet(shape, options, state, tokenizer)):
        for size in (16, 64):
            bench.row(f"unbabel-comet, batches of {size}", comet(size), few)
    if device.type == "cpu" or options.fp32:
        bench.row("cometkiwi, fp32", ours("fp32"), pairs)
    if options.dtype != "fp32":
        bench.row(f"cometkiwi, {options.dtype}", ours(options.dtype), pairs)
        bench.row(f"cometkiwi, {options.dtype}, close contests in fp32", settled(options.dtype), pairs)
        if options.fuse:
            bench.row(f"cometkiwi, {options.dtype}, fused", ours(options.dtype, fuse=True), pairs)
    bench.print(expected)
    if device.type == "cpu":
        for precision in dict.fromkeys(["fp32", options.dtype]):
            print(
                f"{precision}: the product of matrices alone reaches {measure_product(shape, precision):.3f} TFLOP/s."
            )


class Bench:
    """Times scorers on pairs, the best of `rounds` each, and prints the table."""

    def __init__(self, device: torch.device, shape: Shape, tokenizer: Tokenizer, pairs: Pairs, rounds: int):
        self.device, self.tokenizer, self.pairs, self.rounds, self.rows = device, tokenizer, pairs, rounds, []
        # Matrix products of the whole network, and attention's two; two FLOP each.
        self.per_token = 2 * shape.layers * (4 * shape.hidden**2 + 2 * shape.hidden * shape.intermediate)
        self.per_square = 4 * shape.layers * shape.hidden

    def row(self, label: str, score: Callable[[Pairs], list[float]], pairs: Pairs) -> list[float]:
        score(pairs[: max(64, len(pairs) // 8)])  # warms caches, kernels and compilers up
        on_gpu = self.device.type == "cuda"
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        clock = time.perf_counter if on_gpu else time.process_time
        seconds = float("inf")
        for _ in range(self.rounds):
            start = clock()
            values = score(pairs)
            seconds = min(seconds, clock() - start)
        lengths = [len(ids) for ids in encode(self.tokenizer, pairs)]
        flop = sum(self.per_token * n + self.per_square * n * n for n in lengths)
        peak = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None
        self.rows.append((label, len(pairs), seconds, sum(lengths), flop, peak, values))
        print(f"  {label}: {len(pairs) / seconds:.1f} pairs/s", file=sys.stderr, flush=True)
        return values

    def print(self, expected: list[float]) -> None:
        unit = "s" if self.device.type == "cuda" else "CPU s"
        first = self.rows[0][1] / self.rows[0][2]
        print(
            f"| scorer | pairs | pairs/{unit} | times | tokens/{unit} | TFLOP/{unit} | peak GiB "
            "| widest difference | same winners |"
        )
        print("| --- " * 9 + "|")
        for label, count, seconds, tokens, flop, peak, values in self.rows:
            apart = max(abs(a - b) for a, b in zip(expected, values, strict=False))
            both = min(len(expected), len(values))
            wins = [find_winners(some[:both], self.pairs) for some in (expected, values)]
            same = sum(a == b for a, b in zip(*wins, strict=True)) / len(wins[0])
            memory = "–" if peak is None else f"{peak:.1f}"
            print(
                f"| {label} | {count} | {count / seconds:.1f} | {count / seconds / first:.2f} "
                f"| {tokens / seconds:.0f} | {flop / seconds / 1e12:.3f} | {memory} "
                f"| {apart:.1e} | {100 * same:.2f} % |"
            )
        print("\nWinners are those of best of three. TFLOP count every layer at the pairs' own lengths, also where a")
        print("scorer did less or padded more.")


def find_winners(values: list[float], pairs: Pairs) -> list[str]:
    """The best of each source's three translations."""
    return [
        max(zip(values[at : at + 3], (text for _, text in pairs[at : at + 3]), strict=True))[1]
        for at in range(0, len(values) - 2, 3)
    ]


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["XLM-RoBERTa", "XLM-RoBERTa-XL"], default="XLM-RoBERTa")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--heads", type=int, help="hidden / 64, and 32 for 2560 as XLM-R-XL has it")
    parser.add_argument("--vocabulary", type=int, help="250002 on a GPU and 20000 on a CPU")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--baseline-pairs", type=int, help="how many of them the others score; all of them")
    parser.add_argument("--repeated", type=float, default=0.0, help="share of sources that occurred before")
    parser.add_argument("--runaway", type=float, default=0.0, help="share of translations that do not stop")
    parser.add_argument(
        "--loose", action="store_true", help="lengths of translations that do not follow the source's"
    )
    parser.add_argument("--outputs", metavar="FILE", help="draw lengths and repetitions from real outputs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=list(PRECISIONS), default="fp32")
    parser.add_argument("--rounds", type=int, default=3, help="each scorer's best counts; default 3")
    parser.add_argument("--batch-tokens", type=int)
    parser.add_argument("--fuse", action="store_true", help="also with compiled sums and norms (GPU)")
    parser.add_argument("--fp32", action="store_true", help="also ours in fp32 on the GPU")
    options = parser.parse_args()
    options.heads = options.heads or (32 if options.hidden == 2560 else max(1, options.hidden // 64))
    options.vocabulary = options.vocabulary or (250002 if options.device != "cpu" else 20000)
    options.baseline_pairs = options.baseline_pairs or options.pairs
    return options


def make_shape(options: argparse.Namespace) -> Shape:
    return Shape(
        layers=options.layers,
        hidden=options.hidden,
        heads=options.heads,
        intermediate=4 * options.hidden,
        vocabulary=options.vocabulary,
        positions=514,
        types=1,
        pad=1,
        norm_epsilon=1e-5,
        encoder_activation="gelu",
        pre_norm=options.kind.endswith("XL"),
        mix="softmax",  # every layer counts: no gain from layers without weight
        layer=-1,
        mix_norm=False,
        head=(3072, 1024),
        activation="Tanh",
        final_activation=None,
    )


def make_state(shape: Shape, device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    draw = torch.Generator(device).manual_seed(1)
    state = {}
    for name, size in shape.parameters().items():
        value = torch.randn(size, generator=draw, device=device, dtype=dtype)
        if len(size) == 2:
            value *= 0.05 if "embeddings" in name else size[1] ** -0.5
        else:
            value = value * 0.02 + (1.0 if "Norm.weight" in name or "norm.weight" in name or "gamma" in name else 0.0)
        state[name] = value
    return state


def make_tokenizer(size: int) -> tuple[Tokenizer, list[str]]:
    """A Unigram tokenizer with a vocabulary of XLM-R's kind, and words that it splits into one to three pieces."""
    draw = random.Random(4)
    consonants, vowels = "bcdfghjklmnpqrstvwxyz", "aeiouäöüáéíóú"
    pieces: dict[str, float] = dict.fromkeys(SPECIAL, 0.0)
    for letter in "▁" + consonants + vowels:
        pieces[letter] = -12.0
    while len(pieces) < size:
        syllables = "".join(draw.choice(consonants) + draw.choice(vowels) for _ in range(draw.randint(1, 4)))
        pieces.setdefault("▁" + syllables if draw.random() < 0.7 else syllables, -7.0 - 4 * draw.random())
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(SPECIAL)
    words = [piece[1:] for piece in pieces if piece.startswith("▁") and len(piece) > 2]
    return tokenizer, draw.sample(words, min(5000, len(words)))


def make_pairs(
    words: list[str], count: int, repeated: float = 0.0, runaway: float = 0.0, *, loose: bool = False
) -> Pairs:
    """Three candidates for each source, of lengths like those of sentences (log-normal, about 18 words).

    repeated: share of sources that occurred before, with their candidates. loose: 1 to 12 words, and of a candidate 1
    to 14 whatever its source has, as in tests/comet.
    """
    draw = random.Random(9)
    made: list[Pairs] = []
    while 3 * len(made) < count:
        length = draw.randint(1, 12) if loose else min(120, max(2, round(draw.lognormvariate(2.9, 0.55))))
        source = " ".join(draw.choices(words, k=length))
        new = []
        for _ in range(3):
            target = draw.randint(1, 14) if loose else max(1, round(length * draw.uniform(0.8, 1.3)))
            target = 400 if draw.random() < runaway else target
            new.append((source, " ".join(draw.choices(words, k=target))))
        made.append(draw.choice(made) if made and draw.random() < repeated else new)
    return [pair for three in made for pair in three][:count]


def make_pairs_of_outputs(words: list[str], count: int, path: str) -> Pairs:
    """Three candidates for each segment of outputs drawn at random, equal ones for equal segments."""
    draw = random.Random(9)
    outputs = [row["output"] for row in json.loads(Path(path).read_text("utf-8"))]
    draw.shuffle(outputs)
    made: Pairs = []
    for output in outputs:
        for segment in segment_text(output):
            if segment.kind in TRANSLATABLE:
                own = random.Random(segment.text)
                source = " ".join(words[zlib.crc32(word.encode()) % len(words)] for word in segment.text.split())
                length = len(source.split())
                for _ in range(3):
                    target = max(1, round(length * own.uniform(0.8, 1.3)))
                    made.append((source, " ".join(own.choices(words, k=target))))
        if len(made) >= count:
            break
    return made[:count]


def measure_product(shape: Shape, precision: str) -> float:
    """TFLOP/s of the wider of a layer's products, 1,024 tokens at once, weights packed; the best of many."""
    dtype = getattr(torch, PRECISIONS[precision])
    x = torch.randn(1024, shape.hidden).to(dtype)
    apply = make_affine(
        [(torch.randn(shape.intermediate, shape.hidden).to(dtype), torch.zeros(shape.intermediate).to(dtype))]
    )
    best = float("inf")
    with torch.inference_mode():
        for _ in range(50):
            start = time.perf_counter()
            apply(x)
            best = min(best, time.perf_counter() - start)
    return 2 * 1024 * shape.hidden * shape.intermediate / best / 1e12


if __name__ == "__main__":
    main()
