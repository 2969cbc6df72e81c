"""Files of others with something wrong in them: every verb that reads them says so, or works with what is there."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.mutations import damage_text
from tests.xl_suite.bridging.conftest import MODELS, judge, write_models
from tests.xl_suite.bridging.test_bridge_verb import collect, plan
from tests.xl_suite.judging.test_harnesses import write_arena_hard, write_judge_arena
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import run_verb
from xl_suite.demo.steps import run_demo
from xl_suite.judging.annotator import find_folder
from xl_suite.people.labels import Label, write_labels
from xl_suite.people.sheet import read_key
from xl_suite.records import read_raw, write_json

NOBODY = "http://127.0.0.1:9/v1"  # no command below calls a model
JUDGED = "annotations/demo-good/xl_local-old"
SIDES = "outputs/demo-good --reference outputs/demo-slips"
JUDGE = f"judge {SIDES} --annotator xl_local --model old@{NOBODY} --languages deu"
PEOPLE = f"annotate --import labels.csv --key page.key.json --out people --judged {JUDGED}"
ARENA_HARD = "annotate --import hard --baseline base --language deu --out people"
BUILD_M = f"build m-alpacaeval --benchmark benchmark --languages deu --model a@{NOBODY}"
SITE = "leaderboard outputs annotations ratings mapped --benchmark benchmark --out site"
# What reads a file, by the file.
READERS = {
    f"{JUDGED}/deu.json": [
        *(f"score {JUDGED} --benchmark benchmark --json", f"compare {JUDGED} {JUDGED} --json", PEOPLE, SITE),
        f"{JUDGE} --out annotations --replay judged.jsonl",
    ],
    f"{JUDGED}/run.json": [f"score {JUDGED} --json", SITE, f"{JUDGE} --out annotations --replay judged.jsonl"],
    f"{JUDGED}/audit.json": [SITE, f"{JUDGE} --out annotations --replay judged.jsonl"],
    "audit/card.json": [f"{JUDGE} --out again --card audit --estimate"],
    "outputs/demo-good/deu.json": [
        *("fidelity outputs/demo-good --benchmark benchmark --json", f"score {JUDGED} --outputs outputs/demo-good"),
        *(f"{JUDGE} --out again --estimate", f"rate outputs/demo-good --model x@{NOBODY} --out rated --estimate"),
        *(f"annotate {SIDES} --languages deu --out other.html", SITE),
        "submit . --benchmark benchmark --reference outputs/demo-slips --name demo-good --languages deu --limit 8",
    ],
    "outputs/demo-good/run.json": [SITE, f"score {JUDGED} --outputs outputs/demo-good"],
    "ratings/demo-good/demo-judge/ratings-deu.json": ["score ratings/demo-good/demo-judge --json", SITE],
    "page.key.json": [PEOPLE],
    "judge/length_slope.json": [f"score {JUDGED} --annotator judge"],
    "judged.jsonl": [
        "journal show judged.jsonl",
        "journal import judged.jsonl j.sqlite",
        f"{JUDGE} --out again --replay judged.jsonl",
    ],
    "prompts.json": [
        "build prompts --source prompts.json --column q --id-column id --name p --languages deu --out p"
    ],
    "release/data/german.json": ["build m-alpacaeval --benchmark benchmark --source release --languages deu --out m"],
    "review/review.jsonl": [f"{BUILD_M} --out review --estimate"],
    "arena/results-run.json": ["annotate --import arena --language deu --out people"],
    "hard/model_answer/model.jsonl": [ARENA_HARD],
    "hard/model_judgment/judge/model.jsonl": [ARENA_HARD],
    "hard/question.jsonl": [ARENA_HARD],
    "bridge/fitted/bridge.json": ["bridge apply bridge/fitted bridge/score.json --json"],
    "bridge/score.json": ["bridge apply bridge/fitted bridge/score.json --json"],
    "mapped/mine.mapped.json": [SITE],
    "bridge/bridge/design.json": [
        f"bridge collect bridge/bridge --annotator xl_local --model b@{NOBODY} --estimate",
        "bridge fit bridge/bridge --out fitted",
    ],
}


@dataclass(frozen=True)
class Place:
    """The files as they were made, and the folder in which commands read them."""

    made: Path
    work: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Path(run_demo(tmp_path_factory.mktemp("damaged")).folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for name in ("leaderboard", "m-alpacaeval", "xl-instruct", "annotations"):
            shutil.rmtree(name)
        for name in ("outputs", "ratings"):
            for file in Path(name).rglob("*.json"):
                if file.stem.removeprefix("ratings-") not in ("deu", "run"):
                    file.unlink()
        _make_reviews()
        _make_labels()
        _make_bridge()
        write_judge_arena(Path("arena"))
        write_arena_hard(Path("hard"))
        work = tmp_path_factory.mktemp("work") / "copy"
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        logging.disable(logging.ERROR)
        yield Place(made, work)
        logging.disable(logging.NOTSET)


def _make_reviews() -> None:
    with serve_loopback(lambda request: "m") as server:
        model = f"--model old@{server.url} --languages deu"
        _run(f"audit xl_local {SIDES} {model} --rows 6 --out audit")
        _run(f"judge {SIDES} --annotator xl_local {model} --out annotations --card audit")
    _run("journal export annotations/.journal.sqlite judged.jsonl")
    write_json(Path("prompts.json"), [{"q": f"Why is {n} so?", "id": n} for n in range(3)])
    rows = read_raw(Path("benchmark/eng/test-00000-of-00001.parquet"))
    write_json(Path("release/data/german.json"), [{"instruction": f"Frage {row['id']}?"} for row in rows])
    Path("review").mkdir()
    edited = [{"language": "deu", "id": rows[0]["id"], "edited": "Wieso?"}, {"language": "deu", "id": rows[1]["id"]}]
    Path("review/review.jsonl").write_text("".join(json.dumps(row) + "\n" for row in edited))
    slope = {
        "slope": 0.5,
        "standard_error": 0.1,
        "n": 100,
        "languages": ["deu"],
        "date": "2026-01-01",
        "how": "probes",
    }
    shutil.copytree(find_folder("xl_local"), "judge")
    Path("judge/length_slope.json").write_text(json.dumps(slope))


def _make_labels() -> None:
    _run(f"annotate {SIDES} --out page.html --rows 4 --known 1 --languages deu")
    key = read_key(Path("page.key.json"))
    labels = [
        Label(
            key.page, str(key.seed), item.row, "deu", "Ana", "", "yes", "yes", "A", "2", str(item.probability or "")
        )
        for item in key.items
    ]
    write_labels(Path("labels.csv"), labels)


def _make_bridge() -> None:
    folder = Path("bridge").absolute()
    write_models(folder, MODELS)
    with serve_loopback(judge) as server:
        assert plan(folder) == 0
        assert collect(folder / "bridge", "old", server) == 0
        assert collect(folder / "bridge", "new", server) == 0
    _run("bridge fit bridge/bridge --out bridge/fitted")
    rates = {code: {"win_rate": 45.0, "standard_error": 2.0} for code in ("deu", "gle")}
    score = {"model": "mine", "annotator": "xl_local-old", "reference": "ref", "languages": rates}
    Path("bridge/score.json").write_text(json.dumps(score))
    _run("bridge apply bridge/fitted bridge/score.json --out mapped")


def _run(command: str) -> None:
    told = run_verb(command.split())
    assert told.status == 0, (command, told.notes)


@pytest.mark.parametrize("file", READERS)
def test_the_files_are_read_as_they_are(place: Place, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next test would damage what nobody reads."""
    for command in READERS[file]:
        _lay_out(place, monkeypatch)
        assert Path(file).is_file(), file
        told = run_verb(command.split())
        assert told.status < 2, (command, told.notes)


@settings(max_examples=examples(60))
@given(file=st.sampled_from(list(READERS)), random=st.randoms(use_true_random=False))
def test_a_damaged_file_ends_no_command_in_a_traceback(place: Place, file: str, random: Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _lay_out(place, patch)
        path = Path(file)
        damaged = damage_text(path.read_text(encoding="utf-8"), random, lines=path.suffix == ".jsonl")
        path.unlink()
        path.write_bytes(damaged)
        told = run_verb(random.choice(READERS[file]).split())
    assert told.status in (0, 1, 2)
    assert told.status < 2 or told.notes
    json.dumps(told.answer)


def _lay_out(place: Place, patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(place.work, ignore_errors=True)
    shutil.copytree(place.made, place.work, copy_function=os.link)  # links, since all writers rename
    patch.chdir(place.work)
