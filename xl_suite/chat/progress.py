"""What a run says while it lasts: a bar in a terminal or notebook, and a line every half minute elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from xl_suite.chat.ledger import Ledger
from xl_suite.chat.waits import describe_wait
from xl_suite.terminal import make_visible

logger = logging.getLogger("xl_suite.chat")
# A bar of these is at most 80 columns wide.
_FORMAT = "{desc} {percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
_FORMAT_WITHOUT_TOTAL = "{desc} {n_fmt} [{elapsed}{postfix}]"


class Progress:
    """Of one session. total: how many calls there are, None where nobody knows. seconds: between two lines."""

    def __init__(self, ledger: Ledger, label: str, total: int | None, *, shown: bool, seconds: float):
        self._ledger, self._label, self._total = ledger, label, total
        self._shown, self._seconds = shown, seconds
        self._told = time.monotonic()
        self._bar: Any = None
        if shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                total=total,
                desc=make_visible(label),
                disable=None,
                mininterval=0.2,
                bar_format=_FORMAT if total else _FORMAT_WITHOUT_TOTAL,
            )

    @property
    def has_bar(self) -> bool:
        return self._bar is not None and not self._bar.disable

    def show(self) -> None:
        """Brings the bar up to date, or writes a line where it is time for one."""
        if self._total and self._ledger.done > self._total:
            # Answers that could not be read were asked for again.
            self._total = self._ledger.done
            if self._bar is not None:
                self._bar.total = self._total
        if self.has_bar:
            self._bar.set_postfix_str(self.describe(), refresh=False)
            self._bar.update(self._ledger.done - self._bar.n)
            return
        now = time.monotonic()
        if self._shown and now - self._told >= self._seconds:
            self._told = now
            done = f"{self._ledger.done:,}" + (f" of {self._total:,}" if self._total else "")
            stored = f", {self._ledger.from_journal:,} from journal" if self._ledger.from_journal else ""
            logger.info("%s: %s done%s, %s", self._label, done, stored, self.describe())

    def write(self, line: str) -> None:
        """Writes a line, above the bar where there is one."""
        if self.has_bar:
            self._bar.write(make_visible(line), file=sys.stderr)
        else:
            logger.info("%s", line)

    def close(self) -> None:
        if self.has_bar:
            self.show()
            self._bar.close()

    def describe(self) -> str:
        """Rate and time left by the calls that were sent, since those that the journal answers take next to no time;
        the cost; and what failed."""
        ledger, parts = self._ledger, []
        sent = ledger.paid + ledger.failed
        seconds = ledger.ended - ledger.started
        if sent and seconds > 0:
            rate = sent / seconds
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")
            if self._total and self._total > ledger.done:
                parts.append(f"{describe_wait((self._total - ledger.done) / rate)} left")
        elif ledger.slots:
            parts.append("no answer yet")
        parts.append("price unknown" if ledger.dollars is None else f"${ledger.dollars:.2f}")
        parts += [f"{ledger.failed:,} failed"] if ledger.failed else []
        return ", ".join(parts)
