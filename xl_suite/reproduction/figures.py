"""The paper's Figures 2 and 3, drawn anew from its published numbers (Tables 6 and 8)."""

from __future__ import annotations

from xl_suite.charts import Series, draw_bars, draw_lines
from xl_suite.paper.published import AVERAGE, find_model, find_scores

CRITERIA = ("precision", "informativeness", "naturalness", "objectivity")
_SIZES = ((0, "0"), (32, "32"), (256, "256"), (2000, "2K"), (8000, "8K"), (32000, "32K"))


def draw_figures() -> dict[str, str]:
    """SVG texts by file name: `figure-2a.svg` (base models), `figure-2b.svg` (instruct models), `figure-3.svg`."""
    return {
        "figure-2a.svg": _draw_sizes("base", "Base models"),
        "figure-2b.svg": _draw_sizes("instruct", "Instruction-tuned models"),
        "figure-3.svg": _draw_ratings(),
    }


def _draw_sizes(kind: str, title: str) -> str:
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in find_scores(table=6, language=AVERAGE):
        if find_model(row.model).kind == kind:
            lines.setdefault(row.model, []).append((float(row.size), row.value))
    return draw_lines(
        [Series(name, tuple(sorted(points))) for name, points in lines.items()],
        title=f"{title}: win rate by number of XL-Instruct rows (Table 6)",
        x_label="instructions, logarithmic; 0 is the untrained model",
        y_label="win rate against GPT-4o-mini, %",
        log_x=True,
        x_names=_SIZES,
    )


def _draw_ratings() -> str:
    series: dict[str, list[tuple[float, float]]] = {}
    for row in find_scores(table=8):
        if row.metric in CRITERIA:
            name = row.model if row.training == "none" else f"{row.model} + XL"
            series.setdefault(name, []).append((float(CRITERIA.index(row.metric)), row.value))
    return draw_bars(
        [Series(name, tuple(points)) for name, points in series.items()],
        CRITERIA,
        title="Ratings by GPT-4o, 1 to 5 (Table 8)",
        y_label="mean rating",
    )
