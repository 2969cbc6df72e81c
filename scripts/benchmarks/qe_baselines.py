"""What `qe.py` compares with: the plain computation with transformers, and unbabel-comet, over the same weights."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaXLConfig, XLMRobertaXLModel

from xl_instruct.qe.shape import Shape

Pairs = list[tuple[str, str]]


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
