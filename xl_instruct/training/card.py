"""The card of a trained adapter: what it was made of, how, and what that leaves to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from xl_instruct.training.config import TrainingConfig
from xl_instruct.training.data import TrainingData
from xl_instruct.training.plan import TrainingPlan
from xl_instruct.training.sources import read_card
from xl_suite.dataset.card import name_language
from xl_suite.languages import find_language
from xl_suite.placeholders import fill_all

_SHOWN = ("model", "revision", "method", "assumed", "mixture", "report_to")


def render_card(
    config: TrainingConfig,
    data: TrainingData,
    plan: TrainingPlan,
    losses: Sequence[tuple[float, float]],
    name: str,
    *,
    library: str = "peft",
) -> str:
    """The README of a run's folder, with the Hub's YAML for an adapter (`peft`) or a merged model (`transformers`).

    Of a model in a local folder it names the base model that the folder's own card names, else the folder's name.
    """
    import yaml

    import xl_suite

    counts = data.count_languages()
    base = name_base(config.model)
    codes = [name_language(find_language(code)) for code in counts if len(code) == 3]
    metadata: dict[str, Any] = {
        "library_name": library,
        "base_model": base,
        "license": data.licence,
        "language": list(dict.fromkeys(["en", *codes])),
        "tags": ["xl-suite", "cross-lingual", config.method, "lora"],
        "pipeline_tag": "text-generation",
    }
    values = {
        "name": name,
        "model": base + (f" at {config.revision}" if config.revision else ""),
        "method": {"sft": "supervised fine-tuning", "dpo": "direct preference optimization"}[config.method],
        "data": data.name,
        "sha256": data.sha256,
        "licence": data.licence,
        "examples": f"{plan.examples:,}",
        "tokens": f"{plan.tokens:,}" if plan.exact else f"about {plan.tokens:,}",
        "too_long": str(plan.too_long),
        "languages": ", ".join(f"{code} {count}" for code, count in counts.items()) or "not named",
        "parameters": f"{plan.parameters / 1e9:.2f} B, {plan.trainable:,} trained",
        "chat_format": {
            "plain": "a plain frame, saved as the tokenizer's chat template",
            "model": "the model's own chat template",
        }[plan.chat_format],
        "steps": f"{plan.steps:,}, {plan.warmup_steps} of them warm-up",
        "loss": f"{losses[0][1]:.4f} to {losses[-1][1]:.4f}" if losses else "not logged",
        "settings": "\n".join(
            f"| `{key}` | {_show(value)} | {'assumed: the paper does not say' if key in config.assumed else ''} |"
            for key, value in config.model_dump(mode="json").items()
            if key not in _SHOWN
        ),
        "version": xl_suite.__version__,
    }
    text = files("xl_instruct.training").joinpath("card.md").read_text(encoding="utf-8")
    text = fill_all(text, values, "card", double=True)
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n{text}"


def name_base(model: str) -> str:
    """The Hub ID of a model; of a local folder the base model that its card names, else the folder's name."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    told = read_card(folder).get("base_model")
    return told if isinstance(told, str) and told else folder.resolve().name


def _show(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
