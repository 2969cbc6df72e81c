"""Whether a text holds a benchmark's prompt: what overlaps stays out of the training data.

Long prompts by runs of 13 words, as GPT-3 did (Brown et al. 2020, appendix C); the 257 of AlpacaEval's 805 that are
shorter have no such run, so they are looked for as a whole, and, changed a little, by their 5-grams of characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from xl_instruct.corpus.words import split_words
from xl_suite.errors import BadInput

WORDS = 13
GRAM = 5
# Of a short prompt's distinct 5-grams, in one window of a text. At .8 GPT-4's 805 answers to AlpacaEval give 39
# overlaps, all with the prompt that they answer and repeat, and the Universal Declaration of Human Rights none.
SHARE = 0.8
# Prompts are indexed by so many letters; one that is shorter has too few 5-grams to be told when it is changed.
OPENING = 12


@dataclass(frozen=True, slots=True)
class Overlap:
    """The first prompt found. reason: `13-gram`, `contained` or `5-grams`; text: the words that gave it away."""

    prompt_id: int
    reason: str
    text: str


class Decontaminator:
    """Finds benchmark prompts in texts; built once, asked in time linear in the text.

    prompts: (id, text) pairs, without any "respond in" template; one without a letter or digit is passed over.
    Raises BadInput where none is left.
    """

    def __init__(self, prompts: Iterable[tuple[int, str]]):
        self._runs: dict[tuple[str, ...], int] = {}
        self._whole: dict[str, int] = {}
        self._openings: dict[str, list[str]] = {}
        self._grams: dict[str, list[int]] = {}
        self._short: list[tuple[int, str, int]] = []  # id, letters, distinct 5-grams
        for prompt_id, text in prompts:
            words = split_words(text)
            letters = "".join(words)
            for run in _make_runs(words):
                self._runs.setdefault(run, prompt_id)
            if letters and self._whole.setdefault(letters, prompt_id) == prompt_id:
                self._openings.setdefault(letters[:OPENING], []).append(letters)
                if len(words) < WORDS and len(letters) >= OPENING:
                    self._index_grams(prompt_id, letters)
        if not self._whole:
            raise BadInput("there are no prompts to look for; give a built benchmark, or turn decontamination off.")
        self._lengths = sorted({len(opening) for opening in self._openings})

    def _index_grams(self, prompt_id: int, letters: str) -> None:
        grams = set(_make_grams(letters))
        for gram in grams:
            self._grams.setdefault(gram, []).append(len(self._short))
        self._short.append((prompt_id, letters, len(grams)))

    def find(self, text: str) -> Overlap | None:
        """The first overlap of `text` with a prompt, or None."""
        words = split_words(text)
        for run in _make_runs(words):
            if run in self._runs:
                return Overlap(self._runs[run], "13-gram", " ".join(run))
        return self._find_whole(words) or self._find_changed(words)

    def _find_whole(self, words: list[str]) -> Overlap | None:
        """A prompt as a whole, from the beginning of a word to the end of one, wherever spaces are between."""
        letters = "".join(words)
        bounds = [0, *accumulate(map(len, words))]
        ends = set(bounds)
        for start in bounds[:-1]:
            for length in self._lengths:
                for prompt in self._openings.get(letters[start : start + length], ()):
                    if start + len(prompt) in ends and letters.startswith(prompt, start):
                        return Overlap(self._whole[prompt], "contained", prompt)
        return None

    def _find_changed(self, words: list[str]) -> Overlap | None:
        """A short prompt with a letter or a word changed: enough of its 5-grams within a window of its length."""
        letters = "".join(words)
        hits: dict[int, list[tuple[int, str]]] = {}
        for start, gram in enumerate(_make_grams(letters)):
            for place in self._grams.get(gram, ()):
                hits.setdefault(place, []).append((start, gram))
        for place, found in sorted(hits.items()):
            prompt_id, prompt, distinct = self._short[place]
            needed = SHARE * distinct
            if len(found) >= needed and (seen := _fill_window(found, len(prompt) + GRAM, needed)) is not None:
                return Overlap(prompt_id, "5-grams", letters[seen : seen + len(prompt)])
        return None


def _make_runs(words: list[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(WORDS)), strict=False)


def _make_grams(letters: str) -> Iterable[str]:
    return (letters[i : i + GRAM] for i in range(len(letters) - GRAM + 1))


def _fill_window(found: list[tuple[int, str]], size: int, needed: float) -> int | None:
    """The start of the first window of `size` characters with `needed` distinct grams, or None. Linear."""
    inside: Counter[str] = Counter()
    left = 0
    for start, gram in found:
        inside[gram] += 1
        while found[left][0] <= start - size:
            old = found[left][1]
            inside[old] -= 1
            if not inside[old]:
                del inside[old]
            left += 1
        if len(inside) >= needed:
            return found[left][0]
    return None
