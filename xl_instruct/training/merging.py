"""A trained adapter as it is written: beside its base, or added into the base's weights; and where answers end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.framing import Frame, list_ends
from xl_suite import extras
from xl_suite.records import atomic_folder, write_text

# Of the update's norm; more than this is told.
MUCH_LOST = 0.1


@dataclass(frozen=True, slots=True)
class Merged:
    """The folder of merged weights. dtype: of the weights, that of the base's files. lost: the share of the adapter's
    update that rounding to it changed (norm of the difference ÷ norm of the update)."""

    folder: Path
    dtype: str
    lost: float

    def describe(self) -> str:
        """A warning where rounding changed much; else empty."""
        if self.lost <= MUCH_LOST:
            return ""
        return (
            f"warning: rounding to {self.dtype} changed {self.lost:.0%} of the adapter's update, since the base's "
            "weights are in that precision. The adapter beside its base keeps all of it."
        )


def write_adapter(model: Any, frame: Frame, folder: Path, card: str, generation_config: Any) -> bool:
    """Writes the adapter with tokenizer, card and generation_config.json, in which an answer's end is.

    generation_config: the base's own, as it was loaded (a trainer changes the model's). Returns whether it lacked the
    end, so that the base and the adapter must be served with the adapter's.
    """
    with atomic_folder(folder) as temporary:
        model.save_pretrained(temporary)
        frame.tokenizer.save_pretrained(temporary)
        end_answers(generation_config, frame).save_pretrained(temporary)
        write_text(temporary / "README.md", card)
    known = generation_config.eos_token_id
    return frame.end not in (known if isinstance(known, list) else [known])


def merge_adapter(
    config: TrainingConfig, frame: Frame, adapter: Path, out: Path, card: str, model: Any = None
) -> Merged:
    """Writes `out`: the base's weights with the adapter added in, in the precision of the base's files.

    model: the trained one, which serves where the base was loaded in that precision; else it is loaded anew, so that
    an update to float32 weights is not rounded to bfloat16. The sum is computed in float32.
    """
    torch = extras.load("torch", extra="train")
    transformers, peft = extras.load("transformers", extra="train"), extras.load("peft", extra="train")
    own = getattr(transformers.AutoConfig.from_pretrained(config.model, revision=config.revision), "dtype", None)
    dtype = own if isinstance(own, torch.dtype) else getattr(torch, str(own or config.weights).removeprefix("torch."))
    if model is None or getattr(torch, config.weights) != dtype:
        base = transformers.AutoModelForCausalLM.from_pretrained(config.model, revision=config.revision, dtype=dtype)
        model = peft.PeftModel.from_pretrained(base, str(adapter))
    lost = add_updates(model)
    merged = model.unload()
    merged.config._attn_implementation = None  # the attention of training is nobody else's business
    merged.generation_config = end_answers(merged.generation_config, frame)
    with atomic_folder(out) as folder:
        merged.save_pretrained(folder)
        frame.tokenizer.save_pretrained(folder)
        write_text(folder / "README.md", card)
    return Merged(out, str(dtype).removeprefix("torch."), lost)


def end_answers(generation_config: Any, frame: Frame) -> Any:
    """A copy of the settings of generation that stops at the frame's end too; servers read it."""
    copy = type(generation_config).from_dict(generation_config.to_dict())
    ends = list_ends(frame, generation_config)
    copy.eos_token_id = ends if len(ends) > 1 else ends[0]
    return copy


def add_updates(model: Any) -> float:
    """Adds every module's update to its weight, in float32, and rounds once; the share of the updates so changed."""
    torch = extras.load("torch", extra="train")
    changed = total = 0.0
    with torch.no_grad():
        for module in model.modules():
            if not hasattr(module, "get_delta_weight") or not hasattr(module, "base_layer"):
                continue
            for name in module.active_adapters:
                if name not in module.lora_A:
                    continue
                weight = module.base_layer.weight
                before, update = weight.float(), module.get_delta_weight(name).float()
                after = (before + update).to(weight.dtype)
                changed += float(((after.float() - before) - update).pow(2).sum())
                total += float(update.pow(2).sum())
                weight.copy_(after)
    return math.sqrt(changed / total) if total else 0.0
