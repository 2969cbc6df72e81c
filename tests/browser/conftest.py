"""A real Chromium, headless: /usr/bin/chromium, or what $CHROMIUM names. Without it these tests fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.leaderboard_results import HOSTILE, write_annotations, write_ratings
from xl_suite.leaderboard.site import build_site

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Watched:
    """What a page did that it must not do: messages on its console, errors, requests."""

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def page(browser: Browser, watched: Watched) -> Iterator[Page]:
    """A page of 1400 x 1000; afterwards nothing may be on its console, and it may have asked for files alone."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(10_000)
    opened = context.new_page()
    opened.on("console", lambda message: watched.messages.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: watched.messages.append(f"error: {error}"))
    opened.on("dialog", lambda dialog: (watched.messages.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    opened.on("popup", lambda popup: watched.messages.append(f"popup: {popup.url}"))
    context.on("request", lambda request: watched.requests.append(request.url))
    yield opened
    assert watched.messages == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:"))] == []
    context.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty models in five languages, one of them by another judge and two rated, with the paper's tables."""
    folder = tmp_path_factory.mktemp("leaderboard")
    results, lines = folder / "results", ["generator\tbillions\ttraining"]
    codes = ["deu", "por", "hun", "zho", "hin"]
    for number in range(40):
        name = f"model {number:02d}"
        shares = [((number * 7 + prompt * 13) % 40) / 40 for prompt in range(24)]
        write_annotations(results, name, shares, languages=codes if number else codes[:2], place=f"m{number}")
        lines.append(f"{name}\t{(1.5, 8, 30)[number % 3]}\t{'XL-Instruct 8K' if number % 4 == 0 else ''}")
    write_annotations(results, "model 03", [0.5] * 24, languages=codes, judge="second judge", place="other")
    for number in (5, 6):
        write_ratings(results, f"model {number:02d}", number / 2)
    (results / "models.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    build_site([results], folder / "site", resamples=100)
    return folder / "site"


@pytest.fixture(scope="session")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model's outputs, and its name, judge and reference, try to act."""
    folder = tmp_path_factory.mktemp("hostile")
    count = len(HOSTILE)
    write_annotations(
        folder / "results",
        "\u202e<img src=x onerror=window.owned=1>../../evil",
        [place / count for place in range(count)],
        languages=["deu", "zho"],
        judge="<script>window.owned = 1</script>".replace("/", "\u2215"),
        reference="<svg onload=window.owned=1>",
        outputs=HOSTILE,
        references=HOSTILE[::-1],
        place="evil",
    )
    write_annotations(folder / "results", "harmless", [0.4] * count, languages=["deu", "zho"])
    build_site([folder / "results"], folder / "site", resamples=100, title="<script>window.owned = 1</script>")
    return folder / "site"


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script, from $AXE_CORE or where `make test-browser` puts it; without it its tests are skipped."""
    path = Path(os.environ.get("AXE_CORE", ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"))
    if not path.is_file():
        pytest.skip(f"{path}: axe-core is not installed; `make test-browser` installs it where npm is")
    return path.read_text(encoding="utf-8")
