"""Segmentation keeps every byte and protects what is not prose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from xl_instruct.segments import Segment, reassemble, segment
from xl_suite.errors import BadInput

UNITS = ("sentence", "paragraph", "document")


def join(segments: list[Segment]) -> str:
    return "".join(part.text for part in segments)


def find_texts(text: str, **options: str) -> list[str]:
    return [part.text for part in segment(text, **options) if part.translatable]  # type: ignore[arg-type]


def find_exposed(text: str) -> str:
    """What a translator may change: the translatable texts without their protected spans."""
    exposed = []
    for part in segment(text):
        if part.translatable:
            rest = part.text
            for span in part.protected:
                before, found, after = rest.partition(span)
                assert found, (span, part)
                exposed.append(before)
                rest = after
            exposed.append(rest)
    return "\n".join(exposed)


@pytest.fixture(scope="module")
def outputs(shared_data: Path) -> list[str]:
    path = shared_data / "alpaca_eval/results/gpt4_1106_preview/model_outputs.json"
    return [row["output"] for row in json.loads(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("unit", UNITS)
def test_real_outputs_join_back(outputs: list[str], unit: str) -> None:
    assert len(outputs) == 805
    for text in outputs:
        segments = segment(text, unit=unit)  # type: ignore[arg-type]
        assert join(segments) == text
        assert reassemble(segments, [part.text for part in segments if part.translatable]) == text


def test_real_outputs_protect_fences_urls_and_formulas(outputs: list[str]) -> None:
    fences = urls = formulas = 0
    for text in outputs:
        exposed = find_exposed(text)
        kept = [part.text for part in segment(text) if part.kind == "code"]
        for fence in _read_fences(text):
            fences += 1
            assert any(fence in code for code in kept), fence
        prose = text
        for code in kept:
            prose = prose.replace(code, "", 1)
        for url in re.findall(r"https?://[^\s)\]>`\"']+", prose):
            urls += 1
            assert url.rstrip(".,") not in exposed
        formulas += len(re.findall(r"\\\(.+?\\\)|\\\[.+?\\\]", prose, re.DOTALL))
        assert not re.search(r"https?:|```|\\\(|\\\[|\\begin", exposed), exposed
    assert (fences, urls) == (137, 35)
    assert formulas > 100


def _read_fences(text: str) -> Iterator[str]:
    """The fenced blocks, by a plain reading of lines that is independent of the code under test."""
    block: list[str] = []
    for line in text.splitlines(keepends=True):
        if block:
            block.append(line)
            if line.strip() == "```":
                yield "".join(block).rstrip("\n")
                block = []
        elif line.lstrip(" -").startswith("```"):
            block = [line]
    if block:
        yield "".join(block)


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("One here. Two there!", ["One here.", "Two there!"]),
        ("# A title\n\nText.", ["A title", "Text."]),
        ("## Closed ##\n", ["Closed"]),
        (
            "- one\n* two\n+ three\n1. four\n12) five\na) six\n(b) seven\n- [ ] eight",
            ["one", "two", "three", "four", "five", "six", "seven", "eight"],
        ),
        ("> Quoted one. Quoted two.\n> > Deep.", ["Quoted one.", "Quoted two.", "Deep."]),
        ("**Bold title**\n\n*soft*", ["Bold title", "soft"]),
        ("**1. Title**", ["Title"]),
        ("**Label:** the text. More.", ["**Label:** the text.", "More."]),
        ("**One. Two.** Three.", ["**One. Two.**", "Three."]),
        ("---\n\nText\n\n* * *\n===", ["Text"]),
        ("| Name | Age |\n|:---|---:|\n| Ann \\| Bo | 3 |\n", ["Name", "Age", "Ann \\| Bo"]),
        ("Name | Age\n---|---\nAnn | old\n\nA | b in prose", ["Name", "Age", "Ann", "old", "A | b in prose"]),
        ("| `a|b` | One. Two. |", ["One.", "Two."]),
        ("Roses are red,\nviolets are blue.", ["Roses are red,", "violets are blue."]),
        (
            "A paragraph that was wrapped at some column by a mailer\nand goes on here. Then it ends.",
            ["A paragraph that was wrapped at some column by a mailer\nand goes on here.", "Then it ends."],
        ),
        ("<p>One.</p><p>Two <b>bold</b>.</p>", ["One.", "Two <b>bold</b>."]),
        ("A line<br>another", ["A line", "another"]),
        ("Dr. Smith came. He left.", ["Dr. Smith came.", "He left."]),
        ("See https://a.org/x?y=1.2. Then go.", ["See https://a.org/x?y=1.2.", "Then go."]),
        ("Use `a. B` now. `c` is it.", ["Use `a. B` now.", "`c` is it."]),
        ("A [link. With stop](http://a.b/c) here. End.", ["A [link. With stop](http://a.b/c) here.", "End."]),
        ("A. Smith wrote it.", ["A. Smith wrote it."]),
        ("A. First\nB. Second", ["First", "Second"]),
        ("100 + 2 = 102\n🙂", []),
        ("", []),
    ],
)
def test_texts_to_translate(text: str, texts: list[str]) -> None:
    assert find_texts(text) == texts
    assert join(segment(text)) == text


@pytest.mark.parametrize(
    ("text", "protected"),
    [
        ("Run `ls -l` or ``a ` b`` today.", ("`ls -l`", "``a ` b``")),
        ("An open ` tick stays.", ()),
        ("Area \\( a^2 \\) and $x_1$ and $$y$$ hold.", ("\\( a^2 \\)", "$x_1$", "$$y$$")),
        ("It costs $5 and $10, or US$20/$30 a head.", ()),
        ("A $ sign and a $ sign.", ()),
        ("From $100 to $250 (average of $175).", ()),
        ("With $2x + 3 = 7$ it holds.", ("$2x + 3 = 7$",)),
        ("An escaped \\$x\\$ is none.", ()),
        ("Go (https://a.org/b_(c)) or www.d.com/e, please!", ("https://a.org/b_(c)", "www.d.com/e")),
        ("Visit example.org/path?q=1 and Node.js.", ("example.org/path?q=1",)),
        ("Write to some.one+tag@mail.example.co.uk.", ("some.one+tag@mail.example.co.uk",)),
        ("Mail mailto:a@b.org now.", ("mailto:a@b.org",)),
        ('A <b class="x">bold</b> &amp; <file-name> word.', ('<b class="x">', "</b>", "&amp;", "<file-name>")),
        ("If a < b and c > d, or <your name here>, stop.", ()),
        ("The <code>x. Y</code> tag.", ("<code>x. Y</code>",)),
        ('See [the site](https://a.org "A title") now.', ('](https://a.org "A title")',)),
        ("See ![a cat](cat.png) and [this][ref] and note[^1].", ("](cat.png)", "][ref]", "[^1]")),
        ("Auto <https://a.org> link.", ("<https://a.org>",)),
        ("Euler \\begin{align}a&=b\\\\c\\end{align} wrote.", ("\\begin{align}a&=b\\\\c\\end{align}",)),
    ],
)
def test_protected_spans(text: str, protected: tuple[str, ...]) -> None:
    (only,) = [part for part in segment(text) if part.translatable]
    assert only.protected == protected


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        ("Code:\n```py\nx = 1. # A. B\n```\nEnd.", "code", "```py\nx = 1. # A. B\n```"),
        ("~~~\na ``` b\n~~~", "code", "~~~\na ``` b\n~~~"),
        ("````md\n```py\nx\n```\n````\nT.", "code", "````md\n```py\nx\n```\n````"),
        ("```markdown\nHi\n```py\nx\n```\nBye\n```\nT.", "code", "```markdown\nHi\n```py\nx\n```\nBye\n```"),
        ("1. Do:\n   ```sh\n   ls\n   ```\n2. Go", "code", "   ```sh\n   ls\n   ```"),
        ("- ```\n  x\n  ```", "code", "- ```\n  x\n  ```"),
        ("> ```\n> x\nOut.", "code", "> ```\n> x"),
        ("Open:\n```\nnever closed.", "code", "```\nnever closed."),
        (
            "Like this:\n\n    def f(x):\n        return x\n\n    f(1)\n\nEnd.",
            "code",
            "    def f(x):\n        return x\n\n    f(1)",
        ),
        (">>> print('Hi. You')", "code", ">>> print('Hi. You')"),
        ("---\ntitle: A page\ntags:\n  - x\n---\nText.", "front_matter", "---\ntitle: A page\ntags:\n  - x\n---"),
        ("By:\n\\[\n a = b\n\\]\nWhere.", "math", "\\[\n a = b\n\\]"),
        ("<!-- a note. -->\nText.", "html", "<!-- a note. -->"),
        ("<pre>\na. B\n\nc</pre>\nText.", "html", "<pre>\na. B\n\nc</pre>"),
        ("[ref]: https://a.org 'T'\n\nText.", "link", "[ref]: https://a.org 'T'"),
        ("https://a.org/b\n", "url", "https://a.org/b"),
        ("a@b.org", "email", "a@b.org"),
        ("* * *", "rule", "* * *"),
    ],
)
def test_kept_blocks(text: str, kind: str, kept: str) -> None:
    assert kept in [part.text for part in segment(text) if part.kind == kind]
    assert join(segment(text)) == text


def test_indented_prose_is_no_code() -> None:
    verse = "He sang:\n\n    The sea is wide and cold tonight,\n    and I am far from home.\n"
    assert len(find_texts(verse)) == 3
    item = "1. One\n\n    It goes on with f(x) = y in the same item.\n"
    assert find_texts(item)[1].startswith("It goes on")


def test_units() -> None:
    text = " # Title\n\nOne. Two `x`.\n\n```\ncode\n```\n"
    assert find_texts(text, unit="paragraph") == ["Title", "One. Two `x`."]
    space, document, after = segment(text, unit="document")
    assert (space.text, document.text, after.text) == (" ", text.strip(), "\n")
    assert document.protected == ("`x`", "```\ncode\n```")
    with pytest.raises(BadInput, match=r"'word'.*sentence, paragraph, document"):
        segment(text, unit="word")  # type: ignore[arg-type]


def test_reassemble_keeps_the_form() -> None:
    text = "# Title\n\n- One.  Two.\n\n| a | b |\n|---|---|\n| c | `d|e` f |\n\n```\ncode\n```\n"
    segments = segment(text)
    translations = [
        f" {part.text.upper()}\n" if part.kind == "text" else "x | y\nz" for part in segments if part.translatable
    ]
    assert reassemble(segments, translations) == (
        "# TITLE\n\n- ONE.  TWO.\n\n| x \\| y z | x \\| y z |\n|---|---|\n| x \\| y z | x | y z |\n\n```\ncode\n```\n"
    )
    with pytest.raises(BadInput, match="0 translations for 7"):
        reassemble(segments, [])


def test_a_lossy_splitter_is_refused() -> None:
    with pytest.raises(BadInput, match="join back"):
        segment("One. Two.", lambda text, language: text.split())


HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\r\n\t \0`~$\\()[]<>|*_#-+1.a@:/!&;\"'=\u200d\u202e\ufeff\u2028\x0b\x85ع。😀e\u0301"),
        st.characters(),
        st.characters(categories=["Cs"]),
    ),
    max_size=120,
)
# Separated by spaces: a token is what begins, ends or breaks a construct.
MARKS = """``` ~~~ ```py ```md ```` ` $ $$
\\( \\) \\[ \\] \\begin{a} \\end{a} <pre> </pre> <!-- --> <b> <br> |a| |--| - > # 1.
** [a](b) ]( http://a.b/ a@b.c --- Word. Hi! A. \ud800 \u200f 你好。"""
TOKENS = st.lists(
    st.sampled_from([*MARKS.split(), " ", " ", "\n", "\r\n", "\r", "\n\n", "    x=1"]), max_size=40
).map("".join)


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=examples(300))
@given(text=HOSTILE | TOKENS)
@example(text="> ```\n>\n")
@example(text="    \n\t")
def test_any_text_joins_back(unit: str, text: str) -> None:
    segments = segment(text, unit=unit)  # type: ignore[arg-type]
    assert join(segments) == text
    assert all(part.text for part in segments)
    for part in segments:
        if part.translatable:
            assert part.text == part.text.strip()
            place = 0
            for span in part.protected:
                place = part.text.index(span, place) + len(span)
    assert reassemble(segments, [part.text for part in segments if part.translatable]) is not None


@pytest.mark.parametrize("unit", ["a", "`", "](", "\u200d", "x `y` "])
def test_a_line_of_a_megabyte(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert join(segment(text)) == text


@pytest.mark.parametrize(
    "unit", ["<!--", "\\(\n\n", "$a", "你好。", "> ", "@a", "\r\n", "[a](", "<code>\n\n", "```x\n"]
)
def test_repeated_openings_take_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit)) + "\\)-->$</code>"
    assert join(segment(text)) == text


@pytest.mark.parametrize(
    ("text", "language", "texts"),
    [
        ("14. März 2020 war ein Samstag. Es regnete.", "deu", ["14. März 2020 war ein Samstag.", "Es regnete."]),
        ("14. März 2020 war ein Samstag.", "en", ["14. März 2020 war ein Samstag."]),
        ("1. August 2020 war ein Samstag.", "de", ["1. August 2020 war ein Samstag."]),
        ("14. maaliskuuta 2020 oli lauantai.", "fi", ["14. maaliskuuta 2020 oli lauantai."]),
        ("2020. március 14-én esett.", "hun", ["2020. március 14-én esett."]),
        ("> 14. März 2020", "deu", ["14. März 2020"]),
        ("1. August sales\n2. May sales", "en", ["August sales", "May sales"]),
        ("1. Januar: kalt\n2. Februar: kalt", "deu", ["Januar: kalt", "Februar: kalt"]),
        ("1. Kochen\n2. Essen", "deu", ["Kochen", "Essen"]),
    ],
)
def test_the_day_of_a_date_is_no_list_item(text: str, language: str, texts: list[str]) -> None:
    assert find_texts(text, language=language) == texts
    assert join(segment(text, language=language)) == text


@pytest.mark.parametrize(
    ("source", "translation", "placed"),
    [
        ("On March 14 it rained.", "14. März: Es regnete.", "14.\u00a0März: Es regnete."),
        ("- On March 14 it rained.", "14. März: Es regnete.", "- 14.\u00a0März: Es regnete."),
        ("> On March 14 it rained.", "2020. március 14.", "> 2020.\u00a0március 14."),
        ("1. The third one.", "3. Teil.", "1. 3.\u00a0Teil."),
        ("# On March 14", "Am 14. März", "# Am 14. März"),
        ("**On March 14**", "14. März", "**14. März**"),
        ("1998. It was a good year.", "1998. Es war ein gutes Jahr.", "1998. Es war ein gutes Jahr."),
    ],
)
def test_a_translation_that_begins_with_an_ordinal_begins_no_list(source: str, translation: str, placed: str) -> None:
    parts = segment(source, unit="paragraph")
    text = reassemble(parts, [translation])
    assert text == placed
    markers = [part.text for part in parts if part.kind == "marker"]
    assert [part.text for part in segment(text, language="deu") if part.kind == "marker"] == markers
