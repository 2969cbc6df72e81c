"""xl-suite: data, training and evaluation for cross-lingual open-ended generation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers and editors
    from xl_suite.api import annotate as annotate
    from xl_suite.api import apply_bridge as apply_bridge
    from xl_suite.api import archive_bridge as archive_bridge
    from xl_suite.api import audit as audit
    from xl_suite.api import build_m_alpacaeval as build_m_alpacaeval
    from xl_suite.api import build_prompts as build_prompts
    from xl_suite.api import build_xl_alpacaeval as build_xl_alpacaeval
    from xl_suite.api import check_judge as check_judge
    from xl_suite.api import collect_bridge as collect_bridge
    from xl_suite.api import compare as compare
    from xl_suite.api import fit_bridge as fit_bridge
    from xl_suite.api import generate as generate
    from xl_suite.api import import_judgements as import_judgements
    from xl_suite.api import import_labels as import_labels
    from xl_suite.api import judge as judge
    from xl_suite.api import judge_panel as judge_panel
    from xl_suite.api import leaderboard as leaderboard
    from xl_suite.api import load_benchmark as load_benchmark
    from xl_suite.api import plan_bridge as plan_bridge
    from xl_suite.api import plan_publish as plan_publish
    from xl_suite.api import preferences as preferences
    from xl_suite.api import publish as publish
    from xl_suite.api import rate as rate
    from xl_suite.api import read_annotations as read_annotations
    from xl_suite.api import read_outputs as read_outputs
    from xl_suite.api import respond as respond
    from xl_suite.api import score as score
    from xl_suite.api import submit as submit
    from xl_suite.api import subset as subset
    from xl_suite.api import train as train
    from xl_suite.errors import BadInput as BadInput
    from xl_suite.errors import BadRecord as BadRecord
    from xl_suite.errors import XLSuiteError as XLSuiteError
    from xl_suite.languages import Language as Language
    from xl_suite.languages import find_language as find_language
    from xl_suite.records import read_records as read_records

__version__ = "0.1.0"

# Public name -> the module that has it. Imported on first use, so that `import xl_suite` stays light.
_PUBLIC = {
    "BadInput": "errors",
    "BadRecord": "errors",
    "Language": "languages",
    "XLSuiteError": "errors",
    "annotate": "api",
    "apply_bridge": "api",
    "archive_bridge": "api",
    "audit": "api",
    "build_m_alpacaeval": "api",
    "build_prompts": "api",
    "build_xl_alpacaeval": "api",
    "check_judge": "api",
    "collect_bridge": "api",
    "compare": "api",
    "find_language": "languages",
    "fit_bridge": "api",
    "generate": "api",
    "import_judgements": "api",
    "import_labels": "api",
    "judge": "api",
    "judge_panel": "api",
    "leaderboard": "api",
    "load_benchmark": "api",
    "plan_bridge": "api",
    "plan_publish": "api",
    "preferences": "api",
    "publish": "api",
    "rate": "api",
    "read_annotations": "api",
    "read_outputs": "api",
    "read_records": "records",
    "respond": "api",
    "score": "api",
    "submit": "api",
    "subset": "api",
    "train": "api",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
