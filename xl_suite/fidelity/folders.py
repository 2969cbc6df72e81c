"""Fidelity of outputs as they lie in files and folders: all generators and languages at once."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.dataset.expected import find_expected
from xl_suite.display import Shown
from xl_suite.errors import BadInput, BadRecord
from xl_suite.fidelity import Fidelity, score_fidelity
from xl_suite.fidelity.support import find_support
from xl_suite.languages import find_language, parse_languages
from xl_suite.listing import FAILED, log_left_alone
from xl_suite.records import ModelOutput, read_records
from xl_suite.responding.outputs import OUTPUTS, FailedRow, list_outputs, name_folder, read_output_file

logger = logging.getLogger("xl_suite.fidelity")
Groups = dict[tuple[str, str], list[ModelOutput]]  # by generator and language


@dataclass(frozen=True)
class FidelityScores(Shown):
    """Language fidelity by generator and language."""

    scores: Mapping[tuple[str, str], Fidelity]
    outputs: Mapping[tuple[str, str], list[ModelOutput]]

    def to_rows(self) -> list[dict[str, Any]]:
        return [
            {"generator": generator, "language": language, **score.to_json()}
            for (generator, language), score in self.scores.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """One language at the top level, several under `languages`; several generators under `generators`."""
        by_generator: dict[str, dict[str, Any]] = {}
        for (generator, language), score in self.scores.items():
            by_generator.setdefault(generator, {})[language] = score.to_json()
        answers = {
            generator: next(iter(languages.values())) if len(languages) == 1 else {"languages": languages}
            for generator, languages in by_generator.items()
        }
        return next(iter(answers.values())) if len(answers) == 1 else {"generators": answers}

    def details(self) -> list[dict[str, Any]]:
        """The verdict of each output, with the lines that show it."""
        return [
            {"generator": generator, "language": language, "id": row.id, "record": number, **asdict(verdict)}
            for (generator, language), score in self.scores.items()
            for number, (row, verdict) in enumerate(
                zip(self.outputs[generator, language], score.verdicts, strict=True), start=1
            )
        ]

    def title(self) -> str:
        return "Language fidelity"


def score_folders(
    path: Path,
    benchmark: Path | None = None,
    *,
    language: str | None = None,
    languages: str = "all",
    progress: bool = True,
) -> FidelityScores:
    """The fidelity of all outputs at a path. benchmark: the dataset folder that says which language is expected.

    language: of rows that name none. Raises BadInput where there are no outputs or a row's language is unknown.
    """
    listing = list_outputs(path, several=True)
    log_left_alone(listing, OUTPUTS)
    files = listing.files
    groups = read_groups(files, language)
    failed = count_failed(files, groups)
    if path.is_dir():  # a language may have failed altogether
        groups |= {key: [] for key in failed if key not in groups}
    if languages != "all":
        codes = [one.code for one in parse_languages(languages, [])]
        missing = [code for code in codes if code not in {found for _, found in groups}]
        if missing:
            found = ", ".join(sorted({code for _, code in groups}))
            raise BadInput(f"no outputs in {', '.join(missing)}. The languages found: {found}.")
        groups = {key: rows for key, rows in groups.items() if key[1] in codes}
    benchmarks: dict[str, set[str]] = {}
    for (_, code), rows in groups.items():
        benchmarks.setdefault(code, set()).update(row.benchmark for row in rows)
    marked = find_expected(benchmark, benchmarks)
    _warn(sorted(benchmarks), marked)
    return FidelityScores(dict(_score_groups(groups, failed, marked, progress)), groups)


def _warn(languages: Sequence[str], marked: Mapping[str, Mapping[int, str]]) -> None:
    """Says what the verdicts on some languages cannot say."""
    unmarked = [language for language in languages if language not in marked]
    if unmarked:
        logger.warning(
            "warning: %s: the outputs' benchmark is not known, so every answer is expected in the language asked "
            "for. Name the benchmark's folder where prompts ask for code or another language: --benchmark DIR.",
            ", ".join(unmarked),
        )
    for language in languages:
        support = find_support(language)
        if not support.known:
            logger.warning(
                "warning: %s is a language that the identification does not know (%s): all its answers are "
                "undetermined, and no gate can tell the wrong ones.",
                language,
                support.why,
            )
        elif support.confusable:
            logger.warning(
                "warning: answers in %s pass for %s too: %s.", ", ".join(support.confusable), language, support.why
            )


def read_groups(files: Sequence[Path], language: str | None) -> Groups:
    """All outputs by generator and language. Raises BadInput where a row's language is not to be known."""
    if language is not None:
        find_language(language)
    groups: Groups = {}
    for path in files:
        for number, row in enumerate(read_output_file(path), start=1):
            code = row.language or language
            if not code:
                raise BadRecord(
                    path,
                    "missing. Say in which language the answers were asked for: --language CODE (deu, zho, eng).",
                    row=number,
                    field="language",
                )
            if row.language and language and row.language != language:
                raise BadInput(
                    f"{path}, record {number}: asked for in {row.language!r}, but --language is {language!r}. "
                    "Leave --language out: the rows name their language."
                )
            try:
                find_language(code)
            except BadInput as error:
                raise BadRecord(path, str(error), row=number, field="language") from error
            groups.setdefault((row.generator, code), []).append(row)
    return groups


def count_failed(files: Sequence[Path], groups: Groups) -> dict[tuple[str, str], int]:
    """How many prompts have no output, by generator and language: from the `failed.json` beside the outputs."""
    generators = {name_folder(generator): generator for generator, _ in groups}
    counts: Counter[tuple[str, str]] = Counter()
    for folder in dict.fromkeys(path.parent for path in files):
        generator = generators.get(folder.name) or next(iter(generators.values()))
        if (folder / FAILED).is_file() and (folder.name in generators or len(generators) == 1):
            counts.update((generator, row.language) for row in read_records(folder / FAILED, FailedRow))
    return dict(counts)


def _score_groups(
    groups: Groups,
    failed: Mapping[tuple[str, str], int],
    marked: Mapping[str, Mapping[int, str]],
    progress: bool,
) -> Iterator[tuple[tuple[str, str], Fidelity]]:
    from tqdm.auto import tqdm

    total = sum(len(rows) for rows in groups.values())
    disable = None if progress else True
    with tqdm(total=total, desc="fidelity", unit=" outputs", disable=disable, file=sys.stderr) as bar:
        for (generator, language), rows in sorted(groups.items()):
            score = score_fidelity(
                rows, language, expected=marked.get(language), failed=failed.get((generator, language), 0)
            )
            if score.is_constant:
                logger.warning(
                    "warning: %d of %d outputs of %s in %s are one and the same text or nearly so: its scores are "
                    "not worth anything.",
                    score.constant,
                    len(rows),
                    generator,
                    language,
                )
            bar.update(len(rows))
            yield (generator, language), score
