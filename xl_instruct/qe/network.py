"""The network of COMET's UnifiedMetric, for inference alone: XLM-R or XLM-R-XL, a mix of its layers, an MLP.

Only the first token's state is scored, and this is used throughout: no layer's states are kept, the last layer
that counts is computed for the first token alone, without keys and values of the others, and layers above it, to
which sparsemax gave no weight, not at all. The results are those of the plain computation, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from xl_instruct.qe.affine import Map, make_affine
from xl_instruct.qe.shape import Shape

Get = Callable[[str], Tensor]
# Not cuDNN's, which prepares itself anew for every shape, and most batches here have one of their own.
_ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True, slots=True)
class _FirstToken:
    """The first token's attention to its sentence, without a key or a value for each token.

    A key meets one query only, so the query takes the keys' weights upon itself (a key's bias adds the same to every
    logit and falls out), and the values' weights apply to the tokens' weighted sum: one product a sentence each
    instead of one a token. query: (weight, bias). keys, values: float[heads, width, hidden]. bias: the values'.
    """

    query: tuple[Tensor, Tensor]
    keys: Tensor
    values: Tensor
    bias: Tensor

    def __call__(self, x: Tensor, within: Tensor | None) -> Tensor:
        heads, width, _ = self.keys.shape
        query = functional.linear(x[:, 0], *self.query).view(len(x), heads, width) * width**-0.5
        logits = torch.einsum("rnw,nwh->rnh", query, self.keys) @ x.transpose(1, 2)
        if within is not None:
            logits.masked_fill_(~within[:, None], -torch.inf)
        seen = logits.softmax(-1) @ x
        return (torch.einsum("rnh,nwh->rnw", seen, self.values).flatten(1) + self.bias)[:, None]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One encoder layer: its affine maps, (weight, bias) of its two norms, and the type that its products take.

    attention gives query, key and value side by side; the last layer has `first` instead where no more is read.
    """

    attention: Map | None
    first: _FirstToken | None
    output: Map
    up: Map
    down: Map
    norm1: tuple[Tensor, Tensor]
    norm2: tuple[Tensor, Tensor]
    dtype: torch.dtype


class Network:
    """Scores batches of token IDs.

    weights: every parameter of `shape.parameters()`; they are copied to device and dtype one by one, so a
    memory-mapped checkpoint never lies in memory twice. fuse: compile the sums and norms between the matrix
    products into one kernel each (on a GPU; needs Triton). Matrix products and attention run in dtype; the sum that
    goes from layer to layer, a last layer of the first token alone, the layer mix and the MLP stay in float32.
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
        """What `estimate` scores, float32[rows, hidden], of `ids`, int[rows, tokens], on the network's device.

        lengths: int[rows], the tokens that count in each row, at its left; None where all do.
        """
        with sdpa_kernel(_ATTENTION):
            return self._mix_layers(ids, lengths)

    @torch.inference_mode()
    def estimate(self, x: Tensor) -> Tensor:
        """Scores, float32[rows]; best called with the rows of many batches, since each call reads all weights."""
        *hidden, (weight, bias) = self._head
        activation = _module(self.shape.activation)
        for layer in hidden:
            x = activation(functional.linear(x, *layer))
        x = functional.linear(x, weight, bias).view(-1)
        return x if self.shape.final_activation is None else _module(self.shape.final_activation)(x)

    def _mix_layers(self, ids: Tensor, lengths: Tensor | None) -> Tensor:
        rows, width = ids.shape
        pre, start = self.shape.pre_norm, self.shape.pad + 1
        x = functional.embedding(ids, self._words).float()
        x += self._positions[start : start + width]
        if not pre:
            x = self._normalise(x, self._norm)
        within = None if lengths is None else torch.arange(width, device=ids.device) < lengths[:, None]
        mixed = torch.zeros(rows, self.shape.hidden, device=ids.device)
        self._add(mixed, 0, x, within)
        if not self._layers:
            return mixed
        # x goes from layer to layer in float32; inner is what the next matrix product reads, normalised, in its type.
        inner = (self._normalise(x, self._layers[0].norm1) if pre else x).to(self._layers[0].dtype)
        for number, layer in enumerate(self._layers, start=1):
            last = number == self._depth
            attended = layer.first(inner, within) if layer.first else self._attend(layer, inner, within)
            # A last layer of the first token alone goes on with that one.
            x, inner = self._join(
                x[:, : attended.shape[1]], layer.output(attended), layer.norm2 if pre else layer.norm1, layer.dtype
            )
            y = layer.down(layer.up(inner))
            if pre and last:
                x = x + y
                if number == self.shape.layers:
                    x = self._normalise(x, self._norm)
            else:
                following = layer if last else self._layers[number]
                x, inner = self._join(x, y, following.norm1 if pre else layer.norm2, following.dtype)
            self._add(mixed, number, x, within)
        return mixed

    def _join(self, x: Tensor, y: Tensor, norm: tuple[Tensor, Tensor], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        return self._joined(x, y, *norm, self.shape.norm_epsilon, self.shape.pre_norm, dtype)

    def _attend(self, layer: _Layer, x: Tensor, within: Tensor | None) -> Tensor:
        assert layer.attention
        rows, _, hidden = x.shape
        split = (rows, -1, self.shape.heads, hidden // self.shape.heads)
        query, key, value = layer.attention(x).chunk(3, dim=-1)
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

    def _layer(self, index: int, low: Get, full: Get) -> _Layer:
        at = f"encoder.model.encoder.layer.{index}"
        # Where only the first token's state is read, the last layer has little to compute, and float32 costs nothing.
        first_only = index == self._depth - 1 and not self.shape.mix_norm
        get = full if first_only else low
        parts = [_pair(f"{at}.attention.self.{part}", get) for part in ("query", "key", "value")]
        norm1, norm2 = self.shape.norms()
        return _Layer(
            attention=None if first_only else make_affine(parts),
            first=self._first(*parts) if first_only else None,
            output=make_affine([_pair(f"{at}.attention.output.dense", get)]),
            up=make_affine([_pair(f"{at}.intermediate.dense", get)], self.shape.encoder_activation),
            down=make_affine([_pair(f"{at}.output.dense", get)]),
            norm1=_pair(f"{at}.{norm1}", full),
            norm2=_pair(f"{at}.{norm2}", full),
            dtype=torch.float32 if first_only else self.dtype,
        )

    def _first(
        self, query: tuple[Tensor, Tensor], key: tuple[Tensor, Tensor], value: tuple[Tensor, Tensor]
    ) -> _FirstToken:
        split = (self.shape.heads, -1, self.shape.hidden)
        return _FirstToken(query, key[0].view(split), value[0].view(split), value[1])

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
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, epsilon: float, keep_sum: bool, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """x + y for the next layer, and that normalised and in `dtype` for the next product; x is overwritten.

    keep_sum: pass the sum itself on (XLM-R-XL) or the normalised sum (XLM-R).
    """
    total = x.add_(y)
    normal = functional.layer_norm(total, total.shape[-1:], weight, bias, epsilon)
    return (total if keep_sum else normal), normal.to(dtype)


def _join_pure(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, epsilon: float, keep_sum: bool, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    total = x + y
    normal = functional.layer_norm(total, total.shape[-1:], weight, bias, epsilon)
    return (total if keep_sum else normal), normal.to(dtype)


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
