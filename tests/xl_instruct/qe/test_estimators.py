from __future__ import annotations

from collections.abc import Sequence

import pytest

from xl_instruct.qe import load_estimator, warn_languages
from xl_instruct.qe.cometkiwi import XLMR_LANGUAGES
from xl_suite.errors import BadInput, MissingExtra
from xl_suite.languages import find_language, table


class Kiwi:
    name, licence, range = "some-kiwi", "mit", (0.0, 1.0)

    def __init__(self, languages: frozenset[str] | None):
        self.languages = languages

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        return [0.0] * len(sources)


@pytest.mark.parametrize("name", ["", "kiwi", "os", "../cometkiwi", "store", "network:x", "cometkiwi.py", "__init__"])
def test_a_name_that_is_no_backend_lists_those_that_are(name: str) -> None:
    with pytest.raises(BadInput, match=r"cometkiwi") as raised:
        load_estimator(name)
    assert "comet" in str(raised.value)
    assert "store" not in str(raised.value).removeprefix(repr(name))


def test_comet_without_its_package_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "comet", None)
    with pytest.raises(MissingExtra, match=r"xl-suite\[comet\]"):
        load_estimator("comet:some/where")


def test_languages_outside_and_doubtful_ones_are_warned_of() -> None:
    warnings = warn_languages(Kiwi(XLMR_LANGUAGES), ["deu", "mlt", "gle", "zho", "hin"])
    assert len(warnings) == 2
    assert "not trained on Maltese (mlt)" in warnings[0]
    assert "Irish (gle)" in warnings[1]
    assert "doubtful" in warnings[1]
    assert warn_languages(Kiwi(None), ["mlt", "gle"]) == []


def test_all_languages_of_the_table_but_maltese_are_xlmrs_and_every_code_is_one() -> None:
    assert {language.code for language in table()} - XLMR_LANGUAGES == {"mlt"}
    assert all(find_language(code).code == code for code in XLMR_LANGUAGES)
