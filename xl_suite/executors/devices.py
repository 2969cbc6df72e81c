"""Which GPUs of this machine each of its ranks sees, so that the servers that they start don't share one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
# A folder for each GPU, by NVIDIA's driver.
DRIVER = Path("/proc/driver/nvidia/gpus")


def find_devices(driver: Path = DRIVER) -> list[str]:
    """The GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all that the driver lists."""
    if (given := os.environ.get(VISIBLE)) is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(number) for number in range(len(list(driver.iterdir())))] if driver.is_dir() else []


def share_devices(devices: Sequence[str], count: int) -> list[str]:
    """A value of CUDA_VISIBLE_DEVICES for each of `count` ranks, "" where there is nothing to share.

    Neighbours stay together. With fewer GPUs than ranks, some ranks share one.
    """
    if len(devices) < 2 or count < 2:
        return [""] * count
    if count > len(devices):
        return [devices[number * len(devices) // count] for number in range(count)]
    cuts = [number * len(devices) // count for number in range(count + 1)]
    return [",".join(devices[cuts[number] : cuts[number + 1]]) for number in range(count)]
