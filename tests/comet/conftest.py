"""Random checkpoints made by unbabel-comet, for the tests that compare with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("comet", reason="unbabel-comet has an environment of its own: make test-comet")

# One thread: on a busy machine, more of them wait for each other at every small operation.
torch = pytest.importorskip("torch")
torch.set_num_threads(1)

TEXT = """
the river carries old letters home der Fluss trägt alte Briefe nach Hause o rio leva cartas antigas para casa
a folyó régi leveleket visz haza upė neša senus laiškus namo iompraíonn an abhainn seanlitreacha abhaile
ix-xmara ġġorr ittri qodma lejn id-dar 河流把旧信带回家 他们 在 市场 买 水果 नदी पुराने पत्र घर ले जाती है
nehir eski mektupları eve taşır joki kantaa vanhoja kirjeitä kotiin النهر يحمل رسائل قديمة إلى البيت
הנהר נושא מכתבים ישנים הביתה 1,234.5 2024 https://example.org/a?b=c `code()` don't e-mail 👩‍👩‍👧 ﬁn Ünïcödé
"""


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """2,000 pairs, three candidates for each source, odd ones first: over-long, empty, spelling out tokens."""
    draw, words = random.Random(7), TEXT.split()

    def sentence(longest: int) -> str:
        return " ".join(draw.choice(words) for _ in range(draw.randint(1, longest)))

    odd = [
        ("", ""),
        ("", "nur die Übersetzung"),
        ("only a source", ""),
        ("   ", "\n\t"),
        ("word " * 700, "Wort " * 3),
        ("word " * 3, "Wort " * 700),
        ("word " * 600, "Wort " * 600),
        ("long " * 300, "lang " * 300),
        ("a" * 3000, "河" * 2000),
        ("הנהר " * 400, "النهر " * 100),
        ("<s> a </s> <pad> b <unk>", "<pad> <pad> c </s></s> d"),
        ("x <pad>", "y " * 507 + "<pad> z z z"),
        ("tab\tand\nnewline\r\n", "zero\u200bwidth\u200d and \u0000 nul"),
    ]
    made = list(odd)
    while len(made) < 2000:
        source = sentence(12)
        made.extend((source, sentence(14)) for _ in range(3))
    return made[:2000]


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> Callable[..., Path]:
    """Makes a checkpoint folder with random weights; keywords go to UnifiedMetric."""

    def make(encoder_model: str = "XLM-RoBERTa", *, spread: float = 0.0, **keywords: object) -> Path:
        import yaml
        from comet.models import UnifiedMetric

        torch.manual_seed(3)
        folder = tmp_path_factory.mktemp("checkpoint")
        encoder = make_encoder(folder / "encoder", encoder_model, [text for pair in pairs for text in pair])
        options = {
            "encoder_model": encoder_model,
            "pretrained_model": str(encoder),
            "input_segments": ["mt", "src"],
            "hidden_sizes": [96, 48],
            "layer_norm": False,
            **keywords,
        }
        metric = UnifiedMetric(load_pretrained_weights=False, local_files_only=True, **options)
        with torch.no_grad():
            # Livelier than the initial weights, so that scores differ; norms and biases too are no longer 1 and 0.
            for name, parameter in metric.named_parameters():
                noise = torch.randn_like(parameter)
                if name.startswith("layerwise_attention.scalar"):
                    parameter.add_(noise * spread)
                elif name.startswith("encoder") and parameter.dim() == 2:
                    parameter.copy_(noise * 2 * parameter.shape[1] ** -0.5)
                else:
                    parameter.add_(noise * 0.1)
        (folder / "checkpoints").mkdir()
        content = {
            "state_dict": metric.state_dict(),
            "hyper_parameters": dict(metric.hparams),
            "pytorch-lightning_version": "2.0.0",
        }
        torch.save(content, folder / "checkpoints" / "model.ckpt")
        written = {**options, "class_identifier": "unified_metric"}
        (folder / "hparams.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
        return folder

    return make


def make_encoder(folder: Path, kind: str, texts: list[str]) -> Path:
    """A folder with config.json and a Unigram tokenizer over `texts`, laid out as XLM-R's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import XLMRobertaConfig, XLMRobertaXLConfig

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=900, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = XLMRobertaConfig if kind == "XLM-RoBERTa" else XLMRobertaXLConfig
    config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    ).save_pretrained(folder)
    return folder
