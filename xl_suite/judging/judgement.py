"""The judgements of a generator's outputs, and their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import FailedCall
from xl_suite.chat.ledger import Ledger
from xl_suite.errors import BadInput
from xl_suite.failures import count_reasons, list_failed_calls, update_failed
from xl_suite.judging.annotations import Annotation, read_file
from xl_suite.judging.asking import Samples, describe_cap
from xl_suite.judging.order import measure_order
from xl_suite.judging.pairs import Pair, name_row
from xl_suite.judging.verdicts import draw_order
from xl_suite.listing import FAILED
from xl_suite.provenance import Entry, sum_answered, write_run
from xl_suite.records import write_json
from xl_suite.responding.outputs import name_folder

# The file name, and the language in run.json, of rows without a language.
NAMELESS = "annotations"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of judging a generator, by language and in the order of the pairs.

    annotations: a row for each judgement; a failed one has no preference, so that it is counted.
    failures: the failed ones with their reasons; the next run repeats the calls that got no answer.
    method: how the verdicts were read. samples: by language, how often the judge was asked until it was read.
    noted: notes for the user, such as that the judge gave no logprobs.
    runs: the content of run.json for each language.
    """

    annotations: Mapping[str, list[Annotation]]
    failures: Mapping[str, list[FailedCall]]
    method: str
    ledger: Ledger
    noted: tuple[str, ...] = ()
    order: str = "random"
    samples: Mapping[str, Samples] = field(default_factory=dict)
    runs: Mapping[str, Entry] = field(default_factory=dict)

    def to_dict(self, folder: Path) -> dict[str, Any]:
        """The JSON of the verb's `--json`."""
        return {
            "folder": str(folder),
            "method": self.method,
            "languages": {
                language: {
                    "n_total": self._count_judged(language),
                    "n_withheld": sum(row.is_withheld for row in rows),
                    "n_failed": len(self.failures[language]),
                    **self.samples.get(language, Samples({})).to_dict(),
                    **_describe_orders(rows),
                }
                for language, rows in self.annotations.items()
            },
            "answered_as": sum_answered({language: run.answered for language, run in self.runs.items()}),
            "ledger": self.ledger.to_dict(),
        }

    def _count_judged(self, language: str) -> int:
        rows = self.annotations[language]
        return len(rows) - len(self.failures[language]) - sum(row.is_withheld for row in rows)

    def describe(self, folder: Path) -> str:
        """A few lines for a person."""
        lines = []
        for language, rows in self.annotations.items():
            parts = [f"{self._count_judged(language)} judged ({self.method})"]
            withheld = sum(row.is_withheld for row in rows)
            parts += [f"{withheld} withheld and not shown to the judge"] if withheld else []
            parts += [f"{len(self.failures[language])} failed"] if self.failures[language] else []
            parts += [told] if (told := self.samples.get(language, Samples({})).describe()) else []
            orders = _describe_orders(rows)
            if orders:
                parts.append(f"flip rate {orders['flip_rate']:.1%}, position bias {orders['position_bias']:+.1%}")
            lines.append(f"{language or 'outputs'}: {', '.join(parts)}")
        failures = [row for language in self.failures.values() for row in language]
        if failures:
            unread = sum(one.unread for one in self.samples.values())
            retried = "; the same command retries them" if unread < len(failures) else ""
            lines.append(f"{len(failures)} judgements failed ({folder / FAILED}){retried}:")
            lines += [f"  {line}" for line in count_reasons(row.reason for row in failures)]
            lines += [describe_cap(unread)] if unread else []
        return "\n".join([*lines, self.ledger.describe(), f"annotations: {folder}"])


def write_judgement(out: Path, judgement: Judgement, earlier: Mapping[str, Sequence[Pair]] | None = None) -> Path:
    """Writes `out/<generator>/<annotator>/<language>.json`, and `failed.json` where judgements failed; the folder.

    Languages that were judged earlier keep their files. earlier: pairs beyond `--limit`; their rows in the files stay
    if they were judged with the same settings. Raises BadInput where nothing was judged.
    """
    rows = [row for language in judgement.annotations.values() for row in language]
    if all(row.preference is None for row in rows):
        reasons = {failed.reason for language in judgement.failures.values() for failed in language}
        raise BadInput(f"no judgement was made: {'; '.join(sorted(reasons)[:3]) or 'there are no pairs'}.")
    folder = find_judged(out, rows[0].generator_2, rows[0].annotator)
    kept: dict[str, list[Annotation]] = {}
    for language, judged in judgement.annotations.items():
        if judged:
            path = folder / name_file(language)
            kept[language] = _keep_earlier(path, judged[0], judgement, (earlier or {}).get(language, ()))
            write_json(path, [*judged, *kept[language]])
    written = {language or NAMELESS: one for language, one in judgement.runs.items() if language in kept}
    if written:
        write_run(folder, "annotations", written)
    left = {(language, name_row(language, row.prompt)) for language, rows in kept.items() for row in rows}
    update_failed(
        folder,
        list_failed_calls(judgement.failures),
        judgement.annotations,
        stays=lambda row: (row.get("language"), row.get("row")) in left,
    )
    return folder


def find_judged(out: Path, generator: str, annotator: str) -> Path:
    """The folder of a generator's annotations by an annotator."""
    return out / name_folder(generator) / name_folder(annotator)


def list_files(out: Path, pairs: Mapping[str, Sequence[Pair]], annotator: str) -> dict[str, Path]:
    """The files for the judgements of pairs, by the name of their language in run.json."""
    first = next((row for rows in pairs.values() for row in rows), None)
    if first is None:
        return {}
    folder = find_judged(out, first.generator_2, annotator)
    return {language or NAMELESS: folder / name_file(language) for language, rows in pairs.items() if rows}


def name_file(language: str) -> str:
    return f"{language or NAMELESS}.json"


def _keep_earlier(path: Path, like: Annotation, judgement: Judgement, pairs: Sequence[Pair]) -> list[Annotation]:
    """The rows of a file for `pairs` that have this run's judge, method and order."""
    if not pairs or not path.exists():
        return []
    found = {(row.prompt, row.order): row for row in read_file(path)}
    kept = []
    for pair in pairs:
        orders = ["12", "21"] if judgement.order == "both" else ["21" if draw_order(pair.instruction) else "12"]
        rows = [found[pair.prompt, order] for order in orders if (pair.prompt, order) in found]
        same = all(
            (row.annotator, row.method, row.instruction, row.output_1, row.generator_1, row.output_2, row.generator_2)
            == (
                *(like.annotator, judgement.method, pair.instruction),
                *(pair.output_1, pair.generator_1, pair.output_2, pair.generator_2),
            )
            for row in rows
        )
        if same and len(rows) == len(orders):
            kept += rows
    return kept


def _describe_orders(rows: Sequence[Annotation]) -> dict[str, float]:
    effect = measure_order(rows)
    return {} if effect is None else {"flip_rate": effect.flip_rate, "position_bias": effect.position_bias}
