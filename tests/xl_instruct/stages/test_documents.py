"""The document arm: whole responses or windows in one call, back to segments by number, beside the other arms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models import MODELS, answer, translate, write_passages
from tests.written import read_files
from xl_instruct.config import Config, Document, fingerprint, parse_config
from xl_instruct.dataset.arms import BLIND, KEY, OPEN, read_judgements
from xl_instruct.segments import segment
from xl_instruct.stages.costs import estimate_run
from xl_instruct.stages.documents import build_document_call, cut_windows, read_document
from xl_instruct.stages.explaining import describe_life, explain_row
from xl_instruct.stages.generate import Generated, generate
from xl_instruct.stages.pipeline import open_pipeline
from xl_instruct.training.sources import read_xl_instruct
from xl_suite.chat.calls import Answer
from xl_suite.chat.loopback.server import Loopback, Reply, last_message, serve_loopback
from xl_suite.chat.settings import ChatOptions
from xl_suite.records import read_raw
from xl_suite.translation.consistency import find_drift

PART = re.compile(r"<s(\d+)>(.*?)</s\1>", re.DOTALL)
TEXT = "# Tea\n\nBoil the water. Pour it over the leaves.\n\n```\ntimer 3\n```\n\nWait for three minutes."


def rows_of(text: str) -> list[dict[str, Any]]:
    return [{"kind": part.kind, "text": part.text, "protected": part.protected} for part in segment(text)]


def answer_documents(request: dict[str, Any]) -> str | Reply:
    """As the scripted models answer; `whole` translates marked parts, and leaves out every seventh at first."""
    text = last_message(request)
    if request["model"] != "whole":
        return answer(request)
    language = re.search(r"part into ([A-Z][a-z]+), in view", text)
    assert language is not None
    parts = PART.findall(text.rpartition("<text>\n")[2].partition("\n</text>")[0])
    head = f"Translate into {language[1]}. x\n\n"
    said = [
        f"<s{number}>{translate('whole', f'{head}<text>{source}</text>', 0)}</s{number}>"
        for number, source in parts
        if request["temperature"] or int(number) % 7
    ]
    return "Here they are:\n" + "\n".join(said)


def configure(passages: Path, server: Loopback, **changes: Any) -> Config:
    value: dict[str, Any] = {
        "languages": ["deu", "hun"],
        "passages": {"source": str(passages), "count": 6},
        "teacher": {"model": f"teacher@{server.url}"},
        "translators": [{"model": f"{name}@{server.url}"} for name in MODELS],
        "document": {"model": f"whole@{server.url}"},
        "decontaminate": None,
    }
    return parse_config({**value, **changes})


def run(config: Config, out: Path) -> Generated:
    return generate(config, out, ChatOptions(journal=out / ".journal.sqlite", slots=8, progress=False))


def test_windows_cover_all_segments_once() -> None:
    assert cut_windows(5, None) == [(0, 1, 2, 3, 4)]
    assert cut_windows(5, 2) == [(0, 1), (2, 3), (4,)]
    assert cut_windows(0, None) == []


def test_a_call_shows_the_whole_text_and_marks_what_is_translated() -> None:
    rows = rows_of(TEXT)
    call = build_document_call(rows, (0, 1, 2, 3), "deu", Document(model="m"), 0)
    shown = call.messages[0].content.partition("<text>\n")[2].partition("\n</text>")[0]
    assert shown == (
        "# <s1>Tea</s1>\n\n<s2>Boil the water.</s2> <s3>Pour it over the leaves.</s3>\n\n```\ntimer 3\n```\n\n"
        "<s4>Wait for three minutes.</s4>"
    )
    window = build_document_call(rows, (2,), "deu", Document(model="m", before=1), 0).messages[0].content
    assert "<context>Boil the water.</context>" in window
    assert "<text>\n<s3>Pour it over the leaves.</s3>\n</text>" in window
    assert (
        "&lt;s9>"
        in build_document_call(rows_of("Use <s9> now."), (0,), "deu", Document(model="m"), 0).messages[0].content
    )


def test_answers_are_read_by_number() -> None:
    def read(text: str) -> dict[int, str]:
        return read_document(Answer(text, "m", "stop", 1, 1), [(1, "One."), (2, "Two."), (3, "Three.")])

    assert read("<s1>Eins.</s1>\n<s2>Zwei.</s2> <s3>Drei.</s3>") == {1: "Eins.", 2: "Zwei.", 3: "Drei."}
    assert read("Sure:\n<s1>Eins.\n<s2>**Zwei.**</s2>\n<s3>Drei.") == {1: "Eins.", 2: "Zwei.", 3: "Drei."}
    assert read("<s1>Eins.</s1><s1>Ein.</s1><s3>Drei.</s3><s9>?</s9>") == {3: "Drei."}
    assert read("<s3>Drei.</s3><s2>Zwei.</s2>") == {3: "Drei."}
    assert read("Eins. Zwei. Drei.") == {}


@pytest.mark.parametrize("window", [None, 3])
def test_an_arm_of_its_own_beside_naive_and_best_of_k(tmp_path: Path, window: int | None) -> None:
    passages, out = write_passages(tmp_path / "passages.jsonl", 6), tmp_path / "out"
    with serve_loopback(answer_documents) as server:
        config = configure(passages, server, document={"model": f"whole@{server.url}", "window": window})
        made = run(config, out)
        asked, files = server.stats()["calls"], read_files(out)
        assert run(config, out).rows == made.rows
        assert server.stats()["calls"] == asked
        assert read_files(out) == files
        alone = configure(passages, server, document=None)
        costs = estimate_run(open_pipeline(config, out, ChatOptions(journal=out / ".journal.sqlite")))
    assert made.rows["document"] == made.rows["bestof3"] == {"deu": 5, "hun": 5}
    assert any(one.model.startswith("documented, whole") for one in costs)
    source = read_xl_instruct(out, "document")
    assert source.translations == "document"
    rows = read_raw(next((out / "document").glob("german-*.parquet")))
    candidates = [candidate for row in rows for part in row["segments"] for candidate in part["candidates"]]
    assert {candidate["model"] for candidate in candidates} == {"whole"}
    assert {row["translators"][0] for row in rows} == {"whole"}
    # The part that was left out at first came with a further sample.
    assert {candidate["sample"] for candidate in candidates} == {0, 1}
    best = read_raw(next((out / "bestof3").glob("german-*.parquet")))
    assert "whole" not in {part["model"] for row in best for part in row["segments"]}
    assert "document: whole" in describe_life(explain_row(config, out, 1))
    assert fingerprint(config) != fingerprint(alone)


def test_arms_are_compared_by_another_estimator_and_are_open_until_people_have_judged(tmp_path: Path) -> None:
    passages, out = write_passages(tmp_path / "passages.jsonl", 6), tmp_path / "out"
    with serve_loopback(answer_documents) as server:
        made = run(configure(passages, server), out)
        assert made.arms is not None
        assert made.arms.to_dict()["metric"] is None
        assert "surface chose the winners" in made.describe()
        other = configure(passages, server, estimation={"report_with": "tests.estimators:count_letters"})
        compared = run(other, out).arms
    assert compared is not None
    (difference, _) = sorted(compared.differences, key=lambda one: one.other)
    assert (compared.metric, difference.arm, difference.other) == ("letters", "document", "bestof3")
    assert difference.low <= difference.mean <= difference.high
    assert OPEN in (out / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    pairs, key = read_raw(out / BLIND), read_raw(out / KEY)
    assert len(pairs) == len(key) == compared.pairs > 0
    assert not any(name in json.dumps(pairs) for name in ("document", "bestof3", "whole", "translator"))
    assert {row["a"] for row in key} == {"document", "bestof3"}
    pairs[0]["better"] = "a"
    (out / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs), encoding="utf-8")
    assert read_judgements(out / "judged.jsonl", out / KEY) == {key[0]["a"]: 1}


def test_drift_of_a_term() -> None:
    sources = [
        "The compiler reads code.",
        "A compiler is a program.",
        "Run the compiler.",
        "Some compilers are slow.",
    ]
    steady = [
        "Der Compiler liest Code.",
        "Ein Compiler ist ein Programm.",
        "Starte den Compiler.",
        "Manche Compiler ruhen.",
    ]
    drifting = [
        "Der Compiler liest.",
        "Ein Übersetzer ist ein Programm.",
        "Starte das Bauwerk.",
        "Kompilierer ruhen.",
    ]
    assert find_drift(sources, steady, "deu") == []
    (drift,) = find_drift(sources, drifting, "deu")
    assert (drift.term, drift.segments, drift.held) == ("compiler", 4, 1)
    chinese = ["编译器读取代码。", "编译器是一个程序。", "现在运行编译器。", "有些编译器很慢。"]
    assert find_drift(sources, chinese, "zho") == []
