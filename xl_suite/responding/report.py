"""What `xl-suite respond` tells at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.failures import count_reasons
from xl_suite.responding.outputs import FailedRow, locate_sample

if TYPE_CHECKING:
    from xl_suite.chat.ledger import Ledger


@dataclass(frozen=True, slots=True)
class LanguageCount:
    """n_rows: rows in the file. n_truncated: of these, cut off by max_tokens. n_empty: without any text.

    n_withheld: kept back by moderation or safety. n_reasoned: whose reasoning is kept apart; both None for 0.
    n_without_final: answers without the final part that the strategy asks for, which are empty; None for `direct`.
    n_kept: rows beyond `--limit` that earlier runs asked in the same way, which stay. n_dropped: those that were
    asked in another way, or are not in this benchmark, and left the file. Samples of a row count as so many rows.
    """

    n_rows: int
    n_truncated: int
    n_empty: int
    n_failed: int
    n_withheld: int | None = None
    n_reasoned: int | None = None
    n_without_final: int | None = None
    n_kept: int | None = None
    n_dropped: int | None = None

    def to_dict(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Report:
    """What `respond` did; `folder` holds the files. answered_as: how often the answers name each model."""

    generator: str
    benchmark: str
    folder: Path
    languages: dict[str, LanguageCount]
    failed: tuple[FailedRow, ...]
    ledger: Ledger
    samples: int = 1
    answered_as: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the verb's `--json`."""
        return {
            "generator": self.generator,
            "benchmark": self.benchmark,
            "folder": str(self.folder),
            "languages": {language: count.to_dict() for language, count in self.languages.items()},
            "failed": [asdict(row) for row in self.failed],
            "answered_as": dict(self.answered_as),
            "ledger": self.ledger.to_dict(),
        }

    def describe(self) -> str:
        """A few lines for a person."""
        lines = []
        for language, count in self.languages.items():
            parts = [f"{count.n_rows} rows"]
            parts += [f"{count.n_kept} of them kept from earlier runs"] if count.n_kept else []
            parts += [f"{count.n_truncated} truncated"] if count.n_truncated else []
            parts += [f"{count.n_empty} empty"] if count.n_empty else []
            parts += [f"{count.n_withheld} withheld"] if count.n_withheld else []
            parts += [f"{count.n_reasoned} with reasoning, kept apart"] if count.n_reasoned else []
            parts += [f"{count.n_without_final} without a final answer"] if count.n_without_final else []
            parts += [f"{count.n_failed} failed"] if count.n_failed else []
            lines.append(f"{language}: {', '.join(parts)}")
            if count.n_dropped:
                lines.append(
                    f"{language}: {count.n_dropped} rows of earlier runs, asked in another way or of another "
                    "variant of the benchmark, are no longer in the file; the journal has them"
                )
        if self.failed:
            place = str(self.folder / "failed.json") + (" and those of the samples" if self.samples > 1 else "")
            lines.append(f"{len(self.failed)} rows failed ({place}); the same command retries them:")
            lines += [f"  {line}" for line in count_reasons(row.reason for row in self.failed)]
        lines += [f"note: {note}" for note in self.notes]
        lines += [self.ledger.describe(), f"outputs: {self.folder}"]
        lines += [
            f"outputs, sample {sample + 1}: {locate_sample(self.folder.parent, sample) / self.folder.name}"
            for sample in range(1, self.samples)
        ]
        return "\n".join(lines)
