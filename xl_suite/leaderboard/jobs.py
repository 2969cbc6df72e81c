"""Turns the files that were found into jobs: which annotations, outputs and expectations belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.dataset.card import read_metadata
from xl_suite.dataset.expected import Expected, choose_marks
from xl_suite.dataset.folder import find_config, list_languages, read_benchmark
from xl_suite.errors import BadInput
from xl_suite.leaderboard.results import Found, Results
from xl_suite.leaderboard.scored import Job
from xl_suite.records import BenchmarkRow, read_raw
from xl_suite.responding.outputs import name_folder
from xl_suite.scoring.denominators import Prompts, list_prompts
from xl_suite.scoring.stale import warn_of_stale


@dataclass(slots=True)
class Benchmarks:
    """The dataset folders that were found or named, read when they are asked for.

    A folder's name is its tag, as `xl-suite build` writes it.
    """

    folders: Sequence[Path]
    _names: dict[Path, str] = field(default_factory=dict)
    _rows: dict[tuple[Path, str], list[BenchmarkRow]] = field(default_factory=dict)

    def name(self, folder: Path) -> str:
        if folder not in self._names:
            card = folder / "README.md"
            text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
            tags = (read_metadata(text) or {}).get("tags")
            named = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
            own = named[named.index("xl-suite") + 1 :] if "xl-suite" in named else []
            self._names[folder] = own[0] if own else folder.name
        return self._names[folder]

    def rows(self, folder: Path, language: str) -> list[BenchmarkRow]:
        """The prompts of a language; none where the folder does not have it."""
        key = folder, language
        if key not in self._rows:
            known = list_languages(folder)
            self._rows[key] = read_benchmark(folder, [language]) if find_config(known, language) in known else []
        return self._rows[key]

    def find(self, annotated: Found) -> Path | None:
        """The folder that has the annotated prompt."""
        instruction, number = annotated.head.get("instruction"), annotated.head.get("id")
        for folder in self.folders:
            if any(
                row.instruction == instruction and number in (None, row.id)
                for row in self.rows(folder, annotated.language)
            ):
                return folder
        return None

    def prompts(self, folder: Path | None, languages: Iterable[str]) -> Prompts:
        """The instructions by language and ID; none where no folder has them."""
        if folder is None:
            return {}
        found = list_prompts({language: self.rows(folder, language) for language in languages})
        return {language: prompts for language, prompts in found.items() if prompts}

    def expected(self, benchmark: str, folder: Path | None, languages: Iterable[str]) -> Expected:
        """The expected languages by language and ID, of the prompts that do not expect the target language."""
        found = {}
        for language in languages:
            marks = choose_marks({benchmark}, (self.rows(folder, language) or None) if folder else None)
            if marks is not None:
                found[language] = marks
        return found


def plan_jobs(results: Results, benchmarks: Sequence[Path] = ()) -> list[Job]:
    """A job for each model, judge, method, reference and benchmark, sorted by these.

    benchmarks: dataset folders beside those in the results. Copies of a file are taken once.
    """
    known = Benchmarks([*benchmarks, *results.benchmarks])
    warn_of_stale(found.path for found in results.annotations)
    groups: dict[tuple[str, ...], list[tuple[Found, Path | None]]] = {}
    for found in results.annotations:
        folder = known.find(found)
        benchmark = name_benchmark(found, results.outputs) or (known.name(folder) if folder else "")
        head = found.head
        key = tuple(str(head.get(name) or "") for name in ("generator_2", "annotator", "generator_1", "method"))
        groups.setdefault((*key, benchmark), []).append((found, folder))
    jobs = []
    for (generator, annotator, reference, _, benchmark), members in sorted(groups.items()):
        files = _drop_copies([found for found, _ in members])
        languages = sorted({found.language for found in files if found.language})
        folder = next((folder for _, folder in members if folder), None)
        jobs.append(
            Job(
                generator=generator,
                annotator=annotator,
                reference=reference,
                benchmark=benchmark,
                files=tuple(found.path for found in files),
                outputs=_choose_outputs(results.outputs.get(generator, []), benchmark, languages),
                reference_outputs=_choose_outputs(results.outputs.get(reference, []), benchmark, languages),
                expected=known.expected(benchmark, folder, languages),
                prompts=known.prompts(folder, languages),
            )
        )
    return jobs


def name_benchmark(annotated: Found, outputs: Mapping[str, Sequence[Found]]) -> str:
    """The benchmark that an annotation or the outputs behind it name; empty where none does."""
    if annotated.head.get("benchmark"):
        return str(annotated.head["benchmark"])
    for side in ("generator_2", "generator_1"):
        own = [one for one in outputs.get(str(annotated.head[side]), ()) if one.language == annotated.language]
        names = {str(one.head.get("benchmark") or "") for one in own}
        if len(names) == 1:
            return names.pop()
        for one in own:  # several benchmarks: the one whose outputs have this prompt
            if any(_same_prompt(row, annotated.head) for row in read_raw(one.path)):
                return str(one.head.get("benchmark") or "")
    return ""


def _same_prompt(row: Any, head: Mapping[str, Any]) -> bool:
    return (
        isinstance(row, dict)
        and row.get("instruction") == head.get("instruction")
        and row.get("id") == head.get("id")
    )


def _choose_outputs(found: Sequence[Found], benchmark: str, languages: Sequence[str]) -> tuple[Path, ...]:
    """One file of outputs for each language; none where several differ: it is not known which of them was judged."""
    by_language: dict[str, list[Path]] = {}
    for one in found:
        if one.language in languages and str(one.head.get("benchmark") or "") in ("", benchmark):
            by_language.setdefault(one.language, []).append(one.path)
    return tuple(
        paths[0]
        for _, paths in sorted(by_language.items())
        if len({path.read_bytes() for path in paths} if len(paths) > 1 else paths) == 1
    )


def _drop_copies(found: Sequence[Found]) -> list[Found]:
    kept: list[Found] = []
    by_size: dict[int, list[Path]] = {}
    for one in found:
        twins = by_size.setdefault(one.path.stat().st_size, [])
        if not any(twin.read_bytes() == one.path.read_bytes() for twin in twins):
            twins.append(one.path)
            kept.append(one)
    return kept


def name_places(names: Sequence[str]) -> dict[str, str]:
    """A folder's name for each of the names: no path, and no two alike, also where capitals don't count."""
    import hashlib

    places: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(names)):
        mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        try:
            slug = name_folder(name)
        except BadInput:
            slug = f"unnamed-{mark}"
        if slug.casefold() in taken:
            slug = f"{slug}-{mark}"
        taken.add(slug.casefold())
        places[name] = slug
    return places
