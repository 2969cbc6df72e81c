"""The page for people in a real browser: 200 rows answered, kept over a reload, saved and read back to the same."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.leaderboard_results import HOSTILE, SENTENCES
from xl_suite.judging.pairs import Pair
from xl_suite.people.labelled import join_labels
from xl_suite.people.labels import read_labels
from xl_suite.people.page import write_page
from xl_suite.people.sheet import Sheet, make_sheet, read_key

LANGUAGES = ("ara", "deu", "hin", "zho")
# Answers all rows of the language that is shown, through the page's own controls: `A` where A is the longer one.
ANSWER_ALL = """() => {
  const pick = (name, value) => document.querySelector(`input[name=${name}][value="${value}"]`).click();
  const length = (id) => document.getElementById(id).textContent.length;
  for (;;) {
    const [a, b] = [length("answer_a"), length("answer_b")];
    pick("language_a", "yes");
    pick("language_b", a === b ? "no" : "partly");
    pick("preference", a === b ? "tie" : a > b ? "A" : "B");
    pick("confidence", "2");
    if (document.getElementById("next").disabled) return;
    document.getElementById("next").click();
  }
}"""


def write_sheet(folder: Path) -> tuple[Path, Sheet]:
    """200 rows in four languages, some of them hostile, and five planted ones in each language."""
    pairs = {
        language: [
            Pair(
                number,
                "d",
                language,
                f"Prompt {number}",
                HOSTILE[number] if number < 6 else f"{SENTENCES[language]} {number}",
                "base",
                f"{SENTENCES[language]}|" * (number % 3) + f"{number}",
                "model",
            )
            for number in range(70)
        ]
        for language in LANGUAGES
    }
    sheet = make_sheet([pairs])
    return write_page(folder / "page.html", sheet, "Which answer is better?"), sheet


def test_200_rows_are_answered_kept_saved_and_read_back(page: Page, watched: Watched, tmp_path: Path) -> None:
    key, sheet = write_sheet(tmp_path)
    assert sum(not item.known for item in sheet.items) == 200
    address = (tmp_path / "page.html").as_uri()
    page.goto(address)
    page.get_by_label("Your name").fill("Ána 1")
    page.get_by_label("Language").select_option("deu")
    expect(page.locator("#done")).to_have_text("0 of 55 rows done")
    page.get_by_label("They are equally good").check()  # by hand first; ANSWER_ALL answers the row again
    page.locator("[data-question=language_b]").get_by_label("Partly").check()
    page.reload()
    expect(page.get_by_label("They are equally good")).to_be_checked()
    expect(page.get_by_label("Your name")).to_have_value("Ána 1")
    for language in LANGUAGES:
        page.get_by_label("Language").select_option(language)
        page.evaluate(ANSWER_ALL)
        expect(page.locator("#done")).to_have_text("55 of 55 rows done")
    page.reload()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the labels").click()
    saved.value.save_as(tmp_path / "labels.csv")
    found = join_labels(read_key(key), read_labels(tmp_path / "labels.csv"))
    assert len(found.labels) == len(sheet.items) == 220
    assert {one.annotator for one in found.labels} == {"Ána 1"}
    items = {item.row: item for item in sheet.items}
    for label in found.labels:
        a, b = (len(text.encode("utf-16-le")) // 2 for text in items[label.row].shown)
        assert label.preference == ("tie" if a == b else "A" if a > b else "B")
        assert (label.language_a, label.confidence) == ("yes", "2")
        assert label.time
    assert page.evaluate("window.owned") is None
    assert not page.title().startswith("owned")


def test_type_and_direction_follow_the_language(page: Page, tmp_path: Path) -> None:
    write_sheet(tmp_path)
    page.goto((tmp_path / "page.html").as_uri())
    for language, tag, direction in (("ara", "ar", "rtl"), ("zho", "zh", "ltr"), ("hin", "hi", "ltr")):
        page.get_by_label("Language").select_option(language)
        row = page.locator("#answer_a")
        while not page.locator("#answer_a").inner_text().startswith(SENTENCES[language][:5]):
            page.get_by_role("button", name="Next", exact=True).click()
        expect(row).to_have_attribute("lang", tag)
        assert row.evaluate("node => getComputedStyle(node).direction") == direction
        assert row.evaluate("node => getComputedStyle(node).unicodeBidi") == "plaintext"


def test_labels_need_a_name_and_open_rows_are_found(page: Page, tmp_path: Path) -> None:
    write_sheet(tmp_path)
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_role("button", name="Save the labels").click()
    expect(page.get_by_role("alert")).to_contain_text("Write your name")
    page.get_by_role("button", name="Next without a label").click()
    expect(page.locator("#place")).to_have_text("Row 2 of 55")
