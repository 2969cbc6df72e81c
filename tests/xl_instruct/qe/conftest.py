"""Random UnifiedMetric checkpoints in the form that unbabel-comet saves, made without it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TEXT = """
the river carries old letters home der Fluss trägt alte Briefe nach Hause o rio leva cartas antigas para casa
a folyó régi leveleket visz haza 河流把旧信带回家 नदी पुराने पत्र घर ले जाती है النهر يحمل رسائل قديمة إلى البيت
"""
HEAD = {"hidden_sizes": [24, 12], "activations": "Tanh", "final_activation": None}


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """(source, translation) pairs: odd ones, 60 of ordinary lengths, and some of them again."""
    draw, words = random.Random(5), TEXT.split()

    def sentence() -> str:
        return " ".join(draw.choice(words) for _ in range(draw.randint(1, 12)))

    odd = [
        ("", ""),
        ("", "allein"),
        ("alone", " "),
        ("letters " * 700, "Briefe"),
        ("letters", "Briefe " * 700),
        ("letters " * 300, "Briefe " * 300),
        ("<pad> letters <pad>", "</s> Briefe <pad>"),
        ("half a surrogate \ud83d", "ein halbes \ude00"),
    ]
    made = odd + [(sentence(), sentence()) for _ in range(60)]
    return made + made[::7]


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a checkpoint folder; keywords go to hparams.yaml, `state` edits the state dict before it is saved."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    torch.set_num_threads(1)

    def make(
        encoder_model: str = "XLM-RoBERTa",
        *,
        state: Callable[[dict[str, Any]], None] = lambda _: None,
        beside: dict[str, Any] | None = None,
        **keywords: Any,
    ) -> Path:
        folder = tmp_path_factory.mktemp("checkpoint")
        weights = make_encoder(folder / "encoder", encoder_model)
        hparams = {
            "class_identifier": "unified_metric",
            "encoder_model": encoder_model,
            "pretrained_model": "encoder",
            "input_segments": ["mt", "src"],
            "sent_layer": "mix",
            "layer_transformation": "sparsemax",
            "layer_norm": False,
            **HEAD,
            **keywords,
        }
        draw = torch.Generator().manual_seed(2)
        if hparams["sent_layer"] == "mix":
            weights["layerwise_attention.gamma"] = torch.tensor([1.3])
            for index, value in enumerate((0.1, 0.9, -2.0, 0.7, -2.0)):  # sparsemax: two layers, the last not one
                weights[f"layerwise_attention.scalar_parameters.{index}"] = torch.tensor([value])
        sizes = [32, *hparams["hidden_sizes"], 1]
        for index in range(len(sizes) - 1):
            shape = (sizes[index + 1], sizes[index])
            weights[f"estimator.ff.{3 * index}.weight"] = torch.randn(shape, generator=draw) * 0.4
            weights[f"estimator.ff.{3 * index}.bias"] = torch.randn(shape[:1], generator=draw) * 0.1
        state(weights)
        (folder / "checkpoints").mkdir()
        content = {"state_dict": weights, **(beside or {})}
        torch.save(content, folder / "checkpoints" / "model.ckpt")
        (folder / "hparams.yaml").write_text(yaml.safe_dump(hparams), encoding="utf-8")
        return folder

    return make


def make_encoder(folder: Path, kind: str) -> dict[str, Any]:
    """Writes config.json and a tokenizer laid out as XLM-R's; the encoder's random weights under comet's names."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaXLConfig, XLMRobertaXLModel

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {text: index for index, text in enumerate(special + sorted({*TEXT.split(), "Briefe", "allein"}))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(special)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config_class, model_class = (
        (XLMRobertaConfig, XLMRobertaModel) if kind == "XLM-RoBERTa" else (XLMRobertaXLConfig, XLMRobertaXLModel)
    )
    config = config_class(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    config.save_pretrained(folder)
    torch.manual_seed(1)
    model = model_class(config, add_pooling_layer=False)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 1.5 * parameter.shape[-1] ** -0.5 if parameter.dim() == 2 else 0.1
            parameter.add_(torch.randn_like(parameter) * scale)
    return {f"encoder.model.{name}": value.clone() for name, value in model.state_dict().items()}
