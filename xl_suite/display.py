"""Results as tables: HTML in a notebook, a data frame of pandas, and text in a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xl_suite import pages

if TYPE_CHECKING:
    import pandas


class Shown(ABC):
    """A result with a table: `to_pandas()` gives it as a data frame, a notebook shows it as HTML."""

    __slots__ = ()

    @abstractmethod
    def to_rows(self) -> list[dict[str, Any]]:
        """The rows of the table; each row has the same keys."""

    def to_paper(self) -> list[dict[str, Any]]:
        """The rows of a table that fits on a page of paper; each row has the same keys."""
        return self.to_rows()

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a data frame of pandas."""
        import pandas

        return pandas.DataFrame(self.to_rows())

    def title(self) -> str:
        """The line above the table in a notebook."""
        return ""

    def _repr_html_(self) -> str:
        return render_table(self.to_rows(), self.title())


def render_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> str:
    """The rows as an HTML table. Every text is escaped: it may come from a model or from a stranger's file."""
    columns = list(rows[0]) if rows else []
    cells = [[_show(row[column]) for column in columns] for row in rows]
    return pages.render("xl_suite", "table.html", title=title, columns=columns, rows=cells)


FORMATS = ("markdown", "latex", "csv", "json")
# Those for people, who want few columns.
PAPER = ("markdown", "latex")


def format_rows(rows: Sequence[Mapping[str, Any]], form: str) -> str:
    """The rows as a table for a paper or a spreadsheet; form: one of FORMATS. Numbers are short in text forms.

    Text is escaped for the form, since it may come from a stranger's file. `csv` and `json` keep full numbers.
    """
    columns = list(rows[0]) if rows else []
    if form == "json":
        return json.dumps([dict(row) for row in rows], ensure_ascii=False, indent=2)
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:  # an apostrophe keeps a spreadsheet from taking a name for a formula
            cells = [row[column] for column in columns]
            writer.writerow([f"'{c}" if isinstance(c, str) and c[:1] in "=+-@" and c else c for c in cells])
        return out.getvalue().rstrip("\n")
    cells = [columns, *([_shorten(row[column]) for column in columns] for row in rows)]
    if form == "markdown":
        lines = ["| " + " | ".join(escape_markdown(cell) for cell in row) + " |" for row in cells]
        return "\n".join([" ".join(lines[0].split("\n")), "|" + " --- |" * len(columns), *lines[1:]])
    lines = [" & ".join(_escape_latex(cell) for cell in row) + r" \\" for row in cells]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    return "\n".join([rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", *body, r"\end{tabular}"])


def format_rate(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A percentage in a table, with its interval where that is known: `66.6 (51.8 to 74.7)`."""
    if value is None:
        return "–"
    return f"{value:.1f}" + ("" if low is None or high is None else f" ({low:.1f} to {high:.1f})")


def escape_markdown(text: str) -> str:
    return re.sub(r"([\\|`*_<>])", r"\\\1", text)


def _shorten(value: Any) -> str:
    """Two decimals, or two digits of a small number: no p-value becomes 0."""
    return f"{value:.2g}" if isinstance(value, float) and 0 < abs(value) < 0.1 else _show(value)


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(sign, "\\" + sign if sign in "&%$#_{}" else sign) for sign in text)


def align_columns(rows: Sequence[Sequence[str]], *, keys: int = 1, width: int = 80) -> list[str]:
    """The lines of a table of text: a header and rows of as many cells, numbers to the right.

    keys: how many columns name the row; these are text and to the left. A table that is wider than `width` goes on
    below, with the same keys before the next columns, so that no column is lost.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    space = sum(widths[:keys]) + 2 * (keys - 1)
    blocks: list[list[int]] = [[]]
    used = space
    for column in range(keys, len(widths)):
        if blocks[-1] and used + 2 + widths[column] > width:
            blocks.append([])
            used = space
        blocks[-1].append(column)
        used += 2 + widths[column]
    lines: list[str] = []
    for block in blocks:
        lines += [""] if lines else []
        for row in rows:
            cells = [row[column].ljust(widths[column]) for column in range(keys)]
            cells += [row[column].rjust(widths[column]) for column in block]
            lines.append("  ".join(cells).rstrip())
    return lines


def _show(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
