"""The memory that a training run takes, and what is free."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that training takes, by rule of thumb: about a fifth off in either direction.

    weights: frozen. adapter: with gradients and Adam's two moments, 16 bytes a parameter. fast, checkpoint:
    activations of the largest batch when they are kept, and when they are computed again. logits: of one chunk.
    free: on the device, now.
    """

    weights: int
    adapter: int
    fast: int
    checkpoint: int
    logits: int
    free: int

    def total(self, mode: str) -> int:
        return self.weights + self.adapter + self.logits + (self.fast if mode == "fast" else self.checkpoint)


def measure_free(gpu: bool) -> int:
    """Bytes free on the device: the GPU's memory, or what the system can give without swapping."""
    if gpu:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
