"""How a judge is asked: by log probabilities or text, for all rows alike, and how often."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.xl_suite.judging.test_judge import make_pairs
from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback, token_logprobs
from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.judging.annotator import read_annotator
from xl_suite.judging.judge import judge_pairs
from xl_suite.judging.judgement import Judgement, write_judgement

SURE = token_logprobs({"m": math.log(0.1), "M": math.log(0.9)})


def judge(script: Any, texts: list[str], journal: Path, **options: Any) -> tuple[Judgement, list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> Any:
        asked.append(request)
        return script(request)

    with serve_loopback(answer) as server:
        model = parse_model(f"judge@{server.url}")
        price = options.pop("price", None)
        chat = ChatOptions(journal=journal, progress=False, attempts=1, price=price)
        pairs = {"deu": make_pairs(texts)}
        return judge_pairs(pairs, read_annotator("xl_local"), model, chat, **{"samples": 1} | options), asked


def refuse(words: str, status: int = 400, param: str | None = None) -> Any:
    def script(request: dict[str, Any]) -> Reply:
        if request.get("logprobs"):
            error = {"message": words, "type": "invalid_request_error", "param": param, "code": None}
            return Reply(json.dumps({"error": error}), status=status)
        return Reply("M", logprobs=[])

    return script


def give_for_some(request: dict[str, Any]) -> Reply:
    return Reply("M", logprobs=[] if "text 7" in last_message(request) or not request.get("logprobs") else SURE)


def begin_with_markdown(request: dict[str, Any]) -> Reply:
    return Reply("**M**", logprobs=token_logprobs({"**": -0.1, "The": -2.4}) if request.get("logprobs") else [])


@pytest.mark.parametrize(
    ("script", "most_asked"),
    [
        (lambda request: Reply("M", logprobs=[]), 1),
        (give_for_some, 9),
        (begin_with_markdown, 9),
    ],
    ids=["none", "for some rows", "Markdown first"],
)
def test_a_file_has_one_method_and_no_row_is_asked_twice_by_log_probabilities(
    script: Any, most_asked: int, tmp_path: Path
) -> None:
    texts = [f"text {number}" for number in range(20)]
    judgement, asked = judge(script, texts, tmp_path / "j.sqlite")
    rows = judgement.annotations["deu"]
    assert {row.method for row in rows} == {"parsed"} == {judgement.method}
    assert len(judgement.noted) == 1
    by_logprobs = [request for request in asked if request.get("logprobs")]
    assert len(by_logprobs) <= most_asked
    assert len(asked) == len(by_logprobs) + 20

    again, asked = judge(script, texts, tmp_path / "j.sqlite")
    assert (asked, again.ledger.paid) == ([], 0)
    assert (again.annotations, again.noted) == (judgement.annotations, judgement.noted)
    more, asked = judge(script, [*texts, "new"], tmp_path / "j.sqlite")
    assert [bool(request.get("logprobs")) for request in asked] == [False], "what the run learnt is kept"
    assert more.method == "parsed"


@pytest.mark.parametrize(
    "words",
    [
        "You are not allowed to request logprobs from this model",
        "deepseek-reasoner does not support logprobs",
        "Logprobs is not enabled for models/gemini-2.5-pro",
    ],
)
def test_a_refusal_of_log_probabilities_is_met_with_text(words: str, tmp_path: Path) -> None:
    judgement, asked = judge(refuse(words), ["a", "b", "c", "d"], tmp_path / "j.sqlite")
    assert {row.method for row in judgement.annotations["deu"]} == {"parsed"}
    assert not judgement.failures["deu"]
    assert sum(bool(request.get("logprobs")) for request in asked) == 1


def test_a_first_row_that_was_filtered_decides_nothing(tmp_path: Path) -> None:
    def script(request: dict[str, Any]) -> Reply:
        if "bad" in last_message(request):
            error = {"message": "flagged", "code": "content_filter"}
            return Reply(json.dumps({"error": error}), status=400)
        return Reply("M", logprobs=SURE)

    judgement, _ = judge(script, ["bad", "b", "c"], tmp_path / "j.sqlite")
    assert judgement.method == "logprobs"
    assert [row.row for row in judgement.failures["deu"]] == ["deu/1"]
    assert not judgement.noted


def test_one_odd_row_does_not_change_the_method(tmp_path: Path) -> None:
    def script(request: dict[str, Any]) -> Reply:
        odd = "text 3." in last_message(request)
        return Reply("The" if odd else "M", logprobs=token_logprobs({"The": 0.0}) if odd else SURE)

    judgement, asked = judge(script, [f"text {number}." for number in range(12)], tmp_path / "j.sqlite")
    assert judgement.method == "logprobs"
    assert judgement.samples["deu"].unread == 1
    assert len(asked) == 12 + 2, "the odd row three times"


def test_unread_verdicts_are_asked_again_only_when_told(tmp_path: Path) -> None:
    texts, journal = ["fine", "bad", "worse"], tmp_path / "j.sqlite"
    silent = {"bad": 4, "worse": 9}  # so many samples of these cannot be read

    def script(request: dict[str, Any]) -> str:
        for text in silent:
            if text in last_message(request) and silent[text]:
                silent[text] -= 1
                return "Tie"
        return "M"

    first, asked = judge(script, texts, journal, method="parsed")
    assert len(asked) == 1 + 3 + 3
    assert (dict(first.samples["deu"].read), first.samples["deu"].unread) == ({1: 1}, 2)
    told = first.describe(tmp_path)
    assert "--retry-unread" in told
    assert "the same command retries them" not in told
    assert "(tie)" in first.failures["deu"][0].reason

    second, asked = judge(script, texts, journal, method="parsed")
    assert asked == []
    assert second.failures == first.failures

    third, asked = judge(script, texts, journal, method="parsed", retry_unread=True)
    assert len(asked) == 2 + 2, "at most two new samples of each"
    assert (dict(third.samples["deu"].read), third.samples["deu"].unread) == ({1: 1, 5: 1}, 1)
    assert third.failures["deu"][0].attempts == 5

    fourth, asked = judge(script, texts, journal, method="parsed")
    assert asked == []
    assert fourth.annotations == third.annotations, "what was paid for is read by every later run"
    folder = write_judgement(tmp_path, fourth)
    assert [row["row"] for row in json.loads((folder / "failed.json").read_text())] == ["deu/3"]


def test_a_row_costs_all_answers_to_it_and_the_same_in_a_later_run(tmp_path: Path) -> None:
    texts, journal = ["fine", "bad", "slow"], tmp_path / "j.sqlite"
    asked_of_slow = []

    def script(request: dict[str, Any]) -> str:
        if "slow" in last_message(request):
            asked_of_slow.append(request)
        return "Tie" if "bad" in last_message(request) or len(asked_of_slow) == 1 else "M"

    first, asked = judge(script, texts, journal, method="parsed", price=(1.0, 1.0))
    rows = first.annotations["deu"]
    assert [row.status for row in rows] == ["judged", "unread", "judged"]
    assert len(asked) == 1 + 3 + 2
    prices = [row.price_per_example or 0.0 for row in rows]
    assert sum(prices) == pytest.approx(first.ledger.dollars)
    assert prices[1] > 2 * prices[0]
    second, asked = judge(script, texts, journal, method="parsed", price=(1.0, 1.0))
    assert asked == []
    assert second.annotations == first.annotations


def test_a_way_that_was_given_up_is_in_the_ledger_and_in_no_row(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    first, asked = judge(lambda request: Reply("M", logprobs=[]), ["one", "two"], journal, price=(1.0, 1.0))
    assert (first.method, len(asked)) == ("parsed", 3)
    assert sum(row.price_per_example or 0.0 for row in first.annotations["deu"]) < (first.ledger.dollars or 0.0)
    second, _ = judge(lambda request: Reply("M", logprobs=[]), ["one", "two"], journal, price=(1.0, 1.0))
    assert second.annotations == first.annotations


def test_a_tie_is_a_draw_where_the_annotator_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "prompt.txt").write_text("{instruction} {output_1} {output_2}", encoding="utf-8")
    config = """ours:
  prompt_template: prompt.txt
  fn_completions: openai_completions
  completions_kwargs: {model_name: judge, max_tokens: 50}
  fn_completion_parser: ranking_parser
  completion_parser_kwargs: {model_1_name: A}
"""
    results = []
    for tie in ("", "  allow_tie: true\n"):
        (folder / "configs.yaml").write_text(config + tie, encoding="utf-8")
        with serve_loopback(lambda request: "Final verdict: tie") as server:
            chat = ChatOptions(progress=False)
            model = parse_model(f"judge@{server.url}")
            judged = judge_pairs({"deu": make_pairs(["a"])}, read_annotator(str(folder)), model, chat)
        results.append(judged.annotations["deu"][0].preference)
    assert results == [None, 1.5]
