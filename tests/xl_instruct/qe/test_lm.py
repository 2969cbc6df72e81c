from __future__ import annotations

from pathlib import Path

import pytest

from xl_instruct.qe import load_estimator, warn_languages
from xl_instruct.qe.lm import PROMPT, LanguageModel, load
from xl_suite.errors import BadInput

torch = pytest.importorskip("torch")
SOURCES = ["The river is slow.", "Count the stones of the bridge, please.", "The river is slow.", ""]
TEXTS = ["Der Fluss ist langsam.", "Zählt bitte die Steine der Brücke.", "The river is slow.", "nichts"]


@pytest.fixture(scope="module")
def plain(tiny_model: Path) -> LanguageModel:
    return load(str(tiny_model), contrast=0.0, device="cpu")


def compute(folder: Path, source: str, text: str, language: str) -> float:
    """The mean log-probability, one pair at a time and token by token."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    given = tokenizer(PROMPT.format(source=source, language=language), add_special_tokens=False).input_ids
    given = ([] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]) + given
    scored = tokenizer(f" {text}\n", add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = model(torch.tensor([given + scored])).logits[0].log_softmax(-1)
    values = [float(logits[len(given) + place - 1, token]) for place, token in enumerate(scored)]
    return sum(values) / len(values)


def test_a_score_is_the_mean_log_probability_in_any_company(plain: LanguageModel, tiny_model: Path) -> None:
    together = plain(SOURCES, TEXTS, "deu")
    expected = [compute(tiny_model, s, t, "German") for s, t in zip(SOURCES, TEXTS, strict=True)]
    assert together == pytest.approx(expected, abs=1e-4)
    alone = [plain([s], [t], "deu")[0] for s, t in zip(SOURCES, TEXTS, strict=True)]
    assert alone == pytest.approx(expected, abs=1e-4)
    small = load(str(tiny_model), contrast=0.0, device="cpu", batch_tokens=1)
    assert small(SOURCES, TEXTS, "deu") == pytest.approx(expected, abs=1e-4)
    assert plain([], [], "deu") == []


def test_what_is_likelier_as_english_loses_the_contrast(plain: LanguageModel, tiny_model: Path) -> None:
    contrasted = load(str(tiny_model), contrast=3.0, device="cpu")(SOURCES, TEXTS, "deu")
    for source, text, bare, score in zip(SOURCES, TEXTS, plain(SOURCES, TEXTS, "deu"), contrasted, strict=True):
        english = compute(tiny_model, source, text, "English")
        if abs(english - bare) > 1e-4:
            assert score == pytest.approx(bare - (3.0 if english > bare else 0.0), abs=1e-4)
    # English has nothing to be told apart from.
    same = load(str(tiny_model), contrast=3.0, device="cpu")(SOURCES, TEXTS, "eng")
    assert same == pytest.approx(plain(SOURCES, TEXTS, "eng"), abs=1e-4)


def test_line_breaks_and_lone_surrogates_are_scored_as_one_line(plain: LanguageModel) -> None:
    assert plain(["The\nriver"], ["Der\n\n Fluss"], "deu") == plain(["The river"], ["Der Fluss"], "deu")
    assert plain(["a \ud800"], ["b \udfff"], "deu") == plain(["a \ufffd"], ["b \ufffd"], "deu")


def test_scores_are_kept_by_weights_and_contrast(plain: LanguageModel, tiny_model: Path) -> None:
    assert plain.fingerprint == load(str(tiny_model), contrast=0.0, device="cpu").fingerprint
    assert plain.fingerprint != load(str(tiny_model), contrast=1.0, device="cpu").fingerprint
    assert plain.name.startswith(f"lm:{tiny_model.name}@")


def test_an_experimental_estimator_says_so(plain: LanguageModel) -> None:
    (warning,) = warn_languages(plain, ["deu", "mlt"])
    assert "experimental" in warning
    assert plain.name in warning


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("lm", {}, "needs a model"),
        ("lm:{folder}", {"precision": "fp8"}, "fp32, bf16"),
        ("lm:{folder}", {"contrast": -1.0}, "0 or more"),
    ],
)
def test_what_cannot_be_is_refused(tiny_model: Path, name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load_estimator(name.format(folder=tiny_model), **options)
