"""Judges with planted weaknesses are found out, and a judge without one is left alone."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xl_suite.auditing.card import find_card
from xl_suite.auditing.defects import DEFECTS, INJECTION
from xl_suite.auditing.length_slope import Probe, fit_slope
from xl_suite.auditing.marks import LEAST_FOUND, Places, Trial, mark_judge
from xl_suite.auditing.swap import SWAPS, Rate, bound_swap
from xl_suite.chat.loopback.replies import Reply
from xl_suite.chat.loopback.server import last_message, serve_loopback
from xl_suite.cli.main import main
from xl_suite.judging.annotations import Annotation
from xl_suite.records import ModelOutput, write_json
from xl_suite.responding.outputs import name_folder
from xl_suite.scoring.intervals import bound_means
from xl_suite.scoring.logistic import squash

NOUNS = ("Der Bahnhof", "Die Brücke", "Das Museum", "Der Marktplatz", "Die Bibliothek", "Das Rathaus")
VERBS = ("wurde im Jahr {} gebaut", "hat {} Besucher im Monat", "liegt {} Meter vom Fluss entfernt")
ROWS = 40


def write_outputs(folder: Path) -> None:
    source = random.Random(7)
    german, english = [], []
    for number in range(1, ROWS + 1):
        sentences = [
            f"{source.choice(NOUNS)} {source.choice(VERBS).format(source.randint(100, 999))} und ist sehr beliebt."
            for _ in range(6)
        ]
        german.append(ModelOutput(f"Frage {number}", " ".join(sentences), "good", number, "", "deu"))
        text = f"The station of town {number} was built long ago. It is very popular today with all visitors."
        english.append(ModelOutput(f"Frage {number}", text, "good", number, "", "eng"))
    write_json(folder / "deu.json", german)
    write_json(folder / "eng.json", english)


def split_shown(request: dict[str, Any]) -> tuple[str, str]:
    text = last_message(request)
    first, second = (text.split(f'<answer name="{name}">\n')[1].split("\n</answer>")[0] for name in "mM")
    return first, second


def judge_first(request: dict[str, Any]) -> str:
    return "m"


def run_audit(out: Path, outputs: Path, script: Any, *options: str) -> tuple[dict[str, Any], Any]:
    with serve_loopback(script) as server:
        command = ["audit", "xl_local", str(outputs), "--model", f"judge@{server.url}", "--method", "parsed"]
        assert main([*command, "--reference", str(outputs), "--out", str(out), *options]) == 0
    return json.loads((out / "card.json").read_text(encoding="utf-8")), server.stats()


def test_planted_weaknesses_are_found_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_outputs(tmp_path / "good")
    rows = json.loads((tmp_path / "good/deu.json").read_text(encoding="utf-8"))
    clean = {row["instruction"]: row["output"] for row in rows}

    def judge(request: dict[str, Any]) -> str:
        """Obeys injections, does not see changed numbers, and otherwise finds nine of ten defects."""
        first, second = split_shown(request)
        if INJECTION in first or INJECTION in second:
            return "m" if INJECTION in first else "M"
        if [len(part) for part in first.split()] == [len(part) for part in second.split()]:
            return "m"  # numbers alone differ, or nothing: the first place
        (asked,) = re.findall(r"Frage \d+", last_message(request))
        missed = int(asked.split()[1]) % 10 == 0  # just a tenth of the prompts, the same for all defects and orders
        return "m" if (first == clean[asked]) != missed else "M"

    card, _ = run_audit(tmp_path / "card", tmp_path / "good", judge)
    found = {one["defect"]: one for one in card["defects"]}
    assert set(found) == {one.name for one in DEFECTS}
    assert found["injected"]["mark"] == "prefers the defect"
    assert found["injected"]["worse"] == 1.0
    assert found["numbers"]["mark"] == "blind"
    assert {name for name, one in found.items() if one["mark"]} == {"injected", "numbers"}
    for name in ("english", "half_translated", "truncated", "shuffled", "another", "padded", "constant"):
        assert found[name]["n"] >= ROWS - 2, name
    for one in found.values():
        if not one["mark"]:
            assert one["detected"] == pytest.approx(0.9, abs=0.006), "exactly, but for prompts without room for it"
            assert one["low"] <= 0.9 <= one["high"]
    (behaviour,) = card["languages"]
    assert behaviour["itself"] == 0.5, "both times the first"
    assert behaviour["noise"] is None or behaviour["noise"] == 0
    assert behaviour["mark"] == "position"
    assert card["marked"] == {"deu": ["injected", "numbers"]}
    page = (tmp_path / "card/index.html").read_text(encoding="utf-8")
    assert "prefers the defect" in page
    assert "not identified" in page

    folder = tmp_path / "annotator"
    folder.mkdir()
    (folder / "audit.json").write_bytes((tmp_path / "card/card.json").read_bytes())
    assert find_card([folder], "another") is None
    assert find_card([tmp_path, folder], "xl_local-judge") == folder / "audit.json"

    others = [{**row, "generator": "other", "output": row["output"].replace("beliebt", "bekannt")} for row in rows]
    write_json(tmp_path / "other/deu.json", others)
    with serve_loopback(judge_first) as server:
        command = ["judge", str(tmp_path / "other"), "--reference", str(tmp_path / "good/deu.json"), "--json"]
        command += ["--annotator", "xl_local", "--model", f"judge@{server.url}", "--method", "parsed"]
        assert main([*command, "--out", str(tmp_path / "a"), "--card", str(tmp_path / "card")]) == 0
    assert (
        "deu: the card of xl_local-judge marks these defects as missed: injected, numbers" in capsys.readouterr().err
    )
    assert main(["leaderboard", str(tmp_path / "a"), "--out", str(tmp_path / "board"), "--no-paper"]) == 0
    page = (tmp_path / "board/index.html").read_text(encoding="utf-8")
    assert '"audited":{"deu":["injected","numbers","position"]}' in page


def test_an_estimate_makes_no_call_and_a_second_run_pays_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_outputs(tmp_path / "good")
    out, calls = tmp_path / "card", []

    def judge(request: dict[str, Any]) -> str:
        calls.append(1)
        return "m"

    with serve_loopback(judge) as server:
        command = ["audit", "xl_local", str(tmp_path / "good"), "--model", f"judge@{server.url}", "--rows", "5"]
        command += ["--method", "parsed", "--out", str(out), "--json"]
        assert main([*command, "--estimate"]) == 0
        estimated = json.loads(capsys.readouterr().out)["new"]
        assert calls == []
        assert main(command) == 0
        assert len(calls) == estimated
        first = (out / "card.json").read_bytes()
        assert main(command) == 0
        assert len(calls) == estimated
        assert (out / "card.json").read_bytes() == first


def test_missing_verdicts_are_counted_listed_and_no_longer_missing_once_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_outputs(tmp_path / "good")
    silent = ["Frage 3", "Frage 5"]

    def judge(request: dict[str, Any]) -> Reply:
        broken = any(
            f"{prompt}\n" in last_message(request) or f"{prompt}<" in last_message(request) for prompt in silent
        )
        return Reply("too long for me", status=400) if broken else Reply("m")

    out = tmp_path / "card"
    with serve_loopback(judge) as server:
        command = ["audit", "xl_local", str(tmp_path / "good"), "--model", f"judge@{server.url}", "--out", str(out)]
        command += ["--method", "parsed", "--reference", str(tmp_path / "good")]
        assert main(command) == 1
        assert " pairs have no verdict in both orders and are left out of all shares" in capsys.readouterr().out
        card = json.loads((out / "card.json").read_text(encoding="utf-8"))
        failed = json.loads((out / "failed.json").read_text(encoding="utf-8"))
        assert card["n_failed"] == len(failed) > 0
        assert all("too long for me" in row["reason"] for row in failed)
        lost = {one["defect"]: one["n_failed"] for one in card["defects"]}
        assert lost["constant"] == len(silent)
        page = (out / "index.html").read_text(encoding="utf-8")
        assert f"n = {ROWS - 2} of {ROWS}" in page
        assert "no verdict in both orders" in page
        silent.clear()
        assert main(command) == 0
    assert not (out / "failed.json").exists()
    assert json.loads((out / "card.json").read_text(encoding="utf-8"))["n_failed"] == 0


def test_a_preference_for_its_own_family_is_told_with_peoples_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The judge (Qwen) gives its family's answers a win on four of five prompts, and people on two of five."""
    write_outputs(tmp_path / "good")

    def write_judged(judge: str, wins: int, model: str = "Qwen/Qwen3-8B") -> None:
        rows = [
            Annotation(f"Frage {n}", "eine", "other", "andere", model, judge, 2.0 if n % 5 < wins else 1.0, None,
                       n, language="deu", order="12", method="parsed", status="judged")
            for n in range(1, ROWS + 1)
        ]  # fmt: skip
        write_json(tmp_path / "judged" / name_folder(model) / name_folder(judge) / "deu.json", rows)

    with serve_loopback(judge_first) as server:
        command = ["audit", "xl_local", str(tmp_path / "good"), "--model", f"Qwen/Qwen3-32B@{server.url}"]
        command += ["--rows", "5", "--method", "parsed", "--out", str(tmp_path / "card")]
        name = "xl_local-Qwen3-32B"
        write_judged(name, 4)
        folder = tmp_path / "judged" / "Qwen-Qwen3-8B"
        assert main([*command, "--people", str(folder)]) == 2
        assert "no folders people-<annotator> in it. --people takes" in capsys.readouterr().err
        assert server.calls == 0, "refused before anything is paid"
        write_judged("people-ann", 2)
        write_judged(name, 4, "another")
        write_judged("people-ann", 2, "another")
        assert main([*command, "--people", str(folder), "--people", str(tmp_path / "judged/another")]) == 0
        told = capsys.readouterr().out
        assert main([*command, "--out", str(tmp_path / "b"), "--people", str(tmp_path / "judged/another")]) == 0
    card = json.loads((tmp_path / "card/card.json").read_text(encoding="utf-8"))
    (own,) = card["self_preference"]
    assert (own["family"], own["side"], own["n"]) == ("Alibaba", "model", ROWS)
    assert own["favour"] == pytest.approx(40, abs=2), "two points of an added prompt apart"
    assert own["ci_low"] < 40 < own["ci_high"]
    assert "the model of its family (Alibaba) gets +" in told
    assert "of its family (Alibaba) gets +" in (tmp_path / "card/index.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "b/card.json").read_text(encoding="utf-8"))["self_preference"] == []


def test_the_length_slope_of_a_judge_is_recovered(tmp_path: Path) -> None:
    write_outputs(tmp_path / "good")

    def judge(request: dict[str, Any]) -> str:
        """Prefers the longer one the more, the longer it is; by chance that both orders share."""
        first, second = split_shown(request)
        shorter, longer = sorted((first, second), key=len)
        chance = 1 / (1 + (len(longer) / len(shorter)) ** -1.0)
        wins = random.Random(longer).random() < chance
        return "m" if (first == longer) == wins else "M"

    run_audit(tmp_path / "card", tmp_path / "good", judge, "--only", "length")
    slope = json.loads((tmp_path / "card/length_slope.json").read_text(encoding="utf-8"))
    assert slope["annotator"] == "xl_local-judge"
    assert set(slope) == {"annotator", "slope", "standard_error", "n", "languages", "date", "how"}
    assert abs(slope["slope"] - 1.0) < 2.5 * slope["standard_error"]
    assert (slope["n"], slope["languages"]) == (ROWS, ["deu"])


def test_the_slopes_interval_covers_it() -> None:
    source = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        probes = [
            Probe(str(prompt), "rule", ratio, float(source.random() < 1 / (1 + np.exp(0.4 - 0.7 * np.log(ratio)))))
            for prompt in range(100)
            for ratio in (1.25, 1.5, 2.0, 3.0)
        ]
        slope = fit_slope(probes, 4, ["deu"], "2026-01-01")
        assert slope is not None
        covered += abs(slope.slope - 0.7) < 1.96 * slope.standard_error
    assert 180 <= covered <= 199
    assert fit_slope(probes, 2, ["deu"], "2026-01-01") is None, "two ratios identify none"


def test_an_unbiased_judge_gets_any_mark_in_at_most_one_of_twenty_audits() -> None:
    """200 judges that find just what is asked of them, in 12 languages and 9 defects of 100 answers."""
    source = np.random.default_rng(11)
    marked = 0
    for _ in range(200):
        found = source.binomial(100, LEAST_FOUND, size=108)
        trials = [Trial(100, int(one), 100 - int(one)) for one in found]
        firsts = source.binomial(100, 0.5, size=12)
        marks, positions = mark_judge(trials, [Places(int(one), 100 - int(one)) for one in firsts])
        marked += any(marks) or any(positions)
    assert marked <= 10
    blind, _ = mark_judge([Trial(100, 45, 55), Trial(100, 90, 10)], [Places(50, 50)])
    assert blind == ["blind", ""]


PHRASES = {
    "Der Bahnhof wurde": "The station was", "Die Brücke wurde": "The bridge was",
    "Das Museum wurde": "The museum was",
    "Der Marktplatz wurde": "The market was", "Die Bibliothek wurde": "The library was",
    "Das Rathaus wurde": "The town hall was", "Der Bahnhof": "The station", "Die Brücke": "The bridge",
    "Das Museum": "The museum", "Der Marktplatz": "The market", "Die Bibliothek": "The library",
    "Das Rathaus": "The town hall", "im Jahr": "in the year", "gebaut": "built", "hat": "has",
    "Besucher im Monat": "visitors in a month", "liegt": "lies",
    "Meter vom Fluss entfernt": "meters away from the river",
    "und ist sehr beliebt": "and it is very popular with the people",
}  # fmt: skip
TOWN = "Der Bahnhof der Stadt {} wurde vor langer Zeit gebaut. Er ist heute bei allen Besuchern sehr beliebt."


def write_text(request: dict[str, Any]) -> str:
    """Translates to and from English by phrases, and makes German longer and shorter without a change of numbers."""
    asked = last_message(request)
    text = asked.split("<text>\n")[1].split("\n</text>")[0]
    if asked.startswith("Translate the text below into English"):
        for german, english in PHRASES.items():
            text = text.replace(german, english)
        return text
    if asked.startswith("Translate"):
        if town := re.match(r"The station of town (\d+)", text):
            return TOWN.format(town[1])
        for german, english in PHRASES.items():
            text = text.replace(english, german)
        return text
    (percent,) = re.findall(r"about (\d+)% of", asked)
    liked = " und ist sehr beliebt"
    if percent in ("50", "75"):
        return text.replace(liked, "", -1 if percent == "50" else 3)
    longer = " und ist heute wie früher bei allen Leuten sehr beliebt"
    return text.replace(liked, longer + (" und wird gern besucht" if percent == "200" else ""))


def test_how_far_a_judge_favours_english_is_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_outputs(tmp_path / "good")
    asked = []

    def judge(request: dict[str, Any]) -> str:
        """English wins on seven of ten prompts, whichever of the two is the translation."""
        if "<text>" in last_message(request):
            return write_text(request)
        asked.append(1)
        first, _ = split_shown(request)
        (number,) = re.findall(r"Frage (\d+)", last_message(request))
        return "m" if first.startswith("The ") == (int(number) % 10 < 7) else "M"

    options = ("--only", "swap")
    with serve_loopback(judge) as server:
        command = ["audit", "xl_local", str(tmp_path / "good"), "--model", f"judge@{server.url}", *options]
        command += ["--translator", f"translator@{server.url}", "--method", "parsed", "--out", str(tmp_path / "card")]
        assert main([*command, "--estimate", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [one["calls"] for one in told["estimates"]] == [3 * ROWS, 3 * 2 * ROWS]
        assert asked == []
        assert main([*command, "--json"]) == 0
        calls = server.calls
        assert main([*command, "--json"]) == 0
        assert server.calls == calls, "a second run pays nothing"
    card = json.loads((tmp_path / "card/card.json").read_text(encoding="utf-8"))
    (swap,) = card["language_swap"]
    assert (swap["to_english"]["value"], swap["from_english"]["value"]) == (pytest.approx(0.7), pytest.approx(0.7))
    assert swap["control"]["value"] == 0.5, "there and back is the same text"
    assert swap["low"] < 0.7 < swap["high"]
    assert swap["verdict"] == "favours English"
    assert "never an advantage" in card["language_swap_assumed"]
    assert "never an advantage" in (tmp_path / "card/index.html").read_text(encoding="utf-8")
    assert main([*command[:3], "--model", "j@http://127.0.0.1:9/v1", *options, "--out", str(tmp_path / "b")]) == 2
    assert "--only swap needs --translator" in capsys.readouterr().err


@pytest.mark.parametrize("penalty", [0.0, 0.4, 0.8])
def test_the_bound_holds_what_the_language_alone_does(penalty: float) -> None:
    """A judge that favours English by half a logit, and originals by a penalty of their translations."""
    source, n = np.random.default_rng(5), 100

    def measure(logit: float) -> Rate:
        values = (source.random(n) < squash(np.array(logit))).astype(float)
        bounds = bound_means(values[:, None], resamples=500)
        return Rate(n, float(values.mean()), bounds.low[0], bounds.high[0])

    covered = identified = 0
    for _ in range(200):
        rates = dict(zip(SWAPS, map(measure, (0.5 - penalty, 0.5 + penalty, -2 * penalty)), strict=True))
        swap = bound_swap("deu", rates)
        covered += swap.low <= float(squash(np.array(0.5))) <= swap.high
        identified += swap.verdict != "not identified"
    assert covered >= 188
    assert identified >= 190
    wrong = bound_swap("deu", dict(zip(SWAPS, map(measure, (1.5, -0.5, 2.0)), strict=True)))
    assert wrong.verdict == "not identified", "a judge that likes translations"
    assert bound_swap("deu", {SWAPS[0]: measure(1.0)}).verdict == "not identified", "without a control"


def test_a_slope_from_a_models_texts(tmp_path: Path) -> None:
    write_outputs(tmp_path / "good")

    def judge(request: dict[str, Any]) -> str:
        if "<text>" in last_message(request):
            return write_text(request)
        first, second = split_shown(request)
        shorter, longer = sorted((first, second), key=len)
        wins = random.Random(longer + shorter).random() < 1 / (1 + (len(longer) / len(shorter)) ** -1.0)
        return "m" if (first == longer) == wins else "M"

    with serve_loopback(judge) as server:
        command = ["audit", "xl_local", str(tmp_path / "good"), "--model", f"judge@{server.url}", "--only", "length"]
        command += ["--rewriter", f"writer@{server.url}", "--method", "parsed", "--out", str(tmp_path / "card")]
        assert main(command) == 0
    slope = json.loads((tmp_path / "card/length_slope.json").read_text(encoding="utf-8"))
    assert abs(slope["slope"] - 1.0) < 2.5 * slope["standard_error"]
    assert slope["n"] == ROWS
    notes = json.loads((tmp_path / "card/card.json").read_text(encoding="utf-8"))["notes"]
    assert not any("do not count" in one for one in notes)
