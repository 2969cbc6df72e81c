"""The bridge from a judge that ends to the next."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from xl_suite.api.answers import open_outputs
from xl_suite.api.jobs import (
    ChatSettings,
    Job,
    Languages,
    Paid,
    Place,
    estimate_calls,
    join_languages,
    list_languages,
    logger,
    prepare,
)
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.bridging.collection import Collected
    from xl_suite.bridging.fitted import Fitted
    from xl_suite.bridging.folder import BridgeDesign
    from xl_suite.chat.estimates import Estimate
    from xl_suite.results import Outputs


def plan_bridge(
    outputs: Sequence[Outputs | Place],
    reference: Outputs | Place,
    *,
    annotator: str,
    out: Place,
    model: str | None = None,
    budget: float | None = None,
    price: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
    families: Mapping[str, str] | None = None,
    repeat_share: float = 0.1,
    seed: int = 0,
    languages: Languages = "all",
    language: str = "",
) -> BridgeDesign:
    """Chooses the rows that a judge must see before it ends, and writes them to the folder `out`. Makes no call.

    budget: dollars; as many rows are drawn as they pay for. families: by model, where the names do not tell them.
    repeat_share: of the rows, which are judged three times. `.told` of the result has cost and precision.
    """
    from xl_suite.bridging.folder import write_bridge
    from xl_suite.bridging.plan import Costs, choose_families, design_bridge
    from xl_suite.chat.budget import check_prices, require_price
    from xl_suite.chat.models import parse_model
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import name_annotator
    from xl_suite.judging.pairs import pair_outputs

    read = read_annotator(annotator)
    parsed = parse_model(model or read.model)
    check_prices(price, [parsed])
    if budget is not None:
        require_price(parsed, price)
    base = open_outputs(reference, language)
    by_model: dict[str, Any] = {}
    for one in outputs:
        rows = open_outputs(one, language)
        generator = next(iter(rows.values()))[0].generator
        if generator in by_model:
            raise BadInput(f"{one}: outputs of {generator} again. Each model is given once.")
        by_model[generator] = rows
    models = choose_families(list(by_model), families or {})
    pairs = {
        name: pair_outputs(rows, base, languages=join_languages(languages), allow_partial=True)
        for name, rows in by_model.items()
    }
    codes = sorted({code for own in pairs.values() for code in own})
    design = design_bridge(
        pairs,
        models,
        Costs(pairs, read, parsed, price),
        reference=next(iter(base.values()))[0].generator,
        annotator=name_annotator(read, parsed),
        budget=budget,
        repeat_share=repeat_share,
        seed=seed,
    )
    chosen = {name: {code: rows[code] for code in codes if code in rows} for name, rows in by_model.items()}
    return write_bridge(Path(out), design, chosen, {code: base[code] for code in codes})


@Paid
def collect_bridge(
    bridge: Place,
    *,
    annotator: str,
    model: str | None = None,
    method: str = "auto",
    **chat: Unpack[ChatSettings],
) -> Job[Collected]:
    """Judges the rows of a bridge or an archive in both orders, and a part of them three times."""
    from xl_suite.bridging.collection import collect, list_parts, plan_collection
    from xl_suite.bridging.folder import read_design
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.lifetime import find_announced_end

    folder, read = Path(bridge), read_annotator(annotator)
    parsed, options = prepare(model or read.model, folder, chat)
    parts = list(list_parts(folder, read_design(folder)))

    def estimate() -> list[Estimate]:
        return estimate_calls(parsed, plan_collection(parts, read, method), options, "verdict")

    def run() -> Collected:
        if options.replay is None and (end := find_announced_end(parsed)):
            logger.warning("the judge %s will end (%s). Archive the bridge before.", parsed.name, end)
        collected = collect(folder, parts, read, parsed, options, method=method)
        for note in collected.noted:
            logger.info("note: %s", note)
        return collected

    return Job(run, estimate, options)


def archive_bridge(
    bridge: Place, *, out: Place, license: str = "cc-by-nc-4.0", replace: bool = False, allow_gaps: bool = False
) -> dict[str, Any]:
    """Writes all that a later bridge needs, as a dataset's folder; the counts of what was written."""
    from xl_suite.bridging.archive import write_archive

    return write_archive(Path(bridge), Path(out), license=license, replace=replace, allow_gaps=allow_gaps)


def fit_bridge(
    bridge: Place,
    *,
    out: Place,
    new: str | None = None,
    margin: float = 3.0,
    license: str = "cc-by-nc-4.0",
    languages: Languages = "all",
) -> Fitted:
    """Compares the old judge of a bridge or an archive with a new one, maps win rates, writes the folder `out`.

    margin: percent points within which the mean difference must lie where means may be compared. Makes no call.
    """
    from xl_suite.bridging.fitted import fit_folder, write_fitted

    fitted = fit_folder(
        Path(bridge), new=new, margin=margin, license=license, languages=list_languages(languages) or ()
    )
    write_fitted(Path(out), fitted)
    return fitted


def apply_bridge(bridge: Fitted | Place, score: Mapping[str, Any]) -> dict[str, Any]:
    """A model's old scores (what `xl-suite score --json` prints), mapped, marked, and with wider intervals."""
    from xl_suite.bridging.fitted import apply_fitted, read_fitted

    fitted = read_fitted(Path(bridge)) if isinstance(bridge, (str, os.PathLike)) else bridge
    return apply_fitted(fitted, score)
