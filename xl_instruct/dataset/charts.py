"""Small charts as inline SVG, drawn with the report's style: no scripts, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 300, 120
LEFT, RIGHT, TOP, BOTTOM = 6, 294, 8, 100
COLOURS = 6


def draw_lines(series: Sequence[Sequence[float]], labels: Sequence[tuple[float, str]], title: str) -> str:
    """Lines over the same bins, each scaled to the highest value of all. labels: (share of the width, text)."""
    most = max((value for one in series for value in one), default=0) or 1
    lines = []
    for number, values in enumerate(series):
        step = (RIGHT - LEFT) / max(1, len(values) - 1)
        points = " ".join(
            f"{LEFT + place * step:.1f},{BOTTOM - (BOTTOM - TOP) * value / most:.1f}"
            for place, value in enumerate(values)
        )
        lines.append(f'<polyline class="c{number % COLOURS}" points="{points}"/>')
    return _frame("".join(lines), labels, title)


def draw_bars_and_line(
    bars: Sequence[float], line: Sequence[float | None], labels: Sequence[tuple[float, str]], title: str
) -> str:
    """Counts as bars, and values from 0 to 1 as a line over them, with gaps where there is none."""
    most = max(bars, default=0) or 1
    step = (RIGHT - LEFT) / max(1, len(bars))
    drawn = []
    for place, count in enumerate(bars):
        height = (BOTTOM - TOP) * count / most
        drawn.append(
            f'<rect class="fb" x="{LEFT + place * step + 1:.1f}" y="{BOTTOM - height:.1f}" '
            f'width="{max(1.0, step - 2):.1f}" height="{height:.1f}"/>'
        )
    points = " ".join(
        f"{LEFT + (place + 0.5) * step:.1f},{BOTTOM - (BOTTOM - TOP) * min(1.0, max(0.0, value)):.1f}"
        for place, value in enumerate(line)
        if value is not None
    )
    drawn.append(f'<polyline class="c0" points="{points}"/>')
    for place, value in enumerate(line):
        if value is not None:
            x, y = LEFT + (place + 0.5) * step, BOTTOM - (BOTTOM - TOP) * min(1.0, max(0.0, value))
            drawn.append(f'<circle class="f0" cx="{x:.1f}" cy="{y:.1f}" r="2.4"><title>{value:.3f}</title></circle>')
    return _frame("".join(drawn), labels, title)


def draw_shares(shares: Sequence[tuple[str, Sequence[float]]], title: str) -> str:
    """A stacked bar for each (name, shares that sum to 1)."""
    row = 22
    height = row * len(shares) + 6
    drawn = []
    for number, (name, parts) in enumerate(shares):
        y = number * row + 4
        drawn.append(f'<text x="0" y="{y + 11}">{escape(name)}</text>')
        x = 70.0
        for part, share in enumerate(parts):
            width = 520 * share
            if width > 0:
                drawn.append(
                    f'<rect class="f{part % COLOURS}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="14">'
                    f"<title>{100 * share:.1f} %</title></rect>"
                )
            x += width
        text = " / ".join(f"{100 * share:.0f}" for share in parts)
        drawn.append(f'<text x="598" y="{y + 11}">{text} %</text>')
    return (
        f'<svg viewBox="0 0 700 {height}" role="img" aria-label="{escape(title, quote=True)}">{"".join(drawn)}</svg>'
    )


def _frame(drawn: str, labels: Sequence[tuple[float, str]], title: str) -> str:
    texts = "".join(
        f'<text x="{LEFT + (RIGHT - LEFT) * share:.1f}" y="{BOTTOM + 14}" '
        f'text-anchor="{"start" if share < 0.1 else "end" if share > 0.9 else "middle"}">{escape(text)}</text>'
        for share, text in labels
    )
    axis = f'<line class="axis" x1="{LEFT}" y1="{BOTTOM}" x2="{RIGHT}" y2="{BOTTOM}"/>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{axis}{drawn}{texts}</svg>"
    )
