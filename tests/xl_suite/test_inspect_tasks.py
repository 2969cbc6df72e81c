"""The tasks of inspect_ai, run for real on its mock model; logs are read back to the same rates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xl_suite.cli.main import main
from xl_suite.dataset.prompts import build_prompts, write_prompts
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import read_annotations
from xl_suite.records import write_json

inspect_ai = pytest.importorskip("inspect_ai", reason="the extra inspect is not installed")
GERMAN = "Der Himmel ist blau, weil die Luft das blaue Licht der Sonne stärker streut als das rote. Antwort"
ENGLISH = "The sky is blue because the air scatters the blue light of the sun more than it does the red. Answer"
PROMPTS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of German answers to English prompts, and reference outputs."""
    place = tmp_path_factory.mktemp("inspect")
    write_json(place / "s.json", [{"id": number, "p": f"Question {number}?"} for number in range(1, PROMPTS + 1)])
    made = build_prompts(str(place / "s.json"), "p", "mine", ["deu"], id_column="id")
    write_prompts(made, place / "bench")
    rows = [
        {"id": row.id, "instruction": row.instruction, "output": f"{GERMAN} {row.id} lang", "generator": "base"}
        for row in made.rows["deu"]
    ]
    write_json(place / "base/deu.json", [{**row, "language": "deu", "benchmark": "mine"} for row in rows])
    return place


def mock(answer: Any, model: str = "model") -> Any:
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    def reply(messages: Any, tools: Any, choice: Any, config: Any) -> Any:
        output = ModelOutput.from_content(model, answer(messages[-1].text))
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else it counts with a download
        return output

    return get_model(f"mockllm/{model}", custom_outputs=reply, memoize=False)


def answer(prompt: str) -> str:
    """In English to the first three prompts."""
    number = int(prompt.split()[1].partition("?")[0])
    return f"{ENGLISH if number <= 3 else GERMAN} {number}"


def likes_the_model(prompt: str) -> str:
    """A judge for the answer without the word that the reference's end with."""
    first = prompt.partition("<answer")[2].partition("</answer")[0]
    return f"Final verdict: {'M' if first.strip().endswith('lang') else 'm'}"


def run(folder: Path, logs: Path, judge: Any, **settings: Any) -> Any:
    from xl_suite.inspect_tasks import cross_lingual

    task = cross_lingual(str(folder / "bench"), "deu", **settings)
    (log,) = inspect_ai.eval(
        task, model=mock(answer), model_roles={"grader": mock(judge, "judge")}, log_dir=str(logs), display="none"
    )
    assert log.status == "success", log.error
    return log


def read_metrics(log: Any) -> dict[str, dict[str, float]]:
    """By scorer and metric, without the package's name, which inspect_ai puts before that of an installed metric."""
    return {
        one.name: {name.removeprefix("xl_suite/"): value.value for name, value in one.metrics.items()}
        for one in log.results.scores
    }


def test_rates_are_gated_bounded_and_read_back_from_the_log(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run(folder, tmp_path, likes_the_model, reference=str(folder / "base"))
    found = read_metrics(log)
    assert found["win_rate"]["percent"] == 100
    assert found["gated_win_rate"]["percent"] == found["in_language"]["percent"] == 75
    assert found["shown_first"]["percent"] == 50  # it does not care for the place
    assert found["win_rate"]["ci_high"] == 100
    assert 60 < found["win_rate"]["ci_low"] < 100  # twelve wins in a row are not certainty
    assert main(["score", str(log.location), "--benchmark", str(folder / "bench"), "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["win_rate"] == 100
    assert scored["gated_win_rate"] == 75
    rows = read_annotations(Path(log.location))
    assert len(rows) == 2 * PROMPTS
    assert {(row.order, row.annotator, row.benchmark) for row in rows} == {
        ("12", "xl_local-judge", "mine"),
        ("21", "xl_local-judge", "mine"),
    }


def test_a_judge_that_looks_at_the_place_is_seen(folder: Path, tmp_path: Path) -> None:
    found = read_metrics(run(folder, tmp_path, lambda prompt: "Final verdict: m", reference=str(folder / "base")))
    assert found["win_rate"]["percent"] == 50
    assert abs(found["shown_first"]["percent"] - 50) == 50


def test_what_cannot_be_read_is_counted_and_asked_for_three_times(folder: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def say_nothing(prompt: str) -> str:
        asked.append(prompt)
        return "Both have their merits."

    log = run(folder, tmp_path, say_nothing, reference=str(folder / "base"))
    counts = {one.name: (one.scored_samples, one.unscored_samples) for one in log.results.scores}
    assert counts["win_rate"] == (0, PROMPTS)
    assert counts["in_language"] == (PROMPTS, 0)
    assert len(asked) == PROMPTS * 2 * 3
    assert {row.status for row in read_annotations(Path(log.location))} == {"unread"}


def test_without_a_reference_only_the_language_is_scored(folder: Path, tmp_path: Path) -> None:
    log = run(folder, tmp_path, likes_the_model)
    assert read_metrics(log) == {"in_language": read_metrics(log)["in_language"]}
    assert read_metrics(log)["in_language"]["percent"] == 75
    with pytest.raises(BadInput, match="no pairwise scores"):
        read_annotations(Path(log.location))


def test_a_reference_of_another_language_and_another_file_are_refused(folder: Path, tmp_path: Path) -> None:
    from xl_suite.inspect_tasks import cross_lingual

    with pytest.raises(BadInput, match="has no fra"):
        cross_lingual(str(folder / "bench"), "fra")
    with pytest.raises(BadInput, match="no reference outputs in eng"):
        cross_lingual(str(folder / "bench"), "eng", reference=str(folder / "base"))
    (tmp_path / "x.eval").write_text("no log")
    with pytest.raises(BadInput, match="cannot be read as a log"):
        read_annotations(tmp_path / "x.eval")
