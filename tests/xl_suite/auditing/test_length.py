"""A judge's length slope from the audit to the controlled rate, by the commands that a user types."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.xl_suite.auditing.test_audit import NOUNS, VERBS, split_shown, write_outputs
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import main
from xl_suite.records import ModelOutput, write_json

SLOPE = 2.0
PROMPTS = 200


def judge_by_length(request: dict[str, Any]) -> str:
    """Sees nothing but length: the longer one wins with the odds of the ratio of lengths to the power of SLOPE."""
    first, second = split_shown(request)
    shorter, longer = sorted((first, second), key=len)
    chance = 1 / (1 + (len(longer) / len(shorter)) ** -SLOPE)
    wins = random.Random(longer + shorter).random() < chance
    return "m" if (first == longer) == wins else "M"


def write_pair(folder: Path) -> None:
    """Two models that are worth the same; the first writes 0.8 to 2.4 times as much."""
    source = random.Random(3)

    def write(characters: int) -> str:
        text = ""
        while len(text) < characters:
            text += f"{source.choice(NOUNS)} {source.choice(VERBS).format(source.randint(100, 999))}. "
        return text.strip()

    for name, low, high in (("wordy", 480, 1400), ("brief", 560, 620)):
        rows = [
            ModelOutput(f"Frage {place}", write(source.randint(low, high)), name, place, "", "deu")
            for place in range(1, PROMPTS + 1)
        ]
        write_json(folder / name / "deu.json", rows)


def test_a_judge_of_length_alone_is_controlled_to_a_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_outputs(tmp_path / "good")
    write_pair(tmp_path)
    with serve_loopback(judge_by_length) as server:
        model = ["--model", f"judge@{server.url}", "--method", "parsed"]
        audit = ["audit", "xl_local", str(tmp_path / "good"), *model, "--only", "length"]
        assert main([*audit, "--reference", str(tmp_path / "good"), "--out", str(tmp_path / "card")]) == 0
        judge = ["judge", str(tmp_path / "wordy"), "--reference", str(tmp_path / "brief"), *model, "--order", "both"]
        judge += ["--annotator", "xl_local"]

        def score(out: str, card: Sequence[str] = (), options: Sequence[str] = ()) -> dict[str, Any]:
            assert main([*judge, *card, "--out", str(tmp_path / out)]) == 0
            capsys.readouterr()
            assert main(["score", str(tmp_path / out / "wordy"), "--gate", "none", "--json", *options]) == 0
            keys: dict[str, Any] = json.loads(capsys.readouterr().out)
            return keys

        measured = str(tmp_path / "card")
        without, named = score("without"), score("without", options=["--annotator", measured])
        controlled = score("with", card=["--card", measured])
    assert without["length_controlled_winrate"] is None
    assert without["lc_basis"] == "not identified: this judge has no length slope"
    assert controlled == named, "beside the annotations, or in the folder that is named"
    assert controlled["win_rate"] == without["win_rate"]
    assert controlled["ci_low"] > 55, "the raw rate rewards length"
    assert controlled["lc_ci_low"] < 50 < controlled["lc_ci_high"]
    assert controlled["lc_ci_high"] < controlled["win_rate"]

    slope = json.loads((tmp_path / "card/length_slope.json").read_text(encoding="utf-8"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/length_slope.json").write_text(json.dumps(slope | {"annotator": "another"}), encoding="utf-8")
    assert main(["score", str(tmp_path / "without/wordy"), "--annotator", str(tmp_path / "other"), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["length_controlled_winrate"] is None
    assert "is the slope of another, not of xl_local-judge: it is not used" in shown.err
