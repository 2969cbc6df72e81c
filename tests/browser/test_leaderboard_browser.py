"""The leaderboard in a real browser: `make test-browser`. The fixture `page` fails a test whose page complains."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Watched
from tests.leaderboard_results import ENGLISH, HOSTILE, SENTENCES, write_annotations
from xl_suite.judging.annotations import read_annotations
from xl_suite.leaderboard.site import Live, build_site
from xl_suite.records import write_text
from xl_suite.scoring.compare import compare_models

MAIN = "section.board:not(.paper)"


def open_index(page: Page, site: Path, view: str = "") -> Locator:
    """Opens the index and waits until the first board has all of its rows; returns that board."""
    page.goto(f"{(site / 'index.html').as_uri()}{view}")
    board = page.locator(MAIN).first
    expect(board.locator("table[data-complete]")).to_be_attached()
    return board


def names(board: Locator) -> list[str]:
    expect(board.locator("table[data-complete]")).to_be_attached()
    return board.locator("tbody th.model bdi:not(small bdi)").all_inner_texts()


def column(board: Locator, head: str) -> list[float]:
    """The numbers of a language's column."""
    expect(board.locator("table[data-complete]")).to_be_attached()
    heads = board.locator("thead tr").nth(1).locator("th")
    place = heads.all_inner_texts().index(head)
    values = [
        row.locator("th, td").nth(place).locator(".value, .none").first for row in board.locator("tbody tr").all()
    ]
    texts = [re.sub(r"[^\d.].*", "", value.inner_text()) for value in values]
    return [float(text) for text in texts if text]


def test_it_sorts_by_any_column_both_ways(page: Page, site: Path) -> None:
    board = open_index(page, site)
    assert len(names(board)) == 40
    for label in ("German", "Hindi", "Fidelity"):
        head = board.locator("thead").get_by_role("button", name=label, exact=True)
        head.click()
        assert head.locator("..").get_attribute("aria-sort") == "descending"
        down = column(board, label)
        assert down == sorted(down, reverse=True)
        head.click()
        assert head.locator("..").get_attribute("aria-sort") == "ascending"
        up = column(board, label)
        assert up == sorted(up)
        assert board.locator("[aria-sort]").count() == 1
    board.locator("thead").get_by_role("button", name="Model").click()
    assert names(board) == sorted(names(board))
    expect(page.locator("#status")).to_contain_text("sorted by model, ascending")


def test_it_filters_by_name_size_training_and_language(page: Page, site: Path) -> None:
    board = open_index(page, site)
    page.get_by_label("Model").fill("MODEL 1")
    ones = [name for name in (f"model {number:02d}" for number in range(40)) if "1" in name]
    assert sorted(names(board)) == ones
    page.locator("#size").select_option("up to 3B")
    assert sorted(names(board)) == [name for name in ones if int(name[-2:]) % 3 == 0]
    page.get_by_label("Training").select_option("XL-Instruct")
    assert names(board) == ["model 12"]
    page.get_by_label("Model").fill("no such model")
    expect(board.get_by_text("No model in this table fits the filters.")).to_be_visible()
    page.get_by_role("button", name="Reset").click()
    assert len(names(board)) == 40
    page.get_by_label("German").uncheck()
    expect(board.locator("thead").get_by_role("button", name="German")).to_have_count(0)
    expect(board.locator("thead").get_by_role("button", name="Portuguese")).to_have_count(1)
    expect(board.locator(".groups")).to_contain_text("All 4 languages")


def test_a_model_over_fewer_languages_is_marked_and_ranked_below(page: Page, site: Path) -> None:
    board = open_index(page, site)
    assert names(board)[-1] == "model 00"
    last = board.locator("tbody tr").last
    expect(last.locator(".rank")).to_have_text("–")
    expect(last.locator("td.wide").first).to_contain_text("over 2 of 5 languages")
    for label in ("Hungarian", "Chinese", "Hindi"):
        page.get_by_label(label).uncheck()
    assert names(board)[-1] != "model 00"
    assert board.locator("td.wide .partial").count() == 0


def test_tables_are_ranked_by_the_gated_rate_where_its_error_is_published(page: Page, site: Path) -> None:
    board = open_index(page, site)
    expect(board.locator(".ordered")).to_contain_text("Ranked by gated win rate: the error of the language check")
    expect(board.locator("thead th[aria-sort]")).to_have_text("Gated")
    page.get_by_label("Hindi").uncheck()
    expect(board.locator(".ordered")).to_contain_text("Ranked by raw win rate")
    expect(page.locator("section.paper .ordered").first).to_have_text(
        "Ranked by raw win rate: the paper printed no gated rates."
    )


def test_columns_and_metrics_can_be_chosen(page: Page, site: Path) -> None:
    board = open_index(page, site)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Cost").uncheck()
    expect(board.locator("thead").get_by_role("button", name="Cost")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("checkbox", name="Cost")).to_be_hidden()
    page.get_by_label("Languages show").select_option("Fidelity")
    assert set(column(board, "German")) == {100.0}
    page.get_by_label("Languages show").select_option("Rubric")
    assert sorted(column(board, "German")) == [2.5, 3.0]


def test_an_address_holds_the_view(page: Page, site: Path) -> None:
    board = open_index(page, site)
    page.get_by_label("Model").fill("model 2")
    page.get_by_label("Hungarian").uncheck()
    page.get_by_label("Languages show").select_option("Gated")
    page.get_by_label("Dots", exact=True).check()
    board.locator("thead").get_by_role("button", name="Hindi").click()
    before = names(board)
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    board = page.locator(MAIN).first
    assert names(board) == before
    assert page.get_by_label("Dots", exact=True).is_checked()
    assert not page.get_by_label("Hungarian").is_checked()
    assert page.get_by_label("Languages show").input_value() == "gated"
    # An address that was tampered with shows the page all the same.
    board = open_index(page, site, "#sort=__proto__&languages=<x>&metric=constructor&columns=,,&show=%00&size=9e9")
    assert len(names(board)) == 40


def test_another_judge_and_the_paper_have_tables_of_their_own(page: Page, site: Path) -> None:
    open_index(page, site)
    origins = page.locator("section.board > .origin:not(.ordered)").all_text_contents()
    assert len(origins) == 6
    assert "second judge" in origins[1]
    assert all("Published in the paper" in origin for origin in origins[2:])
    paper = page.locator("section.paper").first
    paper.scroll_into_view_if_needed()
    assert len(names(paper)) == 31
    expect(paper.locator("tbody tr").first).to_contain_text("Table 6")
    assert paper.locator("a").count() == 0


def test_plots_show_every_language_with_its_intervals(page: Page, site: Path) -> None:
    board = open_index(page, site)
    board.locator("figure").scroll_into_view_if_needed()
    panels = board.locator(".panel")
    expect(panels).to_have_count(5)
    first = panels.first
    expect(first.locator("li")).to_have_count(12)
    lines = first.locator("svg.strip .interval, svg.strip .dot")
    assert lines.count() == 24
    places = [float((dot.get_attribute("cx") or "").rstrip("%")) for dot in first.locator(".dot").all()]
    shown = [float(value) for value in first.locator("li .value").all_inner_texts()]
    assert sorted(range(12), key=lambda place: places[place]) == sorted(range(12), key=lambda place: shown[place])
    board.get_by_role("button", name="Show all 40 models").click()
    expect(first.locator("li")).to_have_count(40)


def wait_for_prompts(page: Page, mark: str) -> None:
    """mark: the run's number and the language, of which all prompts have to be there."""
    expect(page.locator(f'html[data-ready="{mark}"]')).to_be_attached()


def test_a_models_page_has_every_prompt_in_every_language(page: Page, site: Path) -> None:
    board = open_index(page, site)
    board.get_by_role("link", name="model 07", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("model 07")
    assert page.locator("table.scores tbody tr").count() == 6
    expect(page.locator("#status")).to_contain_text("German: 24 of 24 prompts")
    detail = page.locator("#detail")
    expect(detail.get_by_role("heading", level=3)).to_contain_text("Prompt 1")
    expect(detail.locator(".verdict.right")).to_have_count(2)
    assert detail.locator(".text").first.get_attribute("lang") == "de"
    expect(detail.locator("mark").first).to_contain_text("ganz normaler deutscher Satz")
    page.get_by_label("Chinese").check()
    wait_for_prompts(page, "0 zho")
    assert detail.locator(".text").first.get_attribute("lang") == "zh"
    expect(detail).to_contain_text("这是一个关于天气")
    page.get_by_label("Order").select_option("best first")
    page.get_by_role("listbox").press("Home")
    expect(detail.locator(".preference")).to_contain_text("prefers the model")
    assert "language=zho" in page.url
    assert "order=best" in page.url
    detail.get_by_text("Raw JSON").click()
    record = json.loads(detail.locator("pre").inner_text())
    assert record["language"] == "zho"
    assert record["preference"] > 0.5
    link = detail.get_by_role("link", name="All answers in Chinese as JSON")
    target = Path(unquote(link.evaluate("node => node.href").removeprefix("file://")))
    rows = json.loads(target.read_bytes())
    (row,) = [row for row in rows if row["id"] == record["id"]]
    assert {key: record[key] for key in ("output", "reference", "preference", "gated_preference")} == {
        key: row[key] for key in ("output", "reference", "preference", "gated_preference")
    }
    page.get_by_role("link", name="All models").click()
    expect(page.locator(MAIN).first).to_be_visible()


@pytest.fixture(scope="module")
def long_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model with 300 prompts by two judges: every tenth answer is in English, one is empty, one is long."""
    folder = tmp_path_factory.mktemp("long")
    german = SENTENCES["deu"]
    outputs = [
        ENGLISH + f" {number}." if number % 10 == 0 else f"{german} {german} {number}." for number in range(300)
    ]
    outputs[4] = ""
    outputs[7] = f"{german} " * 60
    shares = [number % 3 / 2 for number in range(300)]
    write_annotations(folder / "r", "m", shares, languages=["deu"], outputs=outputs)
    other = [1 - share if number < 6 else share for number, share in enumerate(shares)]
    write_annotations(folder / "r", "m", other, languages=["deu"], outputs=outputs, judge="other", place="other")
    return build_site([folder / "r"], folder / "site", resamples=50).folder


def test_a_long_list_draws_what_is_seen_and_goes_to_its_end(page: Page, long_site: Path) -> None:
    page.goto((long_site / "models" / "m.html").as_uri())
    wait_for_prompts(page, "0 deu")
    listed = page.get_by_role("listbox", name="Prompts")
    assert listed.get_by_role("option").count() < 40
    height = page.evaluate("document.documentElement.scrollHeight")
    listed.press("End")
    expect(listed.get_by_role("option", selected=True)).to_contain_text("Prompt 300:")
    expect(listed.get_by_role("option", selected=True)).to_have_attribute("aria-posinset", "300")
    expect(page.locator("#detail h3")).to_contain_text("Prompt 300")
    assert listed.get_by_role("option").count() < 40
    for key, number in (("ArrowUp", 299), ("Home", 1), ("ArrowDown", 2)):
        listed.press(key)
        expect(page.locator("#detail h3")).to_have_text(f"Prompt {number}")
    assert page.evaluate("document.documentElement.scrollHeight") == height
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#detail h3")).to_have_text("Prompt 3")


def test_prompts_can_be_searched_filtered_and_linked(page: Page, long_site: Path) -> None:
    page.goto((long_site / "models" / "m.html").as_uri())
    wait_for_prompts(page, "0 deu")
    status = page.locator("#status")
    for label, option, count in (
        ("Language verdict", "wrong language", 30),
        ("Language verdict", "empty", 1),
        ("Judge", "prefers the model", 100),
        ("Judge", "no difference", 100),
        ("Length", "over 3,000", 1),
        ("Length", "up to 200 characters", 299),
    ):
        page.get_by_role("combobox", name=label, exact=True).select_option(option)
        expect(status).to_contain_text(f"German: {count} of 300")
        page.get_by_role("combobox", name=label, exact=True).select_option("any")
    page.get_by_label("Judges disagree").check()
    expect(status).to_contain_text("German: 4 of 300")
    page.get_by_label("Judges disagree").uncheck()
    page.get_by_label("Flagged").check()
    expect(status).to_contain_text("German: 1 of 300")
    expect(page.locator("#detail")).to_contain_text("Flagged: empty.")
    page.get_by_label("Flagged").uncheck()
    page.get_by_label("Search").fill("english SENTENCE")
    expect(status).to_contain_text("German: 30 of 300")
    page.get_by_label("Search").fill("#251")
    expect(status).to_contain_text("German: 1 of 300")
    expect(page.locator("#detail h3")).to_have_text("Prompt 251")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    wait_for_prompts(page, "0 deu")
    expect(page.locator("#detail h3")).to_have_text("Prompt 251")
    page.goto("about:blank")
    page.goto(re.sub("q=[^&]*&", "", address))
    wait_for_prompts(page, "0 deu")
    expect(page.get_by_role("listbox", name="Prompts").get_by_role("option", selected=True)).to_contain_text(
        "Prompt 251:"
    )
    page.get_by_label("Search").fill("no such words")
    expect(page.get_by_text("No prompt fits the filters.")).to_be_visible()


def test_a_data_file_that_is_missing_is_said(page: Page, watched: Watched, site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site", ignore=shutil.ignore_patterns(".scores", "answers"))
    page.goto((tmp_path / "site" / "models" / "model-07.html").as_uri())
    expect(page.locator("#status")).to_contain_text("could not be loaded")
    expect(page.locator("table.scores tbody tr")).to_have_count(6)
    assert [
        message for message in watched.messages if "ERR_FILE_NOT_FOUND" not in message and "/deu.js" not in message
    ] == []
    watched.messages.clear()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models in three languages; one has ten prompts fewer, and answers every fifth in English."""
    folder = tmp_path_factory.mktemp("pair")
    texts = [f"{SENTENCES['deu']} {number}!" if number % 5 else ENGLISH for number in range(60)]
    shares = [number * 7 % 11 / 10 for number in range(60)]
    write_annotations(folder / "r", "strong", [(1 + share) / 2 for share in shares])
    write_annotations(folder / "r", "weak", shares[:50], languages=["deu", "por", "zho"], outputs=texts[:50])
    return build_site([folder / "r"], folder / "site", resamples=50).folder


def test_two_models_are_compared_as_the_verb_does(page: Page, pair: Path) -> None:
    """Up to the four decimals that the page has of a preference."""
    page.goto(f"{(pair / 'compare.html').as_uri()}#a=weak&b=strong")
    expect(page.locator('html[data-compared="weak strong"]')).to_be_attached(timeout=30_000)
    found = page.evaluate(
        """async () => {
            const [one, other] = await Promise.all([view.a, view.b].map((at) => loadValues(rowsOf(0)[at].answers)));
            return compareModels(one, other, ["raw", "gated"], view.codes);
        }"""
    )
    weak, strong = (
        read_annotations(pair.parent / "r" / "annotations" / name / "judge") for name in ("weak", "strong")
    )
    for kind, gate in (("raw", "none"), ("gated", "both")):
        told = compare_models(weak, strong, gate=gate)  # type: ignore[arg-type]
        assert set(found[kind]["languages"]) == set(told.languages)
        assert told.overall is not None
        for expected, one in [
            (told.overall, found[kind]["overall"]),
            *((told.languages[code], found[kind]["languages"][code]) for code in told.languages),
        ]:
            assert one["n"] == expected.n == 50
            for key in ("win_rate_a", "win_rate_b", "difference", "smallest_detectable"):
                assert one[key] == pytest.approx(getattr(expected, key), abs=0.02), key
            assert one["ci_low"] == pytest.approx(expected.ci_low, abs=0.02)
            assert one["ci_high"] == pytest.approx(expected.ci_high, abs=0.02)
            assert one["p_value"] == pytest.approx(expected.p_value, rel=0.01)
            assert one["p_holm"] == (None if expected.p_holm is None else pytest.approx(expected.p_holm, rel=0.01))
    average = page.locator("table.scores tr.average")
    assert [text[:5] for text in average.locator("td.number").all_inner_texts()][::2] == [
        f"{found[kind]['overall']['difference']:+.1f}" for kind in ("raw", "gated")
    ]


def test_both_answers_stand_beside_each_other_and_can_be_filtered_by_who_won(page: Page, pair: Path) -> None:
    page.goto(f"{(pair / 'compare.html').as_uri()}#a=weak&b=strong")
    expect(page.locator('html[data-ready="weak strong deu"]')).to_be_attached()
    status, detail = page.locator("#status"), page.locator("#detail")
    better = sum(number * 7 % 11 == 10 for number in range(50))
    expect(status).to_contain_text(f"50 of 50 prompts that both answered; A is better in 0, B in {50 - better}")
    page.get_by_role("combobox", name="Who won", exact=True).select_option("B better than A")
    expect(status).to_contain_text(f"{50 - better} of 50")
    page.get_by_role("combobox", name="Who won", exact=True).select_option("A better than B")
    expect(page.get_by_text("No prompt fits the filters.")).to_be_visible()
    page.get_by_role("combobox", name="Who won", exact=True).select_option("any")
    page.get_by_label("Search").fill("#2")
    expect(detail.locator(".pair .answer .name")).to_have_text(["weak", "strong"])
    texts = detail.locator(".answer .text").all_text_contents()[:2]
    assert texts == [f"{SENTENCES['deu']} 1!", f"{SENTENCES['deu']}\n{SENTENCES['deu']} {SENTENCES['deu']} 2!"]
    assert detail.locator(".answer").first.locator("mark.differs").all_inner_texts() == ["1"]
    page.get_by_label("languages", exact=True).check()
    expect(detail.locator("mark.differs")).to_have_count(0)
    expect(detail.locator("mark.own").first).to_be_attached()
    page.get_by_role("button", name="Swap").click()
    expect(page.locator("#link-a")).to_have_text("strong")
    expect(page.locator('html[data-ready="strong weak deu"]')).to_be_attached()
    page.get_by_label("gated", exact=True).check()
    assert "a=strong" in page.url
    assert "rates=gated" in page.url


def test_text_from_right_to_left_and_passages_in_another_language(page: Page, tmp_path: Path) -> None:
    arabic, english = SENTENCES["ara"], "This one is a perfectly plain English sentence about the weather."
    outputs = [f"{arabic} {arabic}\n{english}", english, f"{arabic} {arabic}"]
    write_annotations(tmp_path / "r", "m", [0.1, 0.2, 0.3], languages=["ara"], outputs=outputs)
    site = build_site([tmp_path / "r"], tmp_path / "site", resamples=50)
    page.goto((site.folder / "models" / "m.html").as_uri())
    wait_for_prompts(page, "0 ara")
    mixed = wrong = page.locator("#detail")
    lines = mixed.locator(".answer").first.locator(".text li")
    directions = lines.evaluate_all("nodes => nodes.map(node => getComputedStyle(node).direction)")
    assert directions == ["rtl", "ltr"]
    assert mixed.locator(".text").first.get_attribute("lang") == "ar"
    expect(mixed.locator(".verdict.mixed")).to_have_count(1)
    expect(lines.nth(0).locator("mark.own")).to_have_count(1)
    expect(lines.nth(1).locator("mark.foreign")).to_have_text(english)
    assert lines.nth(0).locator("mark").inner_text().endswith(".")  # to the end of its sentence
    expect(lines.nth(1).locator(".found")).to_contain_text("English")
    assert lines.nth(1).locator("mark").get_attribute("lang") == "en"
    # Nothing of a text is lost by marking it.
    shown = (
        mixed.locator(".text")
        .first.locator("li")
        .evaluate_all(
            """nodes => nodes.map(node => [...node.childNodes]
        .filter(child => !/found/.test(child.className)).map(child => child.textContent).join(''))"""
        )
    )
    assert "\n".join(shown) == outputs[0]
    page.get_by_role("listbox").press("ArrowDown")
    expect(wrong.locator(".verdict.wrong")).to_have_count(1)


def test_a_model_with_two_judges_shows_either(page: Page, site: Path) -> None:
    page.goto((site / "models" / "model-03.html").as_uri())
    page.get_by_label("Judged").select_option(index=1)
    expect(page.locator("#origin")).to_contain_text("second judge")
    expect(page.locator("#detail .preference")).to_contain_text("no difference")
    assert "run=1" in page.url


def test_everything_can_be_done_with_the_keyboard(page: Page, site: Path) -> None:
    board = open_index(page, site)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the tables")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#boards")).to_be_focused()
    page.keyboard.press("Tab")
    expect(board.locator(".scroller")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the column of names
    assert names(board) == sorted(names(board))
    focused = page.evaluate("document.activeElement.dataset.key")
    assert focused == "name"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    heads = board.locator("thead button").count()
    for _ in range(heads):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("model 00")


def test_it_can_be_read_without_eyes(page: Page, site: Path) -> None:
    board = open_index(page, site)
    expect(board.get_by_role("table", name="Benchmark not named")).to_have_count(1)
    assert board.get_by_role("rowheader").count() == 40
    assert board.locator("thead th:not([scope])").count() == 0
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, a, input, select')]
        .filter(node => !node.textContent.trim() && !(node.labels && node.labels.length))
        .map(node => node.outerHTML)"""
    )
    assert unnamed == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
    assert len(ids) == len(set(ids))
    page.goto((site / "models" / "model-05.html").as_uri())
    wait_for_prompts(page, "0 deu")
    levels = [
        int(tag[1])
        for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(node => node.tagName)")
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def contrast(page: Page, selector: str) -> float:
    return float(
        page.evaluate(
            """(selector) => {
            const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
            const light = (color) => {
                canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
                const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => part / 255)
                    .map(part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
                return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
            };
            const one = light(getComputedStyle(document.querySelector(selector)).color);
            const other = light(getComputedStyle(document.body).backgroundColor);
            return (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
        }""",
            selector,
        )
    )


def test_light_and_dark_follow_the_system_and_the_button(page: Page, site: Path) -> None:
    colors = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        open_index(page, site)
        colors.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for selector in ("body", ".lede", "tbody .rank", "tbody small", "nav a", ".class"):
            assert contrast(page, selector) >= 4.5, (scheme, selector)
        page.goto((site / "models" / "model-05.html").as_uri())
        wait_for_prompts(page, "0 deu")
        for selector in (".verdict.right", ".role", ".preference", ".found"):
            assert contrast(page, selector) >= 4.5, (scheme, selector)
    assert colors[0] != colors[1]
    open_index(page, site)
    button = page.locator("#theme")
    button.click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colors[0]
    button.click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colors[1]
    page.emulate_media(color_scheme="light")
    page.reload()
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colors[1]


def test_no_width_breaks_the_page(page: Page, site: Path) -> None:
    for width in (320, 640, 1000, 2200):
        page.set_viewport_size({"width": width, "height": 900})
        open_index(page, site)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto((site / "models" / "model-05.html").as_uri())
        wait_for_prompts(page, "0 deu")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_has_no_controls_and_all_rows(page: Page, site: Path) -> None:
    board = open_index(page, site)
    page.emulate_media(media="print", reduced_motion="reduce")
    expect(page.locator("#controls")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroller')).overflowY") == "visible"
    assert len(names(board)) == 40
    assert page.evaluate("getComputedStyle(document.querySelector('tbody tr > td')).transitionDuration") == "0s"


def test_hostile_outputs_do_nothing(page: Page, hostile_site: Path) -> None:
    board = open_index(page, hostile_site)
    expect(page.get_by_role("heading", level=1)).to_have_text("<script>window.owned = 1</script>")
    link = board.locator("tbody a").filter(has_text="onerror")
    expect(link).to_have_text("\u202e<img src=x onerror=window.owned=1>../../evil")
    assert link.locator("bdi").evaluate("node => getComputedStyle(node).unicodeBidi").startswith("isolate")
    link.click()
    found = set()
    for code, name in (("deu", "German"), ("zho", "Chinese")):
        page.get_by_label(name).check()
        wait_for_prompts(page, f"0 {code}")
        for number in range(1, len(HOSTILE) + 1):
            page.get_by_label("Search").fill(f"#{number}")
            expect(page.locator("#detail h3")).to_have_text(f"Prompt {number}")
            found |= set(page.locator(".answer .text").evaluate_all("nodes => nodes.map(node => node.textContent)"))
    for text in HOSTILE[:6]:
        plain = text.replace("\n", "")
        assert any(plain[:40] in re.sub(r"[A-Z][a-z]+ \d+ %", "", shown) for shown in found), text
    assert page.evaluate("window.owned") is None
    assert page.title() != "owned"
    assert page.locator("main img, main iframe, main script, main style, main base, main object").count() == 0
    assert page.locator("main svg:not(.strip):not(.axis):not(.scale-strip)").count() == 0
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    assert (
        page.evaluate(
            "[...document.querySelectorAll('*')].filter(n => [...n.attributes].some(a => /^on/.test(a.name))).length"
        )
        == 0
    )


def test_text_that_turns_around_stays_within_its_line(page: Page, hostile_site: Path) -> None:
    page.goto(next(iter((hostile_site / "models").glob("*evil*"))).as_uri())
    wait_for_prompts(page, "0 deu")
    lines = page.locator(".text li, .prompt p")
    modes = set(lines.evaluate_all("nodes => nodes.map(node => getComputedStyle(node).unicodeBidi)"))
    assert modes == {"isolate"}
    assert set(lines.evaluate_all("nodes => nodes.map(node => node.dir)")) == {"auto"}


def test_the_policy_holds_against_a_script_that_got_in(
    page: Page, watched: Watched, site: Path, tmp_path: Path
) -> None:
    """What the escaping prevents is put into the page by hand: the browser refuses to run or to load it."""
    text = (site / "index.html").read_text(encoding="utf-8")
    added = (
        "<script>window.owned = 1</script><img src='https://example.org/x.png' onerror='window.owned = 1'>"
        "<link rel='stylesheet' href='https://example.org/x.css'><iframe src='https://example.org/'></iframe>"
    )
    path = tmp_path / "index.html"
    path.write_text(text.replace("<main", added + "<main"), encoding="utf-8")
    refused: list[str] = []
    page.on("requestfailed", lambda request: refused.append(request.url))
    page.goto(path.as_uri())
    expect(page.locator(MAIN).first.locator("table[data-complete]")).to_be_attached()
    assert page.evaluate("window.owned") is None
    assert len([message for message in watched.messages if "Content Security Policy" in message]) >= 4
    assert {url for url in watched.requests if not url.startswith(("file:", "data:"))} <= set(refused)
    watched.messages.clear()
    watched.requests.clear()


def write_live(site: Path, build: int, done: int, newest: str) -> None:
    run = {"journal": "r/outputs", "model": "new <b>model</b>", "others": 3, "newest": 1_700_000_000, "behind": False}
    run["languages"] = {"deu": {"done": done, "total": 24, "verdicts": {"right": done - 1, "wrong": 1}}}
    one = {"model": "m", "language": "deu", "id": 7, "output": newest, "cut": True, "verdict": "right", "note": ""}
    told = {"build": build, "at": 1_700_000_000, "runs": [run], "newest": [one | {"time": 1_700_000_000}]}
    # At once, as the watch writes it: the page would wait for ever for a script that it loads half-written.
    write_text(site / "live.js", f"deliver({json.dumps(told)});\n")


def test_a_run_that_goes_on_is_shown_as_it_goes(page: Page, watched: Watched, tmp_path: Path) -> None:
    write_annotations(tmp_path / "r", "m", [0.1, 0.2, 0.3], languages=["deu"])
    site = build_site([tmp_path / "r"], tmp_path / "site", resamples=50, live=Live(0.1, 1)).folder
    write_live(site, 1, 5, "<img src=x onerror=window.owned=1> Erste Antwort")
    open_index(page, site)
    live = page.get_by_role("region", name="Running", exact=True)
    expect(live.get_by_role("progressbar", name="German, answered")).to_have_attribute("value", "5")
    expect(live).to_contain_text("5 of 24")
    expect(live).to_contain_text("4 right language, 1 wrong language")
    expect(live).to_contain_text("new <b>model</b>")
    expect(live.get_by_role("listitem")).to_contain_text("Erste Antwort …")
    page.locator("#query").fill("m")
    write_live(site, 1, 9, "Zweite Antwort")
    expect(live).to_contain_text("9 of 24")
    expect(live.get_by_role("listitem")).to_contain_text("Zweite Antwort …")
    # Another build: nobody who types is disturbed; otherwise the page is loaded anew, with what was chosen.
    write_live(site, 2, 9, "Zweite Antwort")
    expect(live.get_by_role("button", name="There are new results")).to_be_visible()
    write_annotations(tmp_path / "r", "m2", [0.1, 0.2, 0.3], languages=["deu"])
    build_site([tmp_path / "r"], tmp_path / "site", resamples=50, live=Live(0.1, 2))
    page.locator("#query").blur()
    expect(page.locator(MAIN).first.locator("tbody tr")).to_have_count(2)
    expect(page.locator("#query")).to_have_value("m")
    (site / "live.js").unlink()
    expect(live).to_contain_text("The watch has ended")
    assert page.evaluate("window.owned") is None
    assert all("ERR_FILE_NOT_FOUND" in message for message in watched.messages)
    watched.messages.clear()
