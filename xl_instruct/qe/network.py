"""The network of COMET's UnifiedMetric, for inference alone: XLM-R or XLM-R-XL, a mix of its layers, an MLP.

Only the first token's state is scored, and this is used throughout: no layer's states are kept, the last layer
that counts is computed for the first token alone, and layers above it, to which sparsemax gave no weight, not at
all. The results are those of the plain computation, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from xl_instruct.qe.shape import Shape

Get = Callable[[str], Tensor]
Map = Callable[[Tensor], Tensor]
# Not cuDNN's, which prepares itself anew for every shape, and most batches here have one of their own.
_ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One encoder layer: its affine maps, and (weight, bias) of its two norms.

    attention gives query, key and value side by side; query and key_value give them apart and are there in the
    last layer alone, where attention is not.
    """

    attention: Map | None
    query: Map | None
    key_value: Map | None
    output: Map
    up: Map
    down: Map
    norm1: tuple[Tensor, Tensor]
    norm2: tuple[Tensor, Tensor]


class Network:
    """Scores batches of token IDs.

    weights: every parameter of `shape.parameters()`; they are copied to device and dtype one by one, so a
    memory-mapped checkpoint never lies in memory twice. fuse: compile the sums and norms between the matrix
    products into one kernel each (on a GPU; needs Triton). Matrix products and attention run in dtype; the sum that
    goes from layer to layer, the layer mix and the MLP stay in float32.
    """

    def __init__(
        self,
        shape: Shape,
        weights: Mapping[str, Tensor],
        device: torch.device,
        dtype: torch.dtype,
        *,
        fuse: bool = False,
    ):
        self.shape, self.device, self.dtype = shape, device, dtype
        self._joined = torch.compile(_join_pure, dynamic=True) if fuse else _join_in_place

        def low(name: str) -> Tensor:
            return weights[name].to(device, dtype)

        def full(name: str) -> Tensor:
            return weights[name].to(device, torch.float32)

        self._mix, self._depth = self._mixture(weights)
        self._words = low("encoder.model.embeddings.word_embeddings.weight")
        positions = full("encoder.model.embeddings.position_embeddings.weight")
        self._positions = positions + full("encoder.model.embeddings.token_type_embeddings.weight")[0]
        norm = "encoder.model.encoder.LayerNorm" if shape.pre_norm else "encoder.model.embeddings.LayerNorm"
        self._norm = _pair(norm, full)
        self._layers = [self._layer(index, low, full) for index in range(self._depth)]
        self._head = [_pair(f"estimator.ff.{3 * index}", full) for index in range(len(shape.head) + 1)]

    @torch.inference_mode()
    def __call__(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores, float32[rows], of `ids`, int[rows, tokens], on the network's device.

        lengths: int[rows], the tokens that count in each row, at its left; None where all do.
        """
        with sdpa_kernel(_ATTENTION):
            return self._score(ids, lengths)

    def _score(self, ids: Tensor, lengths: Tensor | None) -> Tensor:
        rows, width = ids.shape
        pre, start = self.shape.pre_norm, self.shape.pad + 1
        x = functional.embedding(ids, self._words).float()
        x += self._positions[start : start + width]
        if not pre:
            x = self._normalise(x, self._norm)
        within = None if lengths is None else torch.arange(width, device=ids.device) < lengths[:, None]
        mixed = torch.zeros(rows, self.shape.hidden, device=ids.device)
        self._add(mixed, 0, x, within)
        # x goes from layer to layer in float32; inner is what the next matrix product reads, normalised, in dtype.
        inner = (self._normalise(x, self._layers[0].norm1) if pre and self._layers else x).to(self.dtype)
        for number, layer in enumerate(self._layers, start=1):
            last = number == self._depth
            y = layer.output(self._attend(layer, inner, within))
            x, inner = self._join(x if layer.attention else x[:, :1], y, layer.norm2 if pre else layer.norm1)
            y = layer.down(layer.up(inner))
            if pre and last:
                x = x + y
                if number == self.shape.layers:
                    x = self._normalise(x, self._norm)
            else:
                x, inner = self._join(x, y, self._layers[number].norm1 if pre else layer.norm2)
            self._add(mixed, number, x, within)
        return self._estimate(mixed)

    def _join(self, x: Tensor, y: Tensor, norm: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self._joined(x, y, *norm, self.shape.norm_epsilon, self.shape.pre_norm)

    def _attend(self, layer: _Layer, x: Tensor, within: Tensor | None) -> Tensor:
        rows, _, hidden = x.shape
        split = (rows, -1, self.shape.heads, hidden // self.shape.heads)
        if layer.attention:
            query, key, value = layer.attention(x).chunk(3, dim=-1)
        else:
            assert layer.query
            assert layer.key_value
            query = layer.query(x[:, :1].contiguous())
            key, value = layer.key_value(x).chunk(2, dim=-1)
        attended = functional.scaled_dot_product_attention(
            query.view(split).transpose(1, 2),
            key.view(split).transpose(1, 2),
            value.view(split).transpose(1, 2),
            attn_mask=None if within is None else within[:, None, None, :],
        )
        return attended.transpose(1, 2).reshape(rows, -1, hidden)

    def _normalise(self, x: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
        return functional.layer_norm(x, (self.shape.hidden,), *norm, self.shape.norm_epsilon)

    def _add(self, mixed: Tensor, number: int, x: Tensor, within: Tensor | None) -> None:
        """Adds a layer's share of the first token's state; nothing where the layer has no weight."""
        if (share := self._mix[number]) == 0.0:
            return
        first = x[:, 0]
        if self.shape.mix_norm:
            first = _normalise_sentences(x, within)
        mixed.add_(first, alpha=share)

    def _estimate(self, x: Tensor) -> Tensor:
        *hidden, (weight, bias) = self._head
        activation = _module(self.shape.activation)
        for layer in hidden:
            x = activation(functional.linear(x, *layer))
        x = functional.linear(x, weight, bias).view(-1)
        return x if self.shape.final_activation is None else _module(self.shape.final_activation)(x)

    def _layer(self, index: int, low: Get, full: Get) -> _Layer:
        at = f"encoder.model.encoder.layer.{index}"
        parts = [_pair(f"{at}.attention.self.{part}", low) for part in ("query", "key", "value")]
        # Where only the first token's state is read, the last layer's queries for the others are not needed.
        first_only = index == self._depth - 1 and not self.shape.mix_norm
        norm1, norm2 = self.shape.norms()
        return _Layer(
            attention=None if first_only else _affine(parts),
            query=_affine(parts[:1]) if first_only else None,
            key_value=_affine(parts[1:]) if first_only else None,
            output=_affine([_pair(f"{at}.attention.output.dense", low)]),
            up=_affine([_pair(f"{at}.intermediate.dense", low)], self.shape.encoder_activation),
            down=_affine([_pair(f"{at}.output.dense", low)]),
            norm1=_pair(f"{at}.{norm1}", full),
            norm2=_pair(f"{at}.{norm2}", full),
        )

    def _mixture(self, weights: Mapping[str, Tensor]) -> tuple[list[float], int]:
        """Each layer's share, the embeddings first, and the number of layers to compute."""
        count = self.shape.layers + 1
        if self.shape.mix is None:
            shares = [float(index == self.shape.layer) for index in range(count)]
        else:
            scalars = torch.cat([weights[f"layerwise_attention.scalar_parameters.{index}"] for index in range(count)])
            transform = sparsemax if self.shape.mix == "sparsemax" else softmax
            gamma = weights["layerwise_attention.gamma"].double()
            shares = (transform(scalars.double()) * gamma).tolist()
        return shares, max((index for index, share in enumerate(shares) if share), default=0)


def _join_in_place(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, epsilon: float, keep_sum: bool
) -> tuple[Tensor, Tensor]:
    """x + y for the next layer, and that normalised and in y's dtype for the next product; x is overwritten.

    keep_sum: pass the sum itself on (XLM-R-XL) or the normalised sum (XLM-R).
    """
    total = x.add_(y)
    normal = functional.layer_norm(total, total.shape[-1:], weight, bias, epsilon)
    return (total if keep_sum else normal), normal.to(y.dtype)


def _join_pure(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, epsilon: float, keep_sum: bool
) -> tuple[Tensor, Tensor]:
    total = x + y
    normal = functional.layer_norm(total, total.shape[-1:], weight, bias, epsilon)
    return (total if keep_sum else normal), normal.to(y.dtype)


def softmax(values: Tensor) -> Tensor:
    return torch.softmax(values, dim=0)


def sparsemax(values: Tensor) -> Tensor:
    """The point of the probability simplex nearest to `values`, float[n] (Martins and Astudillo 2016)."""
    descending = values.sort(descending=True).values
    excess = descending.cumsum(0) - 1
    sizes = torch.arange(1, len(values) + 1, dtype=values.dtype)
    support = int((descending * sizes > excess).sum())
    return (values - excess[support - 1] / support).clamp(min=0)


def _normalise_sentences(x: Tensor, within: Tensor | None) -> Tensor:
    """The first token's state, normalised by mean and variance of all of its sentence's (COMET's `layer_norm`)."""
    if within is None:
        mean = x.mean((1, 2), keepdim=True)
        variance = (x - mean).square().mean((1, 2))
    else:
        counted = within[:, :, None]
        size = counted.sum((1, 2), keepdim=True) * x.shape[2]
        mean = (x * counted).sum((1, 2), keepdim=True) / size
        variance = ((x - mean) * counted).square().sum((1, 2)) / size[:, 0, 0]
    return (x[:, 0] - mean[:, 0]) / (variance[:, None] + 1e-12).sqrt()


def _pair(name: str, get: Get) -> tuple[Tensor, Tensor]:
    return get(f"{name}.weight"), get(f"{name}.bias")


def _module(name: str) -> Callable[[Tensor], Tensor]:
    module: Callable[[Tensor], Tensor] = getattr(torch.nn, name.title())()
    return module


def _affine(parts: list[tuple[Tensor, Tensor]], activation: str | None = None) -> Map:
    """x -> activation(x W' + b) for the parts' weights and biases, one below the other.

    On a CPU oneDNN's packed weights are used where PyTorch has them: a quarter faster than its plain product.
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
