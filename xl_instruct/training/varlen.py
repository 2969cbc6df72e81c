"""Attention without padding: sequences laid end to end, each attending to itself only.

transformers knows it as `xl_varlen` once `register` was called. On a GPU it is torch's own kernel for sequences of
different lengths (flash attention, no further package); on a CPU a loop with the same result. The boundaries come
with the batch as `cu_seq_lens_q` and `max_length_q`, as trl's collator gives them with `padding_free`.
"""

from __future__ import annotations

import functools
import inspect
from itertools import pairwise
from typing import Any

NAME = "xl_varlen"
# What a configuration may not have, since the kernel has nothing like it.
_UNSUPPORTED = ("attn_logit_softcapping", "sliding_window")


def register() -> str:
    """Makes the attention known to transformers; its name, for `attn_implementation`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _no_mask)
    return NAME


def find_obstacle(config: Any, *, gpu: bool) -> str:
    """Why this attention cannot serve a model (its transformers configuration); empty where it can."""
    text = config.get_text_config()
    for name in _UNSUPPORTED:
        used = getattr(text, "use_sliding_window", True) if name == "sliding_window" else True
        kinds = getattr(text, "layer_types", None) or ()
        if name == "sliding_window" and kinds and all(kind == "full_attention" for kind in kinds):
            used = False
        if used and getattr(text, name, None) is not None:
            return f"the model has {name}"
    if gpu:
        try:
            options = _list_options()
        except ImportError:
            return "this torch has no varlen_attn"
        if not {"window_size", "scale"} <= options:
            return "varlen_attn of this torch lacks what is needed"
        heads = getattr(text, "num_attention_heads", 0)
        width = getattr(text, "head_dim", None) or (text.hidden_size // heads if heads else 0)
        if width % 8 or width > 256:
            return f"heads of {width} do not suit the kernel"
    return ""


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: Any = None,
    max_length_q: int | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """The contract of transformers: query, key, value of batch x heads x tokens x width; batch x tokens x heads x
    width is returned. Without boundaries every row of the batch is a sequence."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if cu_seq_lens_q is None or query.shape[0] != 1:
        out = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, enable_gqa=True)
        return out.transpose(1, 2).contiguous(), None
    if query.is_cuda:
        from torch.nn.attention.varlen import varlen_attn

        dtype = query.dtype if query.dtype in (torch.bfloat16, torch.float16) else torch.bfloat16
        q, k, v = (part[0].transpose(0, 1).to(dtype).contiguous() for part in (query, key, value))
        longest = int(max_length_q or 0)
        groups = query.shape[1] // key.shape[1]
        grouped: Any = {"enable_gqa": True} if groups > 1 and "enable_gqa" in _list_options() else {}
        if groups > 1 and not grouped:  # torch 2.11 wants as many heads of keys as of queries
            k, v = (part.repeat_interleave(groups, dim=1) for part in (k, v))
        attended: Any = varlen_attn(
            q,
            k,
            v,
            cu_seq_lens_q,
            cu_seq_lens_q,
            longest,
            longest,
            scale=scaling,
            window_size=(-1, 0),
            **grouped,
        )
        return attended[None].to(query.dtype), None
    bounds = cu_seq_lens_q.tolist()
    rows = [
        scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            is_causal=True,
            scale=scaling,
            enable_gqa=True,
        )
        for start, end in pairwise(bounds)
    ]
    return torch.cat(rows, dim=2).transpose(1, 2).contiguous(), None


@functools.cache
def _list_options() -> frozenset[str]:
    """What this torch's kernel can be told; ImportError where torch has none."""
    from torch.nn.attention.varlen import varlen_attn

    return frozenset(inspect.signature(varlen_attn).parameters)


def _no_mask(*args: Any, **kwargs: Any) -> None:
    """The boundaries say it all."""
    return
