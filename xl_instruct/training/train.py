"""LoRA fine-tuning of a model on a training subset or on preference pairs (paper, section 5), with trl and peft.

OUT gets `adapter/`, with --merge `merged/`, `metrics.jsonl`, `loss.svg`, `training.json` and a card; `checkpoints/`
lasts as long as the run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.data import TrainingData, frame_tokenizer, read_training_data, tokenize
from xl_instruct.training.plan import TrainingPlan, check_device, plan_training, read_skeleton
from xl_instruct.training.trainers import (
    CHECKPOINTS,
    find_checkpoint,
    load_model,
    make_callback,
    make_dpo_trainer,
    make_sft_trainer,
    read_metrics,
)
from xl_suite import extras
from xl_suite.errors import BadInput
from xl_suite.records import atomic_folder, dump_json, write_text

ADAPTER, MERGED, STATE, METRICS, PLOT, CARD = (
    "adapter",
    "merged",
    "training.json",
    "metrics.jsonl",
    "loss.svg",
    "README.md",
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run. resumed_from: the step at which a killed one was taken up again, 0 for none. losses: (step,
    loss) as logged. merged: the folder of the merged weights, if they were asked for."""

    out: Path
    plan: TrainingPlan
    losses: tuple[tuple[int, float], ...]
    resumed_from: int
    merged: Path | None
    tokens_per_second: float | None

    @property
    def adapter(self) -> Path:
        return self.out / ADAPTER

    def to_dict(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "adapter": str(self.adapter),
            "merged": str(self.merged) if self.merged else None,
            "first_loss": self.losses[0][1] if self.losses else None,
            "final_loss": self.losses[-1][1] if self.losses else None,
            "steps": self.plan.steps,
            "resumed_from": self.resumed_from,
            "tokens_per_second": self.tokens_per_second,
            "plan": self.plan.to_dict(),
        }

    def describe(self) -> str:
        lines = [f"adapter: {self.adapter}; {METRICS}, {PLOT} and {CARD} stand beside it."]
        if self.losses:
            lines.append(
                f"loss: {self.losses[0][1]:.4f} at step {self.losses[0][0]}, {self.losses[-1][1]:.4f} at the end"
            )
        if self.merged:
            name = self.out.resolve().name
            lines.append(
                f"merged: {self.merged}; xl-suite respond BENCHMARK --model vllm:{self.merged} --name {name} ..."
            )
        return "\n".join(lines)


def estimate_training(config: TrainingConfig, data: Path) -> TrainingPlan:
    """The plan of a run from config.json, and from the tokenizer where there is one; no weights are loaded."""
    rows = read_training_data(data, config.method)
    skeleton = read_skeleton(config)
    tokenizer = _load_tokenizer(config, required=False)
    if tokenizer is None:
        return plan_training(config, rows, skeleton)
    if config.method == "dpo":
        return plan_training(config, rows, skeleton, tokenizer)
    has_template = tokenizer.chat_template
    frame_tokenizer(tokenizer, config)
    tokens = tokenize(rows.rows, tokenizer, config)  # type: ignore[arg-type]
    tokenizer.chat_template = has_template
    return plan_training(config, rows, skeleton, tokenizer, tokens)


def train(
    config: TrainingConfig,
    data: Path,
    out: Path,
    *,
    merge: bool = False,
    force: bool = False,
    progress: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> Trained:
    """Trains, or takes a killed run up again at its last checkpoint, to the same result.

    merge: also writes the weights with the adapter in them. force: goes on where memory or device speak against it.
    Raises BadInput before any time is spent: a model, module, template or data that is not there, memory that does
    not suffice, an `out` that holds another run or anything else.
    """
    rows = read_training_data(data, config.method)
    identity = _identify(config, rows)
    finished = _check_out(out, identity)
    skeleton = read_skeleton(config)
    tokenizer = _load_tokenizer(config, required=True)
    own_template = tokenizer.chat_template
    frame_tokenizer(tokenizer, config)
    tokens = tokenize(rows.rows, tokenizer, config) if config.method == "sft" else None  # type: ignore[arg-type]
    framed, tokenizer.chat_template = tokenizer.chat_template, own_template
    plan = plan_training(config, rows, skeleton, tokenizer, tokens)
    tokenizer.chat_template = framed
    progress("\n".join([*rows.notes, plan.describe()]))
    if not force:
        check_device(plan)
    if finished is not None:
        progress(f"{out} is trained already.")
        return _finish(config, plan, out, tokenizer, merge, None, int(finished.get("resumed_from", 0)), None)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / STATE, dump_json({**identity, "finished": False}))
    _quieten()
    extras.load("transformers", extra="train").set_seed(config.seed)
    model = load_model(config, plan)
    callback = make_callback(out / METRICS, plan.steps, progress)
    checkpoint = find_checkpoint(out / CHECKPOINTS)
    for entry in (out / CHECKPOINTS).glob("checkpoint-*"):  # what a kill left half written
        if checkpoint is None or int(entry.name.rpartition("-")[2]) > int(checkpoint.name.rpartition("-")[2]):
            shutil.rmtree(entry)
    if tokens is not None:
        trainer = make_sft_trainer(model, tokenizer, tokens, config, plan, out, callback)
    else:
        trainer = make_dpo_trainer(model, tokenizer, rows.rows, config, plan, out, callback)  # type: ignore[arg-type]
    resumed = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    if resumed:
        progress(f"taken up again at step {resumed}")
    run = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    done = (plan.steps - resumed) / plan.steps
    seconds = float(run.metrics.get("train_runtime") or 0)
    speed = plan.tokens * config.epochs * done / seconds if seconds and not config.max_steps else None
    with atomic_folder(out / ADAPTER) as folder:
        trainer.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        (folder / CARD).unlink(missing_ok=True)  # peft's own, empty one
    _describe_run(config, rows, plan, out)
    write_text(out / STATE, dump_json({**identity, "finished": True, "resumed_from": resumed}))
    return _finish(config, plan, out, tokenizer, merge, trainer.model, resumed, speed)


def merge_adapter(config: TrainingConfig, out: Path, tokenizer: Any, model: Any = None) -> Path:
    """Writes `out/merged`: the model's weights with the adapter added in, and the tokenizer with its chat template.

    model: the trained one, if it is at hand; else it is loaded anew.
    """
    torch = extras.load("torch", extra="train")
    if model is None:
        transformers, peft = extras.load("transformers", extra="train"), extras.load("peft", extra="train")
        base = transformers.AutoModelForCausalLM.from_pretrained(
            config.model, revision=config.revision, dtype=getattr(torch, config.weights)
        )
        model = peft.PeftModel.from_pretrained(base, str(out / ADAPTER))
    merged = model.merge_and_unload()
    merged.config._attn_implementation = None  # the attention of training is nobody else's business
    if merged.can_generate():
        # Servers look here for the end of an answer, and whether to sample.
        merged.generation_config.eos_token_id = merged.generation_config.eos_token_id or tokenizer.eos_token_id
    with atomic_folder(out / MERGED) as folder:
        merged.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if (out / CARD).exists():
            shutil.copy2(out / CARD, folder / CARD)
    return out / MERGED


def _finish(
    config: TrainingConfig,
    plan: TrainingPlan,
    out: Path,
    tokenizer: Any,
    merge: bool,
    model: Any,
    resumed: int,
    speed: float | None,
) -> Trained:
    if merge and not (out / MERGED).is_dir():
        merge_adapter(config, out, tokenizer, model)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    losses = tuple((int(line["step"]), float(line["loss"])) for line in read_metrics(out / METRICS))
    return Trained(out, plan, losses, resumed, out / MERGED if (out / MERGED).is_dir() else None, speed)


def _identify(config: TrainingConfig, data: TrainingData) -> dict[str, Any]:
    """What makes two runs the same: the configuration, the data's texts, and local weights by their hash."""
    model = config.model
    if Path(model).is_dir():
        from xl_suite.chat.serving.weights import hash_folder

        model = hash_folder(Path(model))
    values = {"config": config.model_dump(mode="json"), "data": data.sha256}
    fingerprint = hashlib.sha256(json.dumps([values, model], sort_keys=True).encode()).hexdigest()
    return {"fingerprint": fingerprint, **values}


def _check_out(out: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state of a finished run of the same kind, None for a new or unfinished one. Raises BadInput."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        state = json.loads((out / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BadInput(
            f"{out} holds something that is no training run of ours. Name a new folder with --out."
        ) from None
    if state.get("fingerprint") != identity["fingerprint"]:
        old, new = state.get("config") or {}, identity["config"]
        changed = [key for key in new if old.get(key) != new[key]]
        changed += ["the data"] if state.get("data") != identity["data"] else []
        raise BadInput(
            f"{out} holds another run ({', '.join(changed) or 'the weights'} changed). Name a new folder with --out."
        )
    return state if state.get("finished") and (out / ADAPTER).is_dir() else None


def _load_tokenizer(config: TrainingConfig, *, required: bool) -> Any:
    transformers = extras.load("transformers", extra="train")
    try:
        return transformers.AutoTokenizer.from_pretrained(config.model, revision=config.revision)
    except (OSError, ValueError, KeyError, ImportError) as error:
        if not required:
            return None
        raise BadInput(f"{config.model}: its tokenizer cannot be loaded: {str(error).splitlines()[0]}") from error


def _describe_run(config: TrainingConfig, data: TrainingData, plan: TrainingPlan, out: Path) -> None:
    from xl_instruct.training.card import render_card
    from xl_suite.charts import Series, draw_lines

    losses = [(float(line["step"]), float(line["loss"])) for line in read_metrics(out / METRICS)]
    plot = draw_lines(
        [Series("loss", tuple(losses))],
        title=f"{Path(config.model).name}, {config.method} on {data.name}",
        x_label="step",
        y_label="training loss",
        markers=len(losses) < 40,
    )
    write_text(out / PLOT, plot)
    write_text(out / CARD, render_card(config, data, plan, losses, out.resolve().name))


def _quieten() -> None:
    """transformers' and trl's own messages, which speak of options that were chosen on purpose."""
    import logging
    import warnings

    transformers = extras.load("transformers", extra="train")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("trl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(trl|peft|torch|transformers)\.")
