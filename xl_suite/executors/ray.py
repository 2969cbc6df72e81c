"""Ranks as tasks of a Ray cluster. Only Ray's core is used: tasks, placement and retries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.executors.commands import Command
from xl_suite.executors.running import Ended, RankKilled, Run, Setting, run_command, run_or_raise
from xl_suite.extras import load

RETRIES = 3


@contextmanager
def open_engine(setting: Setting) -> Iterator[Run]:
    """Connects to the cluster of the config's `address`, of RAY_ADDRESS, or to one on this machine, else starts one.

    The config's `options` are a task's options, such as num_cpus, num_gpus and resources. Raises MissingExtra, and
    BadInput if the cluster does not exist.
    """
    config = setting.take("ray", ("address", "options"))
    ray = load("ray", "ray")
    try:
        options = {"num_cpus": 1, **(config.get("options") or {})}
        if setting.retries:
            options = {"max_retries": RETRIES, **options, "retry_exceptions": [RankKilled]}
        else:
            options["max_retries"] = 0
        ray.init(address=config.get("address"), log_to_driver=False, include_dashboard=False)
        task = ray.remote(run_or_raise if setting.retries else run_command).options(**options)
    except (ConnectionError, ValueError, TypeError, RuntimeError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise BadInput(f"--executor ray: {error}") from error

    def run(commands: Sequence[Command]) -> Iterator[Ended]:
        pending = {task.remote(command): command for command in commands}
        try:
            while pending:
                done, _ = ray.wait(list(pending), num_returns=1)
                for reference in done:
                    yield _read(ray, reference, pending.pop(reference))
        finally:
            for reference in pending:
                ray.cancel(reference)

    try:
        yield run
    finally:
        ray.shutdown()


def _read(ray: Any, reference: Any, command: Command) -> Ended:
    try:
        ended: Ended = ray.get(reference)
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Ended(command.rank, None, {}, problem=lines[-1] if lines else type(error).__name__)
    return ended
