"""The paper's printed win rates and rubric scores as lines of a leaderboard, each with its tables' numbers."""

from __future__ import annotations

from dataclasses import dataclass

from xl_suite.paper.published import AVERAGE, PublishedScore, paper_models, published_scores

# Tables whose lines are over the same eight languages and are together; 7 and 9 are over others.
TOGETHER = ((1, 6, 8, 10), (7,), (9,), (3,))
JUDGE, REFERENCE = "GPT-4o", "GPT-4o-Mini"


@dataclass(frozen=True, slots=True)
class PaperLine:
    """A line of the paper. training: in words, empty for none. values: by metric, then by language or `avg`."""

    model: str
    hub_id: str
    billions: float | None
    training: str
    tables: tuple[int, ...]
    values: dict[str, dict[str, float]]


def list_paper_lines() -> list[tuple[str, tuple[int, ...], list[PaperLine]]]:
    """(benchmark, tables, lines) for every group of tables; what several tables repeat is one line."""
    groups: list[tuple[str, tuple[int, ...], list[PaperLine]]] = []
    for tables in TOGETHER:
        rows = [row for row in published_scores() if row.table in tables]
        groups.append((rows[0].benchmark, tables, _collect(rows)))
    return groups


def _collect(rows: list[PublishedScore]) -> list[PaperLine]:
    printed: dict[tuple[int, str, str, int], dict[str, dict[str, float]]] = {}
    for row in rows:
        metric = "rubric_mean" if row.metric == "average" else row.metric
        name = metric if metric in ("win_rate", "rubric_mean") else f"rubric_{metric}"
        values = printed.setdefault((row.table, row.model, row.training, row.size), {})
        values.setdefault(name, {})[row.language] = row.value
    merged: list[tuple[str, str, int, list[int], dict[str, dict[str, float]]]] = []
    # What a table says more exactly (best-of-3) is met before what another leaves open; Table 8, which has no win
    # rates to tell lines apart, last: it is about the models of Table 6.
    order = sorted(printed.items(), key=lambda item: ("win_rate" not in item[1], ":" not in item[0][2]))
    for (table, model, training, size), values in order:
        for one in merged:
            same = (one[0], one[2]) == (model, size) and one[1].partition(":")[0] == training.partition(":")[0]
            rates = values.get("win_rate")
            if same and (rates == one[4].get("win_rate") if rates else 6 in one[3]):
                one[3].append(table)
                one[4].update(values)
                break
        else:
            merged.append((model, training, size, [table], dict(values)))
    known = {model.name: model for model in paper_models()}
    lines = [
        PaperLine(
            model=model,
            hub_id=known[model].hub_id if model in known else "",
            billions=known[model].billions if model in known else None,
            training=name_training(training, size),
            tables=tuple(sorted(set(tables))),
            values=values,
        )
        for model, training, size, tables, values in merged
    ]
    return sorted(lines, key=lambda line: -line.values.get("win_rate", {}).get(AVERAGE, 0.0))


def name_training(training: str, size: int) -> str:
    """`XL-Instruct 8K, best-of-3`; empty for none."""
    if training == "none":
        return ""
    kind, _, how = training.partition(":")
    names = {"xl-instruct": "XL-Instruct", "x-instruction": "X-Instruction"}
    count = f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}K" if size >= 1000 else str(size)
    return f"{names.get(kind, kind)} {count}" + (f", {how}" if how else "")
