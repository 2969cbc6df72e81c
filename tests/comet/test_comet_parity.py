"""Our scorer against unbabel-comet on the same random checkpoints. Runs in its own environment: make test-comet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from xl_instruct.qe import load_estimator
from xl_instruct.qe.settling import TieBreak

Pairs = list[tuple[str, str]]

CHECKPOINTS = [
    pytest.param({"spread": 1.0}, id="sparse mix"),
    pytest.param({"spread": 1.0, "layer_transformation": "softmax"}, id="softmax mix"),
    pytest.param({"spread": 1.0, "layer_norm": True}, id="normalised layers"),
    pytest.param({"sent_layer": 2, "final_activation": "Sigmoid"}, id="one layer"),
    pytest.param({"input_segments": ["mt", "src", "ref"], "hidden_sizes": [32]}, id="model with references"),
    pytest.param({"word_level_training": True, "word_layer": 3}, id="word-level head"),
    pytest.param({"encoder_model": "XLM-RoBERTa-XL", "spread": 0.5}, id="XL"),
    pytest.param({"encoder_model": "XLM-RoBERTa-XL", "layer_norm": True, "spread": 0.5}, id="XL, normalised layers"),
    pytest.param({"encoder_model": "XLM-RoBERTa-XL", "sent_layer": 4}, id="XL, last layer"),
]


def score(name: str, pairs: Pairs, **options: object) -> list[float]:
    scores = load_estimator(name, **options)([source for source, _ in pairs], [mt for _, mt in pairs], "deu")
    return [value for value in scores if value is not None]


def widest(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("encoder", ["XLM-RoBERTa", "XLM-RoBERTa-XL"])
def test_two_thousand_scores_are_those_of_unbabel_comet(
    encoder: str, pairs: Pairs, make_checkpoint: Callable[..., Path]
) -> None:
    folder = make_checkpoint(encoder)
    assert len(pairs) == 2000
    assert widest(score(f"cometkiwi:{folder}", pairs, device="cpu"), score(f"comet:{folder}", pairs)) <= 1e-4


@pytest.mark.parametrize("options", CHECKPOINTS)
def test_every_kind_of_checkpoint_scores_as_with_unbabel_comet(
    options: dict[str, object], pairs: Pairs, make_checkpoint: Callable[..., Path]
) -> None:
    folder, pairs = make_checkpoint(**options), pairs[:200]
    theirs = score(f"comet:{folder}", pairs)
    assert max(theirs) - min(theirs) > 0.05, "a constant would prove nothing"
    assert widest(score(f"cometkiwi:{folder}", pairs, device="cpu"), theirs) <= 1e-4


def test_the_patched_transformation_is_softmax(pairs: Pairs, make_checkpoint: Callable[..., Path]) -> None:
    folder = make_checkpoint(spread=1.0)
    sparse = score(f"comet:{folder}", pairs[:200])
    hparams = folder / "hparams.yaml"
    hparams.write_text(hparams.read_text("utf-8") + "layer_transformation: sparsemax_patch\n", encoding="utf-8")
    theirs = score(f"comet:{folder}", pairs[:200])
    assert widest(theirs, sparse) > 1e-3
    assert widest(score(f"cometkiwi:{folder}", pairs[:200], device="cpu"), theirs) <= 1e-4


# In low precision the nearest ties fall the other way on these networks in up to 2 % of the contests with bf16, and
# in up to half a percent with fp16; `TieBreak` decides those in fp32, as the pipeline does.
@pytest.mark.parametrize("encoder", ["XLM-RoBERTa", "XLM-RoBERTa-XL"])
@pytest.mark.parametrize(("precision", "agreement"), [("fp32", 1.0), ("fp16", 0.995), ("bf16", 0.995)])
def test_winners_of_best_of_three_are_the_same(
    precision: str, agreement: float, encoder: str, pairs: Pairs, make_checkpoint: Callable[..., Path]
) -> None:
    folder = make_checkpoint(encoder, spread=0.5)
    groups: dict[str, list[str]] = {}
    for source, translation in pairs:
        groups.setdefault(source, []).append(translation)
    groups = {source: translations for source, translations in groups.items() if len(translations) == 3}
    assert len(groups) > 600

    def compete(name: str, **options: object) -> list[tuple[str, list[dict[str, Any]]]]:
        """Each source with its candidates and their scores, close contests settled."""
        estimator = load_estimator(name, **options)
        todo = [(source, translation) for source, three in groups.items() for translation in three]
        scores = iter(estimator([source for source, _ in todo], [mt for _, mt in todo], "deu"))
        contests = [(source, [{"text": t, "score": next(scores)} for t in three]) for source, three in groups.items()]
        settled = TieBreak(estimator, None)(contests, "deu")
        assert settled < 0.15 * len(todo), "nearly all of it was scored twice"
        return contests

    def winners(contests: list[tuple[str, list[dict[str, Any]]]]) -> list[str]:
        return [max(candidates, key=lambda one: one["score"])["text"] for _, candidates in contests]

    theirs = winners(compete(f"comet:{folder}"))
    ours = winners(compete(f"cometkiwi:{folder}", precision=precision, device="cpu"))
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(groups) >= agreement
