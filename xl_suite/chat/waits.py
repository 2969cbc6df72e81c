"""How long a server asks to be left alone: headers, Google's RetryInfo, and words such as "in 60 seconds"."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A server that asks for more seconds than this is not waited for: its quota is used up.
MOST_WAIT = 3600.0
# Longer waits mean no more than this one, and a calendar has no date for some of them.
_YEAR = 366 * 86400.0
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_WORDS = re.compile(r"(?:again|retry) (?:in|after) (\d+(?:\.\d+)?) ?(ms|s|m|h)", re.IGNORECASE)
_RESET = re.compile(rb'"X-RateLimit-Reset"\s*:\s*"?(\d{10,13})', re.IGNORECASE)


def find_wait(headers: Mapping[str, str], data: bytes, words: str) -> float | None:
    """Seconds to wait, from 0 to a year, from the first place that says it; None where none does."""
    wait = _find_wait(headers, data, words)
    return None if wait is None else min(wait, _YEAR)


def _find_wait(headers: Mapping[str, str], data: bytes, words: str) -> float | None:
    milliseconds = headers.get("retry-after-ms", "")
    if re.fullmatch(r"\d+(\.\d+)?", milliseconds):
        return float(milliseconds) / 1000
    asked = parse_retry_after(headers.get("Retry-After"))
    if asked is not None:
        return asked
    delay = _DELAY.search(data)
    if delay is not None:
        return float(delay[1])
    told = _WORDS.search(words)
    if told is not None:
        return float(told[1]) * _SECONDS[told[2].lower()]
    if "remaining" not in " ".join(headers).lower() or _is_used_up(headers):
        reset = [
            parse_reset(value) for name, value in headers.items() if name.lower().startswith("x-ratelimit-reset")
        ]
        longest = max((one for one in reset if one is not None), default=None)
        if longest is not None:
            return longest
    inside = _RESET.search(data)
    return parse_reset(inside[1].decode()) if inside is not None else None


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait as a Retry-After header says, a number or an HTTP date; None when it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return None if seconds != seconds else max(0.0, seconds)


def parse_reset(value: str, now: float | None = None) -> float | None:
    """Seconds of a rate limit's reset: `12ms`, `6m0s`, a Unix time in seconds or milliseconds, or seconds."""
    value = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        number = float(value)
        if number > 1e12:
            number /= 1000
        if number > 1e9:
            return max(0.0, number - (time.time() if now is None else now))
        return number
    parts = _PARTS.findall(value)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != value:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def describe_wait(seconds: float) -> str:
    """`45 s`, `12 min`, `17 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _is_used_up(headers: Mapping[str, str]) -> bool:
    left = [value for name, value in headers.items() if name.lower().startswith("x-ratelimit-remaining")]
    return any(value.strip() == "0" for value in left)
