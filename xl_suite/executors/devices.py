"""Divides a machine's GPUs among its ranks, so that their servers do not share one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
# NVIDIA's driver has a folder here for each GPU.
DRIVER = Path("/proc/driver/nvidia/gpus")


def find_devices(driver: Path = DRIVER) -> list[str]:
    """The GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all GPUs of the driver."""
    if (given := os.environ.get(VISIBLE)) is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(number) for number in range(len(list(driver.iterdir())))] if driver.is_dir() else []


def share_devices(devices: Sequence[str], count: int) -> list[str]:
    """A value of CUDA_VISIBLE_DEVICES for each of `count` ranks, "" without GPUs.

    Each rank gets neighbouring GPUs. With fewer GPUs than ranks, some ranks share one.
    """
    if len(devices) < 2 or count < 2:
        return [""] * count
    if count > len(devices):
        return [devices[number * len(devices) // count] for number in range(count)]
    cuts = [number * len(devices) // count for number in range(count + 1)]
    return [",".join(devices[cuts[number] : cuts[number + 1]]) for number in range(count)]
