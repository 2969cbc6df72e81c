"""The classes of the identifier that compete with the language that is asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

from xl_suite.fidelity.identify import NO_LANGUAGE, find_column_language, load_identifier
from xl_suite.fidelity.support import find_support

# Classes that models hardly ever slip into, and that lists of names and titles are often taken for. They are
# marked down by MARKED_DOWN unless one of them is the target.
_RARE = """
ace arg ary arz bak bcl bre crh dzo epo ext fao fry fuv gcf gcr glg gom grc gug guw hau hbo ibo jav kab kik kin
lat lij lin ltg ltz lug mlg nso oci orm pcm que san sdh sme sna som sot tat tgk tuk uzs vec vol wln xho yor zul
"""


RARE = frozenset(_RARE.split())
MARKED_DOWN = 2.0
FOREIGN = 4.0  # lead of a rival from which on a piece is surely in another language
ENGLISH = 3.0  # the same against English, into which models slip most
NEAR = 1.5  # the same against a close relative of the target: names and loanwords are no reason to doubt those
RELATIVES: dict[str, frozenset[str]] = {
    "por": frozenset({"spa", "glg"}),
    "deu": frozenset({"nld"}),
    "gle": frozenset({"gla"}),
    "fin": frozenset({"est"}),
    "hin": frozenset({"mar", "nep"}),
}


def class_of(code: str) -> str:
    return find_column_language(code, load_identifier().languages) or ""


@cache
def column_of(code: str) -> int:
    found = class_of(code)
    return load_identifier().languages.index(found) if found else -1


@cache
def columns_of(languages: tuple[str, ...]) -> list[list[int]]:
    """The columns of each language and of those that it is not told apart from."""
    columns = [[column_of(code) for code in (language, *find_support(language).confusable)] for language in languages]
    return [sorted({column for column in own if column >= 0}) for own in columns]


@cache
def weigh_rivals(languages: tuple[str, ...]) -> tuple[Any, Any]:
    """What is taken off every class as a rival of `languages`, and the lead from which each is surely foreign."""
    import numpy as np

    known = load_identifier().languages
    near = RELATIVES.get(languages[0], frozenset())
    down = np.array([MARKED_DOWN if code in RARE else 0.0 for code in known], dtype=np.float32)
    if languages[0] == "por":
        down[known.index("glg")] = MARKED_DOWN / 2  # rare, but too near to be marked down as others are
    down[known.index(NO_LANGUAGE)] = np.inf
    down[[column for own in columns_of(languages) for column in own]] = np.inf  # no rivals of themselves
    lead = np.array([NEAR if code in near else FOREIGN for code in known], dtype=np.float32)
    lead[known.index("eng")] = ENGLISH
    return down, lead
