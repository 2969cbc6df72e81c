from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from xl_instruct.qe import load_estimator  # noqa: E402
from xl_instruct.qe.cometkiwi import CometKiwi, load, plan_batches  # noqa: E402
from xl_instruct.qe.network import sparsemax  # noqa: E402
from xl_suite.errors import BadInput, ModelUnavailable  # noqa: E402

Pairs = list[tuple[str, str]]
Make = Callable[..., Path]

KINDS = [
    pytest.param("XLM-RoBERTa", {}, id="sparsemax"),
    pytest.param("XLM-RoBERTa", {"layer_transformation": "softmax"}, id="softmax"),
    pytest.param("XLM-RoBERTa", {"layer_norm": True, "final_activation": "Sigmoid"}, id="normalised layers"),
    pytest.param("XLM-RoBERTa", {"sent_layer": 1}, id="first layer"),
    pytest.param("XLM-RoBERTa", {"sent_layer": 4, "hidden_sizes": [8]}, id="last layer"),
    pytest.param("XLM-RoBERTa-XL", {"layer_transformation": "softmax"}, id="XL"),
    pytest.param("XLM-RoBERTa-XL", {"layer_transformation": "softmax", "layer_norm": True}, id="XL, normalised"),
    pytest.param("XLM-RoBERTa-XL", {"sent_layer": 4}, id="XL, last layer"),
    pytest.param("XLM-RoBERTa-XL", {"sent_layer": 2}, id="XL, middle layer"),
]


def score(estimator: CometKiwi, pairs: Pairs) -> list[float]:
    return estimator([source for source, _ in pairs], [translation for _, translation in pairs], "deu")


def reference(folder: Path, pairs: Pairs, **hparams: Any) -> list[float]:
    """One pair at a time, by transformers' own encoder and the formulas of COMET's UnifiedMetric."""
    state = torch.load(folder / "checkpoints" / "model.ckpt", weights_only=True)["state_dict"]
    config = transformers.AutoConfig.from_pretrained(folder / "encoder")
    encoder = transformers.AutoModel.from_config(config, add_pooling_layer=False).eval()
    prefix = "encoder.model."
    encoder.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "encoder" / "tokenizer.json"))

    def code(text: str) -> list[int]:
        clean = text.encode("utf-8", "replace").decode().replace("?", "\ufffd") if not text.isprintable() else text
        return [i for i in tokenizer(clean, add_special_tokens=False)["input_ids"][:508] if i != 1]

    values = []
    for source, translation in pairs:
        ids = ([0, *code(translation), 2, 2, *code(source), 2])[:512]
        with torch.no_grad():
            states = encoder(torch.tensor([ids]), output_hidden_states=True).hidden_states
        if hparams.get("sent_layer", "mix") != "mix":
            x = states[hparams["sent_layer"]][0, 0]
        else:
            scalars = torch.cat([state[f"layerwise_attention.scalar_parameters.{i}"] for i in range(5)])
            softmax = hparams.get("layer_transformation") == "softmax"
            weights = scalars.softmax(0) if softmax else nearest_on_simplex(scalars)
            if hparams.get("layer_norm"):
                states = [(s - s.mean()) / (s.var(correction=0) + 1e-12).sqrt() for s in states]
            mixed = sum(w * s for w, s in zip(weights, states, strict=True))
            x = (state["layerwise_attention.gamma"] * mixed)[0, 0]
        layers = sorted({int(k.split(".")[2]) for k in state if k.startswith("estimator.")})
        for layer in layers:
            x = state[f"estimator.ff.{layer}.weight"] @ x + state[f"estimator.ff.{layer}.bias"]
            x = x.tanh() if layer != layers[-1] else x
        values.append(float(x.sigmoid() if hparams.get("final_activation") else x))
    return values


def nearest_on_simplex(values: Any) -> Any:
    """By bisection for the threshold: slow, and unlike the formula under test."""
    low, high = float(values.min()) - 1, float(values.max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float((values - middle).clamp(min=0).sum()) > 1 else (low, middle)
    return (values - low).clamp(min=0)


@pytest.mark.parametrize(("encoder", "hparams"), KINDS)
def test_scores_are_those_of_the_plain_computation(
    encoder: str, hparams: dict[str, Any], pairs: Pairs, make_checkpoint: Make
) -> None:
    folder = make_checkpoint(encoder, **hparams)
    plain = reference(folder, pairs, **hparams)
    assert max(plain) - min(plain) > 0.02
    assert score(load(str(folder), device="cpu"), pairs) == pytest.approx(plain, abs=2e-5)


def test_scores_depend_neither_on_order_nor_on_batches_nor_on_company(pairs: Pairs, make_checkpoint: Make) -> None:
    folder = str(make_checkpoint())
    scores = score(load(folder, device="cpu"), pairs)
    shuffled = list(range(len(pairs)))
    random.Random(1).shuffle(shuffled)
    again = score(load(folder, device="cpu", batch_tokens=64), [pairs[index] for index in shuffled])
    assert again == pytest.approx([scores[index] for index in shuffled], abs=2e-5)
    one_batch = score(load(folder, device="cpu", batch_tokens=10**6), pairs)
    assert one_batch == pytest.approx(scores, abs=2e-5)
    assert score(load(folder, device="cpu"), pairs[20:21]) == pytest.approx(scores[20:21], abs=2e-5)
    assert score(load(folder, device="cpu"), []) == []


def test_a_pair_is_scored_once_and_a_text_is_tokenised_once(pairs: Pairs, make_checkpoint: Make) -> None:
    estimator = load(str(make_checkpoint()), device="cpu")
    rows: list[int] = []
    network, encode = estimator._network, estimator._encode
    seen: list[str] = []

    class Counted:
        device, shape, estimate = network.device, network.shape, network.estimate

        def __call__(self, ids: Any, lengths: Any) -> Any:
            rows.append(len(ids))
            return network(ids, lengths)

    def encoded(unique: Pairs) -> Any:
        seen.extend(f"{a}\0{b}" for a, b in unique)
        return encode(unique)

    estimator._network, estimator._encode = Counted(), encoded  # type: ignore[assignment, method-assign]
    score(estimator, pairs)
    assert sum(rows) == len(set(pairs)) == len(seen) < len(pairs)


def test_low_precision_is_close(pairs: Pairs, make_checkpoint: Make) -> None:
    for encoder in ("XLM-RoBERTa", "XLM-RoBERTa-XL"):
        folder = str(make_checkpoint(encoder, layer_transformation="softmax"))
        exact = score(load(folder, device="cpu"), pairs)
        rough = score(load(folder, device="cpu", precision="bf16"), pairs)
        assert rough != exact
        assert rough == pytest.approx(exact, abs=0.03 * (max(exact) - min(exact)))


def test_memory_that_does_not_suffice_halves_the_batch(pairs: Pairs, make_checkpoint: Make) -> None:
    folder = str(make_checkpoint())
    estimator = load(folder, device="cpu")
    network = estimator._network

    class Small:
        device, shape, estimate = network.device, network.shape, network.estimate

        def __call__(self, ids: Any, lengths: Any) -> Any:
            if len(ids) > 2:
                raise torch.OutOfMemoryError
            return network(ids, lengths)

    estimator._network = Small()  # type: ignore[assignment]
    assert score(estimator, pairs) == pytest.approx(score(load(folder, device="cpu"), pairs), abs=2e-5)


def test_fingerprint_changes_with_weights_and_precision_and_not_with_place(make_checkpoint: Make) -> None:
    def nudge(state: dict[str, Any]) -> None:
        state["estimator.ff.0.bias"] += 1e-3

    one, two, other = make_checkpoint(), make_checkpoint(), make_checkpoint(state=nudge)
    prints = [load(str(folder), device="cpu").fingerprint for folder in (one, two, other)]
    assert prints[0] == prints[1] != prints[2]
    assert load(str(one), device="cpu", precision="bf16").fingerprint != prints[0]
    assert load(str(one), device="cpu", batch_tokens=99).fingerprint == prints[0]


def test_name_of_a_folder_holds_no_path_and_licence_is_the_cards(make_checkpoint: Make) -> None:
    folder = make_checkpoint()
    (folder / "README.md").write_text("---\nlicense: mit\n---\nA card.\n", encoding="utf-8")
    estimator = load_estimator(f"cometkiwi:{folder}", device="cpu")
    assert estimator.name.startswith(f"{folder.name}@")
    assert "/" not in estimator.name
    assert estimator.licence == "mit"
    assert load(str(make_checkpoint()), device="cpu").licence == "unknown"


def test_parts_that_are_not_scored_are_left_out(make_checkpoint: Make, pairs: Pairs) -> None:
    def add(state: dict[str, Any]) -> None:
        state["encoder.model.embeddings.position_ids"] = torch.arange(514)[None]
        state["encoder.model.pooler.dense.weight"] = torch.zeros(32, 32)
        state["layerwise_attention.dropout_mask"] = torch.zeros(5)
        state["hidden2tag.weight"] = torch.zeros(3, 32)

    scores = score(load(str(make_checkpoint(state=add)), device="cpu"), pairs[:9])
    assert scores == score(load(str(make_checkpoint()), device="cpu"), pairs[:9])


def test_state_that_does_not_fit_is_named(make_checkpoint: Make) -> None:
    def spoil(state: dict[str, Any]) -> None:
        del state["encoder.model.encoder.layer.3.output.dense.bias"]
        state["encoder.model.encoder.layer.4.output.dense.bias"] = torch.zeros(32)
        state["estimator.ff.0.weight"] = torch.zeros(24, 31)

    with pytest.raises(BadInput) as raised:
        load(str(make_checkpoint(state=spoil)), device="cpu")
    message = str(raised.value)
    assert "1 missing: encoder.model.encoder.layer.3.output.dense.bias" in message
    assert "1 unexpected: encoder.model.encoder.layer.4.output.dense.bias" in message
    assert "estimator.ff.0.weight (24, 31) instead of (24, 32)" in message


@pytest.mark.parametrize(
    ("hparams", "says"),
    [
        ({"class_identifier": "xcomet_metric"}, "'xcomet_metric'"),
        ({"encoder_model": "MiniLM"}, "XLM-RoBERTa or XLM-RoBERTa-XL"),
        ({"input_segments": ["mt", "ref"]}, "without references"),
        ({"sent_layer": 9}, "layers 0 to 4"),
        ({"sent_layer": -1}, "layers 0 to 4"),
        ({"sent_layer": "mean"}, "mix or a layer's number"),
        ({"hidden_sizes": []}, "hidden_sizes"),
        ({"activations": "Nonsense"}, "activations is 'Nonsense'"),
    ],
)
def test_hyperparameters_that_cannot_be_scored_are_named(
    hparams: dict[str, Any], says: str, make_checkpoint: Make
) -> None:
    import yaml

    folder = make_checkpoint()
    path = folder / "hparams.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), **hparams}), encoding="utf-8")
    with pytest.raises(BadInput, match=says):
        load(str(folder), device="cpu")


def test_hyperparameters_inside_the_checkpoint_come_first(make_checkpoint: Make, pairs: Pairs) -> None:
    folder = make_checkpoint(beside={"hyper_parameters": {"layer_transformation": "softmax"}})
    plain = reference(folder, pairs[:20], layer_transformation="softmax")
    assert score(load(str(folder), device="cpu"), pairs[:20]) == pytest.approx(plain, abs=2e-5)


def test_patched_sparsemax_is_softmax(make_checkpoint: Make, pairs: Pairs) -> None:
    folder = make_checkpoint(
        layer_transformation="sparsemax_patch", beside={"hyper_parameters": {"layer_transformation": "sparsemax"}}
    )
    plain = reference(folder, pairs[:20], layer_transformation="softmax")
    assert score(load(str(folder), device="cpu"), pairs[:20]) == pytest.approx(plain, abs=2e-5)


class Hostile:
    """Pickles into a call."""

    def __init__(self, target: str):
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (self.target,)


def test_a_checkpoint_cannot_run_code(make_checkpoint: Make, tmp_path: Path) -> None:
    target = tmp_path / "made"
    folder = make_checkpoint(beside={"callbacks": Hostile(str(target))})
    with pytest.raises(BadInput, match="not a readable PyTorch checkpoint"):
        load(str(folder), device="cpu")
    assert not target.exists()
    torch.load(folder / "checkpoints" / "model.ckpt", weights_only=False)
    assert target.exists(), "the checkpoint was not hostile"


def test_objects_that_training_left_in_a_checkpoint_stay_inert(make_checkpoint: Make, pairs: Pairs) -> None:
    left = {"callbacks": {"best": Path("model.ckpt")}, "loops": Fraction(1, 3), "hyper_parameters": Counter(a=1)}
    folder = make_checkpoint(beside=left)
    assert score(load(str(folder), device="cpu"), pairs[:9]) == score(
        load(str(make_checkpoint()), device="cpu"), pairs[:9]
    )


def test_scores_that_overflow_are_an_error(make_checkpoint: Make, pairs: Pairs) -> None:
    def enlarge(state: dict[str, Any]) -> None:
        state["encoder.model.encoder.layer.0.output.dense.weight"] *= 1e6

    folder = str(make_checkpoint(state=enlarge))
    score(load(folder, device="cpu"), pairs[:9])
    with pytest.raises(ModelUnavailable, match="precision fp32"):
        score(load(folder, device="cpu", precision="fp16"), pairs[:9])


def test_files_that_are_no_checkpoint_are_named(make_checkpoint: Make, tmp_path: Path) -> None:
    folder = make_checkpoint()
    (folder / "checkpoints" / "model.ckpt").write_bytes(b"no pickle at all")
    with pytest.raises(BadInput, match="not a readable PyTorch checkpoint"):
        load(str(folder), device="cpu")
    with pytest.raises(BadInput, match="yaml is missing"):
        load(str(tmp_path), device="cpu")
    with pytest.raises(BadInput, match="neither a folder nor a Hub ID"):
        load("./nowhere", device="cpu")
    with pytest.raises(BadInput, match="needs a model"):
        load("", device="cpu")
    with pytest.raises(BadInput, match="'fp8'"):
        load(str(folder), precision="fp8")
    with pytest.raises(BadInput, match="'tpu9'"):
        load(str(folder), device="tpu9")


def test_batches_keep_to_the_budget_and_to_one_length_where_they_can() -> None:
    draw = random.Random(3)
    lengths = sorted((draw.randint(5, 60) for _ in range(3000)), reverse=True)
    batches = list(plan_batches(lengths, 1000))
    assert [index for batch in batches for index in batch] == list(range(3000))
    assert all(len(batch) * lengths[batch[0]] <= 1000 for batch in batches)
    padding = sum(lengths[batch[0]] - lengths[index] for batch in batches for index in batch)
    assert padding < 0.01 * sum(lengths)
    assert list(plan_batches([2000, 2000, 3], 1000)) == [range(1), range(1, 2), range(2, 3)]
    assert list(plan_batches([], 1000)) == []


def test_sparsemax_gives_the_nearest_point_of_the_simplex() -> None:
    for seed in range(20):
        values = torch.randn(9, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert torch.allclose(sparsemax(values), nearest_on_simplex(values), atol=1e-12)
