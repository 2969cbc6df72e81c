"""The demo, end to end and without network: its benchmark, and its generators' fidelity, row by row as planted."""

from __future__ import annotations

import csv
import hashlib
import json
import shlex
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from xl_suite.chat.calls import Call, Message
from xl_suite.chat.replay import open_replay
from xl_suite.cli.main import main
from xl_suite.demo.answers import GENERATORS, count_answers, read_answers, write_journal
from xl_suite.demo.benchmark import build_demo_rows, read_prompts
from xl_suite.demo.judgements import DemoVerdict
from xl_suite.demo.steps import STEPS, Demo, run_demo
from xl_suite.demo.summary import by_hand, count_planted, describe, to_json
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import read_annotations
from xl_suite.languages import table
from xl_suite.tables import read_table


def refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError(f"the demo used the network: {args}")


@pytest.fixture(autouse=True, scope="module")
def no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run_demo(tmp_path_factory.mktemp("demo") / "out")


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_benchmark_has_every_kind_of_row(demo: Demo) -> None:
    assert len(read_prompts()) == 24
    assert set(demo.rows) == {language.code for language in table()}
    for code, rows in demo.rows.items():
        by_id = {row.id: row for row in rows}
        assert list(by_id) == [number for number in range(1, 25) if number != 8]
        assert {number: row.expected for number, row in by_id.items() if row.expected != "target"} == {
            5: "any",
            16: "other:fra",
        }
        assert bool(by_id[1].template) == (code != "eng")
    assert demo.rows["gle"][6].prompt.endswith("Please answer in Irish.")
    assert "English" in read_prompts()[6].instruction


def test_the_benchmark_loads_with_datasets_both_ways(demo: Demo, tmp_path: Path) -> None:
    from datasets import load_dataset

    folder, cache = str(demo.benchmark), str(tmp_path)
    german = load_dataset(folder, "deu", split="test", cache_dir=cache)
    assert german.to_list() == load_dataset(folder, split="german", cache_dir=cache).to_list()
    assert german[0]["instruction"] == demo.rows["deu"][0].instruction


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_verdict_is_the_one_that_was_planted(demo: Demo, generator: str) -> None:
    found = {
        (code, row.id): verdict.verdict
        for code, scored in demo.fidelity[generator].items()
        for row, verdict in zip(demo.outputs[generator][code], scored.verdicts, strict=True)
    }
    assert found == {(answer.language, answer.id): answer.verdict for answer in read_answers(generator)}
    assert len(found) == 46


def test_the_good_generator_is_right_everywhere(demo: Demo) -> None:
    for scored in demo.fidelity["demo-good"].values():
        assert scored.pass_rate == 1
        assert scored.n_undetermined == scored.n_empty == scored.n_truncated == 0
        assert not scored.is_constant


def test_the_slips_are_of_every_kind(demo: Demo) -> None:
    slips = demo.fidelity["demo-slips"]
    assert {code: scored.n_truncated for code, scored in slips.items() if scored.n_truncated} == {"por": 1}
    assert {code: scored.n_empty for code, scored in slips.items() if scored.n_empty} == {"hun": 1}
    assert slips["hin"].notes == {"romanised Hindi": 1}
    assert slips["zho"].notes == {"any language": 1, "traditional Chinese": 1}
    [spanish] = [verdict for verdict in slips["por"].verdicts if verdict.verdict == "wrong"]
    assert {line.language for line in spanish.lines} == {"spa"}
    assert not any(scored.is_constant for scored in slips.values())
    assert slips["gle"].pass_rate == 0
    assert slips["fra"].pass_rate == 1


def test_both_generators_answer_the_same_rows_and_the_good_one_at_more_length() -> None:
    good, slips = ({(one.language, one.id): one for one in read_answers(name)} for name in GENERATORS)
    assert good.keys() == slips.keys()
    assert all(len(good[key].text.encode()) > len(slips[key].text.encode()) for key in good)
    assert len({one.text for one in good.values()}) == len(good)
    # What is planted is named; what is plain is right.
    assert all(one.slip or (one.verdict, one.finish_reason) == ("right", "stop") for one in slips.values())
    assert set(count_answers("demo-good").values()) == {8, 2}


def test_outputs_are_the_answers_in_alpacaevals_format(demo: Demo) -> None:
    rows = json.loads((demo.output_folder / "demo-slips" / "por.json").read_text(encoding="utf-8"))
    assert list(rows[3]) == [
        *("id", "dataset", "instruction", "output", "generator", "language", "benchmark", "finish_reason")
    ]
    assert (rows[3]["id"], rows[3]["finish_reason"], rows[3]["generator"]) == (4, "length", "demo-slips")
    assert rows[3]["instruction"] == demo.rows["por"][3].instruction


def test_the_journal_replays_both_generators(demo: Demo) -> None:
    _, close, models = open_replay(demo.journal)
    close()
    assert [name for name, _ in models] == list(GENERATORS)
    assert len(demo.journal.read_text(encoding="utf-8").splitlines()) == 92


def test_a_second_run_into_the_same_folder_gives_the_same_bytes(demo: Demo) -> None:
    before = fingerprint(demo.folder)
    # For each language a benchmark, 2 outputs and (but for English) annotations; a card, 2 journals; the pipeline's
    # two inputs; 2 journals, 2 files of ratings, 2 languages of translations with a card and a review file;
    # 5 files that say what was run.
    others = [name for name in before if not name.startswith(("xl-instruct/", "leaderboard/"))]
    assert len(others) == 1 + 4 * (len(table()) - 1) + 3 + 2 + 8 + 5
    run_demo(demo.folder)
    assert fingerprint(demo.folder) == before


@pytest.mark.parametrize("name", ["notes.txt", "outputs/other-model/deu.json", "benchmark/notes.txt"])
def test_a_folder_with_foreign_files_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match=r"notes\.txt|other-model"):
        run_demo(tmp_path)
    assert list(fingerprint(tmp_path)) == [name]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(BadInput, match="is a file"):
        run_demo(tmp_path / "out")


def test_an_answer_to_nothing_is_refused(tmp_path: Path) -> None:
    row = build_demo_rows()["deu"][0]
    with pytest.raises(BadInput, match=r"demo-good\.yaml answers deu/2, which the benchmark lacks"):
        write_journal(tmp_path / "journal.jsonl", [(row, Call("deu/1", (Message("user", row.instruction),)))])


def test_the_command_prints_one_object_or_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], demo: Demo
) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["fidelity"] == to_json(demo)["fidelity"]
    assert found["planted"] == {"n_agree": 92, "n_answers": 92}
    assert found["fidelity"]["demo-slips"]["overall"]["n_mixed"] == 7
    assert found["fidelity"]["demo-slips"]["languages"]["hun"]["pass_rate"] == 0.5
    assert len(printed.err.splitlines()) == len(STEPS)

    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "Irish      gle         2     0     0     0 100 %       0     2     0     0   0 %" in text
    assert str(tmp_path / "out" / "outputs" / "demo-slips") in text


def test_the_table_and_the_examples_fit_80_columns(demo: Demo) -> None:
    lines = describe(demo).split("\n\n")
    assert max(len(line) for block in (lines[1], lines[2], lines[3]) for line in block.splitlines()) <= 80
    assert "romanised Hindi" in lines[3]
    assert count_planted(demo)["n_agree"] == 92


def test_the_commands_by_hand_give_the_demos_files_and_figures(
    demo: Demo, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = fingerprint(demo.folder)
    load, respond, fidelity, score, rubrics, board = by_hand(demo)
    compile(load[2], "printed", "exec")
    assert load[2].count(str(demo.benchmark)) == 1

    assert main(respond[1:]) == 0
    assert fingerprint(demo.folder) == before
    assert main([*respond[1:-1], str(tmp_path / "again")]) == 0
    again = tmp_path / "again" / "demo-slips" / "hun.json"
    assert again.read_bytes() == (demo.output_folder / "demo-slips" / "hun.json").read_bytes()

    capsys.readouterr()
    assert main([*fidelity[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["languages"] == to_json(demo)["fidelity"]["demo-slips"]["languages"]
    assert main([*score[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"] == to_json(demo)["scores"]["overall"]
    assert main([*rubrics[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == to_json(demo)["ratings"]["demo-good"]
    assert main([*board[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["index"] == to_json(demo)["leaderboard"]
    assert fingerprint(demo.folder) == before


def test_the_leaderboard_shows_the_judged_model_beside_the_papers(demo: Demo) -> None:
    with (demo.leaderboard / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    own = {row["language"]: row for row in rows if row["benchmark"] == "xl-alpacaeval-demo"}
    assert {row["model"] for row in own.values()} == {"demo-good"}
    assert demo.scores is not None
    whole = demo.scores.whole
    assert float(own["avg"]["win_rate"]) == pytest.approx(whole.raw.win_rate, abs=1e-4)
    assert float(own["avg"]["gated"]) == pytest.approx(whole.gated.win_rate, abs=1e-4)
    mean = demo.ratings["demo-good"]["average"]["mean"]
    assert float(own["deu"]["rubric_mean"]) == pytest.approx(mean, abs=1e-4)
    assert "Aya Expanse 8B" in {row["model"] for row in rows}
    page = (demo.leaderboard / "models" / "demo-good.html").read_text(encoding="utf-8")
    assert "answered by demo-good; strategy direct" in page
    assert "judged by demo-judge; annotator xl_local" in page


def test_the_judges_verdicts_are_those_that_were_written(demo: Demo) -> None:
    shares = {(row.language, row.id): row.share for row in read_table("xl_suite.demo", "verdicts.tsv", DemoVerdict)}
    rows = read_annotations(demo.annotation_folder / GENERATORS[0])
    assert len(rows) == len(shares) == 46
    for row in rows:
        assert row.preference == pytest.approx(1 + shares[row.language, row.id or 0])
    assert demo.scores is not None
    overall = demo.scores.to_json()["overall"]
    assert overall["ci_low"] < overall["win_rate"] < overall["ci_high"]
    assert overall["gated_win_rate"] > overall["win_rate"]  # demo-slips loses where it slipped


def test_the_printed_commands_survive_a_shell(demo: Demo) -> None:
    odd = replace(demo, folder=Path('it\'s a "demo" $HOME'))
    printed = [
        shlex.split(line) for line in describe(odd).splitlines() if line.startswith(("  python", "  xl-suite"))
    ]
    assert printed[:6] == by_hand(odd)


def test_the_pipeline_makes_its_dataset_and_report(demo: Demo, tmp_path: Path) -> None:
    from datasets import load_dataset

    assert demo.generated is not None
    assert demo.generated.rows == {"naive": {"deu": 3, "hun": 3}, "bestof2": {"deu": 3, "hun": 3}}
    assert demo.generated.quarantined == 0
    rows = load_dataset(str(demo.synthetic), "bestof2", split="hungarian", cache_dir=str(tmp_path))
    parts = [part for row in rows for part in row["segments"] if part["candidates"]]
    assert {part["model"] for part in parts} == {"demo-plain", "demo-hasty"}
    refused = {guard for part in parts for candidate in part["candidates"] for guard in candidate["refused"]}
    assert {"copied", "lost_span"} & refused
    report = (demo.synthetic / "report.html").read_text(encoding="utf-8")
    assert "<svg" in report
    assert "<script" not in report
