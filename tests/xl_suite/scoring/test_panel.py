"""A panel of judges: by the verb, with two families, and the mean over them as annotations of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xl_suite.chat.loopback.server import last_message, serve_loopback
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import read_annotations
from xl_suite.judging.annotator import list_annotators, read_annotator
from xl_suite.judging.members import Member, parse_members
from xl_suite.records import ModelOutput, write_json
from xl_suite.scoring.panel import name_families

COUNT = 30


def answer(request: dict[str, object]) -> str:
    """gpt judges like the model's answers (they say `mine`), the other one likes the reference's, but for multiples
    of three; it says nothing of prompt 7."""
    text = last_message(request)
    mine_first = text.find("mine") < text.find("ref")
    number = int(text.partition("mine ")[2].partition(".")[0])
    if request["model"] == "qwen-judge" and number == 7:
        return "I cannot tell."
    wins = request["model"] != "qwen-judge" or number % 3 == 0
    return "m" if mine_first == wins else "M"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for generator in ("mine", "ref"):
        rows = [ModelOutput(f"F{i}", f"{generator} {i}.", generator, i, "", "deu") for i in range(1, COUNT + 1)]
        write_json(tmp_path / generator / "deu.json", rows)
    return tmp_path


def test_two_families_weigh_the_same(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = outputs / "annotations"
    with serve_loopback(answer) as server:
        names = ("gpt-one", "gpt-two", "qwen-judge")
        judges = ",".join(f"xl_local={name}@{server.url}" for name in names)
        command = ["judge", str(outputs / "mine"), "--reference", str(outputs / "ref"), "--annotator", judges]
        command += ["--out", str(out), "--method", "parsed", "--json"]
        assert main([*command, "--estimate"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["calls"], len(told["estimates"])) == (3 * 2 * COUNT, 3), "both orders by default"
        assert main(command) == 1
        told = json.loads(capsys.readouterr().out)
        assert main([*command[:-1]]) == 1
        shown = capsys.readouterr().out
    rate = told["panel"]["rates"]["deu"]
    right = COUNT - 1  # prompt 7 has no verdict of one judge, and so none of the panel
    assert (rate["n"], rate["n_missing"]) == (right, 1)
    assert rate["judges"]["xl_local-gpt-one"] == 100
    assert rate["families"] == {"OpenAI": 100, "Alibaba": pytest.approx(100 * 10 / right)}
    assert rate["win_rate"] == pytest.approx((100 + 100 * 10 / right) / 2)
    assert rate["ci_low"] < rate["win_rate"] < rate["ci_high"]
    assert told["panel"]["agreement"]["n_shared"] == right
    assert "mean over 2 families" in shown
    assert "lack a verdict of one judge: 1" in shown
    rows = read_annotations(Path(told["folder"]))
    assert len(rows) == COUNT
    assert {row.method for row in rows} == {"panel"}
    assert [row.id for row in rows if row.preference is None] == [7]
    first = next(row for row in rows if row.id == 1)
    assert first.preference == pytest.approx(1.5)
    assert first.raw_completion["judges"] == {
        "xl_local-gpt-one": 1.0, "xl_local-gpt-two": 1.0, "xl_local-qwen-judge": 0.0
    }  # fmt: skip

    assert main(["score", told["folder"], "--gate", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["win_rate"] == pytest.approx(rate["win_rate"])
    assert main(["score", str(out / "mine"), "--gate", "none", "--json"]) == 0
    several = json.loads(capsys.readouterr().out)
    assert len(several["annotators"]) == 4
    assert len(several["agreement"]["annotators"]) == 3, "a panel is no fourth judge of its own mean"
    assert main(["leaderboard", str(out), "--out", str(outputs / "board"), "--no-paper", "--json"]) == 0
    boards = json.loads(capsys.readouterr().out)["boards"]
    assert [board["method"] for board in boards].count("panel") == 1
    assert len(boards) == 4, "scores of a panel are never ranked beside those of a judge"


def test_a_panel_whose_judge_was_asked_again_is_noticed(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = outputs / "annotations"
    with serve_loopback(answer) as server:
        judges = ",".join(f"xl_local={name}@{server.url}" for name in ("gpt-one", "qwen-judge"))
        command = ["judge", str(outputs / "mine"), "--reference", str(outputs / "ref"), "--annotator", judges]
        command += ["--out", str(out), "--method", "parsed", "--json"]
        assert main(command) == 1
    panel = json.loads(capsys.readouterr().out)["folder"]
    for path in (panel, str(out / "mine")):
        assert main(["score", path, "--gate", "none"]) == 0
        assert "mean is outdated" not in capsys.readouterr().err
    # Prompt 7, which had no verdict, gets one, as `judge --retry-unread` writes it; the panel's files stay.
    file = out / "mine" / "xl_local-qwen-judge" / "deu.json"
    rows = json.loads(file.read_text(encoding="utf-8"))
    write_json(file, [{**row, "preference": row["preference"] or 2, "status": "judged"} for row in rows])
    for path in (panel, str(out / "mine")):
        assert main(["score", path, "--gate", "none"]) == 0
        told = capsys.readouterr().err
        assert "1 verdicts of xl_local-qwen-judge differ from its present file" in told
        assert "gpt-one are not" not in told
    for _ in range(2):  # what was scored before is not scored again, and is noticed all the same
        assert main(["leaderboard", str(out), "--out", str(outputs / "board"), "--no-paper"]) == 0
        assert "mean is outdated" in capsys.readouterr().err
    assert main(["compare", panel, panel, "--gate", "none"]) in (0, 2)
    assert "mean is outdated" in capsys.readouterr().err


def test_the_order_is_the_annotators_own() -> None:
    orders = {name: read_annotator(name).order for name in list_annotators()}
    assert {name for name, order in orders.items() if order == "random"} == {"xl_gpt4o"}


def test_the_judges_of_a_panel() -> None:
    urls = "xl_local=judge@http://a/v1,http://b/v1,xl_gpt4_1"
    assert parse_members(urls) == [Member("xl_local", "judge@http://a/v1,http://b/v1"), Member("xl_gpt4_1")]
    for wrong in ("a,,b", "a,", "=b", "a=", "a,a"):
        with pytest.raises(BadInput, match="annotator"):
            parse_members(wrong)
    families = name_families({"xl_gpt6_sol": "gpt-6.1-sol", "xl_claude_sonnet": "claude-sonnet-5-5", "mine": "x"})
    assert families == {"xl_gpt6_sol": "OpenAI", "xl_claude_sonnet": "Anthropic", "mine": "mine"}


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--model", "x"], "--model names one judge"), (["--rank", "0/2"], "one annotator at a time")],
)
def test_what_a_panel_does_not_take(
    more: list[str], said: str, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["judge", str(outputs / "mine"), "--reference", str(outputs / "ref"), "--out", str(outputs / "a")]
    assert main([*command, "--annotator", "xl_local,xl_gpt4_1", *more]) == 2
    assert said in capsys.readouterr().err
