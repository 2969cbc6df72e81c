"""xl-suite: data, training and evaluation for cross-lingual open-ended generation."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> the module that has it. Imported on first use, so that `import xl_suite` stays light.
_PUBLIC = {
    "BadInput": "errors",
    "BadRecord": "errors",
    "Language": "languages",
    "XLSuiteError": "errors",
    "find_language": "languages",
    "read_records": "records",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
