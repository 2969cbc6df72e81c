"""Speed of quality estimation: pairs, tokens and FLOP a second, against others on the same random weights.

    python scripts/benchmarks/qe.py    # one CPU thread
    python scripts/benchmarks/qe.py --kind XLM-RoBERTa --layers 12 --hidden 768 --pairs 400
    python scripts/benchmarks/qe.py --device cuda --dtype bf16 --kind XLM-RoBERTa-XL --layers 36 --hidden 2560 \\
        --pairs 60000 --baseline-pairs 2000

Needs torch, transformers and tokenizers; no network, no checkpoint: weights, tokenizer and pairs are made on the
spot. `plain` is what one would write with transformers: batches of 16 sorted by the source's characters, padded,
all hidden states kept and mixed. On the CPU time is that of the process, on a GPU that of the clock.
unbabel-comet, where it is installed (`make test-comet` builds its environment), scores the same checkpoint.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaXLConfig, XLMRobertaXLModel

from xl_instruct.qe.cometkiwi import PRECISIONS, CometKiwi
from xl_instruct.qe.network import Network
from xl_instruct.qe.shape import Shape

Pairs = list[tuple[str, str]]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def main() -> None:
    options = parse_options()
    if options.device == "cpu":
        torch.set_num_threads(1)
    shape = make_shape(options)
    tokenizer, words = make_tokenizer(options.vocabulary)
    pairs = make_pairs(words, options.pairs, options.repeated, options.runaway)
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
    bench = Bench(device, shape, tokenizer, pairs)

    def ours(precision: str, fuse: bool = False) -> Callable[[Pairs], list[float]]:
        network = Network(shape, state, device, getattr(torch, PRECISIONS[precision]), fuse=fuse)
        scorer = CometKiwi(network, tokenizer, name="bench", batch_tokens=options.batch_tokens)
        return lambda some: scorer([source for source, _ in some], [translation for _, translation in some])

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
        if options.fuse:
            bench.row(f"cometkiwi, {options.dtype}, fused", ours(options.dtype, fuse=True), pairs)
    bench.print(expected)


class Bench:
    """Times scorers on pairs and prints the table."""

    def __init__(self, device: torch.device, shape: Shape, tokenizer: Tokenizer, pairs: Pairs):
        self.device, self.tokenizer, self.rows = device, tokenizer, []
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
        start = clock()
        values = score(pairs)
        seconds = clock() - start
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
            f"| scorer | pairs | pairs/{unit} | times | tokens/{unit} | TFLOP/{unit} | peak GiB | widest difference |"
        )
        print("| --- " * 8 + "|")
        for label, count, seconds, tokens, flop, peak, values in self.rows:
            apart = max(abs(a - b) for a, b in zip(expected, values, strict=False))
            memory = "–" if peak is None else f"{peak:.1f}"
            print(
                f"| {label} | {count} | {count / seconds:.1f} | {count / seconds / first:.2f} "
                f"| {tokens / seconds:.0f} | {flop / seconds / 1e12:.3f} | {memory} | {apart:.1e} |"
            )
        print("\nTFLOP count every layer at the pairs' own lengths, also where a scorer did less or padded more.")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["XLM-RoBERTa", "XLM-RoBERTa-XL"], default="XLM-RoBERTa")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--heads", type=int, help="hidden / 64, and 32 for 2560 as XLM-R-XL has it")
    parser.add_argument("--vocabulary", type=int, help="250002 on a GPU and 20000 on a CPU")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--baseline-pairs", type=int, help="how many of them the others score; all of them")
    parser.add_argument("--repeated", type=float, default=0.0, help="share of pairs that occurred before")
    parser.add_argument("--runaway", type=float, default=0.0, help="share of translations that do not stop")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=list(PRECISIONS), default="fp32")
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


def make_pairs(words: list[str], count: int, repeated: float = 0.0, runaway: float = 0.0) -> Pairs:
    """Three candidates for each source, of lengths like those of sentences (log-normal, about 18 words)."""
    draw = random.Random(9)
    made: Pairs = []
    while len(made) < count:
        length = min(120, max(2, round(draw.lognormvariate(2.9, 0.55))))
        source = " ".join(draw.choices(words, k=length))
        for _ in range(3):
            target = 400 if draw.random() < runaway else max(1, round(length * draw.uniform(0.8, 1.3)))
            new = (source, " ".join(draw.choices(words, k=target)))
            made.append(draw.choice(made) if made and draw.random() < repeated else new)
    return made[:count]


def encode(tokenizer: Tokenizer, pairs: Pairs) -> list[list[int]]:
    sides = zip(*pairs, strict=True)
    sources, targets = ([e.ids[:508] for e in tokenizer.encode_batch(s, add_special_tokens=False)] for s in sides)
    return [[0, *target, 2, 2, *source, 2][:512] for source, target in zip(sources, targets, strict=True)]


def plain(
    shape: Shape,
    options: argparse.Namespace,
    state: dict[str, torch.Tensor],
    tokenizer: Tokenizer,
    dtype: torch.dtype,
) -> Callable[[Pairs], list[float]]:
    """transformers' encoder over the same weights, batches of 16, every hidden state kept and mixed."""
    device = torch.device(options.device)
    with torch.device("meta"):
        model_class = XLMRobertaXLModel if shape.pre_norm else XLMRobertaModel
        encoder = model_class(make_config(shape, options), add_pooling_layer=False)
    encoder.to_empty(device=device)
    encoder.to(dtype).eval()
    prefix = "encoder.model."
    encoder.load_state_dict({k.removeprefix(prefix): v.to(dtype) for k, v in state.items() if k.startswith(prefix)})
    for buffer, value in (
        ("position_ids", torch.arange(shape.positions)),
        ("token_type_ids", torch.zeros(514).long()),
    ):
        setattr(encoder.embeddings, buffer, value[None].to(device))  # the meta device leaves them unset
    scalars = torch.cat([state[f"layerwise_attention.scalar_parameters.{i}"] for i in range(shape.layers + 1)])
    weights = (scalars.float().softmax(0) * state["layerwise_attention.gamma"].float()).tolist()
    head = [(state[f"estimator.ff.{i}.weight"].float(), state[f"estimator.ff.{i}.bias"].float()) for i in (0, 3, 6)]

    @torch.inference_mode()
    def score(pairs: Pairs) -> list[float]:
        order = sorted(range(len(pairs)), key=lambda index: len(pairs[index][0]))
        values = [0.0] * len(pairs)
        for start in range(0, len(order), 16):
            part = order[start : start + 16]
            rows = encode(tokenizer, [pairs[index] for index in part])
            longest = max(map(len, rows))
            ids = torch.tensor([row + [1] * (longest - len(row)) for row in rows], device=device)
            states = encoder(ids, attention_mask=(ids != 1).long(), output_hidden_states=True).hidden_states
            x = sum(weight * state for weight, state in zip(weights, states, strict=True))[:, 0].float()
            for index, (weight, bias) in enumerate(head):
                x = torch.nn.functional.linear(x, weight, bias)
                x = x.tanh() if index < 2 else x
            for index, value in zip(part, x.view(-1).tolist(), strict=True):
                values[index] = value
        return values

    return score


def make_config(shape: Shape, options: argparse.Namespace) -> Any:
    return (XLMRobertaXLConfig if shape.pre_norm else XLMRobertaConfig)(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.positions,
        type_vocab_size=1,
        layer_norm_eps=shape.norm_epsilon,
    )


def unbabel_comet(
    shape: Shape, options: argparse.Namespace, state: dict[str, torch.Tensor], tokenizer: Tokenizer
) -> Callable[[int], Callable[[Pairs], list[float]]] | None:
    """unbabel-comet over the same weights; None where it is not installed."""
    try:
        from comet.models import UnifiedMetric
    except ImportError:
        return None
    import logging

    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        make_config(shape, options).save_pretrained(folder)
        tokenizer.save(f"{folder}/tokenizer.json")
        (Path(folder) / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "XLMRobertaTokenizerFast", "model_max_length": 512})
        )
        metric = UnifiedMetric(
            encoder_model=options.kind,
            pretrained_model=folder,
            input_segments=["mt", "src"],
            layer_transformation="softmax",
            layer_norm=False,
            hidden_sizes=list(shape.head),
            load_pretrained_weights=False,
            local_files_only=True,
        )
    metric.load_state_dict(state, strict=False)

    def of_size(size: int) -> Callable[[Pairs], list[float]]:
        def score(pairs: Pairs) -> list[float]:
            samples = [{"src": source, "mt": translation} for source, translation in pairs]
            return list(metric.predict(samples, batch_size=size, gpus=0, progress_bar=False)["scores"])

        return score

    return of_size


if __name__ == "__main__":
    main()
