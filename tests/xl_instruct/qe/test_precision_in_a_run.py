"""A whole run scored in bf16: its winners are those of fp32, its card says so, and its journal knows every score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.scripted_models import MODELS, answer, write_passages
from xl_instruct.config import parse_config
from xl_instruct.stages.generate import generate
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.chat.settings import ChatOptions

pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_a_run_in_bf16_has_the_winners_of_fp32(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    passages = write_passages(tmp_path / "passages.jsonl", 6)
    journal = tmp_path / "journal.sqlite"
    model = f"cometkiwi:{make_checkpoint(layer_transformation='softmax')}"
    with serve_loopback(answer) as server:

        def run(name: str, **options: Any) -> Path:
            config = parse_config(
                {
                    "languages": ["deu"],
                    "passages": {"source": str(passages), "count": 6},
                    "teacher": {"model": f"teacher@{server.url}"},
                    "translators": [{"model": f"{name}@{server.url}"} for name in MODELS],
                    "estimation": {"model": model, "options": {"device": "cpu", **options}},
                    "filtering": {"drop": 0.0},
                }
            )
            generate(config, tmp_path / name, ChatOptions(journal=journal, slots=8, progress=False))
            return tmp_path / name

        exact, rough, again = run("exact"), run("rough", precision="bf16"), run("again", precision="bf16")

    def read(folder: Path) -> dict[int, dict[str, Any]]:
        (file,) = (folder / "bestof3").glob("*.parquet")
        return {row["id"]: row for row in pq.read_table(file).to_pylist()}

    rows, others = read(exact), read(rough)
    assert rows.keys() == others.keys()
    assert {key: row["response"] for key, row in rows.items()} == {
        key: row["response"] for key, row in others.items()
    }
    assert any(rows[key]["qe_score"] != others[key]["qe_score"] for key in rows), "bf16 was not used"
    assert "'precision': 'bf16'" in (rough / "README.md").read_text("utf-8")
    assert read(again) == others
