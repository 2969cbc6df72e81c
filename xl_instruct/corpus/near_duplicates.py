"""Near duplicates by sketches: the smallest hashes of a text's runs of five words (Broder 1997)."""

from __future__ import annotations

import zlib
from heapq import nsmallest

from xl_instruct.corpus.words import split_words

_SIZE = 64  # hashes a sketch; the similarity is estimated to about ± 0.06
_KEYS = 12  # of these, under which a text is found: two texts of similarity .8 share none in 1 of 10^8 pairs
# A run of words that so many texts hold (a cookie notice) finds no further one: near duplicates share other runs too,
# and a corpus full of one phrase would cost the square of its size.
_MOST_TEXTS = 100


class NearDuplicates:
    """Texts so far, found by similarity. Memory: some 3 kB a text."""

    def __init__(self, similarity: float):
        self._similarity = similarity
        self._sketches: list[frozenset[int]] = []
        self._index: dict[int, list[int]] = {}

    def add(self, text: str) -> bool:
        """Whether the text is new; if so it is kept. False: it resembles one that was kept before."""
        sketch = make_sketch(text)
        keys = sketch[:_KEYS]
        held = frozenset(sketch)
        candidates = {number for key in keys for number in self._index.get(key, ())}
        for number in candidates:
            other = self._sketches[number]
            # What both hold bounds the estimate from above, and is found much faster.
            most = len(held & other) / min(_SIZE, max(len(held), len(other)))
            if most >= self._similarity and estimate_similarity(held, other) >= self._similarity:
                return False
        for key in keys:
            found = self._index.setdefault(key, [])
            if len(found) < _MOST_TEXTS:
                found.append(len(self._sketches))
        self._sketches.append(held)
        return True


def make_sketch(text: str) -> list[int]:
    """The smallest distinct hashes of the runs of five words, in rising order; of the words, for a shorter text."""
    words = split_words(text, tags=False)
    size = min(5, len(words))
    runs = {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)} if size else {""}
    # Mixed, since CRC-32 is linear: its smallest values are not spread like those of a random function.
    return nsmallest(_SIZE, {_mix(zlib.crc32(run.encode("utf-8", "surrogatepass"))) for run in runs})


def estimate_similarity(left: frozenset[int], right: frozenset[int]) -> float:
    """The Jaccard similarity of the two sets of runs, from their sketches."""
    union = nsmallest(_SIZE, left | right)
    return sum(value in left and value in right for value in union) / len(union)


def _mix(value: int) -> int:
    """The 64-bit finaliser of SplitMix (Steele et al. 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)
