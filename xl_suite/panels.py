"""Small charts without axes for the panels of a page: lines, bars, shares."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from xl_suite.charts import join_points, make_text, open_svg

# A panel of a page: its size, and the edges of the drawing within it.
PANEL_WIDTH, PANEL_HEIGHT = 300, 120
PANEL_LEFT, PANEL_RIGHT, PANEL_TOP, PANEL_BOTTOM = 6, 294, 8, 100
PANEL_COLOURS = 6


def draw_panel_lines(series: Sequence[Sequence[float]], labels: Sequence[tuple[float, str]], title: str) -> Markup:
    """Lines over the same bins, each scaled to the highest value of all. labels: (share of the width, text)."""
    most = max((value for one in series for value in one), default=0) or 1
    lines = []
    for number, values in enumerate(series):
        step = (PANEL_RIGHT - PANEL_LEFT) / max(1, len(values) - 1)
        points = [(PANEL_LEFT + place * step, _lift(value / most)) for place, value in enumerate(values)]
        lines.append(f'<polyline class="c{number % PANEL_COLOURS}" points="{join_points(points)}"/>')
    return _close_panel(title, lines, labels)


def draw_panel_bars(
    bars: Sequence[float], line: Sequence[float | None], labels: Sequence[tuple[float, str]], title: str
) -> Markup:
    """Counts as bars, and values from 0 to 1 as a line over them, with gaps where there is none."""
    most = max(bars, default=0) or 1
    step = (PANEL_RIGHT - PANEL_LEFT) / max(1, len(bars))
    parts = []
    for place, count in enumerate(bars):
        top = _lift(count / most)
        parts.append(
            f'<rect class="fb" x="{PANEL_LEFT + place * step + 1:.1f}" y="{top:.1f}" '
            f'width="{max(1.0, step - 2):.1f}" height="{PANEL_BOTTOM - top:.1f}"/>'
        )
    points = [
        (PANEL_LEFT + (place + 0.5) * step, _lift(min(1.0, max(0.0, value))), value)
        for place, value in enumerate(line)
        if value is not None
    ]
    parts.append(f'<polyline class="c0" points="{join_points([(x, y) for x, y, _ in points])}"/>')
    parts += [
        f'<circle class="f0" cx="{x:.1f}" cy="{y:.1f}" r="2.4"><title>{value:.3f}</title></circle>'
        for x, y, value in points
    ]
    return _close_panel(title, parts, labels)


def draw_shares(shares: Sequence[tuple[str, Sequence[float]]], title: str) -> Markup:
    """A stacked bar for each (name, shares that sum to 1)."""
    row = 22
    parts = []
    for number, (name, own) in enumerate(shares):
        y = number * row + 4
        parts.append(f'<text x="0" y="{y + 11}">{escape(name)}</text>')
        x = 70.0
        for part, share in enumerate(own):
            width = 520 * share
            if width > 0:
                parts.append(
                    f'<rect class="f{part % PANEL_COLOURS}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="14">'
                    f"<title>{100 * share:.1f} %</title></rect>"
                )
            x += width
        text = " / ".join(f"{100 * share:.0f}" for share in own)
        parts.append(f'<text x="598" y="{y + 11}">{text} %</text>')
    return Markup("".join([open_svg(title, 700, row * len(shares) + 6), *parts, "</svg>"]))


def _lift(share: float) -> float:
    return PANEL_BOTTOM - (PANEL_BOTTOM - PANEL_TOP) * share


def _close_panel(title: str, parts: Sequence[str], labels: Sequence[tuple[float, str]]) -> Markup:
    texts = [
        make_text(
            PANEL_LEFT + (PANEL_RIGHT - PANEL_LEFT) * share,
            PANEL_BOTTOM + 14,
            text,
            "start" if share < 0.1 else "end" if share > 0.9 else "middle",
        )
        for share, text in labels
    ]
    axis = f'<line class="axis" x1="{PANEL_LEFT}" y1="{PANEL_BOTTOM}" x2="{PANEL_RIGHT}" y2="{PANEL_BOTTOM}"/>'
    return Markup("".join([open_svg(title, PANEL_WIDTH, PANEL_HEIGHT), axis, *parts, *texts, "</svg>"]))
