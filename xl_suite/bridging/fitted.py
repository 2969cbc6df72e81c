"""A fitted bridge as a folder that can be published: bridge.json, the models left out as a dataset, and a card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from xl_suite import __version__
from xl_suite.bridging.archive import escape, find_journals
from xl_suite.bridging.bridge import OVERALL, Bridge, Mapped, Worth, fit_bridge
from xl_suite.bridging.comparison import compare_judges, list_rates, read_judge
from xl_suite.bridging.design import REPEATS
from xl_suite.bridging.folder import DESIGN, hash_file, list_annotators, read_design, read_verdicts, require_format
from xl_suite.bridging.rates import Rate
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.records import atomic_folder, dump_json, parse_record, read_object, write_text
from xl_suite.staging import list_entries
from xl_suite.submission.evidence import fingerprint, read_journals

NAME = "fitted-judge-bridge"
BRIDGE = "bridge.json"
FORMAT = 1


@dataclass(frozen=True)
class Fitted:
    """A bridge with what identifies it. identity: judges, reference, fingerprints, margin, date, licence, seed."""

    bridge: Bridge
    identity: Mapping[str, Any]
    judges: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            **self.identity,
            **self.bridge.to_json(),
            "judges": self.judges,
            "rates": [asdict(rate) for rate in self.bridge.map.rates],
        }


def choose_judges(folder: Path, old: str, new: str | None) -> tuple[str, str]:
    """The old and the new judge of a bridge. Raises BadInput where the new one is not the only other one."""
    known = list_annotators(folder)
    others = [name for name in known if name != old]
    if new is None and len(others) != 1:
        listed = ", ".join(others) or "none; `xl-suite bridge collect --annotator NAME` lets one judge"
        raise BadInput(f"name the new judge with --new. Judges of {folder} besides {old}: {listed}.")
    chosen = new or others[0]
    for name in (old, chosen):
        if name not in known:
            raise BadInput(f"{folder} has no verdicts of {name}. It has those of: {', '.join(known) or 'nobody'}.")
    if chosen == old:
        raise BadInput(f"{old} is the old judge; a bridge leads to another one.")
    return old, chosen


def fit_folder(
    folder: Path, *, new: str | None, margin: float, license: str, languages: Sequence[str] = (), seed: int = 0
) -> Fitted:
    """Fits the bridge of a folder or an archive; reads files only. Raises BadInput as `fit_bridge` and for gaps."""
    design = read_design(folder)
    old, new = choose_judges(folder, design.annotator, new)
    before, after = (
        read_judge(name, design.rows, [read_verdicts(folder, design, name, repeat) for repeat in range(REPEATS)])
        for name in (old, new)
    )
    rates = list_rates(design, before, after)
    bridge = fit_bridge(rates, margin=margin, languages=languages, seed=seed)
    calls = {call.key: call for call in read_journals(find_journals(folder))}
    identity = {
        "old": old,
        "new": new,
        "reference": design.reference,
        "design_sha256": hash_file(folder / DESIGN),
        "journal_fingerprint": fingerprint(list(calls.values())),
        "license": license,
        "seed": seed,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {"xl-suite": __version__},
    }
    return Fitted(bridge, identity, compare_judges(design, before, after, rates))


def write_fitted(out: Path, fitted: Fitted) -> None:
    """Writes the folder of a fitted bridge; one that is there is replaced, anything else is refused with BadInput."""
    if out.exists() and (not out.is_dir() or (list_entries(out) and not (out / BRIDGE).is_file())):
        raise BadInput(f"{out} holds something that is not a fitted bridge. Name another folder with --out.")
    with atomic_folder(out) as folder:
        rows = fitted.bridge.left_out

        def card(metadata: Mapping[str, Any]) -> str:
            return write_card(metadata, fitted)

        write_dataset_folder(folder, {"left_out": {"test": rows}}, name=NAME, card=card)
        write_text(folder / BRIDGE, dump_json(fitted.to_json()))


def read_fitted(folder: Path) -> Fitted:
    """A fitted bridge, its map fitted again from the rates. Raises BadInput for a folder that holds none."""
    path = folder / BRIDGE
    if not path.is_file():
        raise BadInput(f"{folder} is not a fitted bridge: it has no {BRIDGE}. `xl-suite bridge fit --out` makes one.")
    try:
        raw = read_object(path)
        require_format(path, raw["format"], FORMAT)
        if not math.isfinite(raw["margin"]) or raw["margin"] <= 0:
            raise ValueError(f"the margin is {raw['margin']}")
        rates = [parse_record(one, Rate, path, place) for place, one in enumerate(raw["rates"], 1)]
        bridge = fit_bridge(
            rates,
            margin=raw["margin"],
            languages=[code for code in raw["languages"] if code != OVERALL],
            seed=raw["seed"],
        )
        identity = {name: raw[name] for name in ("old", "new", "reference", "date", "license", "seed", "versions")}
        identity |= {name: raw[name] for name in ("design_sha256", "journal_fingerprint")}
        judges = {str(code): dict(told) for code, told in raw["judges"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not a fitted bridge ({type(error).__name__}: {error}).") from error
    return Fitted(bridge, identity, judges)


def read_score(path: Path) -> dict[str, Any]:
    """What `xl-suite score --json` printed. Raises BadInput for a file of another form."""
    score = read_object(path)
    languages = score.get("languages")
    rates = list(languages.values()) if isinstance(languages, dict) else [score if languages is None else None]
    if not isinstance(score.get("model"), str) or not all(isinstance(one, dict) for one in rates):
        raise BadInput(f"{path}: not what `xl-suite score --json` prints: no model with its languages.")
    return score


def apply_fitted(fitted: Fitted, score: Mapping[str, Any]) -> dict[str, Any]:
    """A model's old scores (as `xl-suite score --json` prints them), mapped and marked with the bridge they crossed.

    Raises BadInput for scores of another judge or reference, or for an object that is not a score.
    """
    for name, key in (("annotator", "old"), ("reference", "reference")):
        if score.get(name) != fitted.identity[key]:
            raise BadInput(
                f"the scores are of the {name} {score.get(name)!r}, and this bridge leads from "
                f"{fitted.identity[key]!r}. Scores of another {name} cannot go over it."
            )
    by_language = score.get("languages") or {score.get("language"): score}
    rates = {}
    for language, one in by_language.items():
        values = (one.get("win_rate"), one.get("standard_error"))
        if language != "eng" or len(by_language) == 1:  # as everywhere, English is not part of the average
            if not all(isinstance(value, int | float) and 0 <= value <= 100 for value in values):
                raise BadInput(
                    f"{score.get('model')}, {language}: no win_rate with a standard_error, both from 0 to 100."
                )
            rates[str(language)] = float(values[0]), float(values[1])
    mapped = fitted.bridge.apply(str(score.get("model")), rates)
    through = {name: fitted.identity[name] for name in ("old", "new", "date", "design_sha256", "journal_fingerprint")}
    return {
        "model": score.get("model"),
        "benchmark": score.get("benchmark") or "",
        "annotator": fitted.identity["new"],
        "reference": fitted.identity["reference"],
        "mapped": True,
        "through": through,
        "languages": {one.language: _to_row(one) for one in mapped if one.language != OVERALL},
        "overall": next((_to_row(one) for one in mapped if one.language == OVERALL), None),
    }


def describe(fitted: Fitted) -> str:
    """The worth of a bridge for a person, a line for each language."""
    lines = [f"{fitted.identity['old']} -> {fitted.identity['new']}, margin {fitted.bridge.margin:g} points"]
    for language, worth in fitted.bridge.worth.items():
        judged = fitted.judges.get(language, {}).get("agreement") or {}
        kappa = judged.get("kappa")
        lines.append(
            f"{language}: {worth.verdict} ({'; '.join(worth.reasons)}). Error {_show(worth.error_map)} mapped, "
            f"{_show(worth.error_none)} without a map, floor {_show(worth.floor)}; 95 % interval of one model "
            f"{_show(worth.width)} points wide, covers {_show(worth.coverage, 100)} %; kappa {_show(kappa)}"
        )
    return "\n".join(lines)


def describe_mapped(mapped: Mapping[str, Any]) -> str:
    """Mapped scores for a person; every line says that it is mapped."""
    through = mapped["through"]
    lines = [f"{mapped['model']}: mapped from {through['old']} to {through['new']}, bridge of {through['date']}"]
    rows = [*mapped["languages"].values(), *([mapped["overall"]] if mapped["overall"] else [])]
    for row in rows:
        if row["refused"] is None:
            told = f"{row['mapped']:.2f} mapped (95 %: {row['low']:.2f} to {row['high']:.2f})"
        else:
            told = f"not mapped: {row['refused']}"
        lines.append(f"  {row['language']}: {row['old']:.2f} -> {told}")
    return "\n".join(lines)


def write_card(metadata: Mapping[str, Any], fitted: Fitted) -> str:
    template = (files("xl_suite.bridging") / "fitted_card.md").read_text(encoding="utf-8")
    identity, worth = fitted.identity, fitted.bridge.worth
    codes = sorted(code for code in worth if code != OVERALL)
    return render_card(
        template,
        {
            **metadata,
            "license": identity["license"],
            "language": [name_language(find_language(code)) for code in codes],
        },
        {
            "old": escape(identity["old"]),
            "new": escape(identity["new"]),
            "reference": escape(identity["reference"]),
            "margin": f"{fitted.bridge.margin:g}",
            "date": identity["date"],
            "n_models": str(len(fitted.bridge.map.models)),
            "families": ", ".join(map(escape, fitted.bridge.map.families)),
            "fingerprint": identity["journal_fingerprint"],
            "languages": "\n".join(_show_row(one, fitted.judges.get(code, {})) for code, one in worth.items()),
        },
    )


def _show_row(worth: Worth, judged: Mapping[str, Any]) -> str:
    agreement = judged.get("agreement") or {}
    ceiling = next(iter((judged.get("noise_ceiling") or {}).values()), None) or {}
    return (
        f"| `{worth.language}` | {worth.verdict} | {'yes' if worth.usable else 'no'} | {_show(worth.error_map)} / "
        f"{_show(worth.error_none)} | {_show(worth.floor)} | {_show(worth.width)} | {_show(worth.coverage, 100)} | "
        f"{_show(worth.ci_low)} to {_show(worth.ci_high)} | {_show(agreement.get('kappa'))} / "
        f"{_show(ceiling.get('kappa'))} |"
    )


def _show(value: float | None, times: float = 1) -> str:
    return "-" if value is None else f"{value * times:.2f}"


def _to_row(mapped: Mapped) -> dict[str, Any]:
    return {name: value for name, value in asdict(mapped).items() if name != "model"}
