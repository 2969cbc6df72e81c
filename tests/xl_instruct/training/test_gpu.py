"""The arithmetic of training on a GPU; the tests beside this one run whole trainings there too when there is one."""

from __future__ import annotations

from typing import Any

import pytest

from xl_instruct.training import chunked_loss, varlen
from xl_instruct.training.tokens import IGNORED

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")


@pytest.mark.parametrize(("heads", "kv_heads", "width"), [(4, 4, 64), (8, 2, 128), (32, 8, 128)])
def test_attention_without_padding_is_that_of_each_sequence_alone(heads: int, kv_heads: int, width: int) -> None:
    torch.manual_seed(0)
    lengths = [1, 7, 300, 64, 129]
    bounds = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32)
    total = sum(lengths)

    def make(count: int) -> Any:
        return torch.randn(1, count, total, width, dtype=torch.bfloat16)

    query, key, value = make(heads), make(kv_heads), make(kv_heads)

    def attend(q: Any, k: Any, v: Any) -> Any:
        where = bounds.to(q.device)
        out, _ = varlen.attend(None, q, k, v, None, cu_seq_lens_q=where, max_length_q=max(lengths))
        return out

    exact = attend(query.float(), key.float(), value.float())
    parts = [part.cuda().requires_grad_() for part in (query, key, value)]
    ours = attend(*parts)
    assert ours.shape == exact.shape
    assert torch.allclose(ours.detach().float().cpu(), exact, atol=0.02)
    # The gradient of a sequence does not depend on its neighbours.
    ours[:, :8].float().square().sum().backward()
    assert all(part.grad is not None and part.grad[:, :, 8:].abs().max() == 0 for part in parts)


def test_the_loss_in_chunks_is_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_loss, "CHUNK_ELEMENTS", 40 * 500)
    torch.manual_seed(0)
    head = torch.nn.Linear(64, 500, device="cuda")
    head.requires_grad_(False)
    hidden = torch.randn(3, 90, 64, device="cuda", requires_grad=True)
    labels = torch.randint(0, 500, (3, 90), device="cuda")
    labels[:, :11] = IGNORED
    loss = chunked_loss.sum_loss(hidden, head, labels)
    (ours,) = torch.autograd.grad(loss, hidden)
    plain = torch.nn.functional.cross_entropy(
        head(hidden)[:, :-1].reshape(-1, 500), labels[:, 1:].reshape(-1), reduction="sum"
    )
    (theirs,) = torch.autograd.grad(plain, hidden)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-4)
    assert torch.allclose(ours, theirs, atol=1e-3)
