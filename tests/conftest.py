"""Fixtures of the whole suite, and the two ways to run its property tests."""

from __future__ import annotations

import signal
from pathlib import Path

import hypothesis
import pytest

# `make test` tries the same examples on every machine and in every run; `make fuzz` looks for new ones.
hypothesis.settings.register_profile("test", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("fuzz", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("test")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    """Takes Ctrl-C back where it is ignored, as for a job in the background: children would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout (AlpacaEval's prompts, outputs and judgements; UDHR texts), never part of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is not at {SHARED_DATA}: its licence keeps it out of this repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random chat model (transformers), made once a run."""
    pytest.importorskip("transformers")
    from tests.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
