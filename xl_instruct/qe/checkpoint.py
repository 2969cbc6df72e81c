"""COMET checkpoints as they lie on the Hub or in a folder: `hparams.yaml` and `checkpoints/model.ckpt`.

Nothing in them is executed. A checkpoint is a pickle; it is read with PyTorch's weights-only loader, and what a
checkpoint holds besides tensors (Lightning's own objects) is replaced by inert values.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_instruct.qe.shape import Shape
from xl_suite.errors import BadInput, ModelUnavailable
from xl_suite.extras import load as load_extra

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
_ENCODERS = {"XLM-RoBERTa": ("XLMRobertaConfig", False), "XLM-RoBERTa-XL": ("XLMRobertaXLConfig", True)}
_ENCODER_FILES = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentencepiece.bpe.model",
]
# Kept in checkpoints, but no part of a score: training's buffers, the word-level head, the unused pooler, and
# index buffers that older versions of transformers saved. unbabel-comet leaves them out as well.
_NOT_SCORED = re.compile(
    r"layerwise_attention\.dropout_(mask|fill)|encoder\.model\.(pooler\..*|embeddings\.(position_ids|token_type_ids))"
    r"|hidden2tag\..*|(sent|word)?loss\..*|(train|val)_(corr|mcc|metrics)\..*"
)


@dataclass(frozen=True, slots=True)
class HyperParameters:
    """What hparams.yaml and the checkpoint's own hyperparameters say about scoring; UnifiedMetric's defaults."""

    encoder_model: str = "XLM-RoBERTa"
    pretrained_model: str = "microsoft/infoxlm-large"
    sent_layer: str | int = "mix"
    layer_transformation: str = "sparsemax"
    layer_norm: bool = True
    hidden_sizes: tuple[int, ...] = (3072, 1024)
    activations: str = "Tanh"
    final_activation: str | None = None
    input_segments: tuple[str, ...] = ("mt", "src", "ref")


def find_checkpoint(model: str) -> Path:
    """The folder of a checkpoint: `model` itself where it is one, else a Hub ID's snapshot, fetched if need be.

    Raises BadInput for a name that is neither, ModelUnavailable where the Hub does not give it.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", model):
            raise BadInput(f"{model!r} is neither a folder nor a Hub ID. Write a folder's path, or ORG/NAME.")
        folder = _fetch(model, ["hparams.yaml", "checkpoints/model.ckpt", "README.md", "LICENSE*"])
    for needed in ("hparams.yaml", "checkpoints/model.ckpt"):
        if not (folder / needed).is_file():
            raise BadInput(f"{folder}: no COMET checkpoint, since {needed} is missing.")
    return folder


def find_encoder(name: str, checkpoint: Path) -> Path:
    """The folder with the configuration and the tokenizer of the encoder that hparams.yaml names.

    A path is taken from here or from the checkpoint's folder; anything else is a Hub ID, of which no weights
    are fetched.
    """
    for folder in (checkpoint / name, Path(name)):
        if (folder / "config.json").is_file():
            return folder
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", name):
        raise BadInput(f"{checkpoint}: its encoder {name!r} is not a folder here. Name one: encoder=DIR.")
    return _fetch(name, _ENCODER_FILES)


def read_hyperparameters(folder: Path, stored: Mapping[str, Any]) -> HyperParameters:
    """The hyperparameters of a checkpoint: those stored in it before those of hparams.yaml, as unbabel-comet has it.

    Raises BadInput where they are not those of a reference-free UnifiedMetric over XLM-R or XLM-R-XL.
    """
    import yaml

    path = folder / "hparams.yaml"
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    if not isinstance(written, dict):
        raise BadInput(f"{path}: expected keys and values, found {type(written).__name__}.")
    kind = written.get("class_identifier")
    if kind != "unified_metric":
        raise BadInput(
            f"{path}: class_identifier is {kind!r}; only 'unified_metric' (CometKiwi) is scored here. "
            "For other metrics use the backend comet."
        )
    values: dict[str, Any] = {}
    for field in fields(HyperParameters):
        source = stored if field.name in stored else written
        if field.name in source:
            value = source[field.name]
            values[field.name] = tuple(value) if isinstance(value, list | tuple) else value
    if written.get("layer_transformation") == "sparsemax_patch":  # its models were trained with softmax in fact
        values["layer_transformation"] = "softmax"
    found = HyperParameters(**values)
    _check(found, path)
    return found


def _check(found: HyperParameters, path: Path) -> None:
    import torch

    def refuse(key: str, valid: str) -> None:
        raise BadInput(f"{path}: {key} is {getattr(found, key)!r}; it must be {valid}.")

    if found.encoder_model not in _ENCODERS:
        refuse("encoder_model", " or ".join(_ENCODERS))
    if found.input_segments[:2] != ("mt", "src"):
        refuse("input_segments", "[mt, src] or [mt, src, ref], since nothing else scores without references")
    if found.sent_layer != "mix" and not isinstance(found.sent_layer, int):
        refuse("sent_layer", "mix or a layer's number")
    if not found.hidden_sizes or not all(isinstance(size, int) and size > 0 for size in found.hidden_sizes):
        refuse("hidden_sizes", "a list of positive numbers")
    for key in ("activations", "final_activation"):
        name = getattr(found, key)
        if (name is not None or key == "activations") and not hasattr(torch.nn, str(name).title()):
            refuse(key, "the name of one of torch.nn's activations, such as Tanh or Sigmoid")


def read_shape(found: HyperParameters, encoder: Path) -> Shape:
    """The network's shape, from the hyperparameters and the encoder's config.json."""
    transformers = load_extra("transformers", extra="hf")
    class_name, pre_norm = _ENCODERS[found.encoder_model]
    config = getattr(transformers, class_name).from_pretrained(encoder)
    layer = -1 if found.sent_layer == "mix" else int(found.sent_layer)
    if layer > config.num_hidden_layers or (layer < 0 and found.sent_layer != "mix"):
        raise BadInput(f"sent_layer is {layer}, but {encoder} has layers 0 to {config.num_hidden_layers}.")
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise BadInput(f"{encoder}/config.json: position_embedding_type must be 'absolute'.")
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        intermediate=config.intermediate_size,
        vocabulary=config.vocab_size,
        positions=config.max_position_embeddings,
        types=config.type_vocab_size,
        pad=config.pad_token_id,
        norm_epsilon=config.layer_norm_eps,
        encoder_activation=config.hidden_act,
        pre_norm=pre_norm,
        mix=None if layer >= 0 else "sparsemax" if found.layer_transformation == "sparsemax" else "softmax",
        layer=layer,
        # Only the mix normalises: a single layer is read as it is.
        mix_norm=bool(found.layer_norm) and layer < 0,
        head=found.hidden_sizes,
        activation=found.activations,
        final_activation=found.final_activation,
    )


def read_tokenizer(encoder: Path) -> Tokenizer:
    """The encoder's fast tokenizer, without truncation and padding."""
    from tokenizers import Tokenizer

    if (encoder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    else:  # only SentencePiece's model: transformers turns it into a fast one
        transformers = load_extra("transformers", extra="hf")
        tokenizer = transformers.XLMRobertaTokenizerFast.from_pretrained(encoder).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state dict, memory-mapped, and the hyperparameters that are stored beside it (empty where none are).

    Raises BadInput for a file that is not a checkpoint.
    """
    torch = load_extra("torch", extra="hf")
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        with torch.serialization.safe_globals([(_Inert, name) for name in foreign]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a broken or hostile pickle makes the loader raise
        raise BadInput(f"{path}: not a readable PyTorch checkpoint: {error}") from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise BadInput(f"{path}: no COMET checkpoint, since it has no state_dict.")
    stored = content.get("hyper_parameters")
    return state, dict(stored) if isinstance(stored, dict) else {}


def refuse_code(path: Path) -> None:
    """Raises BadInput for a checkpoint that names other Python objects than Lightning's own settings.

    unbabel-comet unpickles a checkpoint whole, and what it names is imported and called. Environment variable
    XL_SUITE_TRUST_CHECKPOINTS=1 lets it.
    """
    torch = load_extra("torch", extra="hf")
    if os.environ.get(TRUST) == "1":
        return
    try:
        named = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception as error:  # whatever a broken or hostile pickle makes the reader raise
        raise BadInput(f"{path}: not a readable PyTorch checkpoint: {error}") from error
    if foreign := sorted(named - _HARMLESS):
        raise BadInput(
            f"{path}: loading it would import and may run {', '.join(foreign[:5])}. Use it as cometkiwi:..., which "
            f"reads weights only, or set {TRUST}=1 if you trust whoever made the file."
        )


def check_state(state: Mapping[str, Tensor], shape: Shape, path: Path) -> None:
    """Raises BadInput, naming them, where the state dict has other parameters than the network, or other shapes."""
    wanted = shape.parameters()
    missing = sorted(wanted.keys() - state.keys())
    unexpected = sorted(name for name in state.keys() - wanted.keys() if not _NOT_SCORED.fullmatch(name))
    wrong = sorted(
        f"{name} {tuple(state[name].shape)} instead of {size}"
        for name, size in wanted.items()
        if name in state and tuple(state[name].shape) != size
    )
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": wrong}
    said = [f"{len(names)} {what}: {_enumerate(names)}" for what, names in problems.items() if names]
    if said:
        raise BadInput(
            f"{path}: its parameters are not those of the encoder and hparams.yaml. {'; '.join(said)}. "
            "Is the encoder the one that the checkpoint was trained from?"
        )


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content; for a file of the Hub's cache its blob's name, which is that."""
    resolved = path.resolve()
    if resolved.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", resolved.name):
        return resolved.name
    with resolved.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_values(*values: Any) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_licence(folder: Path) -> str:
    """The licence that the model's card names in its front matter; `unknown` without one."""
    import yaml

    try:
        card = (folder / "README.md").read_text(encoding="utf-8")
        matter = yaml.safe_load(card.split("---\n", 2)[1])
        return str(matter["license"])
    except (OSError, UnicodeDecodeError, IndexError, KeyError, TypeError, yaml.YAMLError):
        return "unknown"


def _fetch(repo: str, patterns: list[str]) -> Path:
    hub = load_extra("huggingface_hub", extra="hf")
    try:
        return Path(hub.snapshot_download(repo, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises its own, its HTTP client's and OS errors
        reason = next(iter(str(error).splitlines()), "")
        raise ModelUnavailable(
            f"{repo}: the Hub did not give it ({type(error).__name__}: {reason}). "
            "CometKiwi models are gated: accept the licence on the model's page and log in with `hf auth login`."
        ) from error


def _enumerate(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


TRUST = "XL_SUITE_TRUST_CHECKPOINTS"
# What Lightning keeps beside the weights of a COMET checkpoint; making one of these runs nothing else.
_HARMLESS = frozenset(
    {
        "argparse.Namespace",
        "lightning_fabric.utilities.data.AttributeDict",
        "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "pytorch_lightning.utilities.data.AttributeDict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
    }
)


class _Inert(dict[Any, Any]):
    """Replaces what a checkpoint's pickle names that is not a tensor; keeps a mapping's items, does nothing."""

    def __init__(self, *arguments: Any, **keywords: Any):
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        pass
