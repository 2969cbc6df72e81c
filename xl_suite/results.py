"""What the functions of the Python API return: benchmarks, outputs, annotations, scores.

Each of them knows its folder, shows itself in a notebook, and converts with `to_pandas()` and `to_dict()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.display import Shown, render_table
from xl_suite.fidelity.folders import FidelityScores, score_folders
from xl_suite.judging.annotations import Annotation, read_annotations
from xl_suite.judging.judgement import Judgement
from xl_suite.rating.results import Ratings
from xl_suite.responding.outputs import read_outputs
from xl_suite.responding.plan import name_benchmark
from xl_suite.responding.report import Report
from xl_suite.scoring.compare import Comparison
from xl_suite.scoring.panel import Panel
from xl_suite.scoring.tables import show_comparison

if TYPE_CHECKING:
    from xl_suite.records import BenchmarkRow, ModelOutput


@dataclass(frozen=True)
class Benchmark(Shown):
    """A benchmark's dataset folder."""

    folder: Path

    @property
    def name(self) -> str:
        return name_benchmark(self.folder)

    @property
    def languages(self) -> list[str]:
        """ISO 639-3 codes, in the order of the folder's configs."""
        return list_languages(self.folder)

    def rows(self, language: str) -> list[BenchmarkRow]:
        """The rows in one language. Raises BadInput for a language that the folder lacks."""
        return read_benchmark(self.folder, [language])

    def to_rows(self) -> list[dict[str, Any]]:
        return [asdict(row) for language in self.languages for row in self.rows(language)]

    def to_dict(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "name": self.name, "languages": self.languages}

    def title(self) -> str:
        return f"{self.name} ({self.folder})"

    def _repr_html_(self) -> str:
        counts = [{"language": code, "prompts": len(self.rows(code))} for code in self.languages]
        return render_table(counts, self.title())


@dataclass(frozen=True)
class Outputs(Shown):
    """The outputs of one generator. report: what the run did; None where the outputs were read from files."""

    path: Path
    language: str = ""
    report: Report | None = None

    @cached_property
    def by_language(self) -> Mapping[str, list[ModelOutput]]:
        """The outputs by ISO 639-3 code. Raises BadInput and BadRecord for files that are not outputs."""
        return read_outputs(self.path, self.language)

    @property
    def generator(self) -> str:
        return next((row.generator for rows in self.by_language.values() for row in rows), "")

    def fidelity(self, benchmark: Benchmark | None = None) -> FidelityScores:
        """Tells for each language how many outputs are in the language that was asked for."""
        return score_folders(
            self.path, None if benchmark is None else benchmark.folder, language=self.language or None
        )

    def to_rows(self) -> list[dict[str, Any]]:
        return [asdict(row) for rows in self.by_language.values() for row in rows]

    def to_dict(self) -> dict[str, Any]:
        if self.report is not None:
            return self.report.to_dict()
        counts = {language: {"n_rows": len(rows)} for language, rows in self.by_language.items()}
        return {"generator": self.generator, "folder": str(self.path), "languages": counts}

    def title(self) -> str:
        return f"{self.generator} ({self.path})"

    def _repr_html_(self) -> str:
        counts = [{"language": code, "outputs": len(rows)} for code, rows in self.by_language.items()]
        return render_table(counts, self.title())


@dataclass(frozen=True)
class Annotations(Shown):
    """The pairwise annotations of one model. judgement: what the run did; None where they were read from files."""

    path: Path
    judgement: Judgement | None = None

    @cached_property
    def rows(self) -> list[Annotation]:
        return read_annotations(self.path)

    def to_rows(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        if self.judgement is not None:
            return self.judgement.to_dict(self.path)
        return {"folder": str(self.path), "n_total": len(self.rows)}

    def title(self) -> str:
        return f"{self.rows[0].generator_2} against {self.rows[0].generator_1}, judged by {self.rows[0].annotator}"

    def _repr_html_(self) -> str:
        languages = sorted({row.language for row in self.rows})
        counts = [
            {
                "language": code or "all",
                "judged": sum(row.language == code and row.preference is not None for row in self.rows),
                "failed": sum(row.language == code and row.has_failed for row in self.rows),
            }
            for code in languages
        ]
        return render_table(counts, self.title())


@dataclass(frozen=True)
class PanelAnnotations(Shown):
    """What a panel of judges said of one model. path: of the panel's own annotations. judged: by judge."""

    path: Path
    judged: Mapping[str, Annotations]
    panel: Panel

    def to_rows(self) -> list[dict[str, Any]]:
        rows = []
        for language, rate in self.panel.rates.items():
            judges = {f"judge {name}": value for name, value in rate.judges.items()}
            keys = ("win_rate", "ci_low", "ci_high", "n", "n_missing")
            rows.append({"language": language or "all", **judges, **{key: getattr(rate, key) for key in keys}})
        return rows

    def to_dict(self) -> dict[str, Any]:
        judges = {name: one.to_dict() for name, one in self.judged.items()}
        return {"folder": str(self.path), "judges": judges, "panel": self.panel.to_dict()}

    def title(self) -> str:
        return f"{self.panel.annotator} ({self.path})"


@dataclass(frozen=True)
class Rated(Shown):
    """The rubric scores of one generator by one judge, as they were written to `folder`."""

    folder: Path
    ratings: Ratings

    def to_rows(self) -> list[dict[str, Any]]:
        return [
            {"id": row.id, "language": row.language, "generator": row.generator, "judge": row.judge, **row.scores}
            for rows in self.ratings.ratings.values()
            for row in rows
        ]

    def to_dict(self) -> dict[str, Any]:
        return self.ratings.to_dict(self.folder)

    def title(self) -> str:
        return f"Ratings ({self.folder})"


@dataclass(frozen=True)
class Compared(Shown):
    """The paired comparison of two models."""

    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        return self.comparison.to_json()

    def describe(self) -> str:
        """The comparison as a table of text."""
        return show_comparison(self.comparison)

    def to_rows(self) -> list[dict[str, Any]]:
        found = self.comparison
        rows = [{"language": language or "all", **asdict(one)} for language, one in found.languages.items()]
        return rows + ([] if found.overall is None else [{"language": "overall", **asdict(found.overall)}])

    def title(self) -> str:
        return f"A: {self.comparison.model_a}, B: {self.comparison.model_b}"
