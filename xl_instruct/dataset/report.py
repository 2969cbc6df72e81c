"""The report of a run: one HTML file that a browser shows without network or scripts. All texts are escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xl_instruct.config import Config
from xl_instruct.dataset.card import list_stages, name_source
from xl_instruct.dataset.composing import Provenance
from xl_instruct.dataset.folder import Composer, Measured, name_translations
from xl_instruct.dataset.rows import SyntheticRow
from xl_instruct.dataset.selection import NAIVE
from xl_instruct.dataset.statistics import BINS, length_of_bin
from xl_instruct.stages.files import Summary
from xl_suite import pages
from xl_suite.languages import find_language
from xl_suite.panels import PANEL_COLOURS, draw_panel_bars, draw_panel_lines, draw_shares

_SHOWN_CHARACTERS = 4000
_SHOWN_SEGMENTS = 40
_SCORES = [(0.0, "0"), (0.5, "0.5"), (1.0, "1")]


@dataclass(frozen=True, slots=True)
class _Stage:
    name: str
    rows: int
    percent: float  # of the widest bar
    left_out: str


@dataclass(frozen=True, slots=True)
class _Cut:
    config: str
    language: str
    rows: int
    kept: int
    mean: str
    lowest: str


@dataclass(frozen=True, slots=True)
class _Side:
    """One version of a response. language: for HTML's `lang`."""

    title: str
    language: str
    text: str
    score: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """kind: `won`, `refused` or nothing. score: the score, or the guards that refused the candidate."""

    kind: str
    model: str
    score: str
    text: str


@dataclass(frozen=True, slots=True)
class _Segment:
    text: str
    candidates: list[_Candidate]


@dataclass(frozen=True, slots=True)
class _Sample:
    """translated: how many segments were translated; `segments` holds the first ones."""

    id: int
    instruction: str
    sides: list[_Side]
    translated: int
    segments: list[_Segment]


def render_report(
    config: Config,
    common: Provenance,
    summaries: Sequence[Summary],
    measured: Measured,
    composer: Composer,
    warnings: Sequence[str],
) -> str:
    """The HTML of the report."""
    guards = sorted({guard for _, _, guard in measured.statistics.refused})
    guards += sorted({name for _, _, name in measured.statistics.flags})
    return pages.render(
        "xl_instruct.dataset",
        "report.html",
        style=pages.read_style("xl_instruct.dataset", "report.css"),
        title=config.title,
        parts=[
            name_source(config.passages.source),
            f"teacher {common.teacher}",
            f"translators {', '.join(common.translators)}",
            f"estimator {common.qe_model}",
        ],
        fingerprint=common.fingerprint,
        warnings=warnings,
        funnel=_measure_funnel(config, summaries, measured),
        qe_model=common.qe_model,
        translators=common.translators,
        colours=PANEL_COLOURS,
        distributions=list(_draw_distributions(config, common, measured)),
        cuts=list(_list_cuts(measured)),
        wins=_draw_wins(config, common, measured),
        guards=guards,
        refused=list(_list_refused(common, measured, guards)),
        lengths=list(_draw_lengths(measured)),
        samples=list(_list_samples(config, measured, composer)),
    )


def _measure_funnel(config: Config, summaries: Sequence[Summary], measured: Measured) -> list[_Stage]:
    stages = list_stages(config, summaries, measured)
    languages = len(config.languages)
    most = max((_scale(stage, rows, languages) for stage, rows, _ in stages), default=1) or 1
    return [
        _Stage(stage, rows, 100 * _scale(stage, rows, languages) / most, left_out) for stage, rows, left_out in stages
    ]


def _scale(stage: str, rows: int, languages: int) -> int:
    """Passages count once for every language, so that bars before and after translation can be compared."""
    return rows * languages if stage in ("passages", "instructions", "refined", "prepared") else rows


def _draw_distributions(config: Config, common: Provenance, measured: Measured) -> Iterator[tuple[str, str]]:
    for code in config.languages:
        series = [
            [float(count) for count in measured.statistics.segments.get((code, name), [0] * BINS)]
            for name in common.translators
        ]
        language = find_language(code).name
        yield language, draw_panel_lines(series, _SCORES, f"distribution of scores in {language}")


def _list_cuts(measured: Measured) -> Iterator[_Cut]:
    for name, cuts in measured.cuts.items():
        for code, own in cuts.items():
            scores = measured.scores[name][code].scores
            mean = f"{sum(scores) / len(scores):.4f}" if len(scores) else "–"
            lowest = f"{own.threshold:.4f}" if own.kept else "–"
            yield _Cut(name, find_language(code).name, len(scores), len(own.kept), mean, lowest)


def _draw_wins(config: Config, common: Provenance, measured: Measured) -> str:
    if len(common.translators) == 1:
        return ""
    shares = []
    for code in config.languages:
        wins = [measured.statistics.wins[code, name] for name in common.translators]
        if sum(wins):
            shares.append((find_language(code).name, [count / sum(wins) for count in wins]))
    return draw_shares(shares, "share of segments won by each translator")


def _list_refused(common: Provenance, measured: Measured, guards: Sequence[str]) -> Iterator[tuple[str, list[float]]]:
    """The percentage of each translator's candidates that each guard refused or flagged."""
    statistics = measured.statistics
    counted = statistics.refused + statistics.flags
    for name in common.translators:
        total = sum(count for (_, model), count in statistics.candidates.items() if model == name) or 1
        counts = [
            sum(n for (_, model, own), n in counted.items() if (model, own) == (name, guard)) for guard in guards
        ]
        yield name, [100 * count / total for count in counts]


def _draw_lengths(measured: Measured) -> Iterator[tuple[str, str]]:
    lengths = measured.statistics.lengths
    if not lengths:
        return
    first, last = min(number for _, number in lengths), max(number for _, number in lengths)
    labels = [(0.0, f"{length_of_bin(first):,}"), (1.0, f"{length_of_bin(last + 1):,} characters")]
    for name in measured.scores:
        found = [lengths.get((name, number), (0, 0.0)) for number in range(first, last + 1)]
        means = [total / count if count else None for count, total in found]
        yield name, draw_panel_bars([float(count) for count, _ in found], means, labels, f"length and score, {name}")


def _list_samples(config: Config, measured: Measured, composer: Composer) -> Iterator[tuple[str, list[_Sample]]]:
    best = name_translations(config)[-1]
    for code in config.languages:
        kept = measured.cuts[best][code].kept
        numbers = list(dict.fromkeys([kept[0], kept[len(kept) // 2], kept[-1]])) if kept else []
        rows = list(composer.rows(best, code, numbers))
        others = _find_naive(measured, composer, code, [row.id for row in rows]) if best != NAIVE else {}
        if rows:
            yield find_language(code).name, [_show_row(row, others.get(row.id), best) for row in rows]


def _find_naive(measured: Measured, composer: Composer, code: str, ids: Sequence[int]) -> dict[int, SyntheticRow]:
    places = {id: number for number, id in enumerate(measured.scores[NAIVE][code].ids) if id in set(ids)}
    return {row.id: row for row in composer.rows(NAIVE, code, list(places.values()))}


def _show_row(row: SyntheticRow, naive: SyntheticRow | None, best: str) -> _Sample:
    language = find_language(row.language).code2 or row.language
    sides = [_Side("English", "en", _cut(row.source_response))]
    if naive is not None:
        title = f"{NAIVE} ({naive.translators[0]})"
        sides.append(_Side(title, language, _cut(naive.response), f"{naive.qe_score:.4f}"))
    sides.append(_Side(best, language, _cut(row.response), f"{row.qe_score:.4f}"))
    translated = [segment for segment in row.segments if segment.candidates]
    segments = [
        _Segment(
            _cut(segment.text),
            [
                _Candidate(
                    "won" if candidate.model == segment.model else "refused" if candidate.refused else "",
                    candidate.model,
                    ", ".join(candidate.refused) if candidate.score is None else f"{candidate.score:.4f}",
                    _cut(candidate.text),
                )
                for candidate in segment.candidates
            ],
        )
        for segment in translated[:_SHOWN_SEGMENTS]
    ]
    return _Sample(row.id, _cut(row.instruction), sides, len(translated), segments)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " …"
