"""How far several judges agree, and whether a judge prefers its own family.

Kappa (Cohen 1960, Fleiss 1971) and nominal alpha look at wins, losses and exact draws; interval alpha
(Krippendorff) at the preferences themselves. All are 1 for full agreement and about 0 for chance; None where the
judges share no prompt, or where all verdicts are equal, so that chance alone explains them.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.preferences import Array

# The prefixes in model names that identify a maker, after a non-letter or at the start.
FAMILIES = {
    # Not plain "gpt": GPTQ is a quantisation method for any model.
    "OpenAI": (
        *("gpt-", "gpt_", "gpt ", "gpt2", "gpt3", "gpt4", "gpt5", "gpt6", "chatgpt", "openai"),
        *("o1", "o3", "o4", "text_davinci", "davinci"),
    ),
    "Anthropic": ("claude", "anthropic"),
    "Google": ("gemini", "gemma", "palm", "google"),
    "Meta": ("llama", "meta"),
    "Mistral": ("mistral", "mixtral", "ministral", "magistral"),
    "Alibaba": ("qwen", "qwq"),
    "Cohere": ("command", "aya", "cohere", "c4ai"),
    "DeepSeek": ("deepseek",),
    "EuroLLM": ("eurollm",),
    "Microsoft": ("phi-", "phi3", "phi4", "microsoft"),
    "NVIDIA": ("nemotron", "nvidia"),
    "Zhipu": ("glm", "chatglm"),
    "01.AI": ("yi-", "yi1"),
    "TII": ("falcon", "tiiuae"),
    "Ai2": ("olmo",),
    "LiquidAI": ("lfm",),
    "SB Intuitions": ("sarashina",),
    "CyberAgent": ("calm",),
    "LLM-jp": ("llm-jp",),
}


# The text that `judge.name_annotator` puts before the name of a judge other than the annotator's own.
_ANNOTATOR = re.compile(r"^xl_[a-z0-9_]+-(?=.)")


def find_family(name: str) -> str | None:
    """The maker of a model, or of the model in a judge's name; None where it is unknown or ambiguous.

    The name of a judge that a built-in annotator was run with contains both names: the model's name counts.
    """
    text = _ANNOTATOR.sub("", name.lower())
    found = {
        family
        for family, beginnings in FAMILIES.items()
        if any(re.search(rf"(?<![a-z0-9]){re.escape(start)}", text) for start in beginnings)
    }
    return found.pop() if len(found) == 1 else None


def to_outcomes(preferences: Array) -> Array:
    """Preferences as wins (1), losses (0) and exact draws (1/2); NaN stays."""
    return np.where(np.isnan(preferences) | (preferences == 0.5), preferences, np.round(preferences))


def cohen_kappa(one: Array, other: Array) -> float | None:
    """Cohen's kappa of two judges' outcomes, over the prompts that both judged."""
    both = ~np.isnan(one) & ~np.isnan(other)
    one, other = one[both], other[both]
    if not len(one):
        return None
    categories = np.union1d(one, other)
    expected = sum(float(np.mean(one == category)) * float(np.mean(other == category)) for category in categories)
    return _above_chance(float(np.mean(one == other)), expected)


def fleiss_kappa(outcomes: Array) -> float | None:
    """Fleiss' kappa of judges x prompts, over the prompts that all judged; needs two judges."""
    complete = outcomes[:, ~np.isnan(outcomes).any(axis=0)]
    judges, prompts = complete.shape
    if judges < 2 or prompts == 0:
        return None
    counts = _count(complete)
    agreed = float(np.mean((np.sum(counts**2, axis=1) - judges) / (judges * (judges - 1))))
    shares = counts.sum(axis=0) / counts.sum()
    return _above_chance(agreed, float(np.sum(shares**2)))


def krippendorff_alpha(values: Array, level: str = "nominal") -> float | None:
    """Krippendorff's alpha of judges x prompts, with gaps. level: `nominal` or `interval`."""
    pairable = values[:, (~np.isnan(values)).sum(axis=0) >= 2]
    known = ~np.isnan(pairable)
    total = int(known.sum())
    if total < 2:
        return None
    per_prompt = known.sum(axis=0)
    if level == "interval":
        filled = np.where(known, pairable, 0)
        # The sum over ordered pairs of squared differences is 2 x (count x sum of squares - square of the sum).
        within = 2 * (per_prompt * (filled**2).sum(axis=0) - filled.sum(axis=0) ** 2)
        every = pairable[known]
        expected = 2 * (total * float(np.sum(every**2)) - float(every.sum()) ** 2)
    else:
        counts = _count(pairable)
        within = per_prompt**2 - np.sum(counts**2, axis=1)
        expected = float(total**2 - np.sum(counts.sum(axis=0) ** 2))
    observed = float(np.sum(within / (per_prompt - 1))) / total
    expected /= total * (total - 1)
    return None if expected <= 1e-12 else 1 - observed / expected


def _count(values: Array) -> NDArray[np.float64]:
    """How often each outcome was given, prompts x outcomes."""
    categories = np.unique(values[~np.isnan(values)])
    return np.stack([(values == category).sum(axis=0) for category in categories], axis=1).astype(float)


def _above_chance(agreed: float, expected: float) -> float | None:
    return None if expected >= 1 - 1e-12 else (agreed - expected) / (1 - expected)
