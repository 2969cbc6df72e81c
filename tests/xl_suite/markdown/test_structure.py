"""The scanner's three levels join back to any text, and see what Markdown, as models write it, marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.markdown.blocks import Block, read_body, split_blocks, unwrap_fence
from xl_suite.markdown.inline import find_placeholders, find_spans
from xl_suite.markdown.lines import read_lines, split_lines

# What begins, ends or breaks a construct, in any order.
MARKS = """``` ~~~ ```py ```md ```` ` $ $$ \\( \\) \\[ \\] \\begin{a} \\end{a} <pre> </pre> <!-- --> <b> <br>
|a| |--| - > # 1. 1、 （1） ** [a](b) ]( http://a.b/ a@b.c www.a b.com --- {x} Word. 你好。 \ud800"""
SPACES = (" ", " ", "\n", "\n", "\r\n", "\r", "\n\n", "\t", "    x = f(1)")
TOKENS = st.lists(st.sampled_from([*MARKS.split(), *SPACES]), max_size=40).map("".join)
# Each would take minutes if a run of it took quadratic time.
UNITS = """* [ ` > |`a` ]( < <!-- $ a. .com @ :// &a { \\begin{a} _ # 1、 <pre> www. %( [["""
HOSTILE = (*UNITS.split(), "> ", "- ", "```\n", "> ```\n", "    x\n\n", "\t\n", "a\n", "\\(\n\n")


def find_fences(text: str) -> list[Block]:
    return [block for block in split_blocks(text) if block.kind == "fence"]


@given(st.text(max_size=80) | TOKENS)
def test_blocks_spans_and_lines_have_no_gap_and_do_not_overlap(text: str) -> None:
    position = 0
    for block in split_blocks(text):
        assert position == block.start < block.end
        assert block.start <= block.body_start <= block.body_end <= block.end
        position = block.end
        part = text[block.start : block.end]
        spans = find_spans(part)
        at = 0
        for span in spans:
            assert at <= span.start < span.end <= len(part)
            assert span.glued <= span.start
            at = span.end
        assert "".join(part[piece.start : piece.end] for piece in split_lines(part, spans)) == part
        lines = read_lines(part, spans)
        assert "".join(part[line.start : line.after] for line in lines) == part
        assert all(line.start <= line.body <= line.end <= line.after for line in lines)
    assert position == len(text)


@pytest.mark.parametrize(
    ("text", "body", "info", "indent"),
    [
        ("```python\nx = 1\n```", "x = 1\n", "python", 0),
        ("1. ```python\n   x = 1\n     y\n   ```", "x = 1\n  y\n", "python", 3),
        ("1. Do:\n\n    ```sh\n    ls\n    ```\n2. Go.", "ls\n", "sh", 4),
        ("   - ~~~ js title\n\t x\n     ~~~", "x\n", "js title", 5),
        ("> ```py\n> x\n>   y\n> ```\nOut.", "x\n  y\n", "py", 0),
        ("````\n```\nx\n```\n````", "```\nx\n```\n", "", 0),
        ("```markdown\nHi\n```py\nx\n```\nBye\n```", "Hi\n```py\nx\n```\nBye\n", "markdown", 0),
        ("``` \nnever closed", "never closed", "", 0),
        ("```", "", "", 0),
    ],
)
def test_what_a_fence_holds(text: str, body: str, info: str, indent: int) -> None:
    (fence,) = find_fences(text)
    assert (read_body(text, fence), fence.info, fence.indent) == (body, info, indent)
    assert fence.closed == (text.count("`" * 3) != 1)
    assert fence.quoted == text.startswith(">")


@pytest.mark.parametrize("rest", ["Now it runs.", "现在可以运行了。", "So, run it"])
def test_text_after_a_closing_fence_is_prose(rest: str) -> None:
    text = f"```py\nx = 1\n``` {rest}\n\nEnd."
    code, prose = split_blocks(text)
    assert text[code.start : code.end] == "```py\nx = 1\n```"
    assert text[prose.start : prose.end] == f" {rest}\n\nEnd."
    (open_to_the_end,) = split_blocks("```\nx\n```python\ny")
    assert not open_to_the_end.closed


@pytest.mark.parametrize("text", ["```x = 1``` is code. And so on.", "~~~x~~~ is struck out.\nAnd so on."])
def test_a_fence_closed_in_its_line_opens_nothing(text: str) -> None:
    assert find_fences(text) == []


def test_a_fence_around_everything() -> None:
    assert unwrap_fence(" ```text\nOne.\n```\n") == "One."
    assert unwrap_fence("~~~\n```\nx\n```\n~~~") == "```\nx\n```"
    assert unwrap_fence("```py\nx\n```\nThen.") is None
    assert unwrap_fence("See:\n```py\nx\n```") is None


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        ("a <!-- one > two --> b", "comment", "<!-- one > two -->"),
        ("a<br/>b", "break", "<br/>"),
        ("a <b>", "html", "<b>"),
        ("<pre>\n\nx</pre>", "element", "<pre>\n\nx</pre>"),
        ("\\begin{align}a\\end{align}", "environment", "\\begin{align}a\\end{align}"),
        ("go to WWW.A.org/b.", "url", "WWW.A.org/b"),
        ("see file:///a/b, then", "url", "file:///a/b"),
        ("(HTTPS://a.org)", "url", "HTTPS://a.org"),
        ("at foo.www.com/x now", "url", "foo.www.com/x"),
        ("见www.a.cn/b。好", "url", "www.a.cn/b"),
        ("Mailto:a@b.org", "url", "Mailto:a@b.org"),
    ],
)
def test_the_kind_of_a_span(text: str, kind: str, kept: str) -> None:
    (span,) = find_spans(text)
    assert (span.kind, text[span.start : span.end]) == (kind, kept)
    assert span.breaks == (kind in ("comment", "break", "element"))


@pytest.mark.parametrize(
    "text", ["xhttp://", "tomailto:you", "a..b.com", "C:/x", "e.g.this", "wow.then", "x_y.com", "so:what"]
)
def test_no_address(text: str) -> None:
    assert find_spans(text) == []


def test_placeholders() -> None:
    text = "Hi {name}, {{ x }} ${y} %s %(n)d [[Z]] __NAME__ [your name] 5 % of {}"
    assert [text[span.start : span.end] for span in find_placeholders(text)] == (
        ["{name}", "{{ x }}", "${y}", "%s", "%(n)d", "[[Z]]", "__NAME__"]
    )


@pytest.mark.parametrize(
    ("text", "form", "quotes", "items"),
    [
        ("# T", "heading", 0, 0),
        ("> > - x", "plain", 2, 1),
        ("1、你好", "plain", 0, 1),
        ("（2） x", "plain", 0, 1),
        ("1、2、3 都是数", "plain", 0, 0),
        ("| a | b |", "table", 0, 0),
        ("---", "rule", 0, 0),
        ("[a]: http://b", "link", 0, 0),
    ],
)
def test_the_form_of_a_line(text: str, form: str, quotes: int, items: int) -> None:
    (line,) = read_lines(text, find_spans(text))
    assert (line.form, line.quotes, line.items) == (form, quotes, items)


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert sum(block.end - block.start for block in split_blocks(text)) == len(text)
    spans = find_spans(text)
    assert sum(piece.end - piece.start for piece in split_lines(text, spans)) == len(text)
    find_placeholders(text)
    unwrap_fence(text)


def test_a_wrapped_paragraph_of_many_lines_takes_linear_time() -> None:
    text = "These are words of a paragraph wrapped at seventy columns,\nand on it goes, Capital or not.\n" * 5000
    text = text.replace("\nand", "\nAnd")
    assert sum(piece.end - piece.start for piece in split_lines(text, [])) == len(text)
