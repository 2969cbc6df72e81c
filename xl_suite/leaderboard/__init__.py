"""The leaderboard: a folder of static pages.

`xl_suite.leaderboard` is this package and the function of that name of the Python API: a call builds the pages.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Python binds a package's name over the function of `xl_suite.api` once the package is imported."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_module("xl_suite.api").leaderboard(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
