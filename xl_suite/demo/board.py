"""The demo's leaderboard: what was judged and rated, as pages for a browser, with the paper's tables below."""

from __future__ import annotations

from pathlib import Path

from xl_suite.leaderboard.site import build_site

TITLE = "xl-suite demo"


def build_page(folder: Path, out: Path) -> None:
    """Builds the leaderboard of everything in the demo's folder, `out` itself left out."""
    build_site([folder], out, title=TITLE)
