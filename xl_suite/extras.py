"""Late imports of the packages that an extra brings."""

from __future__ import annotations

import importlib
from types import ModuleType

from xl_suite.errors import MissingExtra


def load(module: str, extra: str, why: str = "") -> ModuleType:
    """The imported module, for example `load("transformers", extra="hf")`.

    Raises MissingExtra, with the install line, when the package is absent; an import error inside a package
    that is installed is raised as it is, since installing again would not mend it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtra(package, extra, why) from error
