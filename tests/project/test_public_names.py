"""What users may import from `xl_suite`: changing this list is a decision, not an accident."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path

import xl_suite

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "BadInput",
    "BadRecord",
    "Language",
    "XLSuiteError",
    "__version__",
    "annotate",
    "apply_bridge",
    "archive_bridge",
    "audit",
    "build_m_alpacaeval",
    "build_prompts",
    "build_xl_alpacaeval",
    "check_judge",
    "collect_bridge",
    "compare",
    "find_language",
    "fit_bridge",
    "generate",
    "import_judgements",
    "import_labels",
    "judge",
    "judge_panel",
    "leaderboard",
    "load_benchmark",
    "plan_bridge",
    "plan_publish",
    "preferences",
    "publish",
    "rate",
    "read_annotations",
    "read_outputs",
    "read_records",
    "respond",
    "score",
    "submit",
    "subset",
    "train",
]


def test_public_names() -> None:
    assert sorted(xl_suite.__all__) == NAMES
    for name in NAMES:
        assert getattr(xl_suite, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(xl_suite, "no_such_name")


def test_packaging_agrees_with_itself() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = set(setup["options.extras_require"])
    assert {"hf", "alpaca-eval", "lm-eval", "sat", "comet", "train", "vllm", "test", "dev"} <= extras
    assert "torch" not in setup["options"]["install_requires"]
    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text())) == {"build-system"}


def test_console_script_answers() -> None:
    done = subprocess.run([sys.executable, "-m", "xl_suite.cli.main", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"xl-suite {xl_suite.__version__}")
