"""The chat format of a model: what a server feeds it for a prompt, and what it is to say after it, end included."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xl_instruct.training.config import TrainingConfig
from xl_suite.errors import BadInput
from xl_suite.paper.published import paper_models

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
# Stands for an answer while a template is looked at: letters that no template changes or trims.
_MARK = "\ue000answer\ue000"
_OPEN_BLOCK = re.compile(r"<(think|thinking|thought|reasoning)>\s*\Z")
# Texts behind which another text is read as it would be there; the first that stays as it is serves.
_ANCHORS = ("\n", "x", ".")


@dataclass(frozen=True, slots=True)
class Frame:
    """A tokenizer with its template. chat_format: `plain` or `model`. before, after: what is around an answer,
    `before` with the end of a reasoning block that the template opened. end: the token that ends a turn.
    controls: the texts of control tokens; spelt in an answer they stay text."""

    tokenizer: Any
    chat_format: str
    before: str
    after: str
    end: int
    controls: tuple[str, ...]

    @property
    def end_text(self) -> str:
        return str(self.tokenizer.convert_ids_to_tokens(self.end))

    def split(self, prompt: str, completion: str) -> tuple[list[int], list[int]]:
        """The tokens of the framed prompt, as a server feeds them, and of what the model is to say after it.

        These are the tokens of the whole text where it begins with those of the prompt; control tokens that the
        completion spells are never among them.
        """
        framed, said = self.render(prompt, completion)
        asked = _encode(self.tokenizer, framed)
        if not any(control in said for control in self.controls):
            rest = self.before + said + self.after
            whole = _encode(self.tokenizer, framed + rest)
            if whole[: len(asked)] == asked:
                return asked, whole[len(asked) :]
            return asked, continue_text(self.tokenizer, rest)
        parts = [self.before, *_break_controls(said, self.controls), self.after]
        return asked, [token for part in parts if part for token in continue_text(self.tokenizer, part)]

    def render(self, prompt: str, completion: str) -> tuple[str, str]:
        """The framed prompt, and the completion as the template writes it (some trim it)."""
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
        framed: str = self.tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
        whole: str = self.tokenizer.apply_chat_template(turns, tokenize=False)
        around = framed + self.before, self.after
        if whole.startswith(around[0]) and whole.endswith(around[1]) and len(whole) >= sum(map(len, around)):
            return framed, whole[len(around[0]) : len(whole) - len(self.after)]
        # A template that shows past turns in another way than it asks for them (some drop reasoning).
        return framed, completion.strip() if self._trims() else completion

    def _trims(self) -> bool:
        turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": f" {_MARK} "}]
        return f" {_MARK} " not in self.tokenizer.apply_chat_template(turns, tokenize=False)


def make_frame(tokenizer: Any, config: TrainingConfig) -> Frame:
    """Gives the tokenizer the template that the configuration asks for, and finds how it frames an answer.

    Raises BadInput where the model's own template is asked for and there is none, where it has no place for an
    answer, and where nothing in it ends a turn.
    """
    chosen = choose_format(config, has_template=bool(tokenizer.chat_template))
    if tokenizer.eos_token is None:
        raise BadInput(f"{config.model}: its tokenizer has no end-of-text token, so nothing could be learnt to end.")
    if chosen == "plain":
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    asked = [{"role": "user", "content": "x"}]
    try:
        framed: str = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        whole: str = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": _MARK}], tokenize=False)
    except Exception as error:  # a template is a program of the model's makers, and may raise anything
        raise BadInput(
            f"{config.model}: its chat template cannot frame a question and its answer: {error}. "
            "Set chat_format: plain, or give the tokenizer another template."
        ) from error
    start, mark, after = whole.partition(_MARK)
    if not mark:
        raise BadInput(
            f"{config.model}: its chat template leaves out what the assistant says. Set chat_format: plain, or give "
            "the tokenizer another template."
        )
    before = start[len(framed) :] if start.startswith(framed) else ""
    opened = _OPEN_BLOCK.search(framed)
    if opened and f"</{opened[1]}>" not in before:
        # The answer would be learnt inside the open block; so the model learns to close it first.
        before = f"\n</{opened[1]}>\n\n"
    controls = _list_controls(tokenizer)
    ends = [token for token in _encode(tokenizer, after) if tokenizer.convert_ids_to_tokens(token) in controls]
    if not ends:
        raise BadInput(
            f"{config.model}: nothing in its chat template ends an answer (behind it comes {after!r}, without a "
            f"control token), so the model would learn to go on for ever. Set chat_format: plain, which ends with "
            f"{tokenizer.eos_token}, or add {{{{ eos_token }}}} behind the assistant's content in the template."
        )
    return Frame(tokenizer, chosen, before, after, ends[0], controls)


def choose_format(config: TrainingConfig, *, has_template: bool) -> str:
    """`plain` or `model`: as configured, else by the paper's table of models, else by whether there is a template."""
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


def list_ends(frame: Frame, generation_config: Any) -> list[int]:
    """What a server stops at: the frame's end, the tokenizer's, and those that the model had, without doubles."""
    had = getattr(generation_config, "eos_token_id", None)
    known = had if isinstance(had, list) else [had]
    return list(
        dict.fromkeys(int(one) for one in (frame.end, frame.tokenizer.eos_token_id, *known) if one is not None)
    )


def continue_text(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text as it follows another: without the space that SentencePiece puts before a beginning."""
    for anchor in _ANCHORS:
        before, both = _encode(tokenizer, anchor), _encode(tokenizer, anchor + text)
        if both[: len(before)] == before:
            return both[len(before) :]
    return _encode(tokenizer, text)


def _list_controls(tokenizer: Any) -> tuple[str, ...]:
    """Special tokens, and those added tokens that the template itself writes (`</think>` of some), longest first."""
    template = str(tokenizer.chat_template)
    added = [str(token) for token in tokenizer.added_tokens_decoder.values()]
    special = set(tokenizer.all_special_tokens)
    special |= {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    named = [token for token in added if len(token) > 1 and token.strip() and token in template]
    return tuple(sorted({*special, *named}, key=lambda token: (-len(token), token)))


def _break_controls(text: str, controls: Sequence[str]) -> list[str]:
    """The text in parts, none of which holds a control token: each is cut behind its first character."""
    parts, start = [], 0
    for found in re.finditer("|".join(map(re.escape, controls)), text):
        parts.append(text[start : found.start() + 1])
        start = found.start() + 1
    return [*parts, text[start:]]


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
