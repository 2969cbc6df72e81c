"""Small results for tests of the leaderboard: outputs, annotations and ratings as the verbs write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

SENTENCES = {
    "deu": "Das ist ein ganz normaler deutscher Satz über das Wetter und den langen Winter.",
    "por": "Esta é uma frase bastante comum em português sobre o tempo e o longo inverno.",
    "hun": "Ez egy egészen hétköznapi magyar mondat az időjárásról és a hosszú télről.",
    "zho": "这是一个关于天气和漫长冬天的非常普通的中文句子，大家都能看懂。",
    "hin": "यह मौसम और लंबी सर्दियों के बारे में हिंदी का एक बहुत ही साधारण वाक्य है।",
    "ara": "هذه جملة عادية تماما عن الطقس وعن الشتاء الطويل في بلادنا هذا العام.",
}
ENGLISH = "This is a perfectly ordinary English sentence about the weather and the long winter."
# What a model might write to attack a page that shows it.
HOSTILE = (
    "</script x='y'><!--<script></script><script>document.title = 'owned'; window.owned = 1</script>",
    "<img src=x onerror=\"window.owned = 1\"><svg onload='window.owned = 1'>",
    "<style>body { display: none }</style><iframe src='https://example.org/'></iframe><base href='https://example.org/'>",
    "--><!-- ]]> {{script}} {{data}} \u2028 \u2029 \\u003c/script\\u003e",
    "javascript:window.owned=1 &lt;b&gt; &#60;b&#62;",
    "\u202e\u2067 txet desrever \u202d and no end of it",
    "x" * 200_000,
    "\ud800 a lone surrogate, \x00 and \x1b[31m control characters",
)


def write_annotations(
    folder: Path,
    generator: str,
    shares: Sequence[float],
    *,
    languages: Sequence[str] = ("deu", "por", "zho"),
    judge: str = "judge",
    reference: str = "reference",
    method: str = "logprobs",
    outputs: Sequence[str] | None = None,
    references: Sequence[str] | None = None,
    place: str | None = None,
    price: float | None = 0.01,
) -> Path:
    """A judge's annotations of a model, shares[i] of the win of prompt i + 1 in each language; returns the folder."""
    target = folder / "annotations" / (place or generator) / judge
    target.mkdir(parents=True, exist_ok=True)
    for language in languages:
        rows = []
        for number, share in enumerate(shares, start=1):
            text = SENTENCES.get(language, SENTENCES["deu"])
            rows.append(
                {
                    "instruction": f"Prompt {number}: what is the weather like? Answer in {language}.",
                    "output_1": references[number - 1] if references else f"{text} {number}.",
                    "generator_1": reference,
                    "output_2": outputs[number - 1] if outputs else f"{text}\n{text} {text} {number}!",
                    "generator_2": generator,
                    "annotator": judge,
                    "preference": 1 + share,
                    "price_per_example": price,
                    "id": number,
                    "language": language,
                    "order": "12" if number % 2 else "21",
                    "method": method,
                }
            )
        (target / f"{language}.json").write_text(json.dumps(rows), encoding="utf-8")
    return target


def write_outputs(
    folder: Path, generator: str, count: int, *, benchmark: str = "made-up", languages: Sequence[str] = ("deu",)
) -> None:
    """Outputs of the prompts that `write_annotations` asks."""
    target = folder / "outputs" / generator
    target.mkdir(parents=True)
    for language in languages:
        rows = [
            {
                "id": number,
                "instruction": f"Prompt {number}: what is the weather like? Answer in {language}.",
                "output": f"{SENTENCES[language]} {number}.",
                "generator": generator,
                "language": language,
                "benchmark": benchmark,
                "finish_reason": "length" if number == 1 else "stop",
            }
            for number in range(1, count + 1)
        ]
        (target / f"{language}.json").write_text(json.dumps(rows), encoding="utf-8")


def write_ratings(folder: Path, generator: str, score: float, *, judge: str = "rater", count: int = 4) -> None:
    """Ratings in German, all of them `score`."""
    target = folder / "ratings" / generator / judge
    target.mkdir(parents=True)
    rows = [
        {
            "id": number,
            "instruction": f"Prompt {number}: what is the weather like? Answer in deu.",
            "output": SENTENCES["deu"],
            "generator": generator,
            "judge": judge,
            "scores": {"precision": score, "naturalness": score},
            "language": "deu",
            "method": "parsed",
            "rubrics": "abc",
        }
        for number in range(1, count + 1)
    ]
    (target / "ratings-deu.json").write_text(json.dumps(rows), encoding="utf-8")
