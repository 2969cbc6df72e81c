"""An estimator for tests that no run would choose winners with."""

from __future__ import annotations

from collections.abc import Sequence


class Letters:
    name, licence, languages, range, fingerprint = "letters", "unknown", None, (0.0, 1.0), "letters-1"

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        return [len(set(text)) / 100 for text in translations]


def count_letters(model: str = "") -> Letters:
    return Letters()
