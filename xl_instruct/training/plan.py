"""What a training run will take, and what is wrong with it, before any weight is loaded.

The model's shape comes from its config.json: torch's `meta` device gives it modules and no memory.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xl_instruct.training import chunked_loss, varlen
from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.data import TrainingData, count_tokens
from xl_instruct.training.framing import Frame, choose_format
from xl_instruct.training.memory import GIB, Memory, measure_free
from xl_instruct.training.tokens import Tokenized, TokenizedPairs, pack
from xl_suite import extras
from xl_suite.errors import BadInput

# More parameters than this on a CPU would take days for what a GPU does in minutes.
MOST_CPU_PARAMETERS = 1.5e9
# Share of the free memory that may be planned for; the rest is for the allocator and what is not in the formula.
USABLE = 0.9


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A run in numbers. rows: that a step takes `batch_size` of; packed ones with `packing`. tokens: of one epoch;
    exact where the tokenizer was at hand. checkpointing, attention: what the run will use."""

    model: str
    method: str
    parameters: int
    trainable: int
    chat_format: str
    examples: int
    rows: int
    too_long: int
    tokens: int
    exact: bool
    steps: int
    warmup_steps: int
    device: str
    memory: Memory
    checkpointing: bool
    attention: str
    padding_free: bool
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        mode = "checkpoint" if self.checkpointing else "fast"
        return {**asdict(self), "memory": {**asdict(self.memory), "total": self.memory.total(mode)}}

    def describe(self) -> str:
        """A few lines for a person."""
        mode = "checkpoint" if self.checkpointing else "fast"
        about = "" if self.exact else "about "
        memory = self.memory
        return "\n".join(
            [
                f"{self.method} of {self.model}: {self.parameters / 1e9:.2f} B parameters, {self.trainable:,} new",
                f"{self.examples:,} examples ({self.too_long} too long), {about}{self.tokens:,} tokens an epoch; "
                f"{self.steps:,} steps, {self.warmup_steps} of them warm-up; chat format: {self.chat_format}",
                f"memory: about {memory.total(mode) / GIB:.1f} GiB (weights {memory.weights / GIB:.1f}, adapter "
                f"{memory.adapter / GIB:.2f}, activations {getattr(memory, mode) / GIB:.1f}, logits "
                f"{memory.logits / GIB:.1f}); {memory.free / GIB:.1f} GiB free on {self.device}",
                *self.notes,
            ]
        )


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A model without its weights: its transformers configuration, and its modules on torch's meta device."""

    config: Any
    model: Any

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    def list_linear(self) -> list[str]:
        """The names of the linear modules that an adapter could be put on, the output layer left out."""
        from torch.nn import Linear

        head = self.model.get_output_embeddings()
        found = [
            name.rpartition(".")[2]
            for name, module in self.model.named_modules()
            if (isinstance(module, Linear) or type(module).__name__ == "Conv1D") and module is not head
        ]
        return list(dict.fromkeys(found))


def read_skeleton(config: TrainingConfig) -> Skeleton:
    """The model that the configuration names, from its config.json alone. Raises BadInput where it has none."""
    if not config.model:
        raise BadInput("No model is named: set model in the configuration, or give --model ID_OR_DIR.")
    transformers = extras.load("transformers", extra="train")
    torch = extras.load("torch", extra="train")
    if os.path.exists(config.model) and not os.path.isfile(os.path.join(config.model, "config.json")):
        raise BadInput(f"{config.model} is not a model: config.json is not there.")
    try:
        shape = transformers.AutoConfig.from_pretrained(config.model, revision=config.revision)
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(shape)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise BadInput(
            f"{config.model}: cannot be used as a causal language model: {reason} "
            "A model is a folder with config.json, or the ID of one on the Hub that can be reached."
        ) from error
    return Skeleton(shape, model)


def check_targets(skeleton: Skeleton, config: TrainingConfig) -> int:
    """The adapter's parameters. Raises BadInput for a target that the model lacks, naming the modules it has."""
    known = skeleton.list_linear()
    missing = [name for name in config.target_modules if not _matches(skeleton, name)]
    if missing:
        raise BadInput(
            f"target_modules: {config.model} has no {', '.join(missing)}. Its linear modules: {', '.join(known)}."
        )
    count = 0
    for name, module in skeleton.model.named_modules():
        if any(name == target or name.endswith("." + target) for target in config.target_modules):
            weight = getattr(module, "weight", None)
            if weight is not None and weight.dim() == 2:
                count += config.lora_rank * sum(weight.shape)
    return count


def plan_training(
    config: TrainingConfig,
    data: TrainingData,
    skeleton: Skeleton,
    frame: Frame | None = None,
    tokens: Tokenized | TokenizedPairs | None = None,
) -> TrainingPlan:
    """The plan of a run; without `tokens` (and the frame, for want of a tokenizer) it is estimated from the texts.

    Raises BadInput for a target module or a chat template that is not there.
    """
    trainable = check_targets(skeleton, config)
    chat_format = frame.chat_format if frame is not None else choose_format(config, has_template=True)
    sizes = tokens.sizes if tokens is not None else list(_guess_sizes(data, config))
    rows = len(sizes)
    per_epoch = math.ceil(rows / config.batch_size)
    steps = config.max_steps or max(1, math.ceil(per_epoch * config.epochs))
    warmup_steps = math.ceil(steps * config.warmup_share)
    gpu = _has_gpu()
    obstacle = varlen.find_obstacle(skeleton.config, gpu=gpu)
    notes = []
    if steps <= warmup_steps:
        notes.append(
            "No step is left after the warm-up, whose first step has a learning rate of 0: the model hardly changes, "
            "with a single step not at all. Take more examples, a smaller batch_size, or warmup_share: 0."
        )
    if config.attention == "varlen" and obstacle:
        raise BadInput(f"attention: varlen cannot be used: {obstacle}. Set attention: auto or sdpa.")
    attention = "sdpa" if obstacle or config.attention == "sdpa" or config.method == "dpo" else varlen.NAME
    if obstacle and config.attention == "auto":
        notes.append(f"Attention is sdpa with padding: {obstacle}.")
    if config.method == "sft" and (slow := chunked_loss.find_obstacle(_freeze(skeleton.model))):
        notes.append(f"The loss is trl's own: {slow}.")
    counts = tokens.counts if tokens is not None else None
    if counts is not None and counts.too_long:
        notes.append(
            f"{counts.too_long} of {len(data.rows)} examples are longer than {config.max_length} tokens (the longest "
            f"has {counts.longest}): {'dropped' if config.too_long == 'drop' else 'truncated'}."
        )
        if counts.prompt_too_long:
            notes.append(f"{counts.prompt_too_long} of them were dropped, since their prompt alone is too long.")
    longest = max(sizes) // (2 if config.method == "dpo" else 1)
    memory = estimate_memory(skeleton, config, trainable, longest, gpu=gpu)
    mode = config.memory
    if mode == "auto":
        mode = "fast" if memory.total("fast") < USABLE * memory.free else "checkpoint"
    return TrainingPlan(
        model=config.model,
        method=config.method,
        parameters=skeleton.parameters,
        trainable=trainable,
        chat_format=chat_format,
        examples=counts.n_examples if counts is not None else len(data.rows),
        rows=rows,
        too_long=counts.too_long if counts is not None else 0,
        tokens=sum(sizes),
        exact=tokens is not None,
        steps=steps,
        warmup_steps=warmup_steps,
        device=_name_device(gpu),
        memory=memory,
        checkpointing=mode == "checkpoint",
        attention=attention,
        padding_free=config.packing or attention == varlen.NAME,
        notes=tuple(notes),
    )


def check_device(plan: TrainingPlan) -> None:
    """Raises BadInput where the device cannot train this model: too little memory, or no GPU for a large one."""
    mode = "checkpoint" if plan.checkpointing else "fast"
    needed, free = plan.memory.total(mode), plan.memory.free
    figures = f"It needs about {needed / GIB:.1f} GiB, and {free / GIB:.1f} GiB are free on {plan.device}."
    if not plan.device.startswith("cuda") and plan.parameters > MOST_CPU_PARAMETERS:
        raise BadInput(
            f"There is no GPU here, and {plan.model} has {plan.parameters / 1e9:.1f} B parameters: on a CPU this "
            f"would take days. {figures} Train it on a machine with a GPU; --force tries it all the same."
        )
    if needed > free:
        raise BadInput(
            f"{plan.model} does not fit. {figures} A smaller micro_batch_size or max_length, or memory: checkpoint, "
            "takes less; --force tries it all the same."
        )


def estimate_memory(skeleton: Skeleton, config: TrainingConfig, trainable: int, longest: int, *, gpu: bool) -> Memory:
    """Activations: what a decoder layer with frozen weights keeps for the backward pass, per token 34 bytes for each
    unit of its width and 8 for each of its inner layer in bfloat16, twice that in float32; computed again, it is
    the layers' inputs and one layer. For pairs, twice as many tokens."""
    text = skeleton.config.get_text_config()
    micro = config.micro_batch_size or config.batch_size
    tokens = micro * min(longest, config.max_length) * (2 if config.method == "dpo" else 1)
    wide = 1 if config.bf16 else 2
    width, layers = text.hidden_size, text.num_hidden_layers
    inner = getattr(text, "intermediate_size", None) or 4 * width
    layer = tokens * (34 * width + 8 * inner) * wide
    logits = min(tokens * text.vocab_size, chunked_loss.CHUNK_ELEMENTS) * 10
    return Memory(
        weights=skeleton.parameters * (2 if config.weights == "bfloat16" else 4),
        adapter=16 * trainable,
        fast=layers * layer,
        checkpoint=layers * tokens * 2 * width * wide + layer,
        logits=logits,
        free=measure_free(gpu),
    )


def _guess_sizes(data: TrainingData, config: TrainingConfig) -> Sequence[int]:
    """Tokens of each row by rule of thumb, packed where that is asked for."""
    sizes = [min(size, config.max_length) for size in count_tokens(data.rows)]
    if not config.packing:
        return sizes
    return [sum(sizes[place] for place in places) for places in pack(sizes, config.max_length)]


def _matches(skeleton: Skeleton, target: str) -> bool:
    return any(name == target or name.endswith("." + target) for name, _ in skeleton.model.named_modules())


def _freeze(model: Any) -> Any:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _name_device(gpu: bool) -> str:
    import torch

    return f"cuda ({torch.cuda.get_device_name(0)})" if gpu else "cpu"
