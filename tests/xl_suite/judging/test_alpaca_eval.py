"""The same job through alpaca_eval itself and through `xl-suite judge`'s code, on one scripted judge."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.server import Reply, serve_loopback, token_logprobs
from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.judging.annotator import read_annotator, write_for_alpaca_eval
from xl_suite.judging.judge import judge_pairs
from xl_suite.judging.pairs import join_outputs
from xl_suite.records import ModelOutput, write_json

pytest.importorskip("alpaca_eval")
JUDGE = "gpt-4o-2024-08-06"


def judge_by_hash(request: dict[str, Any]) -> Reply:
    """A judge whose verdict is a fixed function of the whole prompt, so that order and filling matter."""
    share = zlib.crc32(json.dumps(request["messages"], sort_keys=True).encode()) / 2**32
    share = min(max(share, 1e-6), 1 - 1e-6)
    return Reply(
        "m" if share > 0.5 else "M", logprobs=token_logprobs({"m": math.log(share), "M": math.log(1 - share)})
    )


def make_outputs(count: int) -> tuple[list[ModelOutput], list[ModelOutput]]:
    rng = random.Random(7)
    sides: tuple[list[ModelOutput], list[ModelOutput]] = ([], [])
    for number in range(1, count + 1):
        instruction = f"Schreibe {number} Sätze über „Bäume“.\n\nRespond in German"
        for side, name in zip(sides, ("mine", "reference"), strict=True):
            text = " ".join(rng.choice(["Baum", "Wald", "{x}", "ein Satz.\n", '"""', "<b>", "木"]) for _ in range(20))
            side.append(ModelOutput(instruction, text, name, number, "demo", "deu"))
    sides[0][4] = ModelOutput(sides[1][4].instruction, sides[1][4].output, "mine", 5, "demo", "deu")  # a draw
    return sides


@pytest.mark.slow
def test_preferences_are_alpaca_evals_row_by_row(tmp_path: Path) -> None:
    model, reference = make_outputs(200)
    write_json(tmp_path / "model.json", model)
    write_json(tmp_path / "reference.json", reference)
    with serve_loopback(judge_by_hash) as server:
        environment = os.environ | {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": server.url,
            "HF_HUB_OFFLINE": "1",
            "OPENAI_MAX_CONCURRENCY": "16",
        }
        command = [sys.executable, "-m", "alpaca_eval.main", "evaluate"]
        command += ["--annotators_config", str(write_for_alpaca_eval("xl_gpt4o", cache=tmp_path))]
        command += ["--model_outputs", str(tmp_path / "model.json")]
        command += ["--reference_outputs", str(tmp_path / "reference.json")]
        command += ["--caching_path", str(tmp_path / "cache.json"), "--fn_metric", "get_winrate"]
        command += ["--sort_by", "win_rate", "--output_path", str(tmp_path / "theirs")]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        judgement = judge_pairs(
            {"deu": join_outputs(model, reference, "deu")},
            read_annotator("xl_gpt4o"),
            parse_model(f"{JUDGE}@{server.url}"),
            ChatOptions(progress=False),
        )
    written = next((tmp_path / "theirs").rglob("annotations.json"))
    theirs = {row["instruction"]: row["preference"] for row in json.loads(written.read_text())}
    ours = {row.instruction: row.preference for row in judgement.annotations["deu"]}
    assert len(theirs) == len(ours) == 200
    assert judgement.failures == {"deu": []}
    for instruction, preference in ours.items():
        assert preference is not None
        assert math.isclose(preference, theirs[instruction], abs_tol=1e-12)
    assert ours[model[4].instruction] == 1.5
    assert len(set(ours.values())) > 190
