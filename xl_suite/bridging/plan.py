"""Planning a bridge: as many rows as a budget allows, what they cost, and what precision they buy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.bridging.bridge import LEAST_FAMILIES, LEAST_MODELS
from xl_suite.bridging.design import DRAWN_BY, REPEATS, Candidate, DrawnRow, draw_rows
from xl_suite.bridging.folder import BridgeDesign, PlannedModel
from xl_suite.bridging.precision import foresee
from xl_suite.chat.budget import Given, Price, find_price
from xl_suite.chat.estimates import BYTES_PER_TOKEN
from xl_suite.chat.models import Model
from xl_suite.chat.wire import build_request
from xl_suite.errors import BadInput
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.judge import choose_method
from xl_suite.judging.pairs import Pair
from xl_suite.judging.pairwise import Method, Question, make_calls
from xl_suite.records import ModelOutput
from xl_suite.scoring.agreement import find_family

ORDERS = 2
# What a batch costs, as a share of the same calls made one by one: half, at every provider that lists it.
BATCH_SHARE = 0.5
# A judge's verdict in text is a few hundred tokens where it reasons; max_tokens would be far too many.
TEXT_VERDICT_TOKENS = 300

Outputs = Mapping[str, Sequence[ModelOutput]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls, tokens (UTF-8 bytes / 4) and dollars; None where the price is not known."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    dollars: float | None
    dollars_in_batches: float | None


def choose_families(models: Sequence[str], given: Mapping[str, str]) -> tuple[PlannedModel, ...]:
    """Each model with its family: what was given, else what its name tells. Raises BadInput where neither does."""
    unknown = [model for model in models if not (given.get(model) or find_family(model))]
    if unknown:
        raise BadInput(
            f"the family of {', '.join(unknown)} is not known, and it is not guessed: models of one family are not "
            "new evidence about one another. Name it with --families FILE, a table of model<TAB>family."
        )
    strange = sorted(set(given) - set(models))
    if strange:
        raise BadInput(f"--families names {', '.join(strange)}, of which no outputs are given.")
    return tuple(PlannedModel(model, given.get(model) or str(find_family(model))) for model in sorted(models))


def list_candidates(pairs: Mapping[str, Mapping[str, Sequence[Pair]]]) -> list[Candidate]:
    """Every row of every model and language. pairs: by model and language."""
    return [
        Candidate(model, language, pair.prompt, len(pair.output_2) / max(1, len(pair.output_1)))
        for model, by_language in pairs.items()
        for language, rows in by_language.items()
        for pair in rows
    ]


class Costs:
    """What judging each row costs: both orders, and twice more where it is repeated."""

    def __init__(
        self,
        pairs: Mapping[str, Mapping[str, Sequence[Pair]]],
        annotator: Annotator,
        model: Model,
        price: Given | None = None,
    ):
        method = choose_method(annotator, "auto", 1, None)
        self.price: Price | None = find_price(model, price)
        self._tokens = {
            (name, language, pair.prompt): _count_tokens(pair, annotator, model, method)
            for name, by_language in pairs.items()
            for language, rows in by_language.items()
            for pair in rows
        }

    def of(self, rows: Sequence[DrawnRow]) -> Cost:
        calls = prompt = completion = 0
        for row in rows:
            times = ORDERS * (REPEATS if row.repeated else 1)
            tokens = self._tokens[row.model, row.language, row.prompt]
            if tokens is not None:
                calls += times
                prompt += times * tokens[0]
                completion += times * tokens[1]
        dollars = None if self.price is None else self.price.of(prompt, completion)
        return Cost(calls, prompt, completion, dollars, None if dollars is None else dollars * BATCH_SHARE)


def plan_rows(
    candidates: Sequence[Candidate], costs: Costs, budget: float | None, *, repeat_share: float, seed: int
) -> tuple[list[DrawnRow], int]:
    """(rows, rows per model and language): as many as the budget allows, the same number in every cell.

    Raises BadInput where the budget does not pay for one row in each cell.
    """
    cells = Counter((candidate.model, candidate.language) for candidate in candidates)
    least, most = 0, max(cells.values())

    def draw(count: int) -> list[DrawnRow]:
        return draw_rows(candidates, count, repeat_share=repeat_share, seed=seed)

    if budget is None:
        return draw(most), most

    def dollars(count: int) -> float:
        return costs.of(draw(count)).dollars or 0.0

    if dollars(most) <= budget:
        return draw(most), most
    if (one := dollars(1)) > budget:
        raise BadInput(
            f"${budget:g} does not pay for one row of each model and language in both orders (about ${one:.2f}). "
            "Raise --budget, or take fewer models or languages."
        )
    least = 1
    while most - least > 1:
        middle = (least + most) // 2
        if dollars(middle) <= budget:
            least = middle
        else:
            most = middle
    return draw(least), least


def design_bridge(
    pairs: Mapping[str, Mapping[str, Sequence[Pair]]],
    models: Sequence[PlannedModel],
    costs: Costs,
    *,
    reference: str,
    annotator: str,
    budget: float | None = None,
    repeat_share: float = 0.1,
    seed: int = 0,
) -> BridgeDesign:
    """The design of a bridge, with what it costs and what precision it buys under `told`."""
    candidates = list_candidates(pairs)
    if not candidates:
        raise BadInput("no row is answered by a model and by the reference.")
    rows, per_cell = plan_rows(candidates, costs, budget, repeat_share=repeat_share, seed=seed)
    per_language = {
        language: sum(row.language == language for row in rows)
        / len({r.model for r in rows if r.language == language})
        for language in sorted({row.language for row in rows})
    }
    families = {one.family for one in models}
    precision = None
    if len(families) >= LEAST_FAMILIES:
        found = foresee(
            [(one.model, one.family) for one in models], {c: max(1, int(n)) for c, n in per_language.items()}
        )
        precision = asdict(found)
    told: dict[str, Any] = {
        "rows_per_model_and_language": per_cell,
        "repeat_share": repeat_share,
        "cost": asdict(costs.of(rows)),
        "price": None if costs.price is None else asdict(costs.price),
        "budget": budget,
        "precision": precision,
        "languages": {
            language: {
                "candidates": sum(one.language == language for one in candidates),
                "rows": sum(row.language == language for row in rows),
                "repeated": sum(row.language == language and row.repeated for row in rows),
            }
            for language in per_language
        },
    }
    return BridgeDesign(reference, annotator, tuple(models), tuple(rows), DRAWN_BY, seed, told=told)


def read_families(path: Path) -> dict[str, str]:
    """The families of a table of model<TAB>family. Raises BadInput for a line of another form."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or line.startswith("#") or line == "model\tfamily":
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise BadInput(f"{path}, line {number}: expected model<TAB>family, found {line[:80]!r}.")
        found[parts[0]] = parts[1]
    return found


def _count_tokens(pair: Pair, annotator: Annotator, model: Model, method: Method) -> tuple[int, int] | None:
    """(prompt, completion) tokens of one judgement; None where no call is needed."""
    if not pair.needs_judge:
        return None
    (call,) = make_calls(Question(pair, False), annotator, method)
    request = build_request(call, model.name, model.key)
    completion = request.most_completion_tokens if method.name == "logprobs" else TEXT_VERDICT_TOKENS
    return -(-request.most_prompt_tokens // BYTES_PER_TOKEN), min(completion, request.most_completion_tokens)


def describe_plan(design: BridgeDesign, folder: Path) -> str:
    """What a plan is, costs and buys, for a person."""
    told = design.told
    cost, families = told["cost"], {one.family for one in design.models}
    dollars = "price unknown (see --price)"
    if cost["dollars"] is not None:
        dollars = f"about ${cost['dollars']:.2f}, in batches ${cost['dollars_in_batches']:.2f}"
    lines = [
        f"{len(design.models)} models of {len(families)} families, {len(design.rows)} rows "
        f"({told['rows_per_model_and_language']} per model and language at most), "
        f"{sum(row.repeated for row in design.rows)} of them judged three times: {cost['calls']} calls, about "
        f"{cost['prompt_tokens']:,} prompt and {cost['completion_tokens']:,} completion tokens, {dollars}"
    ]
    precision = told["precision"]
    for language, counts in told["languages"].items():
        widths = "" if precision is None else _describe_widths(precision["languages"][language])
        lines.append(
            f"{language}: {counts['rows']} of {counts['candidates']} rows, {counts['repeated']} repeated{widths}"
        )
    if precision is not None:
        lines.append(f"overall{_describe_widths(precision['overall'])}")
        lines.append("widths assume judges like public pairs of judges; the assumptions are in design.json")
    if len(design.models) < LEAST_MODELS or len(families) < LEAST_FAMILIES:
        lines.append(
            f"note: `bridge fit` will refuse: it needs {LEAST_MODELS} models of {LEAST_FAMILIES} families. The rows "
            "can be collected and archived all the same."
        )
    return "\n".join([*lines, f"bridge: {folder}"])


def _describe_widths(widths: Sequence[float]) -> str:
    one, many = widths
    return f"; 95 % interval of a mapped rate: {one:.1f} points for a new model, {many:.1f} for a mean of many"
