"""The report of a run: one HTML file that a browser shows without network or scripts. All texts are escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from xl_instruct.config import Config
from xl_instruct.dataset.card import list_stages, name_source
from xl_instruct.dataset.charts import COLOURS, draw_bars_and_line, draw_lines, draw_shares
from xl_instruct.dataset.composing import Provenance
from xl_instruct.dataset.folder import Composer, Measured, name_translations
from xl_instruct.dataset.rows import SyntheticRow
from xl_instruct.dataset.selection import NAIVE
from xl_instruct.dataset.statistics import BINS, length_of_bin
from xl_instruct.stages.files import Summary
from xl_suite.languages import find_language

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_SHOWN_CHARACTERS = 4000
_SHOWN_SEGMENTS = 40
_SCORES = [(0.0, "0"), (0.5, "0.5"), (1.0, "1")]


def render_report(
    config: Config,
    common: Provenance,
    summaries: Sequence[Summary],
    measured: Measured,
    composer: Composer,
    warnings: Sequence[str],
) -> str:
    """The HTML of the report."""
    template = files("xl_instruct.dataset").joinpath("report.html").read_text(encoding="utf-8")
    values = {
        "title": escape(config.title),
        "subtitle": _describe_run(config, common),
        "warnings": "".join(f'<p class="warning">{escape(warning)}</p>' for warning in warnings),
        "funnel": "".join(_draw_funnel(config, summaries, measured)),
        "scores_note": escape(
            f"Scores of single segments by {common.qe_model}, in each language, for each translator's sound "
            "candidates. The score also chose the winners and made the cut, so it is no independent measure."
        ),
        "legend": "".join(
            f'<span><i class="key f{number % COLOURS}"></i>{escape(name)}</span>'
            for number, name in enumerate(common.translators)
        ),
        "distributions": "".join(_draw_distributions(config, common, measured)),
        "cut": "".join(_list_cuts(measured)),
        "wins": _draw_wins(config, common, measured),
        "refused": "".join(_list_refused(common, measured)),
        "lengths": "".join(_draw_lengths(measured)),
        "samples": "".join(_show_samples(config, measured, composer)),
    }
    return _PLACEHOLDER.sub(lambda place: values[place[1]], template)


def _describe_run(config: Config, common: Provenance) -> str:
    parts = [
        name_source(config.passages.source),
        f"teacher {common.teacher}",
        f"translators {', '.join(common.translators)}",
        f"estimator {common.qe_model}",
    ]
    return f"{escape(' · '.join(parts))}<br>configuration <code>{common.fingerprint}</code>"


def _draw_funnel(config: Config, summaries: Sequence[Summary], measured: Measured) -> Iterator[str]:
    stages = list_stages(config, summaries, measured)
    languages = len(config.languages)
    most = max((_scale(stage, rows, languages) for stage, rows, _ in stages), default=1) or 1
    yield '<tr><th>stage</th><th class="n">rows</th><th></th><th>left out</th></tr>'
    for stage, rows, left_out in stages:
        share = 100 * _scale(stage, rows, languages) / most
        yield (
            f'<tr><td>{escape(stage)}</td><td class="n">{rows:,}</td>'
            f'<td class="bar"><span style="width:{share:.2f}%"></span></td>'
            f'<td class="note">{escape(left_out)}</td></tr>'
        )


def _scale(stage: str, rows: int, languages: int) -> int:
    """Passages count once for every language, so that bars before and after translation can be compared."""
    return rows * languages if stage in ("passages", "instructions", "refined", "prepared") else rows


def _draw_distributions(config: Config, common: Provenance, measured: Measured) -> Iterator[str]:
    for code in config.languages:
        series = [
            [float(count) for count in measured.statistics.segments.get((code, name), [0] * BINS)]
            for name in common.translators
        ]
        language = find_language(code).name
        chart = draw_lines(series, _SCORES, f"distribution of scores in {language}")
        yield f'<div class="panel"><h3>{escape(language)}</h3>{chart}</div>'


def _list_cuts(measured: Measured) -> Iterator[str]:
    yield (
        "<tr><th>config</th><th>language</th><th class=n>rows</th><th class=n>kept</th>"
        "<th class=n>mean score</th><th class=n>lowest kept</th></tr>"
    )
    for name, cuts in measured.cuts.items():
        for code, own in cuts.items():
            scores = measured.scores[name][code].scores
            mean = f"{sum(scores) / len(scores):.4f}" if len(scores) else "–"
            lowest = f"{own.threshold:.4f}" if own.kept else "–"
            yield (
                f"<tr><td>{escape(name)}</td><td>{escape(find_language(code).name)}</td>"
                f"<td class=n>{len(scores):,}</td><td class=n>{len(own.kept):,}</td>"
                f"<td class=n>{mean}</td><td class=n>{lowest}</td></tr>"
            )


def _draw_wins(config: Config, common: Provenance, measured: Measured) -> str:
    if len(common.translators) == 1:
        return ""
    shares = []
    for code in config.languages:
        wins = [measured.statistics.wins[code, name] for name in common.translators]
        if sum(wins):
            shares.append((find_language(code).name, [count / sum(wins) for count in wins]))
    note = "Share of segments whose best sound candidate is each translator's; equal scores go to the earlier one."
    return (
        f'<h2>Who wins</h2><p class="note">{note}</p><div class="panel">'
        f"{draw_shares(shares, 'share of segments won by each translator')}</div>"
    )


def _list_refused(common: Provenance, measured: Measured) -> Iterator[str]:
    statistics = measured.statistics
    counted = statistics.refused + statistics.flags
    guards = sorted({guard for _, _, guard in statistics.refused})
    guards += sorted({name for _, _, name in statistics.flags})
    if not guards:
        yield "<tr><td>nothing</td></tr>"
        return
    yield "<tr><th>translator</th>" + "".join(f"<th class=n>{escape(guard)}</th>" for guard in guards) + "</tr>"
    for name in common.translators:
        total = sum(count for (_, model), count in statistics.candidates.items() if model == name) or 1
        cells = []
        for guard in guards:
            count = sum(n for (_, model, own), n in counted.items() if (model, own) == (name, guard))
            cells.append(f"<td class=n>{100 * count / total:.2f} %</td>")
        yield f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>"


def _draw_lengths(measured: Measured) -> Iterator[str]:
    lengths = measured.statistics.lengths
    if not lengths:
        return
    first, last = min(number for _, number in lengths), max(number for _, number in lengths)
    labels = [(0.0, f"{length_of_bin(first):,}"), (1.0, f"{length_of_bin(last + 1):,} characters")]
    for name in measured.scores:
        found = [lengths.get((name, number), (0, 0.0)) for number in range(first, last + 1)]
        means = [total / count if count else None for count, total in found]
        chart = draw_bars_and_line([float(count) for count, _ in found], means, labels, f"length and score, {name}")
        yield f'<div class="panel"><h3>{escape(name)}: rows (bars), mean score 0 to 1 (line)</h3>{chart}</div>'


def _show_samples(config: Config, measured: Measured, composer: Composer) -> Iterator[str]:
    best = name_translations(config)[-1]
    for code in config.languages:
        kept = measured.cuts[best][code].kept
        numbers = list(dict.fromkeys([kept[0], kept[len(kept) // 2], kept[-1]])) if kept else []
        rows = list(composer.rows(best, code, numbers))
        others = _find_naive(measured, composer, code, [row.id for row in rows]) if best != NAIVE else {}
        if rows:
            yield f"<h3>{escape(find_language(code).name)}</h3>"
        for row in rows:
            yield _show_row(row, others.get(row.id), best)


def _find_naive(measured: Measured, composer: Composer, code: str, ids: Sequence[int]) -> dict[int, SyntheticRow]:
    places = {id: number for number, id in enumerate(measured.scores[NAIVE][code].ids) if id in set(ids)}
    return {row.id: row for row in composer.rows(NAIVE, code, list(places.values()))}


def _show_row(row: SyntheticRow, naive: SyntheticRow | None, best: str) -> str:
    sides = [("English", "eng", row.source_response, "")]
    if naive is not None:
        sides.append((f"{NAIVE} ({naive.translators[0]})", row.language, naive.response, f"{naive.qe_score:.4f}"))
    sides.append((best, row.language, row.response, f"{row.qe_score:.4f}"))
    shown = "".join(
        f'<div><b>{escape(title)}</b> <span class="soft">{score}</span>'
        f'<div class="text" dir="auto" lang="{find_language(code).code2 or code}">{_cut(text)}</div></div>'
        for title, code, text, score in sides
    )
    return (
        f'<div class="sample"><div class="text"><b>{row.id}</b> {_cut(row.instruction)}</div>'
        f'<div class="sides">{shown}</div>{_show_segments(row)}</div>'
    )


def _show_segments(row: SyntheticRow) -> str:
    translated = [segment for segment in row.segments if segment.candidates]
    lines = []
    for segment in translated[:_SHOWN_SEGMENTS]:
        lines.append(f'<tr><td colspan="3"><i dir="auto">{_cut(segment.text)}</i></td></tr>')
        for candidate in segment.candidates:
            won = candidate.model == segment.model
            kind = "won" if won else "refused" if candidate.refused else ""
            score = ", ".join(candidate.refused) if candidate.score is None else f"{candidate.score:.4f}"
            lines.append(
                f'<tr class="{kind}"><td>{escape(candidate.model)}</td><td class="n">{escape(score)}</td>'
                f'<td dir="auto">{_cut(candidate.text)}</td></tr>'
            )
    more = len(translated) - _SHOWN_SEGMENTS
    rest = f'<p class="note">and {more} more</p>' if more > 0 else ""
    return (
        f"<details><summary>{len(translated)} segments with all candidates</summary>"
        f'<div class="scroll"><table>{"".join(lines)}</table></div>{rest}</details>'
    )


def _cut(text: str) -> str:
    return escape(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " …")
