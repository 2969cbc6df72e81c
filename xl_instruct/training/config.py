"""The configuration of a training run: one YAML file, frozen, where a wrong key or value names itself.

What the paper leaves unstated is listed under `assumed`, and the model's card says so.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from xl_suite.errors import BadInput
from xl_suite.foreign import MOST_YAML_CHARACTERS, parse_yaml, read_bytes

Share = Annotated[float, Field(ge=0, le=1)]


def _list_names(value: Any) -> Any:
    """`report_to: wandb` is a list of one, as transformers takes it; `none` is an empty one."""
    if isinstance(value, str):
        return [] if value == "none" else [value]
    return value


class Mixture(BaseModel):
    """Other data beside those of --data. data: a folder or file as --data takes. ratio: rows of it for each row of
    --data, drawn by `seed`, which is not that of the training: adapters of several seeds learn the same rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Annotated[str, Field(min_length=1)]
    ratio: Annotated[float, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)] = 1


class TrainingConfig(BaseModel):
    """How a model is trained. Defaults are the paper's (section 5, "Experimental Setting") where it names a value.

    method: `sft`, or `dpo` on the pairs of `xl-suite preferences`. model: Hub ID or folder; `revision` of the Hub.
    chat_format: `plain` is our own frame for base models, `model` the template of the model's tokenizer, `auto`
    chooses by the kind of the model.
    batch_size: examples (packed rows with `packing`) of an optimizer step; `micro_batch_size` of them at a time, all
    at once by default. max_length: tokens of an example; a longer one is dropped or truncated, as `too_long` says.
    weights: precision of the frozen weights. `bf16` computes in bfloat16 by autocast; the adapter is float32.
    memory: `checkpoint` recomputes activations, `fast` keeps them, `auto` decides by the estimate and what is free.
    attention: `varlen` has no padding (torch's kernel for sequences of different lengths), `sdpa` pads.
    max_steps: ends earlier than `epochs`. save_steps: at which a killed run is taken up again.
    beta: of DPO. mixture: of SFT with other data, `{data: DIR, ratio: 0.25}`. report_to: trackers as transformers
    knows them (wandb, tensorboard, ...). assumed: the keys whose values the paper does not give.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    method: Literal["sft", "dpo"] = "sft"
    model: str = ""
    revision: str | None = None
    chat_format: Literal["auto", "plain", "model"] = "auto"
    epochs: Annotated[float, Field(gt=0)] = 1.0
    max_steps: Annotated[int, Field(gt=0)] | None = None
    batch_size: Annotated[int, Field(gt=0)] = 8
    micro_batch_size: Annotated[int, Field(gt=0)] | None = None
    max_length: Annotated[int, Field(ge=16)] = 2048
    too_long: Literal["drop", "truncate"] = "drop"
    packing: bool = False
    lora_rank: Annotated[int, Field(gt=0)] = 8
    lora_alpha: Annotated[float, Field(gt=0)] = 16
    lora_dropout: Share = 0.0
    target_modules: Annotated[tuple[str, ...], Field(min_length=1)] = ("q_proj", "v_proj")
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup_share: Share = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    bf16: bool = True
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    memory: Literal["auto", "fast", "checkpoint"] = "auto"
    attention: Literal["auto", "varlen", "sdpa"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 1
    log_steps: Annotated[int, Field(gt=0)] = 10
    save_steps: Annotated[int, Field(gt=0)] = 100
    beta: Annotated[float, Field(gt=0)] = 0.1
    mixture: Mixture | None = None
    report_to: Annotated[tuple[str, ...], BeforeValidator(_list_names)] = ()
    assumed: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> TrainingConfig:
        strange = [name for name in self.assumed if name not in type(self).model_fields or name == "assumed"]
        if strange:
            raise ValueError(f"assumed: {', '.join(strange)} is not a key of a training configuration")
        if self.micro_batch_size is not None and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of micro_batch_size {self.micro_batch_size}"
            )
        if self.save_steps % self.log_steps:  # else a resumed run would log other means than an unbroken one
            raise ValueError(f"save_steps {self.save_steps} is not a multiple of log_steps {self.log_steps}")
        if self.packing and self.method == "dpo":
            raise ValueError("packing: dpo compares pair by pair and cannot pack; set packing: false")
        if self.mixture is not None and self.method == "dpo":
            raise ValueError("mixture: of instruction data, which dpo does not train on; set method: sft")
        return self


def find_config(name_or_path: str) -> Path:
    """The file of a configuration: a path, or the name of one that ships (`train_paper`). Raises BadInput."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = files("xl_instruct") / "configs" / f"{path.name.removesuffix('.yaml')}.yaml"
    if re.fullmatch(r"[\w.-]+", name_or_path) and shipped.is_file():
        with as_file(shipped) as found:
            return found
    names = sorted(
        entry.name.removesuffix(".yaml")
        for entry in (files("xl_instruct") / "configs").iterdir()
        if entry.name.startswith("train_")
    )
    raise BadInput(f"{name_or_path}: no such file. Give a YAML file, or one of those that ship: {', '.join(names)}.")


def read_training_config(name_or_path: str, changes: Mapping[str, Any] | None = None) -> TrainingConfig:
    """The configuration of a file or of a name that ships, with `changes` on top.

    Raises BadInput, one line for each problem, with the key, the value, and what is valid.
    """
    path = find_config(name_or_path)
    try:
        values = parse_yaml(read_bytes(path, MOST_YAML_CHARACTERS).decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path}: expected keys with values, found {type(values).__name__}.")
    try:
        return TrainingConfig(**{**{str(key): value for key, value in values.items()}, **(changes or {})})
    except ValidationError as error:
        raise BadInput("\n".join([f"{path} is not a training configuration:", *_explain(error)])) from error


def _explain(error: ValidationError) -> list[str]:
    lines = []
    known = list(TrainingConfig.model_fields)
    for problem in error.errors():
        key = ".".join(map(str, problem["loc"])) or "the whole"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            lines.append(f"- {key!r} is not a key.{hint} Keys: {', '.join(known)}.")
        elif problem["type"] == "value_error":
            lines.append(f"- {problem['msg'].removeprefix('Value error, ')}.")
        else:
            lines.append(f"- {key}: {problem['msg']}; found {problem['input']!r}.")
    return lines
