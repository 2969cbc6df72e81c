"""Segment Any Text (Frohmann et al. 2024, the paper's splitter) through wtpsplit; MIT, 85 languages."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from xl_instruct.splitters import Splitter, check_join, cut_alike
from xl_suite.errors import ModelUnavailable
from xl_suite.extras import load
from xl_suite.surrogates import replace_surrogates


def make_splitter(
    model: str = "sat-3l-sm", *, device: str = "cpu", threshold: float | None = None, tokenizer: str | None = None
) -> Splitter:
    """model: a SaT model of the Hub's segment-any-text, or a local folder, which must hold its tokenizer too.

    device: as torch names it. threshold: probability above which a character ends a sentence; None is the model's
    own. tokenizer: Hub ID or folder of another tokenizer. The language is not needed: SaT looks at the text alone.
    Raises MissingExtra without wtpsplit, ModelUnavailable where the model cannot be loaded.
    """
    wtpsplit = load("wtpsplit", "sat", "The splitter 'sat' needs it; 'sentencex' needs nothing.")
    options: dict[str, Any] = {}
    if tokenizer is not None or Path(model).is_dir():
        options["tokenizer_name_or_path"] = tokenizer or model
    elif Path(model).is_absolute() or model.startswith("."):
        raise ModelUnavailable(f"SaT: {model!r} is not a folder. Give a local folder or a name such as sat-3l-sm.")
    try:
        sat = wtpsplit.SaT(model, **options)
        if device != "cpu":
            sat.to(device)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelUnavailable(
            f"SaT {model!r} could not be loaded: {error} Give a local folder (weights, config.json, tokenizer), "
            "or choose the splitter 'sentencex', which needs no model."
        ) from error
    chosen = {} if threshold is None else {"threshold": threshold}

    def split(text: str, language: str) -> list[str]:
        if not text.strip():
            return [text] if text else []
        seen, _ = replace_surrogates(text)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="split_on_input_newlines=False", category=UserWarning)
            # The default drops newlines (wtpsplit 2.2.2).
            pieces = list(sat.split(seen, split_on_input_newlines=False, **chosen))
        return cut_alike(text, check_join("sat", seen, pieces))

    return split
