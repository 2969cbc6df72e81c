"""What axe-core finds on each page, light and dark, wide and narrow: nothing. And what widths and scrolling do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_annotate_browser import write_sheet
from tests.leaderboard_results import SENTENCES, write_annotations
from xl_suite.auditing.card import Behaviour, Card, Found, write_card
from xl_suite.auditing.defects import DEFECTS
from xl_suite.demo.steps import run_demo
from xl_suite.leaderboard.site import Live, build_site

CODES = ["por", "deu", "fra", "hun", "lit", "gle", "mlt", "zho", "hin", "fin", "tur"]
WIDTHS = (1400, 390)


def make_card(annotator: str) -> Card:
    """The card of a judge in eleven languages, marked for most defects and in each for its position."""
    found = [
        Found(code, defect.name, 100, 0, 0.2, 0.1, 0.3, 0.1, "blind" if place % 3 else "")
        for place, code in enumerate(CODES)
        for defect in DEFECTS
    ]
    behaviour = [Behaviour(code, 100, 2, 0.1, 0.05, 0.15, 0.01, 0.03, 50, "position") for code in CODES]
    return Card(annotator, "m", "logprobs", "g", "r", 1, tuple(found), tuple(behaviour), notes=("A note.",))


@pytest.fixture(scope="module")
def wide_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve models in eleven languages, a marked judge and another, a run that goes on and the paper's tables."""
    folder = tmp_path_factory.mktemp("wide")
    for number in range(12):
        shares = [(number * 5 + prompt * 3) % 16 / 16 for prompt in range(16)]
        outputs = [f"{SENTENCES['deu']} {prompt}" if prompt % 5 else "" for prompt in range(16)]
        codes = CODES if number else CODES[:2]
        name = f"A model with a name {number}"
        write_annotations(folder / "r", name, shares, languages=codes, outputs=outputs)
        write_annotations(
            folder / "r", name, shares, languages=["zho"], judge="a judge of a long name", place=f"{number}"
        )
    write_card(folder / "r" / "audit", make_card("judge"))
    site = build_site([folder / "r"], folder / "site", resamples=50, live=Live(60, 1)).folder
    one = {"model": "m", "language": "deu", "id": 7, "output": SENTENCES["deu"], "cut": False, "verdict": "wrong"}
    languages = {code: {"done": 9, "total": 16, "verdicts": {"right": 8, "mixed": 1}} for code in CODES}
    run = {"journal": "r/outputs", "model": "m", "others": 3, "newest": 1, "behind": True, "languages": languages}
    told = {"build": 1, "at": 1, "runs": [run, run], "newest": [one | {"note": "English", "time": 1}]}
    (site / "live.js").write_text(f"deliver({json.dumps(told)});\n", encoding="utf-8")
    return site


@pytest.fixture(scope="module")
def other_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The other pages' addresses by name: a judge's card in eleven languages, a run's report, the page for people."""
    folder = tmp_path_factory.mktemp("others")
    write_card(folder / "card", make_card("xl_local"))
    write_sheet(folder)
    places = {
        "card": folder / "card" / "index.html",
        "people": folder / "page.html",
        "report": run_demo(folder / "demo").synthetic / "report.html",
    }
    return {name: place.as_uri() for name, place in places.items()}


def list_pages(site: Path) -> dict[str, str]:
    """The pages' addresses by name."""
    model = sorted((site / "models").iterdir())[0]
    return {name: (site / name).as_uri() for name in ("index.html", "compare.html")} | {"model": model.as_uri()}


def open_whole(page: Page, address: str) -> None:
    """Opens a page and waits until its data is drawn."""
    page.goto(address)
    done = "html[data-plotted] table[data-complete], html[data-ready] #detail .answer"
    expect(page.locator(done).first).to_be_attached()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(
    browser: Browser, wide_site: Path, other_pages: dict[str, str], axe: str, scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,  # for axe's script, not for ours
    )
    page = context.new_page()
    found = {}
    for name, address in (list_pages(wide_site) | other_pages).items():
        if name in other_pages:
            page.goto(address)
        else:
            open_whole(page, address)
        page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
        page.evaluate(axe)
        told = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        found[name] = [(one["id"], [node["target"] for node in one["nodes"]]) for one in told["violations"]]
        assert len(told["passes"]) > 12
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    context.close()
    assert found == {name: [] for name in found}


def test_eleven_languages_fit_into_1400_pixels(page: Page, wide_site: Path) -> None:
    open_whole(page, list_pages(wide_site)["index.html"])
    assert page.locator("section.board:not(.paper) thead tr").last.locator("th").count() >= 11 + 4
    widths = page.locator(".scroller").evaluate_all(
        "nodes => nodes.map(node => [node.scrollWidth, node.clientWidth])"
    )
    assert all(inner <= outer for inner, outer in widths), widths
    for address in list_pages(wide_site).values():
        open_whole(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400


@pytest.mark.parametrize("width", WIDTHS)
def test_the_height_of_a_page_stays_while_it_is_scrolled(page: Page, wide_site: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for name, address in list_pages(wide_site).items():
        open_whole(page, address)
        heights = page.evaluate(
            """async () => {
            const found = [];
            const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
            for (let turn = 0; turn < 200; turn += 1) {
                found.push(document.documentElement.scrollHeight);
                if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) break;
                scrollBy(0, 700);
                await frame();
            }
            return found;
        }"""
        )
        assert len(heights) > 1
        assert max(heights) - min(heights) <= 2, (name, heights)


def test_a_phone_shows_all_of_it(page: Page, wide_site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for address in list_pages(wide_site).values():
        open_whole(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    board = page.goto(list_pages(wide_site)["index.html"]) and page.locator("section.board:not(.paper)").first
    assert board is not None
    expect(page.locator("#query")).to_be_hidden()
    page.get_by_text("Filters and columns").click()
    page.locator("#query").fill("name 7")
    name = board.locator("tbody th.model")
    expect(name).to_have_count(1)
    # The model's name stays in sight while its row is scrolled, and takes less than half of the width.
    board.locator(".scroller").evaluate("node => { node.scrollLeft = node.scrollWidth; }")
    box = name.bounding_box()
    assert box is not None
    assert -1 <= box["x"] < 60
    assert box["width"] < 195
    page.goto(list_pages(wide_site)["model"])
    page.get_by_role("listbox", name="Prompts").get_by_role("option").nth(2).click()
    answer = page.locator("#detail .answer").first
    box = answer.bounding_box()
    assert box is not None
    assert box["width"] > 330
