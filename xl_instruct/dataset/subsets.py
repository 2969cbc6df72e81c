"""Training subsets of XL-Instruct (paper, section 5 and Table 10): so many rows, the best or random ones, nested.

A subset is the beginning of one sequence over all rows that does not depend on its size, so the 32 are among the
256, and those among the 2,000.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from xl_instruct.training.sources import SourceRow, TrainingSource
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.errors import BadInput
from xl_suite.languages import find_language

NAME = "xl-instruct-subset"
SAMPLINGS = ("best", "random")
BALANCES = ("balanced", "proportional", "per-language")


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class PlainExample:
    """trl's prompt/completion form: texts. qe_score is null where the source has none; variant is the language's
    country or script where the source names one (`pt-BR`), else empty."""

    prompt: str
    completion: str
    id: int
    language: str
    qe_score: float | None
    variant: str


@dataclass(frozen=True, slots=True)
class ChatExample:
    """trl's conversational prompt/completion form: the user's turn, and the assistant's."""

    prompt: list[Message]
    completion: list[Message]
    id: int
    language: str
    qe_score: float | None
    variant: str


@dataclass(frozen=True, slots=True)
class Subset:
    """Chosen rows, and how they were chosen. counts: rows by language. short: languages that ran out of rows."""

    rows: tuple[SourceRow, ...]
    source: TrainingSource
    sampling: str
    balance: str
    seed: int
    counts: Mapping[str, int]
    short: tuple[str, ...] = field(default=())

    @property
    def n_passages(self) -> int:
        return len({row.id for row in self.rows})

    def to_dict(self) -> dict[str, Any]:
        return {
            "size": len(self.rows),
            "translations": self.source.translations,
            "sampling": self.sampling,
            "balance": self.balance,
            "seed": self.seed if self.sampling == "random" else None,
            "languages": dict(self.counts),
            "short": list(self.short),
            "n_passages": self.n_passages,
            "sha256": hash_rows(self.rows),
        }


def choose_subset(
    source: TrainingSource,
    *,
    size: int | None = None,
    sampling: str = "best",
    balance: str = "balanced",
    seed: int = 1,
) -> Subset:
    """The subset of `size` rows (all by default; with `per-language`, of each language).

    sampling: `best` takes the highest QE scores of each language, `random` draws by seed, language and ID alone.
    balance: `balanced` gives every language the same number, or one more; one that runs out leaves its share to the
    others. `proportional` keeps the languages' shares. Raises BadInput where there are fewer rows than `size`.
    """
    if sampling not in SAMPLINGS:
        raise BadInput(f"the sampling is {sampling!r}; valid: {', '.join(SAMPLINGS)}.")
    if balance not in BALANCES:
        raise BadInput(f"the balance is {balance!r}; valid: {', '.join(BALANCES)}.")
    ranked = {language: _rank(entries, language, sampling, seed) for language, entries in source.entries.items()}
    available = sum(map(len, ranked.values()))
    if balance == "per-language":
        least = min(ranked, key=lambda language: len(ranked[language]))
        if size is not None and size > len(ranked[least]):
            raise BadInput(f"{source.name} has {len(ranked[least])} rows in {least}, fewer than {size} a language.")
        order = [(language, place) for language, places in ranked.items() for place in places[:size]]
    else:
        if size is not None and size > available:
            held = ", ".join(f"{language} {len(places)}" for language, places in ranked.items())
            raise BadInput(f"{source.name} has {available} rows, fewer than {size}: {held}.")
        merge = _take_turns if balance == "balanced" else _keep_shares
        lengths = {language: len(places) for language, places in ranked.items()}
        taken = dict.fromkeys(ranked, 0)
        order = []
        for language in merge(lengths):
            if len(order) == size:
                break
            order.append((language, ranked[language][taken[language]]))
            taken[language] += 1
    counts = {language: sum(one == language for one, _ in order) for language in ranked}
    even = max(counts.values(), default=0)
    short = tuple(code for code, n in counts.items() if n < even - 1) if balance == "balanced" else ()
    return Subset(source.load(order), source, sampling, balance, seed, counts, short)


def hash_rows(rows: Sequence[SourceRow]) -> str:
    """SHA-256 (hex) of the rows' instructions and responses in their order."""
    digest = hashlib.sha256()
    for row in rows:
        for text in (row.instruction, row.response):
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def write_subset(subset: Subset, out: Path) -> None:
    """Writes a dataset folder with the configs `prompt_completion` and `conversational`, split `train`, and its card.

    Raises BadInput where `out` holds anything but a subset.
    """
    if not subset.rows:
        raise BadInput("There is no row to write.")
    plain = [PlainExample(r.instruction, r.response, r.id, r.language, r.qe_score, r.variant) for r in subset.rows]
    chats = [
        ChatExample(
            [Message("user", r.instruction)],
            [Message("assistant", r.response)],
            r.id,
            r.language,
            r.qe_score,
            r.variant,
        )
        for r in subset.rows
    ]
    source = subset.source
    drawn = (
        f"at random (seed {subset.seed})" if subset.sampling == "random" else f"by `{source.qe_model}`, best first"
    )
    values = {
        "size": f"{len(plain):,}",
        "source": source.name,
        "translations": source.translations,
        "sampling": drawn,
        "balance": subset.balance,
        "counts": "\n".join(f"| {code} | {count:,} |" for code, count in subset.counts.items() if count),
        "sha256": hash_rows(subset.rows),
        "notes": source.notes,
    }

    def card(metadata: Mapping[str, Any]) -> str:
        codes = [name_language(find_language(code)) for code, count in subset.counts.items() if count]
        own = {
            "language": list(dict.fromkeys(["en", *codes])),
            "license": source.licence,
            "pretty_name": f"{source.title}, {len(plain)} rows",
        }
        template = files("xl_instruct.dataset").joinpath("subset_card.md").read_text(encoding="utf-8")
        return render_card(template, {**own, **metadata}, values)

    write_dataset_folder(
        out, {"prompt_completion": {"train": plain}, "conversational": {"train": chats}}, name=NAME, card=card
    )


def _rank(entries: Sequence[tuple[int, float | None]], language: str, sampling: str, seed: int) -> list[int]:
    """Places of the entries, those to be taken first at the beginning."""
    places = range(len(entries))
    if sampling == "random":
        return sorted(places, key=lambda place: (_draw(seed, language, entries[place][0]), place))
    if any(score is None for _, score in entries):
        raise BadInput(f"The rows in {language} have no QE score, so there is no best one: give --sampling random.")
    return sorted(places, key=lambda place: (-(entries[place][1] or 0.0), entries[place][0], place))


def _draw(seed: int, language: str, row: int) -> bytes:
    """A row's random number: the same whatever other rows there are."""
    return hashlib.sha256(f"{seed}:{language}:{row}".encode()).digest()


def _take_turns(lengths: Mapping[str, int]) -> Iterator[str]:
    """Each language once a round, until it has no row left."""
    for number in range(max(lengths.values(), default=0)):
        yield from (language for language, length in lengths.items() if number < length)


def _keep_shares(lengths: Mapping[str, int]) -> Iterator[str]:
    """At each place the language that is furthest behind its share of all rows."""
    total = sum(lengths.values())
    taken = dict.fromkeys(lengths, 0)
    for number in range(1, total + 1):
        behind = max(taken, key=lambda code: lengths[code] * number / total - taken[code])
        taken[behind] += 1
        yield behind


def describe_subset(subset: Subset, out: Path) -> str:
    """A few lines for a person."""
    counts = ", ".join(f"{code} {count}" for code, count in subset.counts.items())
    lines = [f"{out}: {len(subset.rows)} rows of {subset.n_passages} passages ({subset.source.translations}, "]
    lines[0] += f"{subset.sampling}, {subset.balance}). {counts}."
    if subset.short:
        lines.append(f"Fewer rows than the others, since there are no more: {', '.join(subset.short)}.")
    return "\n".join(lines)


def to_json(subset: Subset, out: Path) -> dict[str, Any]:
    return {"out": str(out), **subset.to_dict(), "source": asdict(subset.source.identity())}
