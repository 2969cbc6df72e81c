"""A tiny random chat model that `transformers serve` serves: it answers real requests with nonsense."""

from __future__ import annotations

import json
from pathlib import Path

from xl_suite.reproduction import tiny


def make_tiny_model(folder: Path, *, seed: int = 0) -> Path:
    """Writes the demo's model to `folder`, sampling as `transformers serve` does only where its folder says so."""
    tiny.make_tiny_model(folder, seed=seed, chat=True, hidden=64)
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "do_sample": True}), encoding="utf-8")
    return folder
