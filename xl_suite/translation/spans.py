"""The inline spans of Markdown that a translation must leave as they are.

Every search is bounded or remembers where it last stopped, so that hostile text of any length takes linear time.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a text, to be kept verbatim.

    kind: `code`, `math`, `url`, `email`, `html`, `link` (target, footnote or reference), `entity`, or `break`
    (a block-level HTML tag, which also ends a sentence).
    glued: where the unit begins that must not be cut before `end` (the text of a link), else `start`.
    """

    start: int
    end: int
    kind: str
    glued: int


# Tags that end a run of text; all other tags stand within a sentence.
_BLOCK_TAGS = re.compile(
    r"address|article|aside|blockquote|body|br|button|caption|center|col|colgroup|dd|details|dialog|div|dl|"
    r"dt|fieldset|figcaption|figure|footer|form|h1|h2|h3|h4|h5|h6|head|header|hr|html|iframe|legend|li|"
    r"link|main|menu|meta|nav|ol|optgroup|option|p|section|select|summary|table|tbody|td|tfoot|th|thead|"
    r"title|tr|ul|video"
)
_INLINE_TAGS = re.compile(
    r"a|abbr|acronym|audio|b|bdi|bdo|big|cite|data|del|dfn|em|font|i|img|input|ins|label|mark|q|rp|rt|ruby|"
    r"s|small|source|span|strike|strong|sub|sup|time|tt|u|wbr"
)
# Elements whose content is no prose; those of the second group may hold blank lines.
_OPAQUE_INLINE = frozenset({"code", "kbd", "samp", "var"})
_OPAQUE_BLOCK = frozenset({"pre", "script", "style", "svg", "math", "textarea"})

_DOMAINS = "com|org|net|edu|gov|io|dev|app|ai|info|eu|uk|de|fr|pt|hu|lt|ie|mt|cn|in|fi|tr|tv"
_TRIGGER = re.compile(
    r"`+|\\begin\{|\\[^\w\s]|\$\$?|<|\]\(|\]\[|\[\^|https?://|ftp://|www\.(?=\w)|mailto:(?=\w)|&(?=[a-z#])|@"
    rf"|(?<![\w@./\\-])(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:{_DOMAINS})(?![\w-]|\.\w)",
    re.IGNORECASE | re.ASCII,
)
_URL_REST = re.compile(
    r"(?:\[[0-9a-f:.]{2,45}\])?[^\s<>\"`\[\]|\\^\x00-\x1f。，、；：！？（）【】「」《》“”]*", re.IGNORECASE
)
_URL_TAIL = ".,;:!?'*_~\u2019"
_EMAIL_LEFT = re.compile(r"[A-Za-z0-9._%+-]{1,64}\Z")
_EMAIL_RIGHT = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_AUTOLINK = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]{1,2000}|[^\s<>@]{1,64}@[^\s<>]{1,255})>")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:_-]{0,60})((?:\s[^<>]{0,2000})?)/?>")
_DECLARATION = re.compile(r"<[!?][A-Za-z][^<>]{0,1000}>")
_LINK_TARGET = re.compile(
    r"\]\([ \t]*(?:<[^<>\n]{0,2000}>|[^\s()]{0,2000}(?:\([^\s()]{0,500}\)[^\s()]{0,500}){0,8})"
    r"(?:[ \t]+(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'))?[ \t]*\)"
)
_REFERENCE = re.compile(r"\]\[[^\[\]\n]{0,100}\]")
_FOOTNOTE = re.compile(r"\[\^[^\[\]\s]{1,60}\]")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_BLANK_LINE = re.compile(r"(?:\r\n|\r|\n)[ \t]*(?=[\r\n])")
_ENVIRONMENT = re.compile(r"\\begin\{([A-Za-z]{1,30}\*?)\}")
_LONG_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_MATH_SIGN = re.compile(r"[\\^_={}+<>]")


class _Next:
    """The next match of a pattern at or after a position; positions are asked for in rising order."""

    def __init__(self, pattern: str, text: str):
        self._pattern, self._text = re.compile(pattern, re.IGNORECASE), text
        self._start = self._end = -1

    def after(self, position: int) -> tuple[int, int]:
        """(start, end) of the match, or the length of the text twice where there is none."""
        if self._start < position:
            found = self._pattern.search(self._text, position)
            self._start, self._end = found.span() if found else (len(self._text), len(self._text))
        return self._start, self._end


def find_spans(text: str) -> list[Span]:
    """The protected spans of a stretch of Markdown without code fences: in order, not overlapping."""
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str):
        self.text = text
        self.spans: list[Span] = []
        self.blank = _Next(_BLANK_LINE.pattern, text)
        self.closers: dict[str, _Next] = {}
        self.ticks: dict[int, list[int]] = {}
        for run in re.finditer("`+", text):
            self.ticks.setdefault(len(run[0]), []).append(run.start())

    def run(self) -> list[Span]:
        position = 0
        while found := _TRIGGER.search(self.text, position):
            end = self._take(found)
            position = end if end else found.end()
        return self.spans

    def _take(self, found: re.Match[str]) -> int:
        """The end of the span that begins at the trigger, 0 where it turns out to be none."""
        mark, start = found[0], found.start()
        if mark[0] == "`":
            return self._add(start, self._code_end(start, len(mark)), "code")
        if mark == "\\begin{":
            return self._add(start, self._environment_end(start), "math")
        if mark in ("\\(", "\\["):
            closing = r"\\\)" if mark == "\\(" else r"\\\]"
            return self._add(start, self._math_end(start, closing), "math")
        if mark[0] == "\\":
            return found.end()
        if mark == "$$":
            return self._add(start, self._math_end(start, r"\$\$"), "math")
        if mark == "$":
            return self._add(start, self._dollar_end(start), "math")
        if mark == "<":
            return self._take_tag(start)
        if mark in ("](", "]["):
            return self._take_link(start, _LINK_TARGET if mark == "](" else _REFERENCE)
        if mark == "[^":
            return self._match(_FOOTNOTE, start, "link")
        if mark == "&":
            return self._match(_ENTITY, start, "entity")
        if mark == "@":
            return self._take_email(start)
        return self._take_url(found)

    def _add(self, start: int, end: int, kind: str, glued: int | None = None) -> int:
        if end:
            self.spans.append(Span(start, end, kind, start if glued is None else glued))
        return end

    def _match(self, pattern: re.Pattern[str], start: int, kind: str) -> int:
        found = pattern.match(self.text, start)
        return self._add(start, found.end(), kind) if found else 0

    def _close(self, pattern: str, position: int) -> tuple[int, int]:
        return self.closers.setdefault(pattern, _Next(pattern, self.text)).after(position)

    def _code_end(self, start: int, length: int) -> int:
        """A run of backticks ends at the next run of the same length, in the same paragraph (CommonMark 6.1)."""
        runs = self.ticks[length]
        place = bisect_left(runs, start + 1)
        if place == len(runs) or runs[place] > self.blank.after(start)[0]:
            return 0
        return runs[place] + length

    def _math_end(self, start: int, closing: str) -> int:
        inner, end = self._close(closing, start + 2)
        if end == inner:
            return 0
        alone = self.text[start + 2 : start + 3] in "\r\n"
        crosses = self.blank.after(start)[0] < inner
        return 0 if inner == start + 2 or (crosses and not (alone and inner - start < 2000)) else end

    def _environment_end(self, start: int) -> int:
        found = _ENVIRONMENT.match(self.text, start)
        if not found:
            return 0
        closing = f"\\end{{{found[1]}}}"
        end = self.text.find(closing, found.end(), found.end() + 20_000)
        return 0 if end < 0 else end + len(closing)

    def _dollar_end(self, start: int) -> int:
        """pandoc's rule (no space inside, no digit after), and nothing that reads like money or prose inside."""
        end, after = self._close(r"(?<!\\)\$", start + 1)
        if after == end or end - start > 1000 or self.blank.after(start)[0] < end:
            return 0
        inner, following = self.text[start + 1 : end], self.text[end + 1 : end + 2]
        if not inner or inner[0].isspace() or inner[-1].isspace() or following.isalnum() or following == "$":
            return 0
        words = _LONG_WORD.findall(inner)
        if inner[0].isdigit() and (words or not re.search(r"[A-Za-z\\^_=+*/-]", inner)):
            return 0
        if len([word for word in words if len(word) > 3]) > 1 and not _MATH_SIGN.search(inner):
            return 0
        return end + 1

    def _take_tag(self, start: int) -> int:
        if self.text.startswith("<!--", start):
            inner, end = self._close("-->", start + 4)
            return self._add(start, 0 if end == inner else end, "break")
        if (end := self._match(_AUTOLINK, start, "url")) or (end := self._match(_DECLARATION, start, "break")):
            return end
        found = _TAG.match(self.text, start)
        if not found:
            return 0
        closes, name, attributes = found[1], found[2].lower(), found[3]
        opaque = _OPAQUE_BLOCK | _OPAQUE_INLINE
        if name in opaque and not closes:
            inner, end = self._close(rf"</{name}\s{{0,8}}>", found.end())
            if end > inner and (name in _OPAQUE_BLOCK or self.blank.after(start)[0] > inner):
                return self._add(start, end, "break" if name in _OPAQUE_BLOCK else "code")
        breaks = bool(_BLOCK_TAGS.fullmatch(name))
        known = breaks or name in opaque or _INLINE_TAGS.fullmatch(name)
        if not known and attributes.strip() and "=" not in attributes:
            return 0  # <your name here> is prose
        return self._add(start, found.end(), "break" if breaks else "html")

    def _take_link(self, start: int, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, start)
        opening = self.text.rfind("[", max(0, start - 1000), start)
        if not found or opening < 0:
            return 0
        if opening and self.text[opening - 1] == "!":
            opening -= 1
        return self._add(start, found.end(), "link", opening)

    def _take_email(self, at: int) -> int:
        floor = self.spans[-1].end if self.spans else 0
        left = _EMAIL_LEFT.search(self.text[max(floor, at - 64) : at])
        right = _EMAIL_RIGHT.match(self.text, at + 1)
        if not left or not right:
            return 0
        return self._add(at - len(left[0].lstrip(".")), right.end(), "email")

    def _take_url(self, found: re.Match[str]) -> int:
        start = found.start()
        if start and self.text[start - 1].isascii() and self.text[start - 1].isalnum():
            return 0
        end = found.end()
        bare = found[0][-1] not in ":/" and found[0].lower() != "www."
        if not bare or self.text[end : end + 1] in tuple("/?#:"):
            rest = _URL_REST.match(self.text, end)
            end = _trim_url(self.text, start, rest.end() if rest else end)
        return self._add(start, max(end, found.end()), "url")


def _trim_url(text: str, start: int, end: int) -> int:
    """A URL ends before punctuation that belongs to the sentence, and before a bracket that it does not open."""
    surplus = text.count(")", start, end) - text.count("(", start, end)
    while end > start:
        last = text[end - 1]
        if last == ")" and surplus > 0:
            surplus -= 1
        elif last not in _URL_TAIL:
            break
        end -= 1
    return end
