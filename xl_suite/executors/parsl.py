"""Ranks by parsl: on this machine, or as jobs of a scheduler (Slurm, PBS, LSF and others are its providers)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.executors.commands import Command
from xl_suite.executors.running import Ended, Run, Setting, run_command, run_or_raise
from xl_suite.extras import load

RETRIES = 3


@contextmanager
def open_engine(setting: Setting) -> Iterator[Run]:
    """Starts parsl with one HighThroughputExecutor, whose workers run ranks.

    The config has `provider` (its `kind`, such as SlurmProvider, and its arguments; LocalProvider by default; a
    `launcher` is named) and `executor` (arguments of the HighThroughputExecutor). Raises MissingExtra and BadInput.
    """
    config = setting.take("parsl", ("provider", "executor", "retries"))
    parsl = load("parsl", "parsl")
    try:
        retries = int(config.get("retries", RETRIES)) if setting.retries else 0
        executor = parsl.HighThroughputExecutor(
            label="ranks", provider=_make_provider(config.get("provider") or {}), **(config.get("executor") or {})
        )
        made = parsl.Config(
            executors=[executor], retries=retries, run_dir=str(setting.folder / "parsl"), initialize_logging=False
        )
    except (TypeError, ValueError) as error:
        raise BadInput(f"--executor-config: parsl refuses it: {error}") from error
    # parsl starts its own programs by name; they are in the interpreter's folder.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kernel = parsl.load(made)
    app = parsl.python_app(run_or_raise if setting.retries else run_command)

    def run(commands: Sequence[Command]) -> Iterator[Ended]:
        pending = {app(command): command for command in commands}
        for future in as_completed(pending):
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                problem = str(error).strip().splitlines() or [type(error).__name__]
                yield Ended(pending[future].rank, None, {}, problem=problem[-1])

    try:
        yield run
    finally:
        kernel.cleanup()
        parsl.clear()


def _make_provider(config: dict[str, Any]) -> Any:
    """The provider that `kind` names, with the other keys as its arguments. Raises BadInput."""
    arguments = dict(config)
    kind = arguments.pop("kind", "LocalProvider")
    if "launcher" in arguments:
        arguments["launcher"] = _find("launcher", load("parsl.launchers", "parsl"), arguments["launcher"])()
    return _find("provider", load("parsl.providers", "parsl"), kind)(**arguments)


def _find(what: str, module: ModuleType, name: str) -> Any:
    known = sorted(one for one in dir(module) if one.endswith(what.capitalize()))
    if name not in known:
        raise BadInput(f"--executor-config: parsl has no {what} {name!r}. Valid are: {', '.join(known)}.")
    return getattr(module, name)
