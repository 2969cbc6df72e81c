"""Sentence splitters: a module each, found by its name.

A module has `make_splitter(**options) -> Splitter`. To add one, add a module here. From outside the package,
offer that function as an entry point of `xl_suite.splitters`, or name it: `package.module:function`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import accumulate, pairwise
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.plugins import SPLITTERS, find_plugin, list_plugins

# (text, ISO 639-1 code of its language, or ISO 639-3 where there is none) -> pieces that join back to the text.
Splitter = Callable[[str, str], list[str]]


def list_splitters() -> tuple[str, ...]:
    """The names that `load_splitter` knows: of this package's modules, and of installed plug-ins."""
    own = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg}
    return tuple(sorted(own | set(list_plugins(SPLITTERS))))


def load_splitter(name: str, **options: Any) -> Splitter:
    """The splitter of a name, with the options of its module's `make_splitter`. Raises BadInput for any other."""
    make = _find_splitter(name)
    if make is None:
        raise BadInput(explain_splitter(name))
    try:
        splitter = make(**options)
    except TypeError as error:
        raise BadInput(f"splitter {name!r}: {error}.") from error
    return splitter


def explain_splitter(name: str) -> str:
    """What a person reads who named a splitter that does not exist."""
    return (
        f"{name!r} is not a sentence splitter. Valid: {', '.join(list_splitters())}, or a function of your own as "
        "package.module:function."
    )


def is_splitter(name: str) -> bool:
    """Whether `load_splitter` finds a splitter of this name. Raises BadInput for a plug-in that cannot be loaded."""
    return _find_splitter(name) is not None


def _find_splitter(name: str) -> Callable[..., Splitter] | None:
    if any(module.name == name and not module.ispkg for module in pkgutil.iter_modules(__path__)):
        make: Callable[..., Splitter] = import_module(f"{__name__}.{name}").make_splitter
        return make
    return find_plugin(SPLITTERS, name)


def check_join(name: str, text: str, pieces: Sequence[str]) -> list[str]:
    """The pieces as a list. Raises BadInput where they do not join back to `text`, naming the first difference."""
    joined = "".join(pieces)
    if joined == text:
        return list(pieces)
    shorter = min(len(joined), len(text))
    place = next((i for i in range(shorter) if joined[i] != text[i]), shorter)
    raise BadInput(
        f"the splitter {name!r} changed the text at character {place}: {text[place : place + 40]!r} became "
        f"{joined[place : place + 40]!r}. Its sentences must join back to the text; choose another splitter "
        f"({', '.join(list_splitters())})."
    )


def cut_alike(text: str, pieces: Sequence[str]) -> list[str]:
    """`text` cut where `pieces`, of a text of the same length, are."""
    return [text[start:end] for start, end in pairwise(accumulate(map(len, pieces), initial=0))]
