"""Affine maps for inference, with their weights laid out for the processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Map = Callable[[Tensor], Tensor]


def make_affine(parts: list[tuple[Tensor, Tensor]], activation: str | None = None) -> Map:
    """x -> activation(x W' + b) for the parts' weights and biases, one below the other.

    On a CPU oneDNN's packed weights are used where PyTorch has them, which is faster than its plain product.
    """
    weight, bias = (torch.cat(tensors) if len(parts) > 1 else tensors[0] for tensors in zip(*parts, strict=True))
    packed = _pack(weight)
    if packed is not None:
        apply: Any = torch.ops.mkldnn._linear_pointwise
        if activation in (None, "gelu"):
            return lambda x: apply(x, packed, bias, activation or "none", [], "none")
        act = _activation(activation)
        return lambda x: act(apply(x, packed, bias, "none", [], ""))
    if activation is None:
        return lambda x: functional.linear(x, weight, bias)
    act = _activation(activation)
    return lambda x: act(functional.linear(x, weight, bias))


def _pack(weight: Tensor) -> Tensor | None:
    if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16):
        return None
    try:
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 1024)
    except (AttributeError, RuntimeError):  # built without oneDNN, or a processor that it has no such kernels for
        return None
    return packed


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    if name == "gelu":
        # In place: a fresh block of that size can cost more than the function itself.
        in_place: Any = torch.ops.aten.gelu_
        return lambda x: in_place(x)
    from transformers.activations import ACT2FN

    found: Callable[[Tensor], Tensor] = ACT2FN[name]
    return found
