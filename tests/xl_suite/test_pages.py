"""Templates take values as text, and charts that are in them hold no markup of theirs."""

from __future__ import annotations

from xml.etree import ElementTree

import jinja2
import pytest
from markupsafe import Markup

from xl_suite import pages
from xl_suite.panels import draw_panel_bars, draw_panel_lines, draw_shares

HOSTILE = '"><script>{{ policy }}</script>&'
VALUES = {"policy": "default-src 'none'", "title": HOSTILE, "style": Markup("a > b {}")}


def test_values_are_text_and_marked_ones_markup() -> None:
    page = pages.render("xl_suite.leaderboard", "head.html", **VALUES)
    assert "<title>&#34;&gt;&lt;script&gt;{{ policy }}&lt;/script&gt;&amp;</title>" in page
    assert "<style>a > b {}</style>" in page


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="style"):
        pages.render("xl_suite.leaderboard", "head.html", policy="", title="")


def test_panels_are_sound_and_escaped() -> None:
    lines = draw_panel_lines([[0.0, 4.0], [1.0, 2.0]], [(0.0, HOSTILE)], HOSTILE)
    bars = draw_panel_bars([2.0, 0.0, 1.0], [0.5, None, 2.0], [(1.0, "x")], HOSTILE)
    shares = draw_shares([(HOSTILE, [0.25, 0.75])], HOSTILE)
    roots = [ElementTree.fromstring(chart) for chart in (lines, bars, shares)]
    assert [root.get("aria-label") for root in roots] == [HOSTILE] * 3
    assert [line.get("points") for line in roots[0].findall("polyline")] == [
        "6.0,100.0 294.0,8.0",
        "6.0,77.0 294.0,54.0",
    ]
    assert [circle.get("cy") for circle in roots[1].findall("circle")] == ["54.0", "8.0"]
    assert [float(bar.get("width") or 0) for bar in roots[2].findall("rect")] == [130, 390]
    assert {text.text for text in roots[2].findall("text")} == {HOSTILE, "25 / 75 %"}
    assert [draw_panel_lines([], [], ""), draw_panel_bars([], [], [], ""), draw_shares([], "")]
