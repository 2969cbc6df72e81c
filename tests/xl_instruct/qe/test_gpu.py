"""Estimators on a GPU beside their own values on the CPU; `make gpu` runs these where there is one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from xl_instruct.qe.cometkiwi import load as load_cometkiwi
from xl_instruct.qe.lm import load as load_lm

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")

Pairs = list[tuple[str, str]]
Make = Callable[..., Path]
KINDS = [
    ("XLM-RoBERTa", {}),
    ("XLM-RoBERTa", {"layer_norm": True, "final_activation": "Sigmoid"}),
    ("XLM-RoBERTa-XL", {"layer_transformation": "softmax"}),
    ("XLM-RoBERTa-XL", {"sent_layer": 2}),
]


@pytest.mark.parametrize(("encoder", "hparams"), KINDS)
def test_cometkiwi_scores_as_on_the_cpu(
    encoder: str, hparams: dict[str, object], pairs: Pairs, make_checkpoint: Make
) -> None:
    folder = str(make_checkpoint(encoder, **hparams))
    sources, texts = (list(column) for column in zip(*pairs, strict=True))
    expected = load_cometkiwi(folder, device="cpu")(sources, texts, "deu")
    on_gpu = load_cometkiwi(folder, device="cuda")
    assert on_gpu(sources, texts, "deu") == pytest.approx(expected, abs=2e-5)
    # Neither the batch nor the order of the pairs changes a score by more than the last digits.
    backwards = load_cometkiwi(folder, device="cuda:0", batch_tokens=600)(sources[::-1], texts[::-1], "deu")
    assert backwards[::-1] == pytest.approx(expected, abs=2e-5)
    for precision, apart in (("bf16", 0.2), ("fp16", 0.03)):
        rough = load_cometkiwi(folder, device="cuda", precision=precision)(sources, texts, "deu")
        assert rough == pytest.approx(expected, abs=apart)
        assert rough != expected


def test_auto_takes_the_gpu_and_the_fingerprint_does_not_depend_on_it(make_checkpoint: Make) -> None:
    folder = str(make_checkpoint())
    assert len({load_cometkiwi(folder, device=device).fingerprint for device in ("auto", "cpu", "cuda")}) == 1


def test_a_language_model_scores_as_on_the_cpu(tiny_model: Path) -> None:
    rivers, bridges = ["The river", "A slow river of the north", ""], ["Der Fluss", "ein langsamer Fluss", "nichts"]
    sources, texts = (list(column) for column in zip(*itertools.product(rivers, bridges), strict=True))
    expected = load_lm(str(tiny_model), contrast=1.0, device="cpu")(sources, texts, "deu")
    assert load_lm(str(tiny_model), contrast=1.0, device="cuda")(sources, texts, "deu") == pytest.approx(
        expected, abs=1e-3
    )
    rough = load_lm(str(tiny_model), contrast=0.0, device="cuda", precision="bf16")(sources, texts, "deu")
    exact = load_lm(str(tiny_model), contrast=0.0, device="cpu")(sources, texts, "deu")
    assert rough == pytest.approx(exact, abs=0.2)
