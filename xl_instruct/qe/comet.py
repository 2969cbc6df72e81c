"""unbabel-comet itself, reference-free: the oracle for `cometkiwi`, and a way to its other metrics.

It pins old versions of transformers, numpy and torchmetrics, so it usually lives in an environment of its own
(`make test-comet` builds one).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xl_instruct.qe.checkpoint import find_checkpoint, hash_file, hash_values, read_licence, refuse_code
from xl_instruct.qe.cometkiwi import LICENCES, XLMR_LANGUAGES
from xl_suite.errors import BadInput
from xl_suite.extras import load as load_extra
from xl_suite.surrogates import replace_surrogates


class Comet:
    """A checkpoint of any metric of unbabel-comet that needs no references; see `load` for the options."""

    range = (0.0, 1.0)
    languages: frozenset[str] | None = XLMR_LANGUAGES
    window = 1024

    def __init__(
        self, metric: Any, *, name: str, licence: str = "unknown", fingerprint: str = "", batch_size: int, gpus: int
    ):
        self.name, self.licence, self.fingerprint = name, licence, fingerprint
        self._metric, self._batch_size, self._gpus = metric, batch_size, gpus

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str = "") -> list[float]:
        """Scores in the order of the pairs. language: not used."""
        pairs = zip(sources, translations, strict=True)
        samples, _ = replace_surrogates([{"src": source, "mt": mt} for source, mt in pairs])
        if not samples:
            return []
        prediction = self._metric.predict(
            samples, batch_size=self._batch_size, gpus=self._gpus, num_workers=0, progress_bar=False
        )
        return [float(score) for score in prediction["scores"]]


def load(model: str, *, batch_size: int = 16, gpus: int = 0) -> Comet:
    """The metric of a checkpoint, in float32.

    model: a Hub ID, or a folder with hparams.yaml and checkpoints/model.ckpt; its encoder's configuration comes
    from the Hub where hparams.yaml names a Hub ID. Raises MissingExtra without unbabel-comet, BadInput for a metric
    that needs references and for a checkpoint that may run code.
    """
    comet = load_extra("comet", extra="comet", why="unbabel-comet brings it.")
    if not model:
        raise BadInput(f"comet needs a model: comet:FOLDER, or one of {', '.join(LICENCES)}.")
    folder = find_checkpoint(model)
    path = folder / "checkpoints" / "model.ckpt"
    refuse_code(path)
    metric = comet.load_from_checkpoint(str(path))
    if metric.requires_references():
        raise BadInput(f"{model}: this metric compares with references; quality estimation has none.")
    content = hash_file(path)
    return Comet(
        metric,
        name=f"{folder.resolve().name}@{content[:12]}" if Path(model).expanduser().is_dir() else model,
        licence=LICENCES.get(model) or read_licence(folder),
        fingerprint=hash_values("comet", content),
        batch_size=batch_size,
        gpus=gpus,
    )
