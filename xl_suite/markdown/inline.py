"""The inline spans of Markdown that are not running text: code, formulas, addresses, tags, comments, link targets.

Every search is bounded or remembers where it last stopped, so that hostile text of any length takes linear time.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_left
from dataclasses import dataclass

_BREAKS = frozenset({"break", "comment", "element"})


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a text, which a translation must keep verbatim.

    kind: `code`, `math`, `environment` (LaTeX, from \\begin to \\end), `url`, `email`, `html` (a tag within a
    sentence), `link` (target, footnote or reference), `entity`, `placeholder` (from `find_placeholders` alone); or,
    between two runs of text, `break` (a block-level tag), `comment`, or `element` (of HTML, with content that is no
    prose: a script, preformatted text).
    glued: where the unit begins that must not be cut before `end` (the text of a link), else `start`.
    """

    start: int
    end: int
    kind: str
    glued: int

    @property
    def breaks(self) -> bool:
        """Whether a run of text ends here."""
        return self.kind in _BREAKS


# Tags that end a run of text; all other tags are within a sentence.
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
# Elements whose content is not prose; those of the second group may hold blank lines.
_OPAQUE_INLINE = frozenset({"code", "kbd", "samp", "var"})
_OPAQUE_BLOCK = frozenset({"pre", "script", "style", "svg", "math", "textarea"})

_DOMAINS = "com|org|net|edu|gov|io|dev|app|ai|info|eu|uk|de|fr|pt|hu|lt|ie|mt|cn|in|fi|tr|tv"
# Each alternative begins with a plain character, so that the search skips quickly from one to the next: addresses
# are found by their first dot or colon that tells, and begin to the left of it.
_TRIGGER = re.compile(
    r"``*|\\(?:begin\{|[^\w\s])|\$\$?|<|\]\(|\]\[|\[\^|&(?=[A-Za-z#])|@"
    rf"|:(?://|(?<=[oO]:)(?=\w))|\.(?:(?<=[wW]\.)(?=\w)|(?i:{_DOMAINS})(?![\w-]|\.\w))",
    re.ASCII,
)
_SCHEMES = ("https", "http", "ftp", "file")
_DOMAIN = re.compile(rf"\.(?:{_DOMAINS})(?![\w-]|\.\w)", re.IGNORECASE | re.ASCII)
_LABELS = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){0,7}[A-Za-z0-9-]{1,63}")
_LABEL_SIGNS = string.ascii_letters + string.digits + ".-"
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
        for run in re.finditer("``*", text):
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
            return self._add(start, self._environment_end(start), "environment")
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
        return self._take_scheme(start, found.end()) if mark[0] == ":" else self._take_domain(start)

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
            return self._add(start, 0 if end == inner else end, "comment")
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
                return self._add(start, end, "element" if name in _OPAQUE_BLOCK else "code")
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

    @property
    def _floor(self) -> int:
        """Where the last span ends; an address reaches no further to the left."""
        return self.spans[-1].end if self.spans else 0

    def _take_email(self, at: int) -> int:
        left = _EMAIL_LEFT.search(self.text[max(self._floor, at - 64) : at])
        right = _EMAIL_RIGHT.match(self.text, at + 1)
        if not left or not right:
            return 0
        return self._add(at - len(left[0].lstrip(".")), right.end(), "email")

    def _take_scheme(self, colon: int, end: int) -> int:
        """An address from its scheme on; `colon` is where that ends."""
        left = self.text[max(self._floor, colon - 6) : colon].lower()
        schemes = _SCHEMES if end > colon + 1 else ("mailto",)
        scheme = next((name for name in schemes if left.endswith(name)), None)
        if scheme is None or self._follows_letter(colon - len(scheme)):
            return 0
        return self._add(colon - len(scheme), max(end, self._url_end(colon - len(scheme), end)), "url")

    def _take_domain(self, dot: int) -> int:
        """An address without a scheme; `dot` is the one before its top-level domain, or after `www`."""
        domain = _DOMAIN.match(self.text, dot)
        left = max(self._floor, dot - 600)
        start = left + len(self.text[left:dot].rstrip(_LABEL_SIGNS))
        if domain and _LABELS.fullmatch(self.text, start, dot) and not self._follows_letter(start, "_@/\\.-"):
            end = domain.end()
            if self.text[end : end + 1] in tuple("/?#:"):
                end = max(end, self._url_end(start, end))
            return self._add(start, end, "url")
        start = dot - 3
        if start < self._floor or self.text[start:dot].lower() != "www" or self._follows_letter(start):
            return 0
        return self._add(start, max(dot + 1, self._url_end(start, dot + 1)), "url")

    def _follows_letter(self, start: int, others: str = "") -> bool:
        before = self.text[start - 1] if start else ""
        return bool(before) and ((before.isascii() and before.isalnum()) or before in others)

    def _url_end(self, start: int, end: int) -> int:
        rest = _URL_REST.match(self.text, end)
        return _trim_url(self.text, start, rest.end() if rest else end)


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


# {name}, {{name}}, ${name}, %s, %(name)s, [[name]], __NAME__; not [your name], which is prose.
_PLACEHOLDER = re.compile(
    r"\$?\{\{?\s?[\w.:-]{1,40}\s?\}?\}|%(?:\([\w.]{1,40}\))?[sdif](?!\w)|\[\[[\w .:-]{1,40}\]\]"
    r"|__[A-Z][A-Z_]{1,30}__"
)


def find_placeholders(text: str) -> list[Span]:
    """What a program would fill in, in order; such spans may lie within those of `find_spans`."""
    return [Span(*found.span(), "placeholder", found.start()) for found in _PLACEHOLDER.finditer(text)]
