"""Lines of an answer that are code although nothing marks them as such."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LETTER = re.compile(r"[{}<>=\[\]\\^$;|&@(_/:]")
_SIGN = re.compile(r"[{}<>=\[\]\\^$;|&@]|\w\(|\)\s*[:.]\s*$|_\w|/\w|::|->")
_SQL = (
    "SELECT|FROM|WHERE|JOIN|LEFT JOIN|INNER JOIN|ORDER BY|GROUP BY|HAVING|INSERT INTO|VALUES|UPDATE|DELETE FROM|"
    "CREATE TABLE|ALTER TABLE|DROP TABLE|LIMIT|ON|AND"
)
_DECLARATIONS = (
    "def|class|func|fn|function|public|private|static|void|int|double|const|let|var|struct|using|namespace|package"
)
_PROGRAMS = "sudo|apt|apt-get|pip3?|npm|npx|yarn|git|cd|mkdir|docker|kubectl|curl|wget|systemctl|chmod|ssh|brew|conda"
_STATEMENT = re.compile(
    r"\s*(?:"
    rf"(?:{_SQL})\b(?=.*[\w*'\")=;])(?!.*[a-z]{{3,}}\s+[a-z]{{3,}}\s+[a-z]{{3,}})"
    r"|(?:import|from) [\w.]+(?: import .*| as \w+)?;?\s*$"
    rf"|(?:{_DECLARATIONS}) [^.!?]*[({{;=:][^.!?]*$"
    r"|return\b.*[)\]};]\s*$"
    r"|(?:return|yield|raise|break|continue|pass|else|try|finally|do)\b"
    r"(?: [^\s.!?]+(?: [-+*/=<>&|%]+ \S+)*)?\s*[;:{]?$"
    r"|(?:if|elif|for|while|with|switch|case|except|catch)\b.{1,200}[:{]$"
    rf"|(?:{_PROGRAMS}) \S+(?: \S+){{0,8}}$"
    r"|\#include\b|\#!/|@\w+(?:\(.*\))?$|print\b.*[)\"';]$|echo\b|\}\s*\w*|\$ \S"
    r"|</?[A-Za-z][^<>]*>\s*$"
    r"|[\w.-]+\s*=\s*[{\[\"'\d(]|[\w.-]+:\s*[{\[]"
    r"|\"[^\"\n]{1,80}\"\s*:"
    r"|=\w+\("
    r"|Traceback \(most|File \".*\", line)"
)
_KEY = re.compile(r"\s*(?:-\s+)?[\w.-]{1,40}:(?:\s+\S+){0,4}$")
_ROW = re.compile(r"[^,;\t\n]*(?:,[^\s,][^,\n]*){2,}$|[^,;\t\n]*(?:;[^\s;][^;\n]*){2,}$")
_COMMENT = re.compile(r"\s*(?:\#(?!\#)|//|--|/?\*|\"\"\"|''')")
_ITEM = re.compile(r"\s*-\s+\S+(?:\s+\S+){0,6}$")
_FORMULA = re.compile(r"[+=→⇌<>^]")
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")


def find_code(lines: Sequence[str]) -> list[bool]:
    """Whether each line is code: by signs or statements of its own, or among others of a kind with it."""
    own = [_is_code(line) for line in lines]
    weak = [not sure and (_is_key(line) or _is_row(line)) for sure, line in zip(own, lines, strict=True)]
    found = list(own)
    for i in range(1, len(lines) - 1):
        if not own[i] and (found[i - 1] or own[i + 1]) and _COMMENT.match(lines[i]):
            found[i] = True
    start = 0
    while start < len(lines):  # a run of rows or of keys and values, items among them
        end = start
        while end < len(lines) and (own[end] or weak[end] or (end > start and _ITEM.match(lines[end]))):
            end += 1
        if sum(weak[start:end]) >= 2 and _is_run(lines[start:end]):
            found[start:end] = [True] * (end - start)
        start = end + 1
    return found


def is_statement(line: str) -> bool:
    """Whether a line has the form of a statement or a comment of a common language."""
    return _STATEMENT.match(line) is not None or _COMMENT.match(line) is not None


def _is_code(line: str) -> bool:
    """A statement of a common language, or more than one sign of code in twelve characters; a formula."""
    if line.isspace() or not line:
        return False
    if _STATEMENT.match(line):
        return True
    if _FORMULA.search(line) and not _LONG_WORD.search(line):
        return True
    return _LETTER.search(line) is not None and 12 * len(_SIGN.findall(line)) > len(line.strip())


def _is_key(line: str) -> bool:
    return _KEY.match(line) is not None


def _is_row(line: str) -> bool:
    return _ROW.match(line) is not None


def _is_run(lines: Sequence[str]) -> bool:
    """Rows of a table, or keys of which some are nested: three or more, or with a line that is sure."""
    rows = sum(map(_is_row, lines))
    keys = sum(_is_key(line) and line.strip()[:1].islower() for line in lines)
    nested = any(line.startswith(("  ", "\t")) for line in lines)
    return rows >= 2 or (keys >= 3 and nested)
