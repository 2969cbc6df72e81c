"""What the cells of a plan cost: calls, dollars by the price list, and GPU hours by measured throughputs.

The tokens are means that were assumed, not measured on the benchmark; `--estimate` of a verb counts the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from xl_suite.chat.budget import prices
from xl_suite.tables import read_table

PROMPTS = 797
# Assumed means: AlpacaEval's prompts have about 40 tokens and the request for a language 10; answers of GPT-4o-mini
# about 480 in English and up to twice that in languages that tokenizers know less; the judge reads its own
# prompt (350), the instruction and two answers.
TOKENS = {
    "respond": (50, 600),
    "judge": (1600, 1),
    "rate": (1100, 1),
    "translate": (150, 120),
    "generate": (100, 40),
    "train": (0, 700),
}
# Section 4: 40,000 passages, two calls of the teacher each, about 15 sentences, three translators.
PASSAGES, SENTENCES, TRANSLATORS = 40_000, 15, 3


@dataclass(frozen=True, slots=True)
class Cost:
    """dollars: None where a price is unknown. gpu_hours: None where no throughput is known."""

    calls: int = 0
    dollars: float | None = 0.0
    gpu_hours: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """A row of throughputs.tsv: tokens per second of one GPU for a model of so many billion parameters.

    step: `train`, or `respond` (generated tokens). source: who measured it, and with what.
    """

    step: str
    billions: float
    tokens_per_second: float
    gpu: str
    source: str


def throughputs() -> tuple[Throughput, ...]:
    """The measured throughputs; none where nothing was measured yet."""
    if not files("xl_suite.reproduction").joinpath("throughputs.tsv").is_file():
        return ()
    return read_table("xl_suite.reproduction", "throughputs.tsv", Throughput)


def cost_of(step: str, count: int, *, model: str = "", billions: float | None = None) -> Cost:
    """The cost of a cell. count: its calls; for `train` its examples, for `generate` its languages."""
    if step == "generate":
        return Cost(PASSAGES * (2 + count * SENTENCES * TRANSLATORS), 0.0, None)
    prompt, completion = TOKENS[step]
    if step == "train":
        return Cost(0, 0.0, _hours(step, count * completion, billions))
    if billions is not None or "@http://127.0.0.1" in model:  # a server of our own
        return Cost(count, 0.0, _hours(step, count * completion, billions))
    price = next((price for price in prices() if price.model == model), None)
    return Cost(count, None if price is None else price.of(count * prompt, count * completion), 0.0)


def _hours(step: str, tokens: int, billions: float | None) -> float | None:
    """By the nearest model that was measured, the time growing with the parameters; None for none."""
    known = [row for row in throughputs() if row.step == step]
    if not known or billions is None:
        return None
    near = min(known, key=lambda row: abs(row.billions - billions))
    return tokens / near.tokens_per_second * billions / near.billions / 3600
