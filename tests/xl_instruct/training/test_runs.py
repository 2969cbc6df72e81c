"""Whole runs on a base model with a chat template: where answers end, what is merged, published, mixed, repeated."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.xl_instruct.training.test_framing import CHATML, CHATML_TOKENS, make_tokenizer
from xl_instruct.training.config import TrainingConfig, read_training_config
from xl_instruct.training.data import PreferencePair, PromptCompletion, TrainingData, mix, read_training_data
from xl_instruct.training.framing import Frame, make_frame
from xl_instruct.training.tokens import tokenize_pairs
from xl_instruct.training.train import Trained, train, train_seeds
from xl_instruct.training.trainers import choose_log_steps
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.publishing.checks import check_folder

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

ROWS = [
    {
        "prompt": f"What is {number}?\n\nRespond in German",
        "completion": f"Das ist die Zahl {number}.",
        "language": "deu",
    }
    for number in range(6)
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model whose tokenizer has a ChatML template, and which stops at <|endoftext|> alone; in float32."""
    import transformers

    folder = tmp_path_factory.mktemp("base") / "qwen-like"
    tokenizer = make_tokenizer("byte", CHATML, **CHATML_TOKENS)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    shape = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=None, eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    transformers.LlamaForCausalLM(shape).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def configure(base: Path, **values: Any) -> TrainingConfig:
    settings = {"model": str(base), "batch_size": 2, "log_steps": 10, "save_steps": 10, "weights": "bfloat16"}
    return read_training_config("train_smoke", settings | values)


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, told: list[str], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("run") / "mine"
    return train(configure(base), data, out, merge=True, progress=told.append)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_end_of_a_turn_is_where_adapter_and_merged_model_stop(
    trained: Trained, base: Path, told: list[str]
) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert read_json(base / "generation_config.json")["eos_token_id"] == tokenizer.eos_token_id
    assert trained.merged is not None
    for folder in (trained.adapter, trained.merged):
        assert read_json(folder / "generation_config.json")["eos_token_id"] == [end, tokenizer.eos_token_id]
    assert any("Answers end with <|im_end|>, at which the base model" in line for line in told)


def test_a_short_run_logs_its_loss(trained: Trained) -> None:
    assert [step for step, _ in trained.losses] == [1, 2, 3]
    assert [choose_log_steps(configure(Path("m")), steps) for steps in (1, 9, 10, 26, 49, 50, 999)] == [
        1, 1, 2, 5, 5, 10, 10
    ]  # fmt: skip


def test_float32_weights_keep_the_whole_update(trained: Trained, base: Path) -> None:
    """The base was trained on in bfloat16; the update would be lost in part if it were merged so."""
    import transformers
    from peft import PeftModel

    assert trained.merged is not None
    merged = transformers.AutoModelForCausalLM.from_pretrained(trained.merged)
    assert merged.dtype == torch.float32
    before = transformers.AutoModelForCausalLM.from_pretrained(base)
    assert not torch.equal(
        merged.state_dict()["model.layers.0.self_attn.q_proj.weight"], before.model.layers[0].self_attn.q_proj.weight
    )
    together = PeftModel.from_pretrained(before, trained.adapter)
    ids = torch.arange(5, 25)[None]
    assert torch.allclose(together(ids).logits, merged(ids).logits, atol=1e-6)
    assert trained.notes == ()


def test_what_rounding_takes_from_the_update_is_told(base: Path, data: Path, tmp_path: Path) -> None:
    import transformers

    small = tmp_path / "base-bf16"
    transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(small)
    transformers.AutoTokenizer.from_pretrained(base).save_pretrained(small)
    done = train(configure(small, learning_rate=1e-5), data, tmp_path / "out", merge=True, progress=lambda line: None)
    assert done.merged is not None
    assert read_json(done.merged / "config.json")["dtype"] == "bfloat16"
    assert len(done.notes) == 1
    assert "warning: rounding to bfloat16 changed" in done.notes[0]
    assert "The adapter beside its base keeps all of it." in done.describe()


def test_adapter_and_merged_model_publish_as_they_are_written(trained: Trained, base: Path) -> None:
    assert trained.merged is not None
    for folder, library in ((trained.adapter, "peft"), (trained.merged, "transformers")):
        checked = check_folder(folder)
        assert (checked.kind, checked.problems) == ("model", ())
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert f"library_name: {library}" in card
        assert "base_model: qwen-like" in card
        assert str(base.parent) not in card


def test_seeds_make_an_adapter_each(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "batch_size: 2\nmax_steps: 2\nwarmup_share: 0\nlearning_rate: 0.01\nbf16: false\nweights: float32\n"
    )
    out = tmp_path / "out"
    command = ["train", str(config), "--model", str(base), "--data", str(data), "--out", str(out), "--seeds", "1,2"]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [(run["seed"], run["out"]) for run in answer["runs"]] == [
        (1, str(out / "seed-1")),
        (2, str(out / "seed-2")),
    ]
    weights = [(out / f"seed-{seed}/adapter/adapter_model.safetensors").read_bytes() for seed in (1, 2)]
    assert weights[0] != weights[1]
    for seeds in ((), (1, 1), (-1,)):
        with pytest.raises(BadInput, match="different ones from 0 up are needed"):
            train_seeds(configure(base), data, out, seeds)


# Preferences


def frame_pairs(base: Path, max_length: int, too_long: str = "drop") -> tuple[Frame, TrainingConfig]:
    import transformers

    config = TrainingConfig(model=str(base), method="dpo", max_length=max_length, too_long=too_long)  # type: ignore[arg-type]
    return make_frame(transformers.AutoTokenizer.from_pretrained(base), config), config


def test_pairs_that_are_too_long_are_dropped_or_truncated_and_counted(base: Path) -> None:
    pairs = [PreferencePair("Why?", "Ja, ja.", "Nein."), PreferencePair("Why?", "Ja. " * 200, "Nein.")]
    frame, config = frame_pairs(base, 128)
    tokens = tokenize_pairs(pairs, frame, config)
    assert (tokens.counts.n_examples, tokens.counts.too_long) == (1, 1)
    assert tokens.counts.longest > 400
    assert tokens.prompt[0] + tokens.chosen[0] == list(
        frame.tokenizer.apply_chat_template(
            [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Ja, ja."}]
        )["input_ids"]
    )
    frame, config = frame_pairs(base, 128, "truncate")
    tokens = tokenize_pairs(pairs, frame, config)
    assert (tokens.counts.n_examples, len(tokens.prompt[1]) + len(tokens.chosen[1])) == (2, 128)
    frame, config = frame_pairs(base, 16, "truncate")
    with pytest.raises(BadInput, match=r"All 1 examples are longer than max_length \(16 tokens"):
        tokenize_pairs([PreferencePair("Why? " * 20, "Ja, ja.", "Nein.")], frame, config)


def test_a_loss_that_stays_at_ln_2_is_told(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"{row['prompt']}", "chosen": row["completion"], "rejected": "Nein."} for row in ROWS]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = configure(base, method="dpo", learning_rate=1e-9, max_steps=2)
    done = train(config, data, tmp_path / "still", progress=lambda line: None)
    assert done.losses[-1][1] == pytest.approx(math.log(2), abs=1e-3)
    assert any("stayed at ln 2" in note for note in done.notes)
    config = configure(base, method="dpo", learning_rate=0.1, max_steps=3)
    done = train(config, data, tmp_path / "moves", progress=lambda line: None)
    assert done.notes == ()


# Mixtures and trackers


def make_data(name: str, count: int, licence: str = "mit") -> TrainingData:
    rows = tuple(PromptCompletion(f"{name} {number}", "x") for number in range(count))
    return TrainingData(rows, "", Path(name), name, licence)


def test_a_mixture_is_drawn_once_and_spread() -> None:
    mixed = mix(make_data("a", 40), make_data("b", 30), 0.25, 1)
    names = [row.prompt for row in mixed.rows]
    assert sum(name.startswith("b") for name in names) == 10
    assert [name for name in names if name.startswith("a")] == [f"a {number}" for number in range(40)]
    assert all(sum(name.startswith("b") for name in names[start : start + 10]) == 2 for start in range(0, 50, 10))
    assert mix(make_data("a", 40), make_data("b", 30), 0.25, 1).sha256 == mixed.sha256
    assert mix(make_data("a", 40), make_data("b", 30), 0.25, 2).sha256 != mixed.sha256
    assert mixed.licence == "mit"
    assert mix(make_data("a", 4), make_data("b", 4, "gpl"), 1, 1).licence == "other"
    for ratio in (0.001, 2):
        with pytest.raises(BadInput, match=r"mixture: ratio .* A ratio between 0\.025 and 0\.75 is possible"):
            mix(make_data("a", 40), make_data("b", 30), ratio, 1)


def test_a_mixture_is_a_line_of_the_configuration(base: Path, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"instruction": "Sum up.", "input": "A text.", "output": "Short."}) + "\n")
    config = configure(base, mixture={"data": str(other), "ratio": 1 / 6})
    from xl_instruct.training.train import estimate_training

    assert estimate_training(config, data).examples == 7
    assert len(read_training_data(data, "sft").rows) == 6
    with pytest.raises(BadInput, match="mixture: of instruction data, which dpo does not train on"):
        configure(base, method="dpo", mixture={"data": str(other), "ratio": 1})


def test_trackers_are_those_of_transformers(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers
    from transformers.integrations import integration_utils

    logged: list[float] = []

    class Tracker(transformers.TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            logged.extend(value for name, value in logs.items() if name == "loss")

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "tracker", Tracker)
    train(configure(base, report_to="tracker", max_steps=2), data, tmp_path / "out", progress=lambda line: None)
    assert len(logged) == 2
    # Following the run elsewhere does not make it another.
    train(configure(base, max_steps=2), data, tmp_path / "out", progress=lambda line: None)
    with pytest.raises(BadInput, match=r"report_to: 'wand' is not a tracker that transformers knows. Known: .*wandb"):
        train(configure(base, report_to=["wand"]), data, tmp_path / "new")
    assert not (tmp_path / "new").exists()
