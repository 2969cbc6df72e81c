"""The gate leaves out the last sentence of an answer that was cut off, wherever the finish reason is read from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xl_suite.api.scores import score
from xl_suite.judging.annotations import Annotation
from xl_suite.judging.pairs import join_outputs
from xl_suite.judging.pairwise import Question, make_annotation
from xl_suite.records import ModelOutput, write_json
from xl_suite.scoring.folders import Scores
from xl_suite.scoring.score import LanguageScore

GERMAN = "Das Wetter in Berlin ist heute ganz angenehm, und am Abend soll es ein wenig regnen."
CUT_OFF = GERMAN + " The report of the weather service for tomorrow says that it"
WHOLE = GERMAN + " Morgen wird es vermutlich ein wenig wärmer, und am Wochenende scheint die Sonne."


def _write(folder: Path, name: str, texts: list[tuple[str, str]]) -> list[ModelOutput]:
    rows = [
        ModelOutput(f"Question {n}", text, name, n, "d", "deu", finish_reason=reason)
        for n, (text, reason) in enumerate(texts, start=1)
    ]
    write_json(folder / name / "deu.json", rows)
    return rows


def _judge(folder: Path, model: list[ModelOutput], reference: list[ModelOutput]) -> list[Annotation]:
    rows = [
        make_annotation(Question(pair, False), 1.5, [], annotator="judge", method="parsed", price=None)
        for pair in join_outputs(model, reference, "deu")
    ]
    write_json(folder / "deu.json", rows)
    return rows


def _of(found: Scores) -> LanguageScore:
    (judged,) = found.judges.values()
    return judged.languages["deu"]


@pytest.mark.parametrize("cut", ["model", "reference"])
def test_score_gates_alike_with_and_without_the_outputs(tmp_path: Path, cut: str) -> None:
    sides = {"model": [(WHOLE, "stop")] * 4, "reference": [(WHOLE, "stop")] * 4}
    sides[cut] = [(CUT_OFF, "length")] * 4
    model, reference = (_write(tmp_path, name, sides[name]) for name in ("model", "reference"))
    _judge(tmp_path / "judged", model, reference)
    alone = score(tmp_path / "judged")
    beside = score(tmp_path / "judged", outputs=tmp_path / "model", reference=tmp_path / "reference")
    assert alone.to_dict() == beside.to_dict()
    assert _of(alone).gated.win_rate == pytest.approx(50)
    side = getattr(_of(alone), cut)
    assert side.pass_rate == 1
    assert side.truncation_rate == 100
    assert "Not known" not in alone.describe()


def test_score_says_where_older_annotations_do_not_tell_it(tmp_path: Path) -> None:
    model = _write(tmp_path, "model", [(CUT_OFF, "length")] * 4)
    rows = _judge(tmp_path / "judged", model, _write(tmp_path, "reference", [(WHOLE, "stop")] * 4))
    write_json(
        tmp_path / "judged" / "deu.json", [replace(one, finish_reason_1="", finish_reason_2="") for one in rows]
    )
    told = " ".join(score(tmp_path / "judged").describe().split())
    assert (
        "Not known: whether the answers (--outputs FOLDER tells) and the reference's answers (--reference FOLDER"
        in told
    )
    assert _of(score(tmp_path / "judged")).model.pass_rate == 0
    found = score(tmp_path / "judged", outputs=tmp_path / "model", reference=tmp_path / "reference")
    assert _of(found).model.pass_rate == 1
