"""`surface` puts a true translation above what went wrong, in all eleven languages."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from xl_instruct.qe import load_estimator
from xl_instruct.qe.surface import SurfaceEstimator
from xl_suite.errors import BadInput
from xl_suite.languages import table
from xl_suite.translation.guards import inspect_translations

ROWS = list(
    csv.DictReader(
        (Path(__file__).parents[2] / "xl_suite" / "translation" / "translations.tsv").open(encoding="utf-8"),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
)
LANGUAGES = [language.code for language in table() if language.code != "eng"]


def score(source: str, translations: Sequence[str], language: str) -> list[float]:
    scores = load_estimator("surface")([source] * len(translations), translations, language)
    return [value for value in scores if value is not None]


def shuffle(text: str, language: str, seed: int) -> str:
    words = list(text) if language == "zho" else text.split()
    random.Random(seed).shuffle(words)
    return ("" if language == "zho" else " ").join(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_true_translation_wins(language: str) -> None:
    own = [row for row in ROWS if row["language"] == language]
    assert len(own) == 3
    shuffled_below = []
    for row in own:
        source, text = row["source"], row["translation"]
        foreign = [r["translation"] for r in ROWS if r["source"] == source and r["language"] != language]
        cut = [text[: len(text) * part // 6] for part in (1, 2, 3, 4, 5)]
        shuffled = [shuffle(text, language, seed) for seed in range(60)]
        true, *others = score(source, [text, source, *foreign, *cut, *shuffled], language)
        assert true > 0.6
        named = zip(others, [source, *foreign, *cut], strict=False)
        assert [(worse, found) for found, worse in named if found >= true] == []
        shuffled_below += [found < true for found in others[-60:]]
    # An order of words that leaves no mark on the surface cannot be seen: a few in a hundred at most.
    assert sum(shuffled_below) >= 0.97 * len(shuffled_below)


def test_range_and_faults() -> None:
    source, good = "Anna met 42 friends in Rome.", "Anna traf in Rom 42 Freunde."
    scores = score(source, [good, good.replace("42 ", ""), "", "x" * 500], "deu")
    assert scores[0] == max(scores)
    assert 0 <= min(scores) <= max(scores) <= 1
    assert scores[1] < scores[0]
    assert scores[2] == 0
    runaway = f"{good[:-1]}, und dann gingen sie alle zusammen sehr lange durch die alten Gassen der großen Stadt."
    assert score(source, [runaway], "deu")[0] < scores[0] - 0.2
    lost = score(
        "Open https://a.org now, please.",
        ["Öffnen Sie jetzt bitte https://a.org.", "Öffnen Sie es jetzt bitte."],
        "deu",
    )
    assert lost[0] > lost[1]


def test_a_language_without_a_row() -> None:
    source = "The old library opens at nine, and 42 people were waiting."
    good, bad = score(source, ["La biblioteca antigua abre a las nueve y 42 personas esperaban.", source], "spa")
    assert good > 0.6 > bad


def test_no_model() -> None:
    with pytest.raises(BadInput, match=r"'surface' has no models, 'x' was given"):
        load_estimator("surface:x")


@pytest.mark.parametrize("language", LANGUAGES)
def test_verdicts_that_the_guards_found_change_no_score(language: str) -> None:
    own = [row for row in ROWS if row["language"] == language]
    sources = [*(row["source"] for row in own), "Set `n` to 5.", "See the map."]
    texts = [*(row["translation"] for row in own), "Set `n` to 5.", "See the map."]
    protected = [[], [], [], ["`n`"], []]
    seen = {
        (source, text): (check.verdict, spans)
        for source, text, spans, check in zip(
            sources, texts, protected, inspect_translations(sources, texts, language, protected), strict=True
        )
    }
    alone, told = SurfaceEstimator(), SurfaceEstimator()
    told.take_verdicts(seen)
    assert told(sources, texts, language) == alone(sources, texts, language)
