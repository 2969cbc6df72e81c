"""The demo's leaderboard: pages of the judgements and ratings, followed by the paper's tables."""

from __future__ import annotations

from pathlib import Path

from xl_suite.leaderboard.site import build_site

TITLE = "xl-suite demo"


def build_page(folder: Path, out: Path) -> None:
    """Builds the leaderboard from everything in the demo's folder except `out` itself."""
    build_site([folder], out, title=TITLE)
