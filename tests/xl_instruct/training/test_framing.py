"""Every kind of chat template and tokenizer: the prompt is what a server feeds, and the answer ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.framing import PLAIN_TEMPLATE, Frame, list_ends, make_frame
from xl_suite.errors import BadInput

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

TEXT = """Der Fluss zählt seine Steine, und die Brücken warten. Honig verdirbt nie. Why does honey never spoil?
### Instruction: ### Response: user assistant model Respond in German """
P, C = "Why does honey never spoil?\n\nRespond in German", "Honig verdirbt nie.\n\nDer Fluss wartet."

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{% else %}"
    "{% set c = m['content'].split('</think>')[-1] %}{{ '<|Assistant|>' + c + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"
)
QWEN3 = CHATML.replace(
    "m['role'] + '\n' +", "m['role'] + '\n' + ('<think>\n\n</think>\n\n' if m['role'] == 'assistant' else '') +"
)
OPEN_QWEN = QWEN3.replace("<|im_start|>assistant\n' }}", "<|im_start|>assistant\n<think>\n' }}")
LLAMA2 = (
    "{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|head|>' + m['role'] + '<|tail|>\n\n' + m['content'] | trim + '<|eot|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant<|tail|>\n\n' }}{% endif %}"
)
NO_END = (
    "{% for m in messages %}"
    "{{ ('User: ' if m['role'] == 'user' else 'Assistant: ') + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def make_tokenizer(
    kind: str, template: str | None, *, bos: str | None = "<s>", eos: str = "</s>", extra: tuple[str, ...] = ()
) -> Any:
    """kind: `byte` level BPE, or the prepend scheme of SentencePiece's metaspace (first, always, never)."""
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    special = list(dict.fromkeys(name for name in ("<unk>", bos, eos, *extra) if name))
    if kind == "byte":
        raw = tokenizers.Tokenizer(models.BPE())
        raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        raw = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
        raw.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=kind, split=False)
        strip = decoders.Strip(" ", 1, 0)
        raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
        octets = [f"<0x{number:02X}>" for number in range(256)]
        trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=[*special, *octets], show_progress=False)
    raw.train_from_iterator([TEXT] * 4, trainer)
    shape = json.loads(raw.to_str())  # bytes are in the vocabulary, and not control tokens
    shape["added_tokens"] = [token for token in shape["added_tokens"] if token["content"] in special]
    raw = tokenizers.Tokenizer.from_str(json.dumps(shape))
    if bos:
        single = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, raw.token_to_id(bos))])
        raw.post_processor = single
    names: dict[str, Any] = {"bos_token": bos, "eos_token": eos, "additional_special_tokens": list(extra)}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, **{name: value for name, value in names.items() if value}
    )
    tokenizer.chat_template = template
    return tokenizer


CHATML_TOKENS: dict[str, Any] = {"bos": None, "eos": "<|endoftext|>", "extra": ("<|im_start|>", "<|im_end|>")}
TEMPLATES: dict[str, tuple[str | None, dict[str, Any], str, str]] = {
    # the template, its tokens, how a turn ends, what the model is to say before the answer
    "plain": (None, {}, "</s>", ""),
    "chatml of a base model": (CHATML, CHATML_TOKENS, "<|im_end|>", ""),
    "gemma": (GEMMA, {"extra": ("<start_of_turn>", "<end_of_turn>")}, "<end_of_turn>", ""),
    "r1": (R1, {"extra": ("<|User|>", "<|Assistant|>", "<think>", "</think>")}, "</s>", "\n</think>\n\n"),
    "r1 without tokens": (R1, {"extra": ("<|User|>", "<|Assistant|>")}, "</s>", "\n</think>\n\n"),
    "qwen3": (QWEN3, CHATML_TOKENS, "<|im_end|>", "<think>\n\n</think>\n\n"),
    "qwen3 that opens": (OPEN_QWEN, CHATML_TOKENS, "<|im_end|>", "\n</think>\n\n"),
    "llama2": (LLAMA2, {}, "</s>", " "),
    "llama3": (LLAMA3, {"eos": "<|end_of_text|>", "extra": ("<|head|>", "<|tail|>", "<|eot|>")}, "<|eot|>", ""),
}
KINDS = ("byte", "first", "always", "never")


@pytest.fixture(params=[(kind, name) for kind in KINDS for name in TEMPLATES], ids=lambda one: f"{one[0]}, {one[1]}")
def framed(request: pytest.FixtureRequest) -> tuple[Frame, str, str]:
    kind, name = request.param
    template, options, end, before = TEMPLATES[name]
    return make_frame(make_tokenizer(kind, template, **options), TrainingConfig(model="m")), end, before


def feed(frame: Frame, prompt: str) -> list[int]:
    """The tokens that a server feeds the model."""
    turns = [{"role": "user", "content": prompt}]
    return list(frame.tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"])


def test_the_prompt_is_what_a_server_feeds_and_the_answer_ends(framed: tuple[Frame, str, str]) -> None:
    frame, end, before = framed
    prompt, completion = frame.split(P, C)
    assert prompt == feed(frame, P)
    ids = completion
    assert frame.end_text == end
    assert frame.end in ids
    assert list_ends(frame, transformers.GenerationConfig(eos_token_id=1))[0] == frame.end
    assert ids.count(frame.end) == 1
    # Nothing is added before the answer, and nothing behind its end but what the template writes there.
    said = frame.tokenizer.decode([*prompt, *ids[: ids.index(frame.end)]])[len(frame.tokenizer.decode(prompt)) :]
    if "</think>" in frame.controls and frame.tokenizer("\n</think>\n").tokens()[-2].startswith("▁"):
        said = said.replace("</think> ", "</think>")  # such a tokenizer puts a space behind every control token
    assert said.rstrip(" ") == before + C


def test_the_tokens_are_those_of_the_whole_conversation_where_the_template_shows_it_so(
    framed: tuple[Frame, str, str],
) -> None:
    frame, _, _ = framed
    turns = [{"role": "user", "content": P}, {"role": "assistant", "content": C}]
    prompt, completion = frame.split(P, C)
    whole = list(frame.tokenizer.apply_chat_template(turns)["input_ids"])
    if whole[: len(prompt)] == prompt:
        assert prompt + completion == whole
    else:  # R1 shows past turns without the block that it opens, or a token spans the boundary
        text = frame.tokenizer.apply_chat_template(turns, tokenize=False)
        merged = text.startswith(
            frame.tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
        )
        assert merged or "</think>" in frame.before


def test_control_tokens_that_an_answer_spells_are_text(framed: tuple[Frame, str, str]) -> None:
    frame, end, before = framed
    spelt = f"Das Zeichen {end} beendet, <s> beginnt, </s> und</think> auch."
    _, completion = frame.split(P, spelt)
    controls = {frame.tokenizer.convert_tokens_to_ids(control) for control in frame.controls}
    inner = completion[: len(completion) - completion[::-1].index(frame.end) - 1]
    allowed = {frame.tokenizer.convert_tokens_to_ids(name) for name in ("<think>", "</think>") if name in before}
    assert not (set(inner) & (controls - allowed))
    assert completion.count(frame.end) == 1
    assert frame.tokenizer.decode(completion, skip_special_tokens=True).strip().endswith(spelt)


def test_an_empty_answer_is_its_end(framed: tuple[Frame, str, str]) -> None:
    frame, _, before = framed
    _, completion = frame.split(P, "")
    said = frame.tokenizer.decode(completion[: completion.index(frame.end)])
    assert said.strip() == before.strip()


def test_spaces_around_an_answer_are_kept_where_the_template_keeps_them() -> None:
    for template, kept in ((CHATML, "  Honig. "), (CHATML.replace("m['content']", "m['content'] | trim"), "Honig.")):
        frame = make_frame(make_tokenizer("byte", template, **CHATML_TOKENS), TrainingConfig(model="m"))
        _, completion = frame.split(P, "  Honig. ")
        assert frame.tokenizer.decode(completion[: completion.index(frame.end)]) == kept


def test_a_template_without_an_end_is_refused_with_the_way_out() -> None:
    for tokenizer in (make_tokenizer("byte", NO_END), make_tokenizer("byte", CHATML)):
        with pytest.raises(
            BadInput, match=r"nothing in its chat template ends an answer.*Set chat_format: plain, which"
        ):
            make_frame(tokenizer, TrainingConfig(model="m"))
    assert (
        make_frame(make_tokenizer("byte", NO_END), TrainingConfig(model="m", chat_format="plain")).end_text == "</s>"
    )
    with pytest.raises(BadInput, match="leaves out what the assistant says"):
        make_frame(make_tokenizer("byte", "{{ messages[0]['content'] }}"), TrainingConfig(model="m"))
    with pytest.raises(BadInput, match=r"cannot frame a question and its answer: .*undefined"):
        make_frame(make_tokenizer("byte", "{{ nothing.at.all }}"), TrainingConfig(model="m"))
    tokenizer = make_tokenizer("byte", None)
    assert tokenizer.chat_template is None
    assert make_frame(tokenizer, TrainingConfig(model="m")).tokenizer.chat_template == PLAIN_TEMPLATE


def test_the_ends_are_the_frames_the_tokenizers_and_the_models() -> None:
    frame = make_frame(make_tokenizer("byte", CHATML, **CHATML_TOKENS), TrainingConfig(model="m"))
    for had in (None, 7, [7, frame.end]):
        ends = list_ends(frame, transformers.GenerationConfig(eos_token_id=had))
        assert ends == [frame.end, frame.tokenizer.eos_token_id, *([7] if had else [])]
