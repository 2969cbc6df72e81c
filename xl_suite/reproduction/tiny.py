"""Tiny random language models, made on the spot, and a server that lets them and a made-up judge answer.

They say nothing that makes sense; they show that every step of a reproduction runs.
`python -m xl_suite.reproduction.tiny FOLDER` writes one with a chat template.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xl_suite import extras
from xl_suite.chat.loopback.server import Loopback, Reply, Script, serve_loopback, token_logprobs

JUDGE, REFERENCE = "smoke-judge", "smoke-reference"
NEW_TOKENS = 24
_TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)
_WORDS = "Der Fluss zählt seine Steine langsam, und die Brücken warten. A folyó lassan számolja a köveit. " * 4


def make_tiny_model(folder: Path, *, seed: int, chat: bool, hidden: int = 32) -> Path:
    """Writes a Llama of random weights, about 0.1 million, with a byte-level tokenizer; `chat`: with a template."""
    torch = extras.load("torch", extra="train")
    transformers = extras.load("transformers", extra="train")
    tokenizers = extras.load("tokenizers", extra="train")
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([_WORDS], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = _TEMPLATE if chat else None
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=hidden,
                intermediate_size=2 * hidden,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=2048,
                tie_word_embeddings=False,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
    model.save_pretrained(folder)
    return folder


@contextmanager
def serve_tiny(find: Callable[[str], Path | None]) -> Iterator[Loopback]:
    """A server whose models are folders: `find` gives that of a name. The reference and the judge are made up."""
    with serve_loopback(_Answers(find)) as server:
        yield server


class _Answers:
    """The server's script. It loads a model at its first question and keeps the last one."""

    def __init__(self, find: Callable[[str], Path | None]):
        self._find = find
        self._lock = threading.Lock()
        self._name, self._model, self._tokenizer = "", None, None

    def __call__(self, request: dict[str, Any]) -> Reply:
        name = str(request.get("model"))
        if name == JUDGE:
            return _judge(request)
        if name == REFERENCE:
            return Reply(f"Der Fluss zählt seine Steine. {_draw(request) % 97}")
        folder = self._find(name)
        if folder is None:
            return Reply(f"there is no model {name!r}", 404)
        with self._lock:
            return Reply(self._generate(name, folder, request))

    def _generate(self, name: str, folder: Path, request: dict[str, Any]) -> str:
        torch = extras.load("torch", extra="train")
        transformers = extras.load("transformers", extra="train")
        if name != self._name:
            self._model = transformers.AutoModelForCausalLM.from_pretrained(folder)
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            self._name = name
        model: Any = self._model
        tokenizer: Any = self._tokenizer
        messages = request["messages"]
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        else:
            text = "\n\n".join(str(message["content"]) for message in messages) + "\n\n"
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            made = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=NEW_TOKENS,
                min_new_tokens=4,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        return str(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)) or "?"


def _judge(request: dict[str, Any]) -> Reply:
    """A verdict that depends on what is asked and on nothing else."""
    share = 0.05 + 0.9 * (_draw(request) % 1000) / 1000
    chances = {"m": math.log(share), "M": math.log(1 - share)}
    chances = dict(sorted(chances.items(), key=lambda item: -item[1]))
    return Reply(next(iter(chances)), logprobs=token_logprobs(chances))


def _draw(request: dict[str, Any]) -> int:
    text = "\n".join(str(message.get("content")) for message in request["messages"])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a Llama of random weights with a chat template, to try training with."""
    parser = argparse.ArgumentParser(prog="python -m xl_suite.reproduction.tiny", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: 0)")
    options = parser.parse_args(arguments)
    make_tiny_model(options.folder, seed=options.seed, chat=True)
    print(f"a Llama of random weights: {options.folder}")
    return 0


__all__ = ["JUDGE", "REFERENCE", "Script", "make_tiny_model", "serve_tiny"]

if __name__ == "__main__":
    sys.exit(main())
