"""The result of a run of ratings: scores, failures, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import FailedCall
from xl_suite.chat.ledger import Ledger
from xl_suite.errors import BadInput
from xl_suite.failures import count_reasons, list_failed_calls, update_failed
from xl_suite.judging.asking import Samples, describe_cap
from xl_suite.listing import FAILED
from xl_suite.provenance import Entry, sum_answered, write_run
from xl_suite.rating.ratings import Rating, name_file
from xl_suite.records import ModelOutput, read_records, write_json
from xl_suite.responding.outputs import name_folder


@dataclass(frozen=True, slots=True)
class Ratings:
    """The result of a run, by language in the order of the outputs. A failed criterion does not remove the others.

    failures: the scores that are missing, with the reason; the next run repeats the calls that got no answer.
    samples: by language, how often the judge was asked until a score could be read.
    runs: the content of run.json for each language.
    """

    ratings: Mapping[str, list[Rating]]
    failures: Mapping[str, list[FailedCall]]
    criteria: tuple[str, ...]
    method: str
    ledger: Ledger
    noted: tuple[str, ...] = ()
    samples: Mapping[str, Samples] = field(default_factory=dict)
    runs: Mapping[str, Entry] = field(default_factory=dict)

    def to_dict(self, folder: Path) -> dict[str, Any]:
        """The JSON of the verb's `--json`."""
        return {
            "folder": str(folder),
            "method": self.method,
            "criteria": list(self.criteria),
            "languages": {
                language: {
                    "n_total": len(rows),
                    "n_failed": len(self.failures[language]),
                    **self.samples.get(language, Samples({})).to_dict(),
                }
                for language, rows in self.ratings.items()
            },
            "answered_as": sum_answered({language: run.answered for language, run in self.runs.items()}),
            "ledger": self.ledger.to_dict(),
        }

    def describe(self, folder: Path) -> str:
        """A few lines for a person."""
        lines = []
        for language, rows in self.ratings.items():
            failed = f", {len(self.failures[language])} scores failed" if self.failures[language] else ""
            told = self.samples.get(language, Samples({})).describe()
            rated = f"{language}: {len(rows)} rated on {len(self.criteria)} criteria ({self.method}){failed}"
            lines.append(f"{rated}, {told}" if told else rated)
        failures = [row for language in self.failures.values() for row in language]
        if failures:
            unread = sum(one.unread for one in self.samples.values())
            retried = "; the same command retries them" if unread < len(failures) else ""
            lines.append(f"{len(failures)} scores failed ({folder / FAILED}){retried}:")
            lines += [f"  {line}" for line in count_reasons(row.reason for row in failures)]
            lines += [describe_cap(unread)] if unread else []
        return "\n".join([*lines, self.ledger.describe(), f"ratings: {folder}"])


def list_files(out: Path, outputs: Mapping[str, Sequence[ModelOutput]], judge: str) -> dict[str, Path]:
    """The files that ratings of outputs will be written to, by language."""
    first = next((row for own in outputs.values() for row in own), None)
    if first is None:
        return {}
    folder = _find_rated(out, first.generator, judge)
    return {language: folder / name_file(language) for language, own in outputs.items() if own}


def _find_rated(out: Path, generator: str, judge: str) -> Path:
    return out / name_folder(generator) / name_folder(judge)


def write_ratings(out: Path, ratings: Ratings, beyond: Mapping[str, Sequence[ModelOutput]] | None = None) -> Path:
    """Writes `out/<generator>/<judge>/ratings-<language>.json`, and `failed.json` where scores failed; the folder.

    Languages that were rated earlier keep their files. beyond: outputs beyond `--limit`; their ratings stay in the
    files if they were made with the same settings. Raises BadInput where no score could be read.
    """
    rows = [row for own in ratings.ratings.values() for row in own]
    if not rows:
        reasons = sorted({row.reason for own in ratings.failures.values() for row in own})
        raise BadInput(f"no score was given: {'; '.join(reasons[:3])}.")
    folder = _find_rated(out, rows[0].generator, rows[0].judge)
    kept: dict[str, list[Rating]] = {}
    for language, own in ratings.ratings.items():
        if own:
            path = folder / name_file(language)
            kept[language] = _keep_earlier(path, own[0], (beyond or {}).get(language, ()))
            write_json(path, [*own, *kept[language]])
    write_run(
        folder, "ratings", {language: one for language, one in ratings.runs.items() if ratings.ratings[language]}
    )
    left = {
        (language, f"{language}/{row.id} {criterion}")
        for language, own in (beyond or {}).items()
        for row in own
        for criterion in ratings.criteria
    }
    update_failed(
        folder,
        list_failed_calls(ratings.failures),
        ratings.ratings,
        stays=lambda row: (row.get("language"), row.get("row")) in left,
    )
    return folder


def _keep_earlier(path: Path, like: Rating, outputs: Sequence[ModelOutput]) -> list[Rating]:
    """The rows of a file for `outputs` that were rated with this run's settings, in the order of the outputs."""
    if not outputs or not path.exists():
        return []
    same = (like.generator, like.judge, like.method, like.rubrics)
    found = {
        (row.instruction, row.output, row.id): row
        for row in read_records(path, Rating)
        if (row.generator, row.judge, row.method, row.rubrics) == same
    }
    wanted = ((row.instruction, row.output, row.id) for row in outputs)
    return [found[key] for key in wanted if key in found]
