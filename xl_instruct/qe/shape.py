"""The shape of a UnifiedMetric: its sizes, and the names of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Shape:
    """What the checkpoint's hyperparameters and the encoder's configuration say about the network.

    pre_norm: XLM-R-XL normalises before attention and MLP and once at the end, XLM-R after each.
    mix: `softmax` or `sparsemax` over the layers' weights, or None where one layer, `layer`, is read.
    layer 0 is the embeddings. mix_norm: whether each layer is normalised over a sentence before mixing.
    head: hidden sizes of the regression MLP. activation, final_activation: names of torch.nn's modules.
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    pad: int
    norm_epsilon: float
    encoder_activation: str
    pre_norm: bool
    mix: str | None
    layer: int
    mix_norm: bool
    head: tuple[int, ...]
    activation: str
    final_activation: str | None

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, as unbabel-comet's state dict has them."""
        h, wide = self.hidden, self.intermediate
        found: dict[str, tuple[int, ...]] = {
            "encoder.model.embeddings.word_embeddings.weight": (self.vocabulary, h),
            "encoder.model.embeddings.position_embeddings.weight": (self.positions, h),
            "encoder.model.embeddings.token_type_embeddings.weight": (self.types, h),
        }

        def add(name: str, *shape: int) -> None:
            found[f"{name}.weight"] = shape
            found[f"{name}.bias"] = shape[:1]

        add("encoder.model.encoder.LayerNorm" if self.pre_norm else "encoder.model.embeddings.LayerNorm", h)
        for index in range(self.layers):
            at = f"encoder.model.encoder.layer.{index}"
            for part in ("query", "key", "value"):
                add(f"{at}.attention.self.{part}", h, h)
            add(f"{at}.attention.output.dense", h, h)
            add(f"{at}.intermediate.dense", wide, h)
            add(f"{at}.output.dense", h, wide)
            for norm in self.norms():
                add(f"{at}.{norm}", h)
        if self.mix is not None:
            found["layerwise_attention.gamma"] = (1,)
            for index in range(self.layers + 1):
                found[f"layerwise_attention.scalar_parameters.{index}"] = (1,)
        sizes = (h, *self.head, 1)
        for index, (wide_in, wide_out) in enumerate(pairwise(sizes)):
            add(f"estimator.ff.{3 * index}", wide_out, wide_in)  # an activation and a dropout are between them
        return found

    def norms(self) -> tuple[str, str]:
        """Names of a layer's two norms, in the order of their use."""
        if self.pre_norm:
            return "attention.self_attn_layer_norm", "LayerNorm"
        return "attention.output.LayerNorm", "output.LayerNorm"
