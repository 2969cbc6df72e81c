"""Plug-ins from outside the package: found by an entry point, or named as `package.module:function`.

A package offers one in its metadata:

    [options.entry_points]
    xl_suite.quality_estimators =
        my_estimator = my_package.my_module:load
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from xl_suite.errors import BadInput

ESTIMATORS = "xl_suite.quality_estimators"
SPLITTERS = "xl_suite.splitters"
CORPORA = "xl_suite.corpora"
_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


def list_plugins(group: str) -> list[str]:
    """The names that installed packages offer in a group, sorted."""
    return sorted({point.name for point in entry_points(group=group)})


def find_plugin(group: str, name: str) -> Callable[..., Any] | None:
    """The function of an entry point of `group`, or of `package.module:function`; None where `name` is neither.

    Raises BadInput where the plug-in cannot be imported or is not a function.
    """
    points = [point for point in entry_points(group=group) if point.name == name]
    written = _FUNCTION.fullmatch(name)
    try:
        if points:
            found = points[0].load()
        elif written:
            found = getattr(import_module(written[1]), written[2])
        else:
            return None
    except ModuleNotFoundError as error:
        if not points and error.name is not None and (written and written[1].startswith(error.name)):
            return None  # there is no such module: the caller explains which names are valid
        raise BadInput(f"the plug-in {name!r} cannot be imported: {error}.") from error
    except Exception as error:  # a stranger's module can fail in any way
        raise BadInput(f"the plug-in {name!r} cannot be loaded: {type(error).__name__}: {error}.") from error
    if not callable(found):
        raise BadInput(f"the plug-in {name!r} is not a function: {found!r}.")
    function: Callable[..., Any] = found
    return function
