"""A judge's card: the planted defects that it found in each language, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xl_suite import pages
from xl_suite.auditing.defects import DEFECTS
from xl_suite.auditing.marks import LEAST_FOUND, LEVEL, Mark
from xl_suite.auditing.swap import ASSUMED, Swap
from xl_suite.chat.calls import FailedCall
from xl_suite.display import Shown
from xl_suite.errors import BadInput
from xl_suite.failures import list_failed_calls, update_failed
from xl_suite.languages import find_language
from xl_suite.records import read_object, write_text
from xl_suite.scoring.judges import NOT_IDENTIFIED, SelfPreference
from xl_suite.scoring.length_slope import SLOPE_FILE, LengthSlope, write_slope

FORMAT = 1
CARD = "card.json"
# A card beside an annotator's configs.yaml is read by `judge`, which copies it beside its annotations.
BESIDE = "audit.json"


@dataclass(frozen=True, slots=True)
class Found:
    """The detection of one defect in a language. n: judged answers in which it was planted.

    detected: the share of them in which the answer without the defect was preferred over both orders (a tie does not
    count); low, high: its 95 % interval, None for n = 0. worse: the share in which the defect was preferred.
    n_failed: answers without a verdict. mark: the mark on the card, corrected for all tests of the card.
    """

    language: str
    defect: str
    n: int
    n_failed: int
    detected: float | None
    low: float | None
    high: float | None
    worse: float | None
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A judge's behaviour in a language, independent of the defects. n: answers; left_out: those in another language.

    position_bias: the mean share of the win of the answer shown first, minus one half, over all pairs; low, high: its
    interval. itself: the same for the reference against itself. noise: the share of the n_again repeated pairs with
    another winner.
    """

    language: str
    n: int
    left_out: int
    position_bias: float | None
    low: float | None
    high: float | None
    itself: float | None
    noise: float | None
    n_again: int
    mark: Mark = ""


@dataclass(frozen=True)
class Card(Shown):
    """The result of an audit. method: how verdicts were read. reference: the generator of the reference.

    own: the judge's preference for answers of its own family, compared with people's labels; None without labels.
    failures: the missing verdicts by kind of pair.
    """

    annotator: str
    model: str
    method: str
    generator: str
    reference: str
    seed: int
    found: tuple[Found, ...]
    behaviour: tuple[Behaviour, ...]
    slope: LengthSlope | None = None
    notes: tuple[str, ...] = ()
    swaps: tuple[Swap, ...] = ()
    own: tuple[SelfPreference, ...] | None = None
    failures: Mapping[str, Sequence[FailedCall]] = field(default_factory=dict)

    @property
    def n_failed(self) -> int:
        """Missing verdicts: unread ones, and those of failed calls."""
        return sum(map(len, self.failures.values()))

    def list_blind(self) -> dict[str, list[str]]:
        """The defects that the judge is marked for, by language."""
        marked: dict[str, list[str]] = {}
        for one in self.found:
            if one.mark:
                marked.setdefault(one.language, []).append(one.defect)
        return marked

    def to_rows(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.found]

    def title(self) -> str:
        return f"{self.annotator} ({self.method})"

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "annotator": self.annotator,
            "model": self.model,
            "method": self.method,
            "generator": self.generator,
            "reference": self.reference,
            "seed": self.seed,
            "least_found": LEAST_FOUND,
            "level": LEVEL,
            "defects": [asdict(one) for one in self.found],
            "languages": [asdict(one) for one in self.behaviour],
            "length_slope": None if self.slope is None else self.slope.to_dict(),
            "language_swap": [asdict(one) for one in self.swaps],
            "language_swap_assumed": ASSUMED if self.swaps else "",
            "self_preference": NOT_IDENTIFIED if self.own is None else [asdict(one) for one in self.own],
            "marked": self.list_blind(),
            "n_failed": self.n_failed,
            "notes": list(self.notes),
        }

    def describe(self) -> str:
        """A few lines for a person."""
        lines = []
        for one in self.behaviour:
            own = [found for found in self.found if found.language == one.language and found.detected is not None]
            told = [f"{found.defect} {found.detected:.0%}{_show_mark(found.mark)}" for found in own]
            lines.append(f"{one.language}: {', '.join(told)}" if told else f"{one.language}: no defects asked")
            parts = [] if one.position_bias is None else [f"position bias {one.position_bias:+.1%}"]
            parts += [] if one.noise is None else [f"{one.noise:.1%} other winners when asked again"]
            lines += [f"  {', '.join(parts)}{_show_mark(one.mark)}"] if parts else []
        if self.slope is not None:
            lines.append(f"length slope {self.slope.slope:.2f} (standard error {self.slope.standard_error:.2f})")
        lines += [one.describe() for one in self.swaps]
        lines += [] if self.own is None else [f"preference for its own answers: {one}" for one in tell_own(self.own)]
        return "\n".join([*lines, *self.notes])


def write_card(out: Path, card: Card) -> Path:
    """Writes `card.json` and `index.html`, `length_slope.json` where a slope was measured, and `failed.json` where
    verdicts are missing."""
    write_text(out / CARD, json.dumps(card.to_dict(), indent=2, ensure_ascii=False) + "\n")
    write_text(out / "index.html", render_card(card))
    if card.slope is not None:
        write_slope(out / SLOPE_FILE, card.slope)
    update_failed(out, list_failed_calls(card.failures), card.failures)
    return out


def render_card(card: Card) -> str:
    """The card as a page of one file, which needs nothing else."""
    languages = [one.language for one in card.behaviour]
    cells = {(one.language, one.defect): one for one in card.found}
    asked = [one for one in DEFECTS if any((language, one.name) in cells for language in languages)]
    return pages.render(
        "xl_suite.auditing",
        "card.html",
        style=pages.read_style("xl_suite.auditing", "card.css"),
        card=card,
        names={code: find_language(code).name for code in languages},
        defects=asked,
        languages=languages,
        cells=cells,
        least=LEAST_FOUND,
        level=LEVEL,
        assumed=ASSUMED,
        self_preference=[NOT_IDENTIFIED] if card.own is None else tell_own(card.own),
    )


def tell_own(found: Sequence[SelfPreference]) -> list[str]:
    """A sentence for each side that belongs to the judge's family."""
    return [
        f"beyond what people give it, the {one.side} of its family ({one.family}) gets {one.favour:+.1f} points "
        f"({one.ci_low:+.1f} to {one.ci_high:+.1f}; {one.n} prompts)"
        for one in found
    ] or ["people labelled no answers of its family alone"]


def read_marked(path: Path, annotator: str) -> dict[str, list[str]]:
    """The marks of an annotator in a card's file, by language; empty for the card of another annotator.

    Raises BadInput for a file that is not a card.
    """
    one = _read(path)
    if one["annotator"] != annotator:
        return {}
    return {str(language): [str(name) for name in names] for language, names in one["marked"].items()}


def is_card(value: Any) -> bool:
    """Whether a JSON value has the format of `write_card`."""
    marked = value.get("marked") if isinstance(value, dict) else None
    lists = isinstance(marked, dict) and all(isinstance(names, list) for names in marked.values())
    return lists and "annotator" in value


def read_audited(path: Path) -> tuple[str, dict[str, list[str]]]:
    """The annotator of a card's file, and the marked defects by audited language.

    `position` is among them where the judge has a position bias. A language without marks has an empty list. Raises
    BadInput for a file that is not a card.
    """
    one = _read(path)
    try:
        marked = {
            str(language["language"]): [
                *map(str, one["marked"].get(language["language"], ())),
                *([str(language["mark"])] if language["mark"] else []),
            ]
            for language in one["languages"]
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise BadInput(f"{path} is not a judge's card. `xl-suite audit` writes {CARD}.") from error
    return str(one["annotator"]), marked


def find_card(folders: Iterable[Path], annotator: str) -> Path | None:
    """The annotator's first card in `folders`, named BESIDE or CARD."""
    for folder in folders:
        for name in (BESIDE, CARD):
            path = folder / name
            if path.is_file() and _read(path)["annotator"] == annotator:
                return path
    return None


def list_warnings(card: Path, annotator: str, languages: Sequence[str]) -> list[str]:
    """A warning for each of the languages in which a card marks the judge. Raises BadInput for another file."""
    marked = read_marked(card, annotator)
    return [
        f"{language}: the card of {annotator} marks these defects as missed: {', '.join(marked[language])}."
        for language in languages
        if marked.get(language)
    ]


def _read(path: Path) -> dict[str, Any]:
    """A card's file. Raises BadInput for another one."""
    one = read_object(path)
    if not is_card(one):
        raise BadInput(f"{path} is not a judge's card. `xl-suite audit` writes {CARD}.")
    return one


def _show_mark(mark: Mark) -> str:
    return f" [{mark}]" if mark else ""
