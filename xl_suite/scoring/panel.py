"""A panel of judges: each one's rate, how far they agree, and the mean over families of judges.

Judges of one maker share mistakes, so judges are first averaged within their family, and all families have the same
weight. The panel's verdict on a prompt is an annotation, which `score`, `compare` and the leaderboard read like any
judge's. If one judge has no verdict on a prompt, the panel has none either: a mean over fewer judges would be that of
another panel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.provenance import make_entry, write_run
from xl_suite.records import write_json
from xl_suite.responding.outputs import name_folder
from xl_suite.scoring.agreement import find_family
from xl_suite.scoring.intervals import bound_means
from xl_suite.scoring.judges import PANEL, Agreement, measure_agreement
from xl_suite.scoring.preferences import average, tabulate_preferences


@dataclass(frozen=True, slots=True)
class PanelRate:
    """Win rates of one language in percent: by judge over the prompts it judged; by family and for the panel over the
    n prompts that all judged. ci_low, ci_high: 95 %, over prompts, for these judges. n_missing: prompts without a
    verdict from all.
    """

    judges: dict[str, float | None]
    families: dict[str, float | None]
    win_rate: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    n_missing: int


@dataclass(frozen=True, slots=True)
class Panel:
    """The result of a panel of judges for one model. annotator: the panel's name. families: by judge."""

    annotator: str
    families: dict[str, str]
    rates: dict[str, PanelRate]
    agreement: Agreement

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """A few lines for a person."""
        lines = []
        for language, rate in self.rates.items():
            told = [f"{name} {_tell(value)}" for name, value in rate.judges.items()]
            lines.append(f"{language or 'outputs'}: {', '.join(told)}")
            over = f"mean over {len(rate.families)} families" if len(rate.families) > 1 else "mean of one family"
            bounds = "" if rate.ci_low is None else f" ({_tell(rate.ci_low)} to {_tell(rate.ci_high)})"
            missing = f"; prompts that lack a verdict of one judge: {rate.n_missing}" if rate.n_missing else ""
            apart = [value for value in rate.families.values() if value is not None]
            spread = f"; families from {min(apart):.2f} to {max(apart):.2f}" if len(apart) > 1 else ""
            lines.append(f"  panel {_tell(rate.win_rate)}{bounds}, {over}{spread}{missing}")
        kappa, alpha = self.agreement.fleiss, self.agreement.alpha_interval
        lines.append(
            f"agreement over {self.agreement.n_shared} judgements: Fleiss kappa {_tell(kappa)}, alpha of preferences "
            f"{_tell(alpha)}"
        )
        if len(set(self.families.values())) == 1:
            family = next(iter(self.families.values()))
            lines.append(
                f"All judges belong to one family, {family}: their agreement hides the mistakes that they share."
            )
        return "\n".join(lines)


def name_families(models: Mapping[str, str]) -> dict[str, str]:
    """The family of each judge. models: each judge's model by its name; an unknown maker is a separate family."""
    return {name: find_family(model) or find_family(name) or name for name, model in models.items()}


def name_panel(judges: Iterable[str]) -> str:
    return f"{PANEL}-{'+'.join(sorted(judges))}"


def combine_judges(judges: Mapping[str, Sequence[Annotation]], families: Mapping[str, str]) -> list[Annotation]:
    """The panel's annotations: one row for each prompt that all judges were asked about.

    Raises BadInput for fewer than two judges, and where they judged different answers.
    """
    if len(judges) < 2:
        raise BadInput("a panel needs at least two judges.")
    tables = {name: tabulate_preferences(rows) for name, rows in judges.items()}
    first = next(iter(tables.values()))
    keys = [key for key in first.rows if all(key in table.rows for table in tables.values())]
    prices = _sum_prices(judges)
    failed = {_name(row) for rows in judges.values() for row in rows if row.status == "failed"}
    annotator = name_panel(judges)
    places = {
        name: ({prompt: at for at, prompt in enumerate(table.prompts)}, table.languages.index)
        for name, table in tables.items()
    }
    both = all(_has_both(rows) for rows in judges.values())
    combined = []
    for key in keys:
        run, prompt, language = key
        row = first.rows[key]
        for name, table in tables.items():
            other = table.rows[key]
            if (other.output_1, other.output_2) != (row.output_1, row.output_2):
                raise BadInput(f"{row.prompt} ({language}): {name} judged other answers. Judge them again with all.")
        shares = {}
        for name, table in tables.items():
            rows_of, column_of = places[name]
            value = table.values[run, rows_of[prompt], column_of(language)]
            shares[name] = None if np.isnan(value) else float(value)
        value_by_family = _average_families(shares, families)
        preference = None if value_by_family is None else 1 + float(np.mean(list(value_by_family.values())))
        if row.is_withheld:
            status = row.status
        else:
            status = "judged" if preference is not None else "failed" if _name(row) in failed else "unread"
        combined.append(
            replace(
                row,
                annotator=annotator,
                preference=preference,
                price_per_example=prices.get(_name(row)),
                raw_completion={"judges": shares},
                order="both" if both else "",
                method=PANEL,
                status=status,
            )
        )
    return combined


def write_panel(
    out: Path, judges: Mapping[str, Sequence[Annotation]], models: Mapping[str, str]
) -> tuple[Path, Panel]:
    """Writes `out/<panel>/<language>.json` for each language; the folder, and what the panel says.

    out: the generator's folder, which contains its judges' folders. models: each judge's model by its name.
    """
    families = name_families(models)
    combined = combine_judges(judges, families)
    folder = out / name_folder(name_panel(judges))
    by_language: dict[str, list[Annotation]] = defaultdict(list)
    for row in combined:
        by_language[row.language].append(row)
    told = {name: {"model": models[name], "family": families[name]} for name in sorted(judges)}
    entries = {}
    for language, rows in by_language.items():
        write_json(folder / f"{language or 'annotations'}.json", rows)
        asked: dict[str, Any] = {"model": "panel of judges", "annotator": rows[0].annotator, "method": PANEL}
        asked |= {"order": rows[0].order, "reference": rows[0].generator_1, "judges": told}
        entries[language or "annotations"] = make_entry("annotations", asked, {})
    write_run(folder, "annotations", entries)
    return folder, describe_panel(judges, families)


def describe_panel(judges: Mapping[str, Sequence[Annotation]], families: Mapping[str, str]) -> Panel:
    """The rates and the agreement of a panel's judges."""
    rates = {}
    combined = tabulate_preferences(combine_judges(judges, families))
    tables = {name: tabulate_preferences(rows) for name, rows in judges.items()}
    for column, language in enumerate(combined.languages):
        values = combined.by_prompt[:, column]
        known = values[~np.isnan(values)]
        by_judge, own = {}, {}
        for name, table in tables.items():
            every = table.by_prompt[:, table.languages.index(language)]
            places = {prompt: place for place, prompt in enumerate(table.prompts)}
            aligned = np.array([every[places[prompt]] for prompt in combined.prompts])
            by_judge[name] = _percent(every)
            own[name] = np.where(np.isnan(values), np.nan, aligned)
        grouped = {
            family: np.mean([own[name] for name in own if families[name] == family], axis=0)
            for family in dict.fromkeys(families[name] for name in own)
        }
        bounds = bound_means(known[:, None]) if len(known) else None
        rates[language] = PanelRate(
            by_judge,
            {family: _percent(one) for family, one in grouped.items()},
            _percent(values),
            None if bounds is None else 100 * bounds.low[0],
            None if bounds is None else 100 * bounds.high[0],
            len(known),
            len(values) - len(known),
        )
    return Panel(
        name_panel(judges),
        dict(families),
        rates,
        measure_agreement({name: list(rows) for name, rows in judges.items()}),
    )


def _average_families(shares: Mapping[str, float | None], families: Mapping[str, str]) -> dict[str, float] | None:
    """The mean share of each family; None where a judge has no share."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for name, share in shares.items():
        if share is None:
            return None
        grouped[families[name]].append(share)
    return {family: float(np.mean(own)) for family, own in grouped.items()}


def _sum_prices(judges: Mapping[str, Sequence[Annotation]]) -> dict[tuple[int, int | str, str], float | None]:
    """The dollars of all judgements of a prompt; None where the price of one is unknown."""
    prices: dict[tuple[int, int | str, str], float | None] = {}
    for rows in judges.values():
        for row in rows:
            known = prices.get(_name(row), 0.0)
            prices[_name(row)] = (
                None if known is None or row.price_per_example is None else known + row.price_per_example
            )
    return prices


def _name(row: Annotation) -> tuple[int, int | str, str]:
    return row.sample, row.prompt, row.language


def _has_both(rows: Sequence[Annotation]) -> bool:
    return {"12", "21"} <= {row.order for row in rows} or any(row.order == "both" for row in rows)


def _percent(values: Any) -> float | None:
    known = float(average(np.asarray(values), axis=0))
    return None if np.isnan(known) else 100 * known


def _tell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
