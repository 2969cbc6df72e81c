"""Examples as tokens: the chat format, what the loss counts, what is too long, and packing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_instruct.corpus.files import find_data_files
from xl_instruct.corpus.lines import BadLines
from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.foreign import KINDS, read_forms
from xl_instruct.training.forms import Choice, Exchange, read_choice, read_exchange
from xl_instruct.training.sources import read_card
from xl_suite.dataset.shards import find_shards
from xl_suite.errors import BadInput
from xl_suite.records import read_records

SFT_CONFIG = "prompt_completion"
DPO_CONFIG = "preference"
SPLIT = "train"
# The label that the loss leaves out, in torch and transformers.
IGNORED = -100
# The frame of a base model: instruction, a blank line's worth of labels, response, end of text. It is saved with the
# trained tokenizer as its chat template, so that a server frames what it is asked in the same way.
PLAIN_TEMPLATE = (
    "{% if bos_token is defined and bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}### Response:\n{{ message['content'] }}{{ eos_token }}"
    "{% elif message['role'] == 'user' %}### Instruction:\n{{ message['content'] }}\n\n"
    "{% else %}{{ message['content'] }}\n\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class PromptCompletion:
    """A row to learn from; the columns that trl does not need are for the card."""

    prompt: str
    completion: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers to a prompt, the first better than the second."""

    prompt: str
    chosen: str
    rejected: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Rows and what identifies them. sha256: of their texts in order. name, licence: of the folder's card. notes:
    what was read of data of others, for the person who trains."""

    rows: tuple[PromptCompletion, ...] | tuple[PreferencePair, ...]
    sha256: str
    folder: Path
    name: str
    licence: str
    notes: tuple[str, ...] = ()

    def count_languages(self) -> dict[str, int]:
        return dict(sorted(Counter(row.language for row in self.rows if row.language).items()))


@dataclass(frozen=True, slots=True)
class Tokenized:
    """Examples as token IDs. labels: IGNORED on the prompt. lengths: of the examples in a packed row.

    too_long: examples above max_length, which were dropped or truncated. prompt_too_long: of these, truncated to
    nothing but their prompt, and so dropped too.
    """

    input_ids: list[list[int]]
    labels: list[list[int]]
    lengths: list[list[int]] | None
    n_examples: int
    too_long: int
    prompt_too_long: int
    longest: int

    @property
    def n_tokens(self) -> int:
        return sum(map(len, self.input_ids))


def read_training_data(folder: Path, method: str) -> TrainingData:
    """The rows of a folder that `xl-suite subset` (for sft) or `xl-suite preferences` (for dpo) wrote, or else those
    of a file or folder of others, in the forms of `xl_instruct.training.forms`, as they are: no prompt is changed.
    Raises BadInput where there are none."""
    config, kind, verb = (
        (SFT_CONFIG, PromptCompletion, "subset") if method == "sft" else (DPO_CONFIG, PreferencePair, "preferences")
    )
    rows: list[Any] = []
    notes: list[str] = []
    shards = find_shards(folder / config, SPLIT) if folder.is_dir() else []
    if shards:
        rows = [row for shard in shards for row in read_records(shard, kind)]
    else:
        other = SFT_CONFIG if method == "dpo" else DPO_CONFIG
        hint = f" It holds data for {'sft' if method == 'dpo' else 'dpo'}." if (folder / other).is_dir() else ""
        try:
            if hint:
                raise BadInput(f"there is no {config}/{SPLIT}-*.parquet.")
            rows, notes = _read_foreign(folder, method)
        except BadInput as error:
            raise BadInput(
                f"{folder} cannot be trained on by {method}.{hint} `xl-suite {verb} DIR --out NEW_FOLDER` makes what "
                f"can be, in a folder of its own. Read as data of others: {error}"
            ) from error
    digest = hashlib.sha256()
    for row in rows:
        texts = (row.prompt, row.completion) if method == "sft" else (row.prompt, row.chosen, row.rejected)
        for text in texts:
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    metadata = read_card(folder)
    name = str(metadata.get("pretty_name") or folder.resolve().name)
    licence = str(metadata.get("license") or "unknown")
    return TrainingData(tuple(rows), digest.hexdigest(), folder, name, licence, tuple(notes))


def _read_foreign(place: Path, method: str) -> tuple[list[Any], list[str]]:
    found, bad = find_data_files(place, kinds=KINDS), BadLines()
    notes = [found.describe()] if place.is_dir() else []
    rows: list[Any] = []
    empty = more = 0
    read: Callable[[Any], Exchange | Choice] = read_exchange if method == "sft" else read_choice
    for _, one in read_forms(found, read, bad):
        language = one.language.code if one.language else ""
        texts = (one.answer,) if isinstance(one, Exchange) else (one.chosen, one.rejected)
        more += one.more
        if not one.asked.strip() or not any(text.strip() for text in texts):
            empty += 1
        elif isinstance(one, Exchange):
            rows.append(PromptCompletion(one.asked, one.answer, language))
        else:
            rows.append(PreferencePair(one.asked, one.chosen, one.rejected, language))
    if not rows:
        raise BadInput(f"{place}: no row has a prompt and an answer ({empty} are empty).")
    counts = ((empty, "empty rows were left out"), (more, "further turns of conversations were left out"))
    notes += [f"{place}: {count} {reason}" for count, reason in counts if count]
    notes += [bad.describe()] if bad.bad else []
    notes.append(
        f"{place}: data of others, taken as they are: no sentence that asks for a language is added "
        "(`xl-suite subset DIR --format x-instruction` adds it)."
    )
    return rows, notes


def frame_tokenizer(tokenizer: Any, config: TrainingConfig) -> str:
    """Gives the tokenizer the template that the configuration asks for; the name of the format: `plain` or `model`.

    Raises BadInput where the model's own template is asked for and there is none.
    """
    chosen = choose_format(config, has_template=bool(tokenizer.chat_template))
    if tokenizer.eos_token is None:
        raise BadInput(f"{config.model}: its tokenizer has no end-of-text token, so nothing could be learnt to end.")
    if chosen == "plain":
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return chosen


def choose_format(config: TrainingConfig, *, has_template: bool) -> str:
    """`plain` or `model`: as configured, else by the paper's table of models, else by whether there is a template."""
    from xl_suite.paper.published import paper_models

    chosen = config.chat_format
    if chosen == "auto":
        kinds = {model.hub_id: model.kind for model in paper_models()}
        kind = kinds.get(config.model, "instruct" if has_template else "base")
        chosen = "plain" if kind == "base" else "model"
    if chosen == "model" and not has_template:
        raise BadInput(
            f"{config.model}: its tokenizer has no chat template, and chat_format is {config.chat_format!r}. "
            "Set chat_format: plain for a base model, or name the instruct model."
        )
    return chosen


def tokenize(rows: Sequence[PromptCompletion], tokenizer: Any, config: TrainingConfig) -> Tokenized:
    """The examples as tokens, in their order, or packed into rows of at most max_length (first fit, longest first).

    The prompt's tokens are those that a server would feed the model; the loss counts all that follows them, the end
    of the turn included. Raises BadInput where nothing is left to train on.
    """
    ids: list[list[int]] = []
    labels: list[list[int]] = []
    too_long = prompt_too_long = longest = 0
    for row in rows:
        prompt, completion = split_example(tokenizer, row.prompt, row.completion)
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
    if not ids:
        raise BadInput(
            f"All {len(rows)} examples are longer than max_length ({config.max_length} tokens; the longest has "
            f"{longest}). Raise max_length, or set too_long: truncate."
        )
    if not config.packing:
        return Tokenized(ids, labels, None, len(ids), too_long, prompt_too_long, longest)
    bins = pack([len(one) for one in ids], config.max_length)
    return Tokenized(
        [[token for place in places for token in ids[place]] for places in bins],
        [[label for place in places for label in labels[place]] for places in bins],
        [[len(ids[place]) for place in places] for places in bins],
        len(ids),
        too_long,
        prompt_too_long,
        longest,
    )


def split_example(tokenizer: Any, prompt: str, completion: str) -> tuple[list[int], list[int]]:
    """The tokens of the framed prompt, and of what the model is to say after it."""
    asked = [{"role": "user", "content": prompt}]
    framed: str = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole: str = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": completion}], tokenize=False)
    if not whole.startswith(framed):
        # A template that treats past turns differently (some drop reasoning): what it asks for, then the answer.
        whole = framed + completion + tokenizer.eos_token
    return _encode(tokenizer, framed), _encode(tokenizer, whole[len(framed) :])


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


def count_tokens(rows: Sequence[PromptCompletion | PreferencePair]) -> Iterator[int]:
    """Tokens of each example by rule of thumb, UTF-8 bytes / 4, where there is no tokenizer at hand."""
    for row in rows:
        texts = (row.completion,) if isinstance(row, PromptCompletion) else (row.chosen, row.rejected)
        yield sum(len(row.prompt.encode("utf-8", "replace")) + len(t.encode("utf-8", "replace")) for t in texts) // 4


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
