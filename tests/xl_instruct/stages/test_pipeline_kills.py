"""Runs that are killed with SIGKILL in each stage, and go on to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripted_models import MODELS, answer, write_passages
from tests.written import read_files
from xl_suite.chat.loopback.server import Loopback, serve_loopback

ROOT = Path(__file__).resolve().parents[3]
SLOTS = 16
COUNT = 16


def write_config(folder: Path, passages: Path, server: Loopback, count: int = COUNT) -> Path:
    path = folder / "config.yaml"
    value = {
        "languages": ["deu", "hun"],
        "passages": {"source": str(passages), "count": count},
        "teacher": {"model": f"teacher@{server.url}"},
        "translators": [{"model": f"{name}@{server.url}"} for name in MODELS],
    }
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def start(config: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "xl_suite.cli.main", "generate", str(config), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, "--slots", str(SLOTS)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=out.parent,
    )


def finish(config: Path, out: Path) -> None:
    process = start(config, out)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()[-2000:]


def kill_when(config: Path, out: Path, reached: Callable[[], bool], sign: int = signal.SIGKILL) -> None:
    process = start(config, out)
    try:
        deadline = time.monotonic() + 240
        while not reached():
            assert process.poll() is None, process.communicate()[1].decode()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.send_signal(sign)
        process.communicate(timeout=60)


@pytest.mark.slow
def test_killed_in_every_stage_it_ends_in_the_same_bytes(tmp_path: Path, shared_data: Path) -> None:
    outputs = json.loads((shared_data / "alpaca_eval/results/gpt4_1106_preview/model_outputs.json").read_text())
    passages = tmp_path / "passages.jsonl"
    passages.write_text("".join(json.dumps({"text": row["output"]}) + "\n" for row in outputs), encoding="utf-8")
    with serve_loopback(answer, latency=0.01) as server:
        config = write_config(tmp_path, passages, server)
        whole = tmp_path / "whole"
        process = start(config, whole)
        process.communicate(timeout=120)
        assert process.returncode in (0, 1)  # 1: real text has sentences that no scripted model translates well
        status, calls, repeated = process.returncode, server.stats()["calls"], server.stats()["repeated"]
    with serve_loopback(answer, latency=0.01, port=0) as server:
        config = write_config(tmp_path, passages, server)
        out = tmp_path / "out"
        stages = out / ".stages"
        kills: list[Callable[[], bool]] = [
            lambda: stages.is_dir() and any(stages.glob(".passages*")),
            lambda: server.stats()["answered"] > COUNT // 2,
            lambda: server.stats()["answered"] > COUNT + COUNT // 2,
            lambda: any(stages.glob(".prepared*")),
            lambda: server.stats()["answered"] > 2 * COUNT + (calls - 2 * COUNT) // 3,
            lambda: server.stats()["answered"] > 2 * COUNT + 2 * (calls - 2 * COUNT) // 3,
            lambda: any(stages.glob(".scored-*")),
            # Not later: a run that has ended counts as one, and the next one asks more samples of what failed in it.
            lambda: (stages / "dataset" / "README.md").exists() or any(stages.glob(".dataset*")),
        ]
        for reached in kills:
            kill_when(config, out, reached)
        process = start(config, out)
        process.communicate(timeout=120)
        assert process.returncode == status
        assert server.stats()["repeated"] - repeated <= 2 * SLOTS * len(kills)
    assert read_files(out) == read_files(whole)
    quarantined = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    assert len(quarantined) < COUNT / 2


def test_after_ctrl_c_the_same_command_goes_on(tmp_path: Path) -> None:
    passages = write_passages(tmp_path / "passages.jsonl", 8)
    with serve_loopback(answer, latency=0.02) as server:
        config = write_config(tmp_path, passages, server, 8)
        finish(config, tmp_path / "whole")
        paid = server.stats()["calls"]
        kill_when(config, tmp_path / "out", lambda: server.stats()["calls"] > paid + paid // 2, signal.SIGINT)
        finish(config, tmp_path / "out")
        assert server.stats()["calls"] <= 2 * paid + SLOTS
    assert read_files(tmp_path / "out") == read_files(tmp_path / "whole")


@pytest.mark.slow
def test_on_started_servers_rows_are_complete_and_none_is_doubled(tmp_path: Path) -> None:
    """Three tiny random models, each under a `transformers serve` of its own, killed while each one translates."""
    pytest.importorskip("transformers")
    import pyarrow.parquet

    from tests.tiny_model import make_tiny_model

    passages = write_passages(tmp_path / "passages.jsonl", 4)
    models = [make_tiny_model(tmp_path / f"tiny-{number}", seed=number) for number in range(3)]
    with serve_loopback(answer) as server:
        value = {
            "languages": ["deu", "hun"],
            "passages": {"source": str(passages), "count": 4},
            "teacher": {"model": f"teacher@{server.url}"},
            "translators": [{"model": f"transformers:{model}", "max_tokens": 8} for model in models],
            "translation": {"guards": [], "unit": "document"},  # random words pass no guard
            "filtering": {"drop": 0},
        }
        config, out = tmp_path / "config.yaml", tmp_path / "out"
        config.write_text(json.dumps(value), encoding="utf-8")
        for number in (1, 2, 3):
            kill_when(config, out, lambda number=number: any((out / ".stages").glob(f".translated{number}-*")))
        process = start(config, out)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()[-2000:]
    for name in ("default", "bestof3"):
        for split in ("german", "hungarian"):
            rows = pyarrow.parquet.read_table(out / name / f"{split}-00000-of-00001.parquet").to_pylist()
            assert sorted(row["id"] for row in rows) == [1, 2, 3, 4]
            wanted = ["tiny-0"] if name == "default" else ["tiny-0", "tiny-1", "tiny-2"]
            for part in (part for row in rows for part in row["segments"] if part["candidates"]):
                assert [candidate["model"] for candidate in part["candidates"]] == wanted
                assert part["score"] is not None
