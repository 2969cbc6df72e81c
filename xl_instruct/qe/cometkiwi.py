"""CometKiwi (Rei et al. 2022, 2023): COMET's UnifiedMetric without references, scored on torch alone.

The scores are unbabel-comet's (tests/comet holds that) at a fraction of its time: each pair is tokenised and
scored once, batches hold equally long pairs, and only what the score depends on is computed (`network`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_instruct.qe.checkpoint import (
    check_state,
    find_checkpoint,
    find_encoder,
    hash_file,
    hash_values,
    read_checkpoint,
    read_hyperparameters,
    read_licence,
    read_shape,
    read_tokenizer,
)
from xl_suite.errors import BadInput, ModelUnavailable
from xl_suite.extras import load as load_extra
from xl_suite.surrogates import replace_surrogates

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from xl_instruct.qe.network import Network

    Tokens = NDArray[np.int32]

PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
LICENCES = {
    "Unbabel/wmt22-cometkiwi-da": "cc-by-nc-sa-4.0",
    "Unbabel/wmt23-cometkiwi-da-xl": "cc-by-nc-sa-4.0",
    "Unbabel/wmt23-cometkiwi-da-xxl": "cc-by-nc-sa-4.0",
}
# The languages of XLM-R's pre-training (Conneau et al. 2020, appendix A), with the individual codes beside those
# macrolanguages that data sets name either way. Maltese is not among them.
XLMR_LANGUAGES = frozenset(files("xl_instruct.qe").joinpath("xlmr_languages.txt").read_text("utf-8").split())
_TOKENS = {"cpu": 1024, "cuda": 32768}  # a batch; larger ones fall out of a CPU's cache
_ESTIMATED_AT_ONCE = {"cpu": 256, "cuda": 16384}  # pairs; as with tokens, few enough for a CPU's cache
_WINDOW = {"cpu": 256, "cuda": 16384}  # pairs whose scores are written to the journal together


class CometKiwi:
    """A checkpoint that scores pairs; see `load` for the options."""

    range = (0.0, 1.0)
    languages: frozenset[str] | None = XLMR_LANGUAGES

    def __init__(
        self,
        network: Network,
        tokenizer: Tokenizer,
        *,
        name: str,
        licence: str = "unknown",
        fingerprint: str = "",
        batch_tokens: int | None = None,
        progress: bool = False,
        make_precise: Callable[[], CometKiwi] | None = None,
    ):
        self._make_precise = make_precise
        self.name, self.licence, self.fingerprint = name, licence, fingerprint
        self.window = _WINDOW.get(network.device.type, _WINDOW["cpu"])
        self._network, self._tokenizer, self._progress = network, tokenizer, progress
        self._batch_tokens = batch_tokens or _TOKENS.get(network.device.type, _TOKENS["cpu"])
        self._begin, self._end, self._pad = (_find_token(tokenizer, text) for text in ("<s>", "</s>", "<pad>"))
        self._positions = network.shape.positions - 2

    @cached_property
    def precise(self) -> CometKiwi | None:
        """The same checkpoint in fp32, which decides between scores that are too close; None where this is it."""
        return self._make_precise() if self._make_precise else None

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str = "") -> list[float]:
        """Scores, about 0 to 1, in the order of the pairs; equal pairs are scored once. language: not used.

        Each side is cut to 508 tokens and the pair to 512, as unbabel-comet does (with 514 positions).
        """
        import torch

        pairs = list(zip(translations, sources, strict=True))
        unique = list(dict.fromkeys(pairs))
        if not unique:
            return []
        sequences = self._encode(unique)
        order = sorted(range(len(sequences)), key=lambda index: -len(sequences[index]))
        parts: list[torch.Tensor] = []
        with self._bar(len(unique)) as bar:
            for batch in plan_batches([len(sequences[index]) for index in order], self._batch_tokens):
                rows = [sequences[order[place]] for place in batch]
                parts.extend(self._read(rows))
                bar.update(len(rows))
            mixed = torch.cat(parts)
            size = _ESTIMATED_AT_ONCE.get(self._network.device.type, 256)
            scores = [self._network.estimate(mixed[at : at + size]) for at in range(0, len(mixed), size)]
            values = torch.cat(scores).tolist()  # the one wait for the device
        if not all(map(math.isfinite, values)):
            raise ModelUnavailable(
                f"{self.name}: some scores are not finite numbers. In fp16 large values overflow: "
                "use precision fp32 or bf16. If it is fp32 already, the checkpoint is damaged."
            )
        by_pair = {unique[index]: value for index, value in zip(order, values, strict=True)}
        return [by_pair[pair] for pair in pairs]

    def _encode(self, pairs: list[tuple[str, str]]) -> list[Tokens]:
        """`<s> translation </s></s> source </s>` of each pair, as unbabel-comet cuts it; each text tokenised once."""
        import numpy as np

        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        limit = self._positions - 4
        coded = {}
        encode = getattr(self._tokenizer, "encode_batch_fast", self._tokenizer.encode_batch)
        for start in range(0, len(texts), 4096):
            chunk = texts[start : start + 4096]
            for text, encoding in zip(
                chunk, encode([_clean(t) for t in chunk], add_special_tokens=False), strict=True
            ):
                ids = encoding.ids[:limit]
                # A text that spells out <pad> loses it, after the cut.
                coded[text] = [token for token in ids if token != self._pad] if self._pad in ids else ids
        begin, middle, end = [self._begin], [self._end, self._end], [self._end]
        return [
            np.array((begin + coded[translation] + middle + coded[source] + end)[: self._positions], dtype=np.int32)
            for translation, source in pairs
        ]

    def _read(self, rows: Sequence[Tokens]) -> list[torch.Tensor]:
        """What one batch's scores are estimated from, on the device; where its memory does not suffice, in halves."""
        import torch

        try:
            return [self._network(*self._pack(rows))]
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
        middle = len(rows) // 2
        return self._read(rows[:middle]) + self._read(rows[middle:])

    def _pack(self, rows: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Token IDs, int[rows, longest], and the rows' lengths, None where all are equal; on the device."""
        import numpy as np
        import torch

        lengths = [len(row) for row in rows]
        longest = max(lengths)
        if min(lengths) == longest:
            return self._send(torch.from_numpy(np.stack(rows))), None
        ids = np.full((len(rows), longest), self._pad, dtype=np.int32)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
        return self._send(torch.from_numpy(ids)), self._send(torch.tensor(lengths, dtype=torch.int32))

    def _send(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._network.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._network.device, non_blocking=True)

    def _bar(self, total: int) -> Any:
        from tqdm import tqdm

        return tqdm(total=total, desc=self.name, unit="pair", disable=not self._progress)


def load(
    model: str,
    *,
    precision: str = "fp32",
    device: str = "auto",
    encoder: str | None = None,
    batch_tokens: int | None = None,
    progress: bool = False,
    fuse: bool = False,
    settle: bool = True,
) -> CometKiwi:
    """The scorer of a checkpoint.

    model: a Hub ID, or a folder with hparams.yaml and checkpoints/model.ckpt. precision: fp32, bf16 or fp16, of
    the matrix products; fp16 is about eight times closer to fp32 than bf16, but can overflow, which is an error.
    device: auto (a GPU where there is one), cpu, cuda, cuda:1. encoder: a folder or Hub ID with the encoder's
    config.json and tokenizer, in place of the one that hparams.yaml names. batch_tokens: tokens in a batch,
    padding included. fuse: see `Network`. settle: in bf16 and fp16, whether fp32 decides close contests (`settling`);
    its weights are loaded beside the others once candidates compete.
    Raises MissingExtra without torch and transformers, BadInput for what does not fit together.
    """
    torch = load_extra("torch", extra="hf", why="cometkiwi runs on it.")
    load_extra("transformers", extra="hf", why="cometkiwi reads the encoder's configuration with it.")
    from xl_instruct.qe.network import Network

    if not model:
        raise BadInput(f"cometkiwi needs a model: cometkiwi:FOLDER, or one of {', '.join(LICENCES)}.")
    if precision not in PRECISIONS:
        raise BadInput(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}.")
    target = _find_device(torch, device)
    folder = find_checkpoint(model)
    path = folder / "checkpoints" / "model.ckpt"
    state, stored = read_checkpoint(path)
    found = read_hyperparameters(folder, stored)
    encoder_folder = find_encoder(encoder or found.pretrained_model, folder)
    shape = read_shape(found, encoder_folder)
    check_state(state, shape, path)
    tokenizer = read_tokenizer(encoder_folder)
    content = hash_file(path)

    def build(kind: str, make_precise: Callable[[], CometKiwi] | None = None) -> CometKiwi:
        return CometKiwi(
            Network(shape, state, target, getattr(torch, PRECISIONS[kind]), fuse=fuse),
            tokenizer,
            # A folder's path says nothing to others and may tell too much of this machine.
            name=f"{folder.resolve().name}@{content[:12]}" if Path(model).expanduser().is_dir() else model,
            licence=LICENCES.get(model) or read_licence(folder),
            fingerprint=hash_values("cometkiwi-2", content, repr(shape), hash_values(tokenizer.to_str()), kind),
            batch_tokens=batch_tokens,
            progress=progress,
            make_precise=make_precise,
        )

    return build(precision, (lambda: build("fp32")) if settle and precision != "fp32" else None)


def plan_batches(lengths: Sequence[int], budget: int) -> Iterator[range]:
    """Cuts a descending list of lengths into batches of at most `budget` tokens, padding included, at least one row.

    A batch that is half full ends where the length changes, so that most batches need no padding and no mask.
    """
    start = 0
    for index in range(1, len(lengths) + 1):
        if index < len(lengths):
            rows, longest = index - start, lengths[start]
            full = (rows + 1) * longest > budget
            if not full and not (lengths[index] != lengths[index - 1] and 2 * rows * longest >= budget):
                continue
        yield range(start, index)
        start = index


def _find_device(torch: Any, name: str) -> Any:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"device is {name!r}; it must be auto, cpu, cuda or cuda:NUMBER.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadInput(f"device is {name!r}, but PyTorch sees no GPU here. Use device auto or cpu.")
    return device


def _find_token(tokenizer: Tokenizer, text: str) -> int:
    token = tokenizer.token_to_id(text)
    if token is None:
        raise BadInput(f"The encoder's tokenizer has no token {text}; XLM-R's tokenizers have <s>, </s> and <pad>.")
    return int(token)


def _clean(text: str) -> str:
    """The text with lone surrogates replaced, which no tokenizer takes."""
    return str(replace_surrogates(text)[0])
