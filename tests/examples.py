"""How many examples a property test tries whose examples cost more or less than usual."""

from __future__ import annotations

import hypothesis

_USUAL = 100  # hypothesis' own number, which `make test` keeps


def examples(count: int) -> int:
    """`count` of them in `make test`, and in `make fuzz` as many times more as its other tests try."""
    return count * hypothesis.settings().max_examples // _USUAL
