"""Cross entropy under a frozen output layer, without the logits of a whole batch.

Only positions that count are projected onto the vocabulary, a chunk at a time, and since the layer is frozen the
gradient of the hidden states is made in the same pass: the logits are never kept and never computed twice.

trl's own fused head (1.16) gives the same losses. It stays here since that one, on a CPU, also projects the positions
that do not count, and computes entropies and accuracies with them: 3.7 times the time and 4 times the memory in a
short run (scripts/benchmarks/README.md). On a GPU the two have not been compared.
"""

from __future__ import annotations

from typing import Any

# Logits of a chunk, in elements: 1 GiB as float32.
CHUNK_ELEMENTS = 2**28
# What changes the logits of some models beyond the output layer; those keep trl's own loss.
_SCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier")


def find_obstacle(model: Any) -> str:
    """Why the loss of a transformers model cannot be computed here; empty where it can."""
    head = model.get_output_embeddings()
    if head is None or not hasattr(model, "base_model"):
        return "it has no output layer"
    if any(parameter.requires_grad for parameter in head.parameters()):
        return "its output layer is trained"
    if type(head).__name__ != "Linear":
        return f"its output layer is a {type(head).__name__}"
    text = model.config.get_text_config()
    scaled = [name for name in _SCALED if getattr(text, name, None) not in (None, 1, 1.0)]
    if scaled:
        return f"it has {scaled[0]}"
    if getattr(text, "num_experts", None) or getattr(text, "num_local_experts", None):
        return "it is a mixture of experts"
    return ""


def sum_loss(hidden: Any, head: Any, labels: Any) -> Any:
    """The sum of the cross entropies (nats), float32.

    hidden: ... x tokens x width; labels: ... x tokens, -100 where nothing is counted, the token at a place being
    predicted from the place before it. head: a frozen torch Linear.
    """
    hidden, labels = hidden[..., :-1, :], labels[..., 1:]
    counted = labels != -100
    return _make_function().apply(hidden[counted], head.weight, head.bias, labels[counted])


def _make_function() -> Any:
    global _FUNCTION
    if _FUNCTION is None:
        _FUNCTION = _define()
    return _FUNCTION


_FUNCTION: Any = None


def _define() -> Any:
    import torch

    class FrozenHeadLoss(torch.autograd.Function):  # type: ignore[misc,no-any-unimported,unused-ignore]
        @staticmethod
        def forward(ctx: Any, hidden: Any, weight: Any, bias: Any, labels: Any) -> Any:
            total = torch.zeros((), dtype=torch.float32, device=hidden.device)
            gradient = torch.empty_like(hidden)
            size = max(1, CHUNK_ELEMENTS // weight.shape[0])
            with torch.autocast(hidden.device.type, enabled=False):
                for start in range(0, len(labels), size):
                    part, wanted = hidden[start : start + size].to(weight.dtype), labels[start : start + size, None]
                    logits = part @ weight.T
                    if bias is not None:
                        logits = logits + bias
                    logits = logits.float()
                    norm = logits.logsumexp(-1, keepdim=True)
                    total += (norm - logits.gather(-1, wanted)).sum()
                    logits.sub_(norm).exp_()
                    logits.scatter_add_(-1, wanted, logits.new_full(wanted.shape, -1.0))
                    gradient[start : start + size] = (logits.to(weight.dtype) @ weight).to(gradient.dtype)
            ctx.save_for_backward(gradient)
            return total

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> tuple[Any, None, None, None]:
            (gradient,) = ctx.saved_tensors
            return gradient * upstream.to(gradient.dtype), None, None, None

    return FrozenHeadLoss
