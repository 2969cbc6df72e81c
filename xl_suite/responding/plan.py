"""What a model is to be asked: the rows of a benchmark, and their calls."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xl_suite.chat.calls import Call, Message, Sampling
from xl_suite.dataset.card import read_metadata
from xl_suite.dataset.folder import TAG, list_languages, read_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import parse_languages
from xl_suite.records import BenchmarkRow
from xl_suite.responding.strategies import PLAIN, Strategy

INSTRUCTION = "{instruction}"
_LANGUAGE = re.compile("[a-z]{3}(-[a-z]{3})?")


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a row becomes messages. system: the system prompt, empty for none. template: the text of the user's
    turn, in which `{instruction}` stands for the row's instruction; for base models that need a frame."""

    system: str = ""
    template: str = INSTRUCTION

    def __post_init__(self) -> None:
        if INSTRUCTION not in self.template:
            raise BadInput(f"The template has no {INSTRUCTION}, so every row would get the same prompt.")

    def build_messages(self, instruction: str) -> tuple[Message, ...]:
        user = Message("user", self.template.replace(INSTRUCTION, instruction))
        return (Message("system", self.system), user) if self.system else (user,)


DEFAULT_PROMPTING = Prompting()
# Temperature 0.7 and 2,048 tokens (paper, section 3, "Models").
PAPER_SAMPLING = Sampling(temperature=0.7, max_tokens=2048)


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a benchmark that are to be answered, and their calls, in the same order; a row for each sample.

    later: the rows beyond the limit, with their calls, which are not to be asked. seed: that of the rows' own seeds.
    """

    benchmark: str
    rows: tuple[BenchmarkRow, ...]
    calls: tuple[Call, ...]
    strategy: Strategy = PLAIN
    prompting: Prompting = DEFAULT_PROMPTING
    later: tuple[tuple[BenchmarkRow, Call], ...] = ()
    sampling: Sampling = PAPER_SAMPLING
    seed: int | None = None

    def follow(self, call: Call, row: BenchmarkRow, draft: str) -> Call | None:
        """The second call of a row, from the answer to its first one; None where the strategy has none."""
        if self.strategy.follow is None or not self.strategy.covers(row) or not draft.strip():
            return None
        return replace(call, messages=self.prompting.build_messages(self.strategy.follow(row, draft)))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.language for row in self.rows))

    @property
    def samples(self) -> int:
        return 1 + max((call.sample for call in self.calls), default=0)


def plan_responses(
    benchmark: Path,
    *,
    languages: str = "all",
    limit: int | None = None,
    prompting: Prompting = DEFAULT_PROMPTING,
    sampling: Sampling = PAPER_SAMPLING,
    seed: int | None = None,
    strategy: Strategy = PLAIN,
    samples: int = 1,
) -> Plan:
    """The calls that answer a benchmark's folder; of a strategy of two calls a row, the first ones.

    languages: codes with commas between, or `all` that the folder has. limit: the first rows of each language, by
    ID. seed: gives every row a seed of its own, derived from it; None leaves seeds to the server. samples: answers
    to each row.
    """
    if samples > 1 and sampling.temperature == 0:
        raise BadInput(f"{samples} samples at temperature 0 would be one and the same answer. Raise the temperature.")
    known = list_languages(benchmark)
    planned: list[tuple[BenchmarkRow, Call]] = []
    later: list[tuple[BenchmarkRow, Call]] = []
    for sample in range(samples):
        for language in _choose(languages, known):
            rows = sorted(read_benchmark(benchmark, [language]), key=lambda row: row.id)
            made = _make_calls(benchmark, rows, prompting, sampling, seed, strategy, sample)
            planned += made[:limit]
            later += [] if limit is None else made[limit:]
    chosen, calls = zip(*planned, strict=True) if planned else ((), ())
    return Plan(name_benchmark(benchmark), chosen, calls, strategy, prompting, tuple(later), sampling, seed)


def take_rows(plan: Plan, language: str, start: int, end: int) -> Plan:
    """The plan of some of a language's rows, from `start` to `end` in the order of the plan."""
    places = [place for place, row in enumerate(plan.rows) if row.language == language][start:end]
    rows, calls = tuple(plan.rows[place] for place in places), tuple(plan.calls[place] for place in places)
    return replace(plan, rows=rows, calls=calls, later=())


def _make_calls(
    benchmark: Path,
    rows: Sequence[BenchmarkRow],
    prompting: Prompting,
    sampling: Sampling,
    seed: int | None,
    strategy: Strategy,
    sample: int,
) -> list[tuple[BenchmarkRow, Call]]:
    calls: dict[str, Call] = {}
    for row in rows:
        name = f"{row.language}/{row.id}" + (f" sample {sample + 1}" if sample else "")
        if not _LANGUAGE.fullmatch(row.language):  # it names a file
            raise BadInput(f"{benchmark}: {row.language!r} is not a language's code (row {row.id}).")
        if name in calls:
            raise BadInput(f"{benchmark}: {row.language} has row {row.id} twice.")
        own = sampling if seed is None else replace(sampling, seed=derive_seed(seed, name))
        text = strategy.ask(row) if strategy.covers(row) else row.instruction
        calls[name] = Call(name, prompting.build_messages(text), own, sample)
    return list(zip(rows, calls.values(), strict=True))


def name_benchmark(folder: Path) -> str:
    """The benchmark's name: from its card, the tag that our builders write or `pretty_name`; else the folder's."""
    card = folder / "README.md"
    metadata = (read_metadata(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None) or {}
    tags = metadata.get("tags")
    if isinstance(tags, list) and TAG in tags[:-1]:
        return str(tags[tags.index(TAG) + 1])
    title = metadata.get("pretty_name")
    return "-".join(str(title).lower().split()) if title else folder.resolve().name


def read_prompt(path: Path) -> str:
    """The text of a system prompt's or template's file, without the line break at its end."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {error}.") from error
    if not text.strip():
        raise BadInput(f"{path}: the file is empty.")
    return text.removesuffix("\n")


def derive_seed(seed: int, row: str) -> int:
    """A row's own seed, 0 to 2^31 - 1: rows differ, and a row's does not depend on which others are asked."""
    digest = hashlib.sha256(f"{seed}:{row}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _choose(languages: str, known: Sequence[str]) -> list[str]:
    if languages == "all":
        return list(known)
    codes = [code.strip() for code in languages.split(",") if code.strip()]
    strange = [code for code in codes if code not in known]
    if strange or not codes:
        parse_languages(
            ",".join(strange), known
        )  # explains a code that is none; the folder's lack is told on reading
    return list(dict.fromkeys(codes))
