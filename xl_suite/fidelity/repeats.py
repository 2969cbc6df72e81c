"""How many answers repeat one text? A model that says the same to every prompt has answered none.

A constant output scored 76.9 % on AlpacaEval 2 (Zheng et al. 2024, "Cheating Automatic LLM Benchmarks: Null Models
Achieve High Win Rates"), so that it has to be caught here. Near repeats are found by sketches: an answer's smallest
hashes over windows of its letters, of which near copies share most. Time is linear in the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

WINDOW = 16  # bytes hashed together
SKETCH = 32  # hashes kept of an answer
CLIP = 1_000  # bytes read at each end of an answer
ALIKE = 0.5  # shared part of two sketches from which on one answer repeats the other
CANDIDATES = 5  # texts that are tried as the repeated one
FLAGGED = 0.1  # part of the answers from which on a run is flagged

_NOT_LETTERS = re.compile(r"[\W\d_]+")


def count_repeats(outputs: Sequence[str]) -> int:
    """How many of the outputs are one and the same text or nearly so: the largest such group, 0 where all differ.

    Case, digits, punctuation and spaces don't count, nor do empty outputs.
    """
    texts = [_NOT_LETTERS.sub("", _clip(output).lower()) or "".join(output.split()) for output in outputs]
    sketches = [_sketch(text.encode("utf-8", "surrogatepass")) for text in texts if text]
    shared = Counter(value for sketch in sketches for value in sketch)
    largest = 0
    for value, times in sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:CANDIDATES]:
        if times < 2:
            break
        holders = [sketch for sketch in sketches if value in sketch]
        # The holder that has most of the common hashes stands for the repeated text.
        center = max(holders, key=lambda sketch: sum(shared[value] for value in sketch) / len(sketch))
        alike = sum(len(sketch & center) >= ALIKE * min(len(sketch), len(center)) for sketch in sketches)
        largest = max(largest, alike)
    return largest if largest > 1 else 0


def is_constant(repeats: int, outputs: int) -> bool:
    """Whether so many repeats among so many outputs are not coincidence: three, and a tenth of the outputs."""
    return repeats >= 3 and repeats >= FLAGGED * outputs


def _clip(output: str) -> str:
    return output if len(output) <= 4 * CLIP else output[: 2 * CLIP] + output[-2 * CLIP :]


def _sketch(data: bytes) -> frozenset[int]:
    """The smallest hashes over the windows of a text; of a text shorter than a window, one hash of it all."""
    import numpy as np

    if len(data) > 2 * CLIP:
        data = data[:CLIP] + data[-CLIP:]
    if len(data) < WINDOW:
        data = data.ljust(WINDOW, b"\0")
    values: Any = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
    count = len(values) - WINDOW + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for i in range(WINDOW):
        hashes *= np.uint64(1099511628211)  # the prime of the FNV hash; products wrap around at 64 bits
        hashes += values[i : i + count] + np.uint64(1)
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)  # a mixing constant of splitmix64: smallest hashes are a fair sample
    hashes ^= hashes >> np.uint64(32)
    return frozenset(np.sort(hashes)[:SKETCH].tolist())
