"""Tokens a second of training at the paper's settings, beside trl's SFTTrainer as it comes, on the same examples.

python scripts/benchmarks/training.py [--shape 1b] [--steps 40] [--length 1024] [--micro 8] [--out table.md]

A random Llama-shaped model with EuroLLM's vocabulary of 128,000, of 1.24 billion parameters (--shape 1b) or, in the
shape of EuroLLM-9B, 9.15 billion (--shape 9b); LoRA of rank 8 on q and v, bf16, batches of 8, examples of 64 to
--length tokens (log-normal, seed 1). It needs a GPU and the extra `train`, no network and no weights. Every way
begins from the same weights and sees the same batches, so their losses must agree but for rounding in bfloat16.
Tokens are real ones, padding does not count; the first five steps are not timed.
--shape tiny is a model of 0.3 million parameters for a CPU, to see that the script runs.
"""

from __future__ import annotations

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset

from xl_instruct.training import varlen
from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.data import PromptCompletion, TrainingData
from xl_instruct.training.plan import Skeleton, TrainingPlan, plan_training
from xl_instruct.training.tokens import IGNORED, Counts, Tokenized, pack
from xl_instruct.training.trainers import list_arguments, make_adapter, make_sft_trainer

WARM_UP = 5
# hidden size, inner size, layers, attention heads, key and value heads, vocabulary
SHAPES = {
    "tiny": (64, 128, 2, 4, 2, 2_000),
    "1b": (2048, 7168, 16, 16, 8, 128_000),
    "9b": (4096, 12288, 42, 32, 8, 128_000),
}


class Clock(transformers.TrainerCallback):
    """Seconds of the steps after the warm-up, and every step's loss."""

    def __init__(self) -> None:
        self.begun, self.ended, self.losses = 0.0, 0.0, []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step in (WARM_UP, state.max_steps):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.begun, self.ended = self.begun or time.perf_counter(), time.perf_counter()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def make_examples(count: int, length: int, vocabulary: int) -> Tokenized:
    draw = random.Random(1)
    ids, labels = [], []
    for _ in range(count):
        size = max(64, min(length, int(draw.lognormvariate(6.2, 0.5))))
        prompt = draw.randint(20, 60)
        ids.append([draw.randrange(10, vocabulary) for _ in range(size)])
        labels.append([IGNORED] * prompt + ids[-1][prompt:])
    return Tokenized(ids, labels, None, Counts(count, 0, 0, max(map(len, ids))))


def pack_examples(tokens: Tokenized, length: int) -> Tokenized:
    bins = pack([len(one) for one in tokens.input_ids], length)

    def join(rows: list[list[int]]) -> list[list[int]]:
        return [[value for place in places for value in rows[place]] for places in bins]

    lengths = [[len(tokens.input_ids[place]) for place in places] for places in bins]
    return Tokenized(
        join(tokens.input_ids), join(tokens.labels), lengths, Counts(tokens.counts.n_examples, 0, 0, length)
    )


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, models

    fast = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


def make_model(shape: Any, attention: str) -> Any:
    if attention == varlen.NAME:
        varlen.register()
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return transformers.AutoModelForCausalLM.from_config(
            shape, attn_implementation=attention, dtype=torch.bfloat16
        )


def make_plain(
    model: Any, tokens: Tokenized, config: TrainingConfig, plan: TrainingPlan, out: Path, **own: Any
) -> Any:
    """SFTTrainer with the same hyperparameters, and its own defaults for all that is only about speed."""
    ours = {"optim", "gradient_checkpointing", "gradient_checkpointing_kwargs", "logging_nan_inf_filter"}
    ours |= {"dataloader_num_workers", "dataloader_pin_memory"}
    arguments = {key: value for key, value in list_arguments(config, plan, out).items() if key not in ours}
    return trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(**arguments, **own, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=Dataset.from_dict({"input_ids": tokens.input_ids, "labels": tokens.labels}),
        processing_class=make_tokenizer(),
        peft_config=make_adapter(config),
    )


def measure(build: Callable[[], Any], tokens: Tokenized, config: TrainingConfig) -> tuple[float, float, list[float]]:
    """(tokens a second, GiB at most, losses) of one way."""
    transformers.set_seed(1)
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    trainer = build()
    clock = Clock()
    trainer.add_callback(clock)
    sizes: list[int] = []
    sampler = trainer.get_train_dataloader()
    for number, batch in enumerate(sampler):
        if number == config.max_steps:
            break
        mask = batch.get("attention_mask")
        sizes.append(int(mask.sum()) if mask is not None else batch["input_ids"].numel())
    transformers.set_seed(1)
    trainer.train()
    peak = torch.cuda.max_memory_allocated() / 2**30 if gpu else 0.0
    speed = sum(sizes[WARM_UP:]) / (clock.ended - clock.begun)
    trainer.accelerator.free_memory()
    return speed, peak, clock.losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--micro", type=int, default=8, help="examples at a time, of the 8 of a step")
    parser.add_argument("--shape", choices=list(SHAPES), default="1b")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    hidden, inner, layers, heads, kv_heads, vocabulary = SHAPES[args.shape]
    shape = transformers.LlamaConfig(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        vocab_size=vocabulary,
        max_position_embeddings=args.length,
        tie_word_embeddings=False,
        pad_token_id=1,
        eos_token_id=1,
    )
    config = TrainingConfig(
        model="random", max_length=args.length, max_steps=args.steps, log_steps=1, save_steps=10_000,
        micro_batch_size=args.micro,
    )  # fmt: skip
    tokens = make_examples(8 * args.steps, args.length, vocabulary)
    packed = pack_examples(make_examples(8 * args.steps * 3, args.length, vocabulary), args.length)
    with torch.device("meta"):
        skeleton = Skeleton(shape, transformers.AutoModelForCausalLM.from_config(shape))
    data = TrainingData((PromptCompletion("", ""),), "", Path(), "random", "unknown")
    plan = plan_training(config, data, skeleton, None, tokens)
    tokenizer = make_tokenizer()
    mode = "checkpoint" if plan.checkpointing else "fast"

    def build_ours(rows: Tokenized, out: Path) -> Any:
        return make_sft_trainer(make_model(shape, plan.attention), tokenizer, rows, config, plan, out, Clock())

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        ways: list[tuple[str, Callable[[], Any], Tokenized]] = [
            ("trl as it comes", lambda: make_plain(make_model(shape, "sdpa"), tokens, config, plan, out), tokens),
            (
                "trl, activations kept",
                lambda: make_plain(
                    make_model(shape, "sdpa"), tokens, config, plan, out, gradient_checkpointing=False
                ),
                tokens,
            ),
            ("xl-suite", lambda: build_ours(tokens, out), tokens),
            ("xl-suite, packed", lambda: build_ours(packed, out), packed),
        ]
        results: list[tuple[str, float, float, list[float]]] = []
        for name, build, rows in ways:
            try:
                results.append((name, *measure(build, rows, config)))
            except torch.OutOfMemoryError:
                results.append((name, 0.0, 0.0, []))
            gc.collect()
    first = results[0]
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    lines = [
        f"{plan.parameters / 1e9:.2f} B parameters, {device}, torch {torch.__version__}, trl {trl.__version__}, "
        f"transformers {transformers.__version__}; {args.steps - WARM_UP} steps of 8 x at most {args.length} tokens, "
        f"{args.micro} at a time; attention of ours: {plan.attention}, activations: {mode}; our estimate of memory: "
        f"{plan.memory.total(mode) / 2**30:.1f} GiB",
        "",
        "| | tokens/s | ratio | GiB at most | first loss | last loss | largest difference of a step's loss |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, speed, peak, losses in results:
        if not losses:
            lines.append(f"| {name} | does not fit | | | | | |")
            continue
        same = "packed" not in name
        off = max(abs(a - b) for a, b in zip(first[3], losses, strict=False)) if same else None
        lines.append(
            f"| {name} | {speed:,.0f} | {speed / first[1]:.2f} | {peak:.1f} | {losses[0]:.4f} | {losses[-1]:.4f} | "
            f"{'other batches' if off is None else f'{off:.4f}'} |"
        )
    text = "\n".join(lines)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
