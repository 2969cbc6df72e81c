"""What the command says to a misspelt option, and that every verb has examples."""

from __future__ import annotations

import pytest

from xl_suite.cli.main import find_verbs, main


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["respond", "b", "--model", "m", "--out", "o", "--limt", "3"], "--limit"),
        (["judge", "a", "--anotator", "x", "--reference", "b", "--out", "c"], "--annotator"),
        (["build", "xl-alpacaeval", "--out", "o", "--sorce=x"], "--source"),
    ],
)
def test_a_misspelt_option_is_told_its_spelling(
    arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"Did you mean {meant}?" in said
    assert f"usage: xl-suite {arguments[0]}" in said
    assert "--model is not an option" not in said


@pytest.mark.parametrize("verb", find_verbs())
def test_every_verb_has_examples_and_a_summary_of_one_line(verb: str) -> None:
    module = find_verbs()[verb]
    assert f"xl-suite {verb}" in module.EXAMPLES
    assert module.SUMMARY.endswith(".")
    assert "\n" not in module.SUMMARY
