"""Results that show themselves in a notebook and convert to a table of pandas."""

from __future__ import annotations

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


def _show(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
