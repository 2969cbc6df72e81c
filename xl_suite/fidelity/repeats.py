"""How many answers repeat one text? A model that says the same to every prompt has answered none.

A constant output scored 76.9 % on AlpacaEval 2 (Zheng et al. 2024, "Cheating Automatic LLM Benchmarks: Null Models
Achieve High Win Rates"), so that it has to be caught here. Near repeats are found by sketches: an answer's smallest
hashes over windows of its letters, of which near copies share most. Where words are inserted between those of the
text, its words still follow each other closely: such copies are found by pairs of words. Time is linear in the text.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

WINDOW = 16  # bytes hashed together
SKETCH = 32  # hashes kept of an answer
CLIP = 1_000  # bytes read at each end of an answer
ALIKE = 0.5  # shared part of two sketches from which on one answer repeats the other
CANDIDATES = 5  # texts that are tried as the repeated one
REACH = 3  # words from one to the next of a pair
HELD = 0.6  # part of a text's pairs of words that an answer must hold to repeat it
COVERED = 0.25  # part of an answer's words that must be in these pairs: an opening that answers share is less
LEAST_PAIRS = 20
LEAST_DILUTED = 5  # answers: a few to one prompt in several languages may hold the same code
SAMPLE = 300  # outputs that show whether there is such a group
FLAGGED = 0.1  # part of the answers from which on a run is flagged

_NOT_LETTERS = re.compile(r"[\W\d_]+")
# A word, or a sign of a script that sets no space between words; the signs of a Hindi word are not all letters.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_]|[\u0900-\u097f])+")


def count_repeats(outputs: Sequence[str]) -> int:
    """How many of the outputs are one and the same text or nearly so: the largest such group, 0 where all differ.

    Case, digits, punctuation and spaces don't count, nor do empty outputs and up to two words that are inserted
    between two of the text.
    """
    return max(_count_copies(outputs), _count_diluted(outputs))


def _count_copies(outputs: Sequence[str]) -> int:
    """Repeats by windows of letters."""
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


def _count_diluted(outputs: Sequence[str]) -> int:
    """Repeats by pairs of words that many outputs hold; 0 where a sample of the outputs shows no large group."""
    drawn = random.Random(0).sample(range(len(outputs)), min(SAMPLE, len(outputs)))
    found = _count_holders([outputs[place] for place in sorted(drawn)])
    if len(drawn) == len(outputs) or found < FLAGGED / 2 * len(drawn):
        return found if len(drawn) == len(outputs) else 0
    return _count_holders(outputs)


def _count_holders(outputs: Sequence[str]) -> int:
    """The size of the largest group that holds most of the pairs of one of its texts."""
    import numpy as np

    numbers: dict[str, int] = {}
    texts = [
        np.array([numbers.setdefault(word, len(numbers)) for word in _WORD.findall(_clip(output, CLIP).lower())])
        for output in outputs
    ]
    paired = [_pair(words, len(numbers)) for words in texts if len(words) > REACH]
    if len(paired) < 2:
        return 0
    unique = [np.unique(pairs) for pairs in paired]
    values, counts = np.unique(np.concatenate(unique), return_counts=True)
    frequent = values[(counts >= max(3, FLAGGED / 2 * len(outputs))) & (values >= 0)]
    if len(frequent) < LEAST_PAIRS:
        return 0
    covered = [_cover(pairs, frequent) for pairs in paired]
    largest = 0
    for center in sorted(range(len(paired)), key=lambda place: -covered[place])[:CANDIDATES]:
        core = np.intersect1d(unique[center], frequent, assume_unique=True)
        if len(core) < LEAST_PAIRS:
            continue
        held = [place for place, own in enumerate(unique) if np.isin(core, own, assume_unique=True).mean() >= HELD]
        largest = max(largest, sum(_cover(paired[place], core) >= COVERED for place in held))
    return largest if largest >= LEAST_DILUTED else 0


def _pair(words: Any, count: int) -> Any:
    """The pairs of a text's words, word by distance: -1 where the text has ended."""
    import numpy as np

    pairs = np.full((len(words), REACH), -1, dtype=np.int64)
    for step in range(1, REACH + 1):
        pairs[:-step, step - 1] = words[:-step] * count + words[step:]
    return pairs


def _cover(pairs: Any, known: Any) -> float:
    """The part of a text's words that begin or end a known pair."""
    import numpy as np

    held = np.isin(pairs, known)
    inside: Any = held.any(axis=1)
    for step in range(1, REACH + 1):
        inside[step:] |= held[:-step, step - 1]
    return float(inside.mean())


def is_constant(repeats: int, outputs: int) -> bool:
    """Whether so many repeats among so many outputs are not coincidence: three, and a tenth of the outputs."""
    return repeats >= 3 and repeats >= FLAGGED * outputs


def _clip(output: str, size: int = 2 * CLIP) -> str:
    return output if len(output) <= 2 * size else output[:size] + output[-size:]


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
