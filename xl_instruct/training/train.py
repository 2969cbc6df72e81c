"""LoRA fine-tuning of a model on a training subset or on preference pairs (paper, section 5), with trl and peft.

OUT gets `adapter/`, with --merge `merged/`, `metrics.jsonl`, `loss.svg`, `training.json` and a card; `checkpoints/`
lasts as long as the run.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_instruct.training.card import render_card
from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.data import TrainingData, mix, read_training_data
from xl_instruct.training.framing import Frame, make_frame
from xl_instruct.training.merging import merge_adapter, write_adapter
from xl_instruct.training.plan import TrainingPlan, check_device, plan_training, read_skeleton
from xl_instruct.training.tokens import Tokenized, TokenizedPairs, tokenize, tokenize_pairs
from xl_instruct.training.trainers import (
    CHECKPOINTS,
    check_trackers,
    find_checkpoint,
    load_model,
    make_callback,
    make_dpo_trainer,
    make_sft_trainer,
    read_metrics,
)
from xl_suite import extras
from xl_suite.charts import Series, draw_lines
from xl_suite.errors import BadInput
from xl_suite.records import dump_json, write_text

ADAPTER, MERGED, STATE, METRICS, PLOT, CARD = (
    "adapter",
    "merged",
    "training.json",
    "metrics.jsonl",
    "loss.svg",
    "README.md",
)

# From ln 2, within which a loss of DPO has not moved.
LITTLE = 1e-3


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run. resumed_from: the step at which a killed one was taken up again, 0 for none. losses: (step,
    loss) as logged. merged: the folder of the merged weights, if they were asked for. notes: warnings."""

    out: Path
    plan: TrainingPlan
    losses: tuple[tuple[int, float], ...]
    resumed_from: int
    merged: Path | None
    tokens_per_second: float | None
    notes: tuple[str, ...] = ()

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
            "notes": list(self.notes),
            "plan": self.plan.to_dict(),
        }

    def describe(self) -> str:
        lines = [f"adapter: {self.adapter}; {METRICS}, {PLOT} and {CARD} are beside it."]
        if self.losses:
            lines.append(
                f"loss: {self.losses[0][1]:.4f} at step {self.losses[0][0]}, {self.losses[-1][1]:.4f} at the end"
            )
        if self.merged:
            name = self.out.resolve().name
            lines.append(
                f"merged: {self.merged}; xl-suite respond BENCHMARK --model vllm:{self.merged} --name {name} ..."
            )
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run's files tell of it."""

    config: TrainingConfig
    data: TrainingData
    plan: TrainingPlan
    frame: Frame
    out: Path

    def list_losses(self) -> list[tuple[float, float]]:
        return [(float(line["step"]), float(line["loss"])) for line in read_metrics(self.out / METRICS)]

    def render(self, library: str) -> str:
        return render_card(
            self.config, self.data, self.plan, self.list_losses(), self.out.resolve().name, library=library
        )

    def describe(self) -> None:
        """Writes the plot of the losses, and the card."""
        losses = self.list_losses()
        plot = draw_lines(
            [Series("loss", tuple(losses))],
            title=f"{Path(self.config.model).name}, {self.config.method} on {self.data.name}",
            x_label="step",
            y_label="training loss",
            markers=len(losses) < 40,
        )
        write_text(self.out / PLOT, plot)
        write_text(self.out / CARD, self.render("peft"))


def estimate_training(config: TrainingConfig, data: Path) -> TrainingPlan:
    """The plan of a run from config.json, and from the tokenizer where there is one; no weights are loaded."""
    rows = _read_rows(config, data)
    skeleton = read_skeleton(config)
    tokenizer = _load_tokenizer(config, required=False)
    if tokenizer is None:
        return plan_training(config, rows, skeleton)
    frame = make_frame(tokenizer, config)
    return plan_training(config, rows, skeleton, frame, _tokenize(rows, frame, config))


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
    rows = _read_rows(config, data)
    identity = _identify(config, rows)
    finished = _check_out(out, identity)
    check_trackers(config)
    skeleton = read_skeleton(config)
    frame = make_frame(_load_tokenizer(config, required=True), config)
    tokens = _tokenize(rows, frame, config)
    plan = plan_training(config, rows, skeleton, frame, tokens)
    run = _Run(config, rows, plan, frame, out)
    progress("\n".join([*rows.notes, plan.describe()]))
    if not force:
        check_device(plan)
    if finished is not None:
        progress(f"{out} is trained already.")
        return _finish(run, None, merge=merge, resumed=int(finished.get("resumed_from", 0)), speed=None)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / STATE, dump_json({**identity, "finished": False}))
    _quieten()
    extras.load("transformers", extra="train").set_seed(config.seed)
    model = load_model(config, plan)
    generation_config = copy.deepcopy(model.generation_config)
    callback = make_callback(out / METRICS, plan.steps, progress)
    checkpoint = find_checkpoint(out / CHECKPOINTS)
    for entry in (out / CHECKPOINTS).glob("checkpoint-*"):  # what a kill left half written
        if checkpoint is None or int(entry.name.rpartition("-")[2]) > int(checkpoint.name.rpartition("-")[2]):
            shutil.rmtree(entry)
    make = make_sft_trainer if isinstance(tokens, Tokenized) else make_dpo_trainer
    trainer = make(model, frame.tokenizer, tokens, config, plan, out, callback)  # type: ignore[arg-type]
    resumed = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    if resumed:
        progress(f"taken up again at step {resumed}")
    result = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    done = (plan.steps - resumed) / plan.steps
    seconds = float(result.metrics.get("train_runtime") or 0)
    speed = plan.tokens * config.epochs * done / seconds if seconds and not config.max_steps else None
    if write_adapter(trainer.model, frame, out / ADAPTER, run.render("peft"), generation_config):
        progress(
            f"Answers end with {frame.end_text}, at which the base model's generation_config.json does not stop; "
            "that of the adapter and of the merged model does. A server of base and adapter needs it."
        )
    run.describe()
    write_text(out / STATE, dump_json({**identity, "finished": True, "resumed_from": resumed}))
    return _finish(run, trainer.model, merge=merge, resumed=resumed, speed=speed)


def train_seeds(
    config: TrainingConfig,
    data: Path,
    out: Path,
    seeds: Sequence[int],
    *,
    merge: bool = False,
    force: bool = False,
    progress: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> tuple[Trained, ...]:
    """One adapter for each seed, in `out/seed-1` and so on: what training by chance adds to a score's variance.

    Raises BadInput for no seed, one below 0 and one that is named twice.
    """
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise BadInput(f"the seeds are {', '.join(map(str, seeds)) or 'none'}; different ones from 0 up are needed.")
    runs = []
    for seed in seeds:
        progress(f"seed {seed}:")
        own = config.model_copy(update={"seed": seed})
        runs.append(train(own, data, out / f"seed-{seed}", merge=merge, force=force, progress=progress))
    return tuple(runs)


def _read_rows(config: TrainingConfig, data: Path) -> TrainingData:
    rows = read_training_data(data, config.method)
    if config.mixture is None:
        return rows
    other = read_training_data(Path(config.mixture.data), config.method)
    return mix(rows, other, config.mixture.ratio, config.mixture.seed)


def _tokenize(rows: TrainingData, frame: Frame, config: TrainingConfig) -> Tokenized | TokenizedPairs:
    if config.method == "dpo":
        return tokenize_pairs(rows.rows, frame, config)  # type: ignore[arg-type]
    return tokenize(rows.rows, frame, config)  # type: ignore[arg-type]


def _finish(run: _Run, model: Any, *, merge: bool, resumed: int, speed: float | None) -> Trained:
    out = run.out
    lines = read_metrics(out / METRICS)
    notes = []
    if merge and not (out / MERGED).is_dir():
        done = merge_adapter(run.config, run.frame, out / ADAPTER, out / MERGED, run.render("transformers"), model)
        notes += [done.describe()] if done.describe() else []
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    losses = tuple((int(line["step"]), float(line["loss"])) for line in lines)
    if run.config.method == "dpo" and losses and all(abs(loss - math.log(2)) < LITTLE for _, loss in losses):
        notes.append(
            "warning: the loss stayed at ln 2 (0.693): the model prefers the chosen answers no more than at the "
            "start. Are the answers different, the learning_rate large enough, the steps more than the warm-up?"
        )
    merged = out / MERGED if (out / MERGED).is_dir() else None
    return Trained(out, run.plan, losses, resumed, merged, speed, tuple(notes))


def _identify(config: TrainingConfig, data: TrainingData) -> dict[str, Any]:
    """What makes two runs the same: the configuration, the data's texts, and local weights by their hash."""
    model = config.model
    if Path(model).is_dir():
        from xl_suite.chat.serving.weights import hash_folder

        model = hash_folder(Path(model))
    # Where a run is followed does not make it another, and a key without its default changes no older run.
    settings = config.model_dump(mode="json", exclude={"report_to"})
    if config.mixture is None:
        del settings["mixture"]
    values = {"config": settings, "data": data.sha256}
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
            f"{out} holds something that is not a training run of ours. Name a new folder with --out."
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


def _quieten() -> None:
    """transformers' and trl's own messages, which speak of options that were chosen on purpose."""
    import logging
    import warnings

    transformers = extras.load("transformers", extra="train")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("trl").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(trl|peft|torch|transformers)\.")
