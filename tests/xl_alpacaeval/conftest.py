"""Prompts written for these tests, so that they run without AlpacaEval's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OWN_PROMPTS = [
    ("own", "Why do bicycles stay upright?"),
    ("own", "Name three uses of {braces} in mathematics.  "),
    ("own", "  Write a limerick about a lighthouse keeper"),
    ("own", "Turn the text into one sentence.\n\nIt rained. We stayed in."),
    ("own", "How long does it take to boil an egg?"),
    ("own", "Explain the rules of chess to a child."),
    ("own", "Plan a picnic for six people, two of them vegetarian."),
    ("own", "Which is heavier: a litre of oil or a litre of water?"),
    ("own", "Write a letter to a landlord about a broken window."),
    ("own", "Give me five names for a small bookshop ✓"),
]


@pytest.fixture
def own_prompts(tmp_path: Path) -> Path:
    """A file with ten prompts in AlpacaEval's form; their IDs are 1 to 10."""
    path = tmp_path / "own_prompts.json"
    rows = [{"dataset": dataset, "instruction": instruction} for dataset, instruction in OWN_PROMPTS]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def alpaca_eval(shared_data: Path) -> Path:
    """AlpacaEval's 805 prompts, where they lie beside the checkout."""
    return shared_data / "alpaca_eval" / "alpaca_eval.json"
