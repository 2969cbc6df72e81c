"""The demo's prompts as a stranger's file: `build prompts` and the verbs after it give the demo's own numbers."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.loopback.replies import Reply
from xl_suite.chat.loopback.server import last_message, serve_loopback
from xl_suite.cli.main import main
from xl_suite.demo.answers import GENERATORS, read_answers
from xl_suite.demo.judgements import DemoVerdict
from xl_suite.tables import read_table

LANGUAGES = ("deu", "por")
IDS = [one.id for one in read_answers("demo-good") if one.language == "deu"]


def write_own_file(path: Path) -> dict[str, int]:
    """The eight prompts that the demo has answers to, as somebody's CSV; the demo's ID of each text."""
    prompts = json.loads((Path(__file__).parents[3] / "xl_suite/demo/prompts.json").read_text(encoding="utf-8"))
    texts = {prompts[place - 1]["instruction"]: place for place in IDS}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["my id", "the question"])
        writer.writerows([f"q{place}", text] for text, place in reversed(texts.items()))
    return texts


def test_a_file_of_ones_own_gives_the_demos_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = write_own_file(tmp_path / "mine.csv")
    bench, outputs, judged = (tmp_path / name for name in ("bench", "outputs", "judged"))
    build = ["build", "prompts", "--source", str(tmp_path / "mine.csv"), "--column", "the question"]
    (tmp_path / "expected.tsv").write_text("id\tpattern\texpected\n\t^Write a Python\tany\n", encoding="utf-8")
    build += [
        "--expected",
        str(tmp_path / "expected.tsv"),
        "--id-column",
        "my id",
        "--name",
        "my-questions",
        "--languages",
        ",".join(LANGUAGES),
    ]
    assert main([*build, "--license", "cc0-1.0", "--out", str(bench)]) == 0
    answers = {(one.language, one.id, name): one for name in GENERATORS for one in read_answers(name)}
    names = {"German": "deu", "Portuguese": "por"}

    def respond(request: dict[str, Any]) -> Reply:
        asked = last_message(request)
        text = next(text for text in texts if asked.startswith(text))
        language = next(code for name, code in names.items() if name in asked[len(text) :])
        answer = answers[language, texts[text], request["model"]]
        return Reply(answer.text, finish_reason=answer.finish_reason)

    with serve_loopback(respond) as server:
        for name in GENERATORS:
            command = ["respond", str(bench), "--model", f"{name}@{server.url}", "--languages", ",".join(LANGUAGES)]
            assert main([*command, "--out", str(outputs)]) == 0
    shares = {(row.language, row.id): row.share for row in read_table("xl_suite.demo", "verdicts.tsv", DemoVerdict)}
    good = {answers[code, place, "demo-good"].text: (code, place) for code in LANGUAGES for place in IDS}

    def judge(request: dict[str, Any]) -> Reply:
        """Weighs as the demo's judge does, whichever answer is shown first."""
        text = last_message(request)
        shown = [text.split(f'<answer name="{name}">\n')[1].split("\n</answer>")[0] for name in "mM"]
        first = shown[0] in good
        share = shares[good[shown[0 if first else 1]]]
        chances = {"m": share if first else 1 - share, "M": 1 - share if first else share}
        said = max(chances, key=lambda name: chances[name])
        top = [{"token": name, "logprob": math.log(chance)} for name, chance in chances.items()]
        return Reply(said, logprobs=[{"token": said, "logprob": math.log(chances[said]), "top_logprobs": top}])

    with serve_loopback(judge) as server:
        command = ["judge", str(outputs / "demo-good"), "--reference", str(outputs / "demo-slips"), "--order", "both"]
        command += ["--annotator", "xl_local", "--model", f"demo-judge@{server.url}", "--out", str(judged)]
        assert main(command) == 0
    capsys.readouterr()
    command = ["score", str(judged / "demo-good"), "--outputs", str(outputs / "demo-good"), "--benchmark", str(bench)]
    assert main([*command, "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    for code in LANGUAGES:
        mean = sum(shares[code, place] for place in IDS) / len(IDS)
        assert scored["languages"][code]["win_rate"] == pytest.approx(100 * mean)
    for name in GENERATORS:
        assert main(["fidelity", str(outputs / name), "--benchmark", str(bench), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["languages"]
        for code in LANGUAGES:
            planted = Counter(one.verdict for one in read_answers(name) if one.language == code)
            assert {verdict: found[code][f"n_{verdict}"] for verdict in planted} == planted
    site = ["leaderboard", str(outputs), str(judged), "--benchmark", str(bench), "--no-paper", "--resamples", "200"]
    assert main([*site, "--out", str(tmp_path / "site")]) == 0
    with (tmp_path / "site" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        cells = {row["language"]: row for row in csv.DictReader(file) if row["model"] == "demo-good"}
    assert {cells[code]["benchmark"] for code in LANGUAGES} == {"my-questions"}
    assert {code: float(cells[code]["win_rate"]) for code in LANGUAGES} == {
        code: pytest.approx(scored["languages"][code]["win_rate"], abs=1e-4) for code in LANGUAGES
    }
