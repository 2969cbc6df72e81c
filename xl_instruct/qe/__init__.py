"""Quality estimation: scores for translations without references.

A backend is a module of this package with a function `load(model, **options)`; its name is how a configuration
asks for it: `cometkiwi:Unbabel/wmt23-cometkiwi-da-xl`, `comet:DIR`, `surface`. Adding one adds a file.
From outside the package, offer `load` as an entry point of `xl_suite.quality_estimators`, or name the function:
`package.module:function`, and `package.module:function:MODEL` with a model.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.plugins import ESTIMATORS, find_plugin, list_plugins

# In XLM-R's pre-training data, but with 0.5 GiB of text one of its small shares (Conneau et al. 2020, appendix A),
# and we know of no human judgements of it among those that the CometKiwi models were tuned on.
_DOUBTFUL_FOR_XLMR = frozenset({"gle"})


class QualityEstimator(Protocol):
    """Scores translations without references; higher is better.

    An estimator may also have `fingerprint: str`, which changes whenever its scores could: only the scores of
    such a one are kept from run to run (see `store.score_pairs`). It may have `precise: QualityEstimator | None`,
    one on the same scale, slower and without its rounding, which decides close contests (see `settling`). And
    `experimental = True`, where its order has not been compared with people's: runs and cards then say so.
    """

    @property
    def name(self) -> str:
        """What `qe_model` says, for example `Unbabel/wmt23-cometkiwi-da-xl`."""
        ...

    @property
    def licence(self) -> str:
        """Of the model, as SPDX or the Hub name it; `unknown` where nothing tells."""
        ...

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-3 codes of the languages it was trained on; None: any."""
        ...

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest score to expect; a regression model can pass either a little."""
        ...

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> Sequence[float | None]:
        """A score per pair, in their order; None where there is none. language: of the translations, ISO 639-3."""
        ...


@runtime_checkable
class TakesVerdicts(Protocol):
    """An estimator that needs the verdict on the language of each translation, which the guards have by then."""

    def take_verdicts(self, seen: Mapping[tuple[str, str], tuple[str | None, list[str]]]) -> None:
        """(verdict, or None where it is not known, and the spans left out before it) by (source, translation)."""
        ...


def load_estimator(name: str, **options: Any) -> QualityEstimator:
    """The estimator of a name, `BACKEND` or `BACKEND:MODEL`; MODEL is a Hub ID or a folder.

    options go to the backend (`precision`, `device`, ...). Raises BadInput for an unknown backend or option,
    MissingExtra where the backend's packages are not installed.
    """
    backend, _, model = name.partition(":")
    load = _find_load(backend)
    if load is None:
        module, _, rest = name.partition(":")
        function, _, model = rest.partition(":")
        load = find_plugin(ESTIMATORS, f"{module}:{function}")
    if load is None:
        valid = ", ".join(sorted({*_backends(), *list_plugins(ESTIMATORS)}))
        raise BadInput(
            f"{name!r} is not a quality estimator. Write BACKEND or BACKEND:MODEL with one of: {valid}; or a "
            "function of your own as package.module:function."
        )
    estimator: QualityEstimator = load(model, **options)
    return estimator


def warn_languages(estimator: QualityEstimator, languages: Iterable[str]) -> list[str]:
    """What keeps an estimator's scores from being trusted, per language (ISO 639-3), as a run and a card print it."""
    warnings = []
    if getattr(estimator, "experimental", False):
        warnings.append(
            f"{estimator.name} is experimental: nobody has compared its scores with human judgements of translations."
        )
    if estimator.languages is None:
        return warnings
    for code in languages:
        language = find_language(code)
        if code not in estimator.languages:
            warnings.append(
                f"{estimator.name} was not trained on {language.name} ({code}): its scores for it may mean little. "
                "Compare a sample with human judgement, or with a second estimator, before relying on them."
            )
        elif code in _DOUBTFUL_FOR_XLMR:
            warnings.append(
                f"{estimator.name} saw little {language.name} ({code}) in pre-training, and as far as is known "
                "no human judgements of it: its scores for it are doubtful."
            )
    return warnings


def _find_load(backend: str) -> Callable[..., QualityEstimator] | None:
    if backend not in _modules():
        return find_plugin(ESTIMATORS, backend)
    load: Callable[..., QualityEstimator] | None = getattr(
        importlib.import_module(f"{__name__}.{backend}"), "load", None
    )
    return load


def _modules() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__) if re.fullmatch("[a-z][a-z0-9_]*", module.name)}


def _backends() -> Iterable[str]:
    return (name for name in _modules() if _has_load(name))


def _has_load(name: str) -> bool:
    try:
        return hasattr(importlib.import_module(f"{__name__}.{name}"), "load")
    except ImportError:  # a module over a package that is not installed, such as the network's torch
        return False
