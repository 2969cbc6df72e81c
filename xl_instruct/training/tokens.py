"""Examples as tokens: what the loss counts, what is too long, and packing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.data import PreferencePair, PromptCompletion
from xl_instruct.training.framing import Frame
from xl_suite.errors import BadInput

# The label that the loss leaves out, in torch and transformers.
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Counts:
    """n_examples: those that are kept. too_long: examples above max_length, which were dropped or truncated.
    prompt_too_long: of these, truncated to nothing but their prompt, and so dropped too. longest: in tokens."""

    n_examples: int
    too_long: int
    prompt_too_long: int
    longest: int


@dataclass(frozen=True, slots=True)
class Tokenized:
    """Examples as token IDs. labels: IGNORED on the prompt. lengths: of the examples in a packed row."""

    input_ids: list[list[int]]
    labels: list[list[int]]
    lengths: list[list[int]] | None
    counts: Counts

    @property
    def sizes(self) -> list[int]:
        return [len(row) for row in self.input_ids]


@dataclass(frozen=True, slots=True)
class TokenizedPairs:
    """Pairs as token IDs: the framed prompt, and what follows it in each of the two answers."""

    prompt: list[list[int]]
    chosen: list[list[int]]
    rejected: list[list[int]]
    counts: Counts

    @property
    def sizes(self) -> list[int]:
        """Of both sequences of a pair together."""
        parts = zip(self.prompt, self.chosen, self.rejected, strict=True)
        return [2 * len(prompt) + len(chosen) + len(rejected) for prompt, chosen, rejected in parts]


def tokenize(rows: Sequence[PromptCompletion], frame: Frame, config: TrainingConfig) -> Tokenized:
    """The examples as tokens, in their order, or packed into rows of at most max_length (first fit, longest first).

    The prompt's tokens are those that a server would feed the model; the loss counts all that follows them, the end
    of the turn included. Raises BadInput where nothing is left to train on.
    """
    ids: list[list[int]] = []
    labels: list[list[int]] = []
    too_long = prompt_too_long = longest = 0
    for row in rows:
        prompt, completion = frame.split(row.prompt, row.completion)
        whole = prompt + completion
        longest = max(longest, len(whole))
        if len(whole) > config.max_length:
            too_long += 1
            if config.too_long == "drop":
                continue
            if len(prompt) >= config.max_length:
                prompt_too_long += 1
                continue
            whole = whole[: config.max_length]
        ids.append(whole)
        labels.append(([IGNORED] * len(prompt) + completion)[: len(whole)])
    counts = Counts(len(ids), too_long, prompt_too_long, longest)
    _require(counts, len(rows), config)
    if not config.packing:
        return Tokenized(ids, labels, None, counts)
    bins = pack([len(one) for one in ids], config.max_length)
    return Tokenized(
        [[token for place in places for token in ids[place]] for places in bins],
        [[label for place in places for label in labels[place]] for places in bins],
        [[len(ids[place]) for place in places] for places in bins],
        counts,
    )


def tokenize_pairs(rows: Sequence[PreferencePair], frame: Frame, config: TrainingConfig) -> TokenizedPairs:
    """The pairs as tokens, in their order; the length of a pair is that of its longer sequence.

    Truncated to their common beginning, two answers would be the same: such a pair is dropped as well. Raises
    BadInput where nothing is left to train on.
    """
    kept: list[tuple[list[int], list[int], list[int]]] = []
    too_long = prompt_too_long = longest = 0
    for row in rows:
        prompt, chosen = frame.split(row.prompt, row.chosen)
        _, rejected = frame.split(row.prompt, row.rejected)
        length = len(prompt) + max(len(chosen), len(rejected))
        longest = max(longest, length)
        if length > config.max_length:
            too_long += 1
            if config.too_long == "drop":
                continue
            room = max(0, config.max_length - len(prompt))
            chosen, rejected = chosen[:room], rejected[:room]
            if chosen == rejected:
                prompt_too_long += 1
                continue
        kept.append((prompt, chosen, rejected))
    counts = Counts(len(kept), too_long, prompt_too_long, longest)
    _require(counts, len(rows), config)
    prompts, chosens, rejecteds = (list(part) for part in zip(*kept, strict=True))
    return TokenizedPairs(prompts, chosens, rejecteds, counts)


def pack(lengths: Sequence[int], room: int) -> list[list[int]]:
    """Places of examples by row: first fit, longest first, a search in O(log n) for each. Deterministic."""
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    rows: list[list[int]] = []
    size = 1
    while size < max(1, len(lengths)):
        size *= 2
    free = [0] * (2 * size)  # a tree of the most room that is left in any row below
    for place in order:
        if free[1] < lengths[place]:
            row = len(rows)
            rows.append([])
            left = room
        else:
            node = 1
            while node < size:
                node = 2 * node if free[2 * node] >= lengths[place] else 2 * node + 1
            row, left = node - size, free[node]
        rows[row].append(place)
        node = size + row
        free[node] = left - lengths[place]
        while node > 1:
            node //= 2
            free[node] = max(free[2 * node], free[2 * node + 1])
    return rows


def _require(counts: Counts, n_rows: int, config: TrainingConfig) -> None:
    if not counts.n_examples:
        raise BadInput(
            f"All {n_rows} examples are longer than max_length ({config.max_length} tokens; the longest has "
            f"{counts.longest}). Raise max_length, or set too_long: truncate."
        )
