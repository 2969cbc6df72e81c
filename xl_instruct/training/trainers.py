"""trl's trainers, set up from our configuration, and made faster where the result stays the same.

Against SFTTrainer as it comes: no padding, no recomputed activations while memory allows, only positions that count
are projected onto the vocabulary, and nothing that waits for the GPU in a step. scripts/benchmarks/training.py
measures it, the losses beside each other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xl_instruct.training import chunked_loss, varlen
from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.plan import TrainingPlan
from xl_instruct.training.tokens import Tokenized, TokenizedPairs
from xl_suite import extras
from xl_suite.errors import BadInput
from xl_suite.terminal import make_visible

CHECKPOINTS = "checkpoints"


def load_model(config: TrainingConfig, plan: TrainingPlan) -> Any:
    """The model with its weights, in the precision and with the attention of the plan. Raises BadInput."""
    torch = extras.load("torch", extra="train")
    transformers = extras.load("transformers", extra="train")
    if plan.attention == varlen.NAME:
        varlen.register()
    try:
        return transformers.AutoModelForCausalLM.from_pretrained(
            config.model,
            revision=config.revision,
            dtype=getattr(torch, config.weights),
            attn_implementation=plan.attention,
        )
    except (OSError, ValueError) as error:
        raise BadInput(f"{config.model}: its weights cannot be loaded: {str(error).splitlines()[0]}") from error


def make_adapter(config: TrainingConfig) -> Any:
    peft = extras.load("peft", extra="train")
    return peft.LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.target_modules),
        task_type="CAUSAL_LM",
    )


def list_arguments(config: TrainingConfig, plan: TrainingPlan, out: Path) -> dict[str, Any]:
    """What transformers' TrainingArguments are given: the configuration, and what is only about speed."""
    gpu = plan.device.startswith("cuda")
    micro = config.micro_batch_size or config.batch_size
    return {
        "output_dir": str(out / CHECKPOINTS),
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": config.batch_size // micro,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule,
        "warmup_steps": plan.warmup_steps,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "bf16": config.bf16,
        "seed": config.seed,
        "data_seed": config.seed,
        "optim": "adamw_torch_fused" if gpu else "adamw_torch",
        "gradient_checkpointing": plan.checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if plan.checkpointing else None,
        "logging_steps": choose_log_steps(config, plan.steps),
        "logging_nan_inf_filter": False,  # it would wait for the GPU in every step
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": 2,
        "dataloader_num_workers": 2 if gpu else 0,
        "dataloader_pin_memory": gpu,
        "use_cpu": not gpu,
        "report_to": list(config.report_to) or "none",
        "run_name": out.resolve().name,
        "disable_tqdm": True,
        "push_to_hub": False,
    }


def check_trackers(config: TrainingConfig) -> None:
    """Raises BadInput for a tracker that transformers does not know, or whose package is not installed."""
    if not config.report_to:
        return
    extras.load("transformers", extra="train")
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    for name in config.report_to:
        if name not in INTEGRATION_TO_CALLBACK:
            known = ", ".join(sorted(INTEGRATION_TO_CALLBACK))
            raise BadInput(f"report_to: {name!r} is not a tracker that transformers knows. Known: {known}.")
        try:
            INTEGRATION_TO_CALLBACK[name]()  # looks for its package, and reports nothing yet
        except (RuntimeError, ImportError) as error:
            raise BadInput(f"report_to: {name} cannot be used: {error}") from error


def choose_log_steps(config: TrainingConfig, steps: int) -> int:
    """As configured, but at least five times in a run; a divisor of it, as checkpoints need."""
    most = min(config.log_steps, max(1, steps // 5))
    return next(number for number in range(most, 0, -1) if config.log_steps % number == 0)


def make_sft_trainer(
    model: Any,
    tokenizer: Any,
    tokens: Tokenized,
    config: TrainingConfig,
    plan: TrainingPlan,
    out: Path,
    callback: Any,
) -> Any:
    """trl's SFTTrainer on examples that are tokens already."""
    from datasets import Dataset

    trl = extras.load("trl", extra="train")
    columns: dict[str, Any] = {"input_ids": tokens.input_ids, "labels": tokens.labels}
    if tokens.lengths is not None:
        columns["seq_lengths"] = tokens.lengths
    arguments = trl.SFTConfig(
        **list_arguments(config, plan, out),
        max_length=None,
        packing=False,  # it was done, when it was asked for
        padding_free=plan.padding_free,
        completion_only_loss=True,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = _define_trainer(trl)(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
        peft_config=make_adapter(config),
        callbacks=[callback],
    )
    return _quieten(trainer)


def make_dpo_trainer(
    model: Any,
    tokenizer: Any,
    tokens: TokenizedPairs,
    config: TrainingConfig,
    plan: TrainingPlan,
    out: Path,
    callback: Any,
) -> Any:
    """trl's DPOTrainer on pairs that are tokens already; the reference is the model without its adapter."""
    from datasets import Dataset

    trl = extras.load("trl", extra="train")

    class PairTrainer(trl.DPOTrainer):  # type: ignore[misc,name-defined,unused-ignore]
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    columns = {"prompt_ids": tokens.prompt, "chosen_ids": tokens.chosen, "rejected_ids": tokens.rejected}
    arguments = trl.DPOConfig(
        **list_arguments(config, plan, out),
        max_length=None,  # what is too long was dropped or truncated
        beta=config.beta,
        loss_type=["sigmoid"],
    )
    trainer = PairTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
        peft_config=make_adapter(config),
        callbacks=[callback],
    )
    return _quieten(trainer)


def make_callback(metrics: Path, steps: int, progress: Callable[[str], None] | None = None) -> Any:
    """Writes what the trainer logs as JSON lines, and tells how far it is. A resumed run drops the lines that its
    checkpoint has not seen."""
    import json

    transformers = extras.load("transformers", extra="train")
    tell = progress or (lambda line: print(make_visible(line), file=sys.stderr))
    kept = ("loss", "learning_rate", "grad_norm", "rewards/accuracies", "rewards/margins")

    class Metrics(transformers.TrainerCallback):  # type: ignore[misc,name-defined,unused-ignore]
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            from xl_suite.records import write_text

            lines = [line for line in read_metrics(metrics) if line["step"] <= state.global_step]
            write_text(metrics, "".join(json.dumps(line) + "\n" for line in lines))
            self.started, self.first = time.monotonic(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if not logs or "loss" not in logs:
                return
            line = {"step": state.global_step, "epoch": round(float(state.epoch or 0), 6)}
            line |= {name: float(logs[name]) for name in kept if name in logs}
            with metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            seconds = time.monotonic() - self.started
            left = seconds / max(1, state.global_step - self.first) * (steps - state.global_step)
            tell(f"step {state.global_step}/{steps}, loss {line['loss']:.4f}, about {left / 60:.1f} minutes left")

    return Metrics()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics; a last one that was cut off by a kill is left out."""
    import json

    lines: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
    return lines


def find_checkpoint(folder: Path) -> Path | None:
    """The last complete checkpoint. trainer_state.json is written last, so one without it was cut off by a kill."""
    import json

    found = []
    for entry in folder.glob("checkpoint-*"):
        number = entry.name.rpartition("-")[2]
        try:
            state = json.loads((entry / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        parts = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt")
        if number.isdigit() and state.get("global_step") == int(number) and all((entry / p).is_file() for p in parts):
            found.append((int(number), entry))
    return max(found)[1] if found else None


def _quieten(trainer: Any) -> Any:
    """Our own callback speaks on stderr, where transformers' would print on stdout, which belongs to the answer; and
    our own card is beside the adapter, where trl writes one with every checkpoint."""
    transformers = extras.load("transformers", extra="train")
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.create_model_card = lambda *args, **kwargs: None
    return trainer


def _define_trainer(trl: Any) -> Any:
    class CompletionTrainer(trl.SFTTrainer):  # type: ignore[misc,name-defined,unused-ignore]
        """SFTTrainer whose loss and gradients are those of `chunked_loss`, where the model allows it."""

        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            self.obstacle = chunked_loss.find_obstacle(self.model.get_base_model())
            if self.accelerator.num_processes > 1:
                self.obstacle = self.obstacle or "several processes share it"

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if self.obstacle or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            base = self.accelerator.unwrap_model(model).get_base_model()
            labels = inputs["labels"]
            rest = {name: value for name, value in inputs.items() if name != "labels"}
            with self.accelerator.autocast():
                hidden = base.base_model(**rest, use_cache=False).last_hidden_state
            count = (labels[..., 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
            return chunked_loss.sum_loss(hidden, base.get_output_embeddings(), labels) / count

    return CompletionTrainer
