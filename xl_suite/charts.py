"""Charts of lines, bars and dots as SVG: no script, no font to load, readable on white and on dark pages.

`draw_lines`, `draw_bars` and `draw_dots` give whole files. The others give parts of a page whose style has classes
for their colours: c0 to c5 for lines, f0 to f5 for areas, fb for bars in the background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

# Distinguishable by readers who do not see red and green apart (Okabe and Ito 2008), and dashed differently too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f7f7f")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4", "4 4")
WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 42, 48
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.axis{stroke:#888;fill:none}.grid{stroke:#ddd}"
    ".title{font-size:14px;font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.paper{fill:#181818}}"
)


@dataclass(frozen=True, slots=True)
class Dot:
    """A named point with its intervals (low, high) on both axes."""

    name: str
    x: float
    y: float
    across: tuple[float, float]
    up: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """A line or a group of bars: its name and its points (x, y)."""

    name: str
    points: tuple[tuple[float, float], ...]


def draw_lines(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    x_names: Sequence[tuple[float, str]] = (),
    markers: bool = True,
) -> str:
    """The SVG of lines over a common x axis. x_names: places on the axis with the text that is there.

    With `log_x` a point at 0 is at the left edge, one step before the smallest other.
    """
    points = [point for one in series for point in one.points]
    if not points:
        points = [(0.0, 0.0)]
    positive = [x for x, _ in points if x > 0]
    zero = min(positive) / 4 if positive else 1.0

    def scale(x: float) -> float:
        return math.log10(max(x, zero)) if log_x else x

    low_x, high_x = min(scale(x) for x, _ in points), max(scale(x) for x, _ in points)
    ticks = find_ticks(min(0.0, min(y for _, y in points)), max(y for _, y in points))
    low_y, high_y = ticks[0], ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (scale(x) - low_x) / ((high_x - low_x) or 1)
        up = (y - low_y) / ((high_y - low_y) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = _frame(title, x_label, y_label, ticks, lambda y: place(points[0][0], y)[1])
    names = list(x_names) or [
        (x, _number(x)) for x in find_ticks(min(x for x, _ in points), max(x for x, _ in points))
    ]
    for x, text in names:
        if low_x <= scale(x) <= high_x:
            parts.append(make_text(place(x, low_y)[0], HEIGHT - BOTTOM + 16, text, "middle"))
    ends: list[float] = []
    order = sorted(range(len(series)), key=lambda n: place(*series[n].points[-1])[1] if series[n].points else 0)
    for number in order:
        one = series[number]
        if not one.points:
            continue
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        where = [place(x, y) for x, y in one.points]
        dashed = f' stroke-dasharray="{dash}"' if dash and len(series) > 1 else ""
        parts.append(
            f'<polyline points="{join_points(where)}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
        )
        if markers:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in where]
        end = max(where[-1][1] + 4, ends[-1] + 14 if ends else 0)  # names never overlap
        ends.append(end)
        parts.append(make_text(where[-1][0] + 8, end, one.name, "start", colour))
    return _close(title, parts)


def draw_bars(series: Sequence[Series], groups: Sequence[str], *, title: str, y_label: str) -> str:
    """The SVG of bars: a group for each name in `groups`, and in it a bar for each series, at x 0, 1, ..."""
    values = [y for one in series for _, y in one.points]
    ticks = find_ticks(0.0, max(values, default=1.0))
    span = (WIDTH - LEFT - RIGHT) / max(1, len(groups))

    def height(y: float) -> float:
        return HEIGHT - BOTTOM - (y - ticks[0]) / ((ticks[-1] - ticks[0]) or 1) * (HEIGHT - TOP - BOTTOM)

    parts = _frame(title, "", y_label, ticks, height)
    width = span * 0.8 / max(1, len(series))
    for number, one in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        for x, y in one.points:
            left = LEFT + x * span + span * 0.1 + number * width
            parts.append(
                f'<rect x="{left:.1f}" y="{height(y):.1f}" width="{width - 1:.1f}" '
                f'height="{height(ticks[0]) - height(y):.1f}" fill="{colour}"/>'
            )
            parts.append(make_text(left + width / 2, height(y) - 4, _number(y), "middle"))
        parts.append(
            f'<rect x="{WIDTH - RIGHT + 8}" y="{TOP + 18 * number - 9}" width="10" height="10" fill="{colour}"/>'
        )
        parts.append(make_text(WIDTH - RIGHT + 24, TOP + 18 * number, one.name, "start"))
    for place, name in enumerate(groups):
        parts.append(make_text(LEFT + (place + 0.5) * span, HEIGHT - BOTTOM + 16, name, "middle"))
    return _close(title, parts)


def draw_dots(
    series: Sequence[tuple[str, Sequence[Dot]]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    y_mark: float | None = None,
) -> str:
    """The SVG of dots with their intervals, in a colour and a form for each (name, dots). y_mark: a line across.

    Both axes hold percentages, so that neither goes beyond 100. A name is put where it hides no other one.
    """
    dots = [dot for _, own in series for dot in own]
    x_ticks = [tick for tick in find_ticks(min(dot.across[0] for dot in dots), 100.0) if tick >= 0]
    y_ticks = [tick for tick in find_ticks(0.0, max(dot.up[1] for dot in dots)) if tick <= 100]
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def across(x: float) -> float:
        return LEFT + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * width

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * height

    parts = _frame(title, x_label, y_label, y_ticks, up)
    parts += [make_text(across(tick), HEIGHT - BOTTOM + 16, _number(tick), "middle") for tick in x_ticks]
    if y_mark is not None and y_mark <= y_ticks[-1]:
        parts.append(f'<path class="axis" stroke-dasharray="4 4" d="M{LEFT} {up(y_mark):.1f}H{WIDTH - RIGHT}"/>')
    forms: list[str] = []
    taken = [(across(dot.x) - 4, up(dot.y) - 5, 8.0) for dot in dots]
    taken += [(WIDTH - RIGHT + 10, TOP + 18.0 * number - 12, RIGHT - 10.0) for number in range(len(series))]
    names: list[str] = []
    for number, (name, own) in enumerate(series):
        colour = COLOURS[min(number, len(COLOURS) - 1)]
        for dot in own:
            x, y = across(dot.x), up(dot.y)
            path = f"M{across(dot.across[0]):.1f} {y:.1f}H{across(dot.across[1]):.1f}"
            path += f"M{x:.1f} {up(dot.up[0]):.1f}V{up(dot.up[1]):.1f}"
            parts.append(f'<path d="{path}" stroke="{colour}" stroke-opacity="0.45" fill="none"/>')
            told = f"{name}, {dot.name}: {dot.x:.1f}, {dot.y:.1f}"
            forms.append(f'<path d="{_form(number, x, y)}" fill="{colour}"><title>{escape(told)}</title></path>')
            if dot.name:
                left, top = _find_room(x, y, 7.0 * len(dot.name), taken)
                names.append(make_text(left, top + 10, dot.name, "start", colour if len(series) > 1 else ""))
        top = TOP + 18 * number
        if top < HEIGHT - BOTTOM:
            forms.append(f'<path d="{_form(number, WIDTH - RIGHT + 16, top - 4)}" fill="{colour}"/>')
            names.append(make_text(WIDTH - RIGHT + 26, top, name if len(name) < 19 else name[:17] + "…", "start"))
    return _close(title, [*parts, *forms, *names])


def _form(number: int, x: float, y: float) -> str:
    """The path of a circle, a square, a diamond or a triangle: readers without colours tell series apart by these."""
    forms = (
        f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7z",
        f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z",
        f"M{x:.1f} {y - 5:.1f}l5 8.5h-10z",
    )
    return forms[number % len(forms)]


def _find_room(x: float, y: float, width: float, taken: list[tuple[float, float, float]]) -> tuple[float, float]:
    """The left upper corner of a name near (x, y) that covers least of what is there already; it is added."""
    sides = [x + 6, x - 6 - width, x + 24, x - 24 - width]
    places = [(left, y - 5 + lift) for left in sides for lift in (0, -9, 9, -18, 18, -27, 27)]
    places = [one for one in places if one[0] + width < WIDTH - RIGHT + 48 and TOP - 12 < one[1] < HEIGHT - BOTTOM]

    def count(place: tuple[float, float]) -> int:
        left, top = place
        return sum(left < a + w and a < left + width and top < b + 11 and b < top + 11 for a, b, w in taken)

    best = min(places, key=count)
    taken.append((*best, width))
    return best


def find_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that enclose low to high, at most `most` + 1 of them."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        low, high = (low, low + 1) if math.isfinite(low) else (0.0, 1.0)
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _frame(title: str, x_label: str, y_label: str, ticks: Sequence[float], height: object) -> list[str]:
    assert callable(height)
    parts = [
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>',
        make_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, "middle"),
        f'<text transform="translate(14 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
    ]
    for tick in ticks:
        y = float(height(tick))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(make_text(LEFT - 6, y + 4, _number(tick), "end"))
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    return parts


def make_text(x: float, y: float, text: str, anchor: str, colour: str = "") -> str:
    style = f' style="fill:{colour}"' if colour else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _number(value: float) -> str:
    if value and abs(value) < 0.001:
        return f"{value:.0e}"
    text = f"{value:,.3f}" if abs(value) < 1 else f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def join_points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def open_svg(title: str, width: int, height: int, attributes: str = "") -> str:
    return f'<svg {attributes}viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'


def _close(title: str, parts: Sequence[str]) -> str:
    """A whole file."""
    size = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
    head = open_svg(title, WIDTH, HEIGHT, size)
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>"]) + "\n"
