"""Reads the values of options: numbers, prices, request fields."""

from __future__ import annotations

import argparse
import json
from typing import Any


def positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small; the minimum is 1")
    return value


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def non_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


def extra_field(text: str) -> tuple[str, Any]:
    """(name, value) of KEY=JSON; a value that is not JSON is taken as text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f'{text!r} is not KEY=JSON, such as reasoning_effort="low"')
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        if value[:1] in '{["':
            raise argparse.ArgumentTypeError(f"{value!r} is not JSON") from None
        return name.strip(), value


def price_entry(text: str) -> tuple[str, tuple[float, float]]:
    """(model, dollars per million prompt and completion tokens) of MODEL=2.5,10; no model is empty."""
    name, _, pair = text.rpartition("=")
    if "=" in text and not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} names no model before =, such as my-model=2.5,10")
    return name.strip().partition("@http")[0], price_pair(pair)


def price_pair(text: str) -> tuple[float, float]:
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a pair of prices, such as 2.5,10")
    return non_negative(parts[0]), non_negative(parts[1])
