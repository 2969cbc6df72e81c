"""Checkpoints that unbabel-comet would unpickle whole: what names other objects than Lightning's own is refused."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import pytest

from xl_instruct.qe.checkpoint import TRUST, refuse_code
from xl_suite.errors import BadInput

torch = pytest.importorskip("torch")


class _Runs:
    """What a hostile checkpoint holds: unpickling it calls a function."""

    def __init__(self, function: Any, *arguments: Any):
        self._function, self._arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._function, self._arguments


def save(path: Path, **more: Any) -> Path:
    torch.save({"state_dict": {"layer.weight": torch.zeros(2, 2)}, **more}, path)
    return path


def test_weights_and_settings_are_let_through(tmp_path: Path) -> None:
    refuse_code(save(tmp_path / "model.ckpt", hyper_parameters={"batch_size": 4}, args=argparse.Namespace(seed=1)))


@pytest.mark.parametrize("function", [os.system, eval, __import__], ids=["system", "eval", "import"])
def test_a_checkpoint_that_calls_a_function_is_refused(
    function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST, raising=False)
    path = save(tmp_path / "model.ckpt", callbacks={"x": _Runs(function, "os")})
    with pytest.raises(BadInput, match=rf"may run \w+\.{function.__name__}.*cometkiwi.*{TRUST}=1"):
        refuse_code(path)
    monkeypatch.setenv(TRUST, "1")
    refuse_code(path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x80\x04cos\nsystem\n(S'true'\ntR."])
def test_a_file_in_another_form_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(content)
    with pytest.raises(BadInput, match="not a readable PyTorch checkpoint"):
        refuse_code(tmp_path / "model.ckpt")
