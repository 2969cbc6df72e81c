"""The score of a model by one judge as values, and its JSON: AlpacaEval's keys and ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from xl_suite.scoring.length_slope import LengthSlope
from xl_suite.scoring.variance import RunSpread, VarianceBudget

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity

INTERVAL = "95 %, over prompts only: not over the model's randomness, the judge's mistakes or other kinds of prompts"
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Provenance:
    """The settings of a score apart from the model. Scores that differ in any of them are never ranked together.

    order: `both` where each pair was judged in both orders, else `random`. reference_digest: 16 hexadecimal digits
    over the reference outputs; two scores over the same prompts can be compared only if their digests are equal.
    """

    annotator: str
    method: str
    order: str
    reference: str
    reference_digest: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A win rate in percent, its standard error in points, and its 95 % interval over prompts; None: not known.

    worst, best: the rate if all prompts without a judgement were lost, or won.
    """

    win_rate: float | None = None
    standard_error: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    worst: float | None = None
    best: float | None = None

    def estimate(self, prefix: str = "") -> dict[str, float | None]:
        """The rate, its error and its interval by their JSON keys."""
        names = ("win_rate", "standard_error", "ci_low", "ci_high")
        return {f"{prefix}{name}": getattr(self, name) for name in names}

    def extremes(self, prefix: str = "") -> dict[str, float | None]:
        """The worst and the best case by their JSON keys."""
        return {f"{prefix}win_rate_worst": self.worst, f"{prefix}win_rate_best": self.best}


@dataclass(frozen=True, slots=True)
class GateBounds:
    """The gated rate, in percent, if all undetermined answers lost, and if the judge decided on mixed ones."""

    if_undetermined_lost: float | None = None
    if_mixed_judged: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {f"gated_{name}": value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Counts:
    """Prompts that the model won, that the reference won, drawn ones and all judged ones; failed judgements.

    n_asked: how many prompts there are to judge.
    """

    n_wins: int = 0
    n_wins_base: int = 0
    n_draws: int = 0
    n_total: int = 0
    n_failed: int = 0
    n_asked: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """The answers of the model or of the reference.

    avg_length: characters. truncation_rate: percent that the token limit cut off. pass_rate: the share in the
    language asked for, 0 to 1. fidelity: the counts behind the pass rate of one language.
    """

    avg_length: float | None
    truncation_rate: float | None
    pass_rate: float | None
    fidelity: Fidelity | None = None


@dataclass(frozen=True, slots=True)
class Controlled:
    """The win rate at equal lengths, in percent, with its standard error and 95 % interval; n_rows: the rows of the
    fit.

    basis: the length slope used, or why the rate is not identified.
    """

    win_rate: float | None = None
    standard_error: float | None = None
    n_rows: int = 0
    ci_low: float | None = None
    ci_high: float | None = None
    basis: str = ""

    def to_json(self) -> dict[str, float | str | None]:
        return {
            "length_controlled_winrate": self.win_rate,
            "lc_standard_error": self.standard_error,
            "lc_ci_low": self.ci_low,
            "lc_ci_high": self.ci_high,
            "lc_basis": self.basis,
        }


@dataclass(frozen=True, slots=True)
class AddressedJudge:
    """An answer that addresses the judge. prompt: its ID or instruction. kinds: see `judging.addressed`."""

    prompt: int | str
    run: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LanguageScore:
    """The score in one language.

    raw, gated: win rates as judged, and after the gate. gate: the gate's decisions, counts by name; None: no gate.
    constant: how many outputs repeat one text; is_constant: whether too many do. runs: None for a single run.
    addressed: outputs that address the judge; all rates include them.
    alpaca_eval: the rate at equal lengths by AlpacaEval's own formula; None except for its judge and 805 prompts.
    """

    raw: Rate
    gated: Rate
    bounds: GateBounds
    gate: Mapping[str, int] | None
    controlled: Controlled
    counts: Counts
    discrete_win_rate: float | None
    model: Side
    reference: Side
    constant: int
    is_constant: bool
    runs: RunSpread | None
    alpaca_eval: Controlled | None = None
    addressed: tuple[AddressedJudge, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The keys of `score --json` for a language."""
        raw, counts = self.raw.estimate(), asdict(self.counts)
        n_asked = counts.pop("n_asked")
        sides = {"": self.model, "_reference": self.reference}
        return {
            "win_rate": raw.pop("win_rate"),
            "standard_error": raw.pop("standard_error"),
            **counts,
            "discrete_win_rate": self.discrete_win_rate,
            "n_asked": n_asked,
            **raw,
            **({} if self.runs is None else {"runs": asdict(self.runs)}),
            **self.raw.extremes(),
            **{f"avg_length{name}": side.avg_length for name, side in sides.items()},
            **{f"truncation_rate{name}": side.truncation_rate for name, side in sides.items()},
            "constant": self.constant,
            "is_constant": self.is_constant,
            "n_addressed": len(self.addressed),
            "addressed": [asdict(one) for one in self.addressed],
            "fidelity": self.model.fidelity and self.model.fidelity.to_json(),
            "reference_fidelity": self.reference.fidelity and self.reference.fidelity.to_json(),
            **self.gated.estimate("gated_"),
            **self.gated.extremes("gated_"),
            **self.bounds.to_json(),
            **({} if self.gate is None else {"gate": dict(self.gate)}),
            **self.controlled.to_json(),
            "lc_n_rows": self.controlled.n_rows,
            **_describe_alpaca_eval(self.alpaca_eval),
        }


@dataclass(frozen=True, slots=True)
class OverallScore:
    """The macro averages over several languages. languages: those averaged; if there are none, all values are
    unknown.

    counts: sums over the languages. n_prompts: the prompts with a judgement in any of them.
    """

    languages: tuple[str, ...]
    n_prompts: int = 0
    raw: Rate = Rate()
    gated: Rate = Rate()
    bounds: GateBounds = GateBounds()
    controlled: Controlled = Controlled()
    counts: Counts = Counts()
    discrete_win_rate: float | None = None
    model: Side = Side(None, None, None)
    reference: Side = Side(None, None, None)
    runs: RunSpread | None = None

    def to_json(self) -> dict[str, Any]:
        """The keys of `score --json` under `overall`."""
        head = {"languages": list(self.languages), "n_prompts": self.n_prompts}
        if not self.languages:
            return head | self.raw.estimate()
        sides = {"": self.model, "_reference": self.reference}
        return {
            **head,
            **asdict(self.counts),
            **self.raw.extremes(),
            **self.gated.extremes("gated_"),
            **self.bounds.to_json(),
            **self.raw.estimate(),
            **({} if self.runs is None else {"runs": asdict(self.runs)}),
            "discrete_win_rate": self.discrete_win_rate,
            **self.gated.estimate("gated_"),
            **self.controlled.to_json(),
            **{f"avg_length{name}": side.avg_length for name, side in sides.items()},
            **{f"truncation_rate{name}": side.truncation_rate for name, side in sides.items()},
            "fidelity": {"pass_rate": self.model.pass_rate},
            "reference_fidelity": {"pass_rate": self.reference.pass_rate},
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The score of `model` in each language (an empty code where none is named); overall: None for one language.

    slope: the judge's length slope, None if unknown. variance: the sources of the error of `whole`.
    """

    model: str
    provenance: Provenance
    n_runs: int
    languages: Mapping[str, LanguageScore]
    overall: OverallScore | None
    slope: LengthSlope | None = None
    variance: VarianceBudget | None = None

    @property
    def whole(self) -> LanguageScore | OverallScore:
        """The score over all languages: the macro average, or that of the only language."""
        return self.overall or next(iter(self.languages.values()))

    def list_rows(self) -> Iterator[tuple[str, LanguageScore | OverallScore]]:
        """(language, its score) in the order of the languages, and `overall` where there are several."""
        yield from self.languages.items()
        if self.overall is not None:
            yield OVERALL, self.overall

    def to_json(self) -> dict[str, Any]:
        """The object of `score --json`: a single language's keys are at the top level."""
        head = {"model": self.model, **asdict(self.provenance), "n_runs": self.n_runs, "interval": INTERVAL}
        head["length_slope"] = self.slope and {**self.slope.to_dict(), "assumed": self.slope.assumed}
        head["variance"] = self.variance and self.variance.to_json()
        if self.overall is None:
            ((language, score),) = self.languages.items()
            return head | {"language": language or None} | score.to_json()
        languages = {language: score.to_json() for language, score in self.languages.items()}
        return head | {"languages": languages, "overall": self.overall.to_json()}


def _describe_alpaca_eval(found: Controlled | None) -> dict[str, float | None]:
    if found is None:
        return {}
    names = {"win_rate": found.win_rate, "standard_error": found.standard_error}
    return {f"alpaca_eval_length_controlled_{name}": value for name, value in names.items()}
