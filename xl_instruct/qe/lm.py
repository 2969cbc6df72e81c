"""`lm`: how probable a causal language model finds a translation, given its source and language. Experimental.

It knows every language that the model knows, also those that CometKiwi does not, and needs no labels. Nothing has
shown that its order is that of people; scripts/benchmarks/qe_adversaries.py shows which planted faults it sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_instruct.qe.checkpoint import hash_values, read_licence
from xl_suite.chat.serving.weights import check_folder, hash_folder
from xl_suite.errors import BadInput
from xl_suite.extras import load as load_extra
from xl_suite.languages import find_language
from xl_suite.surrogates import replace_surrogates

if TYPE_CHECKING:
    import torch

# A source and its translation as one short text, which a base model continues as well as a chat model does.
PROMPT = "English: {source}\n{language}:"
_LOWEST = -20.0


@dataclass(frozen=True, slots=True)
class _Text:
    """Token IDs of what is given and of what is scored."""

    given: list[int]
    scored: list[int]

    def __len__(self) -> int:
        return len(self.given) + len(self.scored)


class LanguageModel:
    """A causal language model as an estimator; see `load` for the options."""

    languages: frozenset[str] | None = None
    range = (_LOWEST, 0.0)
    experimental = True
    window = 64

    def __init__(self, model: Any, tokenizer: Any, *, name: str, licence: str, fingerprint: str, **options: Any):
        self.name, self.licence = name, licence
        self._model, self._tokenizer = model, tokenizer
        self._batch_tokens: int = options["batch_tokens"]
        self._contrast: float = options["contrast"]
        self.fingerprint = hash_values("lm-1", fingerprint, PROMPT, repr(self._contrast))

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        """Nats per token, at most 0, in the order of the pairs. sources: English. Raises UnknownLanguage.

        The mean log-probability of the translation's tokens and of the end of its line, given source and language.
        Where the text is likelier as English than as the language, `contrast` nats are taken off: a copy of the
        source is what a language model finds most probable.
        """
        name = find_language(language).name
        pairs = list(zip(*(replace_surrogates(list(texts))[0] for texts in (sources, translations)), strict=True))
        wanted = [(source, text, name) for source, text in pairs]
        english = (
            [(source, text, "English") for source, text in pairs] if self._contrast and name != "English" else []
        )
        order = list(dict.fromkeys([*wanted, *english]))
        scores = dict(zip(order, self._measure([self._encode(*one) for one in order]), strict=True))
        found = []
        for place, one in enumerate(wanted):
            score = scores[one]
            if english:
                score -= self._contrast * (scores[english[place]] > scores[one])
            found.append(max(_LOWEST, score))
        return found

    def _encode(self, source: str, translation: str, language: str) -> _Text:
        given = PROMPT.format(source=" ".join(source.split()), language=language)
        scored = " " + " ".join(translation.split()) + "\n"
        first = [] if self._tokenizer.bos_token_id is None else [self._tokenizer.bos_token_id]
        ids = [self._tokenizer(text, add_special_tokens=False).input_ids for text in (given, scored)]
        return _Text([*first, *ids[0]], ids[1])

    def _measure(self, texts: Sequence[_Text]) -> list[float]:
        """The mean log-probability of each text's scored tokens. Batches depend on the texts alone."""
        import torch

        scores = [0.0] * len(texts)
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        for batch in self._plan(order, texts):
            with torch.inference_mode():
                values = self._read([texts[place] for place in batch])
            for place, value in zip(batch, values, strict=True):
                scores[place] = value
        return scores

    def _plan(self, order: Sequence[int], texts: Sequence[_Text]) -> Iterator[list[int]]:
        batch: list[int] = []
        for place in order:
            if batch and (len(batch) + 1) * len(texts[batch[0]]) > self._batch_tokens:
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _read(self, batch: Sequence[_Text]) -> list[float]:
        import torch

        longest, kept = max(map(len, batch)), max(len(one.scored) for one in batch)
        pad = [longest - len(one) for one in batch]
        ids = torch.tensor([[0] * n + one.given + one.scored for n, one in zip(pad, batch, strict=True)])
        mask = torch.tensor([[0] * n + [1] * len(one) for n, one in zip(pad, batch, strict=True)])
        ids, mask = ids.to(self._model.device), mask.to(self._model.device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        # The whole vocabulary's logits are the largest part of the memory: only those of scored tokens are made.
        answer = self._model(
            input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=kept + 1, use_cache=False
        )
        logits: torch.Tensor = answer.logits[:, :-1].float()
        chosen = ids[:, -kept:, None]
        values = (logits.gather(-1, chosen)[..., 0] - logits.logsumexp(-1)).tolist()
        return [sum(row[-len(one.scored) :]) / len(one.scored) for row, one in zip(values, batch, strict=True)]


def load(
    model: str, *, contrast: float = 10.0, device: str = "auto", precision: str = "fp32", batch_tokens: int = 2048
) -> LanguageModel:
    """The estimator of a causal model that transformers reads, base or chat.

    model: a folder or a Hub ID. contrast: nats that a text loses for being likelier as English than as the language;
    0 gives the plain log-probability, under which a copy of the source is the best translation. device: auto (a GPU
    where there is one), cpu, cuda. precision: fp32 or bf16. batch_tokens: tokens in a batch, padding included.
    Raises MissingExtra without torch and transformers, BadInput for what cannot be.
    """
    torch = load_extra("torch", extra="hf", why="lm runs on it.")
    transformers = load_extra("transformers", extra="hf", why="lm loads the model with it.")
    if not model:
        raise BadInput("lm needs a model: lm:FOLDER or lm:HUB_ID of a causal language model.")
    if precision not in ("fp32", "bf16"):
        raise BadInput(f"precision is {precision!r}; it must be one of fp32, bf16.")
    if contrast < 0:
        raise BadInput(f"contrast is {contrast}; it must be 0 or more.")
    folder = Path(model).expanduser()
    if folder.is_dir():
        check_folder(folder)
        content, name = hash_folder(folder), folder.resolve().name
        name = f"{name}@{content.removeprefix('sha256:')[:12]}"
    target = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        network = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=dtype).to(target).eval()
    except (OSError, ValueError) as error:
        raise BadInput(f"{model} cannot be loaded as a causal language model: {error}") from error
    if not folder.is_dir():
        content, name = f"{model}@{getattr(network.config, '_commit_hash', None) or 'unknown'}", model
    return LanguageModel(
        network,
        tokenizer,
        name=f"lm:{name}",
        licence=read_licence(folder) if folder.is_dir() else "unknown",
        fingerprint=f"{content} {precision}",
        batch_tokens=batch_tokens,
        contrast=contrast,
    )
