"""Training for real on a tiny random model: SFT and DPO, kill and resume, merge and serve; and every early error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xl_instruct.synthetic_rows import make_rows, write_xl_instruct
from xl_instruct.dataset.preferences import find_pairs, write_pairs
from xl_instruct.dataset.subsets import choose_subset, write_subset
from xl_instruct.training.config import TrainingConfig, read_training_config
from xl_instruct.training.data import read_training_data
from xl_instruct.training.framing import PLAIN_TEMPLATE, make_frame
from xl_instruct.training.sources import read_xl_instruct
from xl_instruct.training.tokens import IGNORED, pack, tokenize
from xl_suite.cli.main import main
from xl_suite.errors import BadInput

torch = pytest.importorskip("torch")
pytest.importorskip("trl")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = {code: make_rows(code, 20) for code in ("deu", "hun")}
    return write_xl_instruct(tmp_path_factory.mktemp("source") / "xl-instruct", rows)


@pytest.fixture(scope="module")
def subset(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("subset") / "32"
    write_subset(choose_subset(read_xl_instruct(source, "best-of-k"), size=32), out)
    return out


@pytest.fixture(scope="module")
def pairs(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "pairs"
    write_pairs(find_pairs(source), out)
    return out


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


# The configuration


def test_the_papers_values(tiny_model: Path) -> None:
    config = read_training_config("train_paper")
    assert (config.epochs, config.lora_rank, config.target_modules) == (1, 8, ("q_proj", "v_proj"))
    assert (config.schedule, config.learning_rate, config.warmup_share) == ("cosine", 1e-4, 0.03)
    assert (config.bf16, config.batch_size, config.seed) == (True, 8, 1)
    assert {"lora_alpha", "max_length", "chat_format"} <= set(config.assumed)
    assert not {"lora_rank", "learning_rate", "batch_size", "seed"} & set(config.assumed)


def test_a_wrong_key_or_value_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("lora_rnk: 8\nbatch_size: 0\nschedule: cosin\n")
    with pytest.raises(BadInput) as caught:
        read_training_config(str(path))
    text = str(caught.value)
    assert "'lora_rnk' is not a key. Did you mean 'lora_rank'?" in text
    assert "batch_size: Input should be greater than 0; found 0" in text
    assert "'cosine'" in text
    assert "found 'cosin'" in text
    for wrong, problem in (
        ("batch_size: 8\nmicro_batch_size: 3\n", "not a multiple of micro_batch_size 3"),
        ("log_steps: 3\nsave_steps: 10\n", "save_steps 10 is not a multiple of log_steps 3"),
        ("method: dpo\npacking: true\n", "cannot pack"),
        ("assumed: [lora_alfa]\n", "lora_alfa is not a key"),
        ("- a list\n", "expected keys with values"),
    ):
        path.write_text(wrong)
        with pytest.raises(BadInput, match=problem):
            read_training_config(str(path))
    with pytest.raises(BadInput, match="train_dpo, train_paper, train_smoke"):
        read_training_config("train_papr")
    with pytest.raises(ValueError, match="frozen"):
        read_training_config("train_paper").lora_rank = 4  # type: ignore[misc]


# The examples


def test_the_loss_counts_the_completion_and_its_end_only(tiny_model: Path, subset: Path) -> None:
    config = TrainingConfig(model=str(tiny_model))
    tokenizer = load_tokenizer(tiny_model)
    frame = make_frame(tokenizer, config)
    assert frame.chat_format == "model"
    data = read_training_data(subset, "sft")
    tokens = tokenize(data.rows, frame, config)  # type: ignore[arg-type]
    for row, ids, labels in zip(data.rows, tokens.input_ids, tokens.labels, strict=True):
        counted = [token for token, label in zip(ids, labels, strict=True) if label != IGNORED]
        assert tokenizer.decode(counted) == row.completion + "</s>"  # type: ignore[attr-defined]
        asked = tokenizer.apply_chat_template([{"role": "user", "content": row.prompt}], add_generation_prompt=True)  # type: ignore[attr-defined]
        assert ids[: len(ids) - len(counted)] == list(asked["input_ids"])


def test_a_base_model_gets_the_plain_frame(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    frame = make_frame(tokenizer, TrainingConfig(model=str(tiny_model), chat_format="plain"))
    assert frame.chat_format == "plain"
    assert tokenizer.chat_template == PLAIN_TEMPLATE
    prompt, completion = frame.split("Say it.", "Gesagt.")
    assert tokenizer.decode(prompt) == "<s>### Instruction:\nSay it.\n\n### Response:\n"
    assert tokenizer.decode(completion) == "Gesagt.</s>"
    tokenizer.chat_template = None
    assert make_frame(tokenizer, TrainingConfig(model="some/base")).chat_format == "plain"
    paper = TrainingConfig(model="Qwen/Qwen2.5-7B")  # its tokenizer has a template, and it is a base model
    tokenizer.chat_template = "x"
    assert make_frame(tokenizer, paper).chat_format == "plain"


def test_a_missing_chat_template_is_an_error(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    with pytest.raises(BadInput, match=r"no chat template.*Set chat_format: plain"):
        make_frame(tokenizer, TrainingConfig(model="m", chat_format="model"))


def test_too_long_rows_are_counted(tiny_model: Path, subset: Path) -> None:
    frame = make_frame(load_tokenizer(tiny_model), TrainingConfig(model="m"))
    rows: Any = read_training_data(subset, "sft").rows
    lengths = sorted(tokenize(rows, frame, TrainingConfig(model="m")).sizes)
    limit = lengths[20]
    dropped = tokenize(rows, frame, TrainingConfig(model="m", max_length=limit))
    longer = sum(length > limit for length in lengths)
    assert longer
    assert (dropped.counts.too_long, dropped.counts.n_examples) == (longer, 32 - longer)
    assert dropped.counts.longest == lengths[-1]
    cut = tokenize(rows, frame, TrainingConfig(model="m", max_length=limit, too_long="truncate"))
    assert (cut.counts.too_long, cut.counts.n_examples) == (longer, 32)
    assert max(map(len, cut.input_ids)) == limit
    with pytest.raises(BadInput, match=r"All 32 examples are longer than max_length \(16 tokens"):
        tokenize(rows, frame, TrainingConfig(model="m", max_length=16))
    short = TrainingConfig(model="m", max_length=16, too_long="truncate")
    with pytest.raises(BadInput, match="All 32 examples"):  # nothing but prompts would be left
        tokenize(rows, frame, short)


@given(st.lists(st.integers(1, 50), max_size=60))
def test_packing_loses_nothing_and_overfills_nothing(lengths: list[int]) -> None:
    rows = pack(lengths, 50)
    assert sorted(place for row in rows for place in row) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in row) <= 50 for row in rows)
    # First fit: no example of a row would have fitted into the row before it.
    for before, row in pairwise(rows):
        assert sum(lengths[place] for place in before) + lengths[row[0]] > 50


# The arithmetic


def test_the_loss_and_its_gradient_are_those_of_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    from xl_instruct.training import chunked_loss

    monkeypatch.setattr(chunked_loss, "CHUNK_ELEMENTS", 150)  # three positions at a time
    torch.manual_seed(0)
    hidden = torch.randn(3, 9, 16, requires_grad=True)
    head = torch.nn.Linear(16, 50)
    head.requires_grad_(False)
    labels = torch.randint(0, 50, (3, 9))
    labels[:, :3] = IGNORED
    loss = chunked_loss.sum_loss(hidden, head, labels)
    (ours,) = torch.autograd.grad(loss * 0.25, hidden)
    plain = torch.nn.functional.cross_entropy(
        head(hidden)[:, :-1].reshape(-1, 50), labels[:, 1:].reshape(-1), reduction="sum"
    )
    (theirs,) = torch.autograd.grad(plain * 0.25, hidden)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-6)
    assert torch.allclose(ours, theirs, atol=1e-6)


def run_losses(config: TrainingConfig, data: Path, out: Path, *, plain: bool = False) -> list[float]:
    """The losses of a run's steps; plain: trl's own loss, with padding."""
    from xl_instruct.training import chunked_loss
    from xl_instruct.training import train as training

    patch = pytest.MonkeyPatch()
    if plain:
        patch.setattr(chunked_loss, "find_obstacle", lambda model: "not wanted")
        config = config.model_copy(update={"attention": "sdpa"})
    with patch.context():
        trained = training.train(config, data, out, progress=lambda line: None)
    patch.undo()
    assert trained.plan.padding_free is not plain
    return [loss for _, loss in trained.losses]


@pytest.mark.slow
def test_the_fast_way_gives_trls_losses(tiny_model: Path, subset: Path, tmp_path: Path) -> None:
    config = read_training_config("train_smoke", {"model": str(tiny_model), "max_steps": 6})
    ours = run_losses(config, subset, tmp_path / "ours")
    apart = 2e-4 if torch.cuda.is_available() else 2e-5  # a GPU's kernels differ by 5e-5, in bfloat16
    assert ours == pytest.approx(run_losses(config, subset, tmp_path / "plain", plain=True), abs=apart)
    checkpointed = config.model_copy(update={"memory": "checkpoint", "micro_batch_size": 1})
    assert ours == pytest.approx(run_losses(checkpointed, subset, tmp_path / "small"), abs=apart)
    packed = config.model_copy(update={"packing": True, "max_length": 400, "epochs": 3, "max_steps": None})
    kept = run_losses(packed, subset, tmp_path / "packed")
    assert kept[-1] < kept[0]


# Whole runs


@pytest.fixture(scope="module")
def trained(tiny_model: Path, subset: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from xl_instruct.training.train import train

    config = read_training_config("train_smoke", {"model": str(tiny_model), "epochs": 4})
    out = tmp_path_factory.mktemp("trained") / "tiny-32"
    return train(config, subset, out, merge=True, progress=lambda line: None)


@pytest.mark.slow
def test_a_run_learns_and_leaves_what_it_should(trained: Any, tiny_model: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    losses = [loss for _, loss in trained.losses]
    assert len(losses) == trained.plan.steps == 64
    assert losses[-1] < losses[0] - 0.3
    assert sorted(entry.name for entry in trained.out.iterdir()) == [
        "README.md",
        "adapter",
        "loss.svg",
        "merged",
        "metrics.jsonl",
        "training.json",
    ]
    card = (trained.out / "README.md").read_text()
    assert "license: cc-by-sa-4.0" in card
    assert json.loads((trained.out / "training.json").read_text())["data"] in card
    assert "deu 16, hun 16" in card
    assert "{{" not in card
    adapter = json.loads((trained.adapter / "adapter_config.json").read_text())
    assert (adapter["r"], sorted(adapter["target_modules"])) == (4, ["q_proj", "v_proj"])
    # The merged weights say what base and adapter say together.
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    ids = torch.arange(10, 40)[None]
    untrained = base(ids).logits
    together = PeftModel.from_pretrained(base, trained.adapter)(ids).logits
    merged = AutoModelForCausalLM.from_pretrained(trained.merged)(ids).logits
    assert torch.allclose(together, merged, atol=1e-4)
    assert not torch.allclose(untrained, merged, atol=1e-2)


@pytest.mark.slow
def test_the_same_command_again_does_nothing(trained: Any, tiny_model: Path, subset: Path) -> None:
    from xl_instruct.training.train import train

    config = read_training_config("train_smoke", {"model": str(tiny_model), "epochs": 4})
    lines: list[str] = []
    before = (trained.adapter / "adapter_model.safetensors").stat().st_mtime_ns
    again = train(config, subset, trained.out, progress=lines.append)
    assert "trained already" in lines[-1]
    assert again.losses == trained.losses
    assert (trained.adapter / "adapter_model.safetensors").stat().st_mtime_ns == before
    other = config.model_copy(update={"lora_rank": 2})
    with pytest.raises(BadInput, match=r"holds another run \(lora_rank changed\)"):
        train(other, subset, trained.out, progress=lines.append)


@pytest.mark.slow
def test_a_killed_run_ends_where_an_unbroken_one_does(
    trained: Any, tiny_model: Path, subset: Path, tmp_path: Path
) -> None:
    from xl_instruct.training.train import train

    out = tmp_path / "killed"
    config = tmp_path / "config.yaml"
    config.write_text(
        (Path(__file__).parents[3] / "xl_instruct/configs/train_smoke.yaml").read_text() + "epochs: 4\n"
    )
    command = [sys.executable, "-m", "xl_suite.cli.main", "train", str(config), "--model", str(tiny_model)]
    process = subprocess.Popen(
        [*command, "--data", str(subset), "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    limit = time.monotonic() + 120
    # The eleventh step is logged once the tenth's checkpoint is whole; killed before, it would be passed over too.
    metrics = out / "metrics.jsonl"
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 11:
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < limit
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "adapter").exists()
    seen = len(metrics.read_text().splitlines())
    assert 10 <= seen < 64
    # A checkpoint that was cut off by the kill is passed over.
    (out / "checkpoints" / "checkpoint-60").mkdir()
    (out / "checkpoints" / "checkpoint-60" / "trainer_state.json").write_text('{"global_step": 6')
    resumed = train(
        read_training_config(str(config), {"model": str(tiny_model)}), subset, out, progress=lambda line: None
    )
    assert 10 <= resumed.resumed_from < 60
    assert [step for step, _ in resumed.losses] == list(range(1, 65))
    assert [loss for _, loss in resumed.losses] == pytest.approx([loss for _, loss in trained.losses], abs=1e-5)


@pytest.mark.slow
def test_the_trainer_has_the_papers_hyperparameters(tiny_model: Path, subset: Path, tmp_path: Path) -> None:
    from xl_instruct.training.plan import plan_training, read_skeleton
    from xl_instruct.training.trainers import load_model, make_callback, make_sft_trainer

    config = read_training_config("train_paper", {"model": str(tiny_model)})
    tokenizer = load_tokenizer(tiny_model)
    frame = make_frame(tokenizer, config)
    data = read_training_data(subset, "sft")
    tokens = tokenize(data.rows, frame, config)  # type: ignore[arg-type]
    plan = plan_training(config, data, read_skeleton(config), frame, tokens)
    callback = make_callback(tmp_path / "m", plan.steps)
    trainer = make_sft_trainer(load_model(config, plan), tokenizer, tokens, config, plan, tmp_path, callback)
    args = trainer.args
    assert args.num_train_epochs == 1
    assert args.per_device_train_batch_size * args.gradient_accumulation_steps == 8
    assert (args.learning_rate, args.lr_scheduler_type, args.seed, args.bf16) == (1e-4, "cosine", 1, True)
    assert (args.warmup_steps, plan.steps) == (1, 4)  # 3 % of 4 steps, rounded up
    assert trainer.obstacle == ""
    trained = {name: weight for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[-4] for name in trained} == {"q_proj", "v_proj"}
    assert {min(weight.shape) for weight in trained.values()} == {8}
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    assert trainer.model.get_base_model().lm_head.weight.dtype == torch.bfloat16
    adapter = trainer.model.peft_config["default"]
    assert (adapter.r, adapter.lora_alpha, adapter.lora_dropout, adapter.bias) == (8, 16, 0.0, "none")
    trainer.create_optimizer_and_scheduler(1000)
    rates = []
    for _ in range(4):
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates[:2] == [0.0, 1e-4]  # the warm-up ends at the peak
    assert rates[2] < 1e-4


@pytest.mark.slow
def test_merged_weights_are_served_and_answer(trained: Any, tmp_path: Path) -> None:
    from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark

    pytest.importorskip("fastapi")
    rows = build_demo_rows()
    benchmark = tmp_path / "benchmark"
    write_demo_benchmark(benchmark, {"deu": rows["deu"], "eng": rows["eng"]})
    out = tmp_path / "outputs"
    command = ["respond", str(benchmark), "--model", f"transformers:{trained.merged}", "--name", "tiny-32"]
    limits = ["--languages", "deu", "--limit", "2", "--max-tokens", "8", "--out", str(out)]
    assert main([*command, *limits]) == 0
    answers = json.loads((out / "tiny-32" / "deu.json").read_text())
    assert len(answers) == 2
    assert all(answer["output"] for answer in answers)


@pytest.mark.slow
def test_dpo_prefers_what_was_chosen(tiny_model: Path, pairs: Path, tmp_path: Path) -> None:
    from xl_instruct.training.train import train

    values = {"model": str(tiny_model), "batch_size": 4, "max_steps": 8, "log_steps": 1, "save_steps": 4}
    values |= {"learning_rate": 0.02, "bf16": False, "weights": "float32"}
    config = read_training_config("train_dpo", values)
    out = tmp_path / "dpo"
    trained = train(config, pairs, out, merge=True, progress=lambda line: None)
    losses = [loss for _, loss in trained.losses]
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)  # at the start the model is its own reference
    assert losses[-1] < 0.65
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["rewards/margins"] > 0
    assert (out / "merged" / "config.json").is_file()
    assert "direct preference optimization" in (out / "README.md").read_text()


# What is wrong is said before time is spent


def test_a_module_that_is_not_there_names_those_that_are(tiny_model: Path, subset: Path, tmp_path: Path) -> None:
    from xl_instruct.training.train import train

    config = TrainingConfig(model=str(tiny_model), target_modules=("query_proj", "v_proj"))
    with pytest.raises(BadInput, match=r"no query_proj\. Its linear modules: q_proj, k_proj, v_proj"):
        train(config, subset, tmp_path / "out", progress=lambda line: None)
    assert not (tmp_path / "out").exists()


def write_shape(folder: Path, **values: Any) -> Path:
    """A folder with a config.json and nothing else."""
    from transformers import LlamaConfig

    LlamaConfig(**values).save_pretrained(folder)
    return folder


NINE_BILLION = {
    "vocab_size": 128000, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 42,
    "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": False,
}  # fmt: skip


def test_an_estimate_needs_no_weights(subset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = write_shape(tmp_path / "shape", **NINE_BILLION)
    arguments = ["train", "train_paper", "--model", str(shape), "--data", str(subset), "--out", str(tmp_path / "o")]
    assert main([*arguments, "--estimate", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert 8.9e9 < plan["parameters"] < 9.6e9
    # Rank 8 on q (4096 to 4096) and v (4096 to 1024) in 42 layers.
    assert plan["trainable"] == 42 * 8 * ((4096 + 4096) + (4096 + 1024))
    assert (plan["steps"], plan["warmup_steps"], plan["examples"]) == (4, 1, 32)
    assert plan["exact"] is False
    assert plan["memory"]["weights"] == 2 * plan["parameters"]
    assert plan["memory"]["total"] > plan["memory"]["weights"]
    assert not (tmp_path / "o").exists()


def test_a_run_of_warm_up_alone_is_told(tiny_model: Path, subset: Path) -> None:
    from xl_instruct.training.train import estimate_training

    for batch_size, warmup_share, told in ((32, 0.03, True), (32, 0.0, False), (16, 0.03, False)):
        changes = {"model": str(tiny_model), "batch_size": batch_size, "warmup_share": warmup_share}
        plan = estimate_training(read_training_config("train_paper", changes), subset)
        assert any("learning rate of 0" in note for note in plan.notes) is told, plan.notes


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_large_model_without_a_gpu_is_refused(subset: Path, tmp_path: Path, tiny_model: Path) -> None:
    from xl_instruct.training.train import train

    shape = write_shape(tmp_path / "shape", **NINE_BILLION)
    load_tokenizer(tiny_model).save_pretrained(shape)
    config = read_training_config("train_paper", {"model": str(shape)})
    with pytest.raises(BadInput, match=r"no GPU here.*9\.\d B parameters.* GiB are free on cpu"):
        train(config, subset, tmp_path / "out", progress=lambda line: None)
    assert not (tmp_path / "out").exists()


def test_too_little_memory_is_refused(tiny_model: Path, subset: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from xl_instruct.training import plan as training_plan
    from xl_instruct.training import train as training

    monkeypatch.setattr(training_plan, "measure_free", lambda gpu: 10_000)
    config = TrainingConfig(model=str(tiny_model))
    with pytest.raises(BadInput, match=r"does not fit.*smaller micro_batch_size"):
        training.train(config, subset, tmp_path / "out", progress=lambda line: None)
    plan = training.estimate_training(config, subset)
    assert plan.checkpointing


def test_wrong_data_and_folders_are_refused(
    tiny_model: Path, subset: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", "train_smoke", "--model", str(tiny_model), "--out", str(tmp_path / "out")]
    assert main([*base, "--data", str(pairs)]) == 2
    assert "It holds data for dpo" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    assert main([*base, "--data", str(subset)]) == 2
    assert "not a training run" in capsys.readouterr().err
    assert (tmp_path / "out" / "thesis.tex").exists()
    assert main(["train", "train_smoke", "--data", str(subset), "--out", str(tmp_path / "new")]) == 2
    assert "No model is named" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    arguments = ["train", "train_smoke", "--model", str(tmp_path / "empty"), "--data", str(subset)]
    assert main([*arguments, "--out", str(tmp_path / "new")]) == 2
    assert "config.json is not there" in capsys.readouterr().err
