"""Answers to a benchmark: what is asked, what is written, what is refused, and what a second run pays for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.chat.calls import Sampling
from xl_suite.chat.loopback import Loopback, Reply, last_message, serve_loopback
from xl_suite.chat.models import parse_model
from xl_suite.chat.session import ChatOptions
from xl_suite.errors import BadInput, UnknownLanguage
from xl_suite.outputs import name_folder
from xl_suite.records import BenchmarkRow, ModelOutput, read_records, write_parquet
from xl_suite.respond import Plan, Prompting, Report, derive_seed, name_benchmark, plan_responses, respond

KEYS = ["id", "dataset", "instruction", "output", "generator", "language", "benchmark", "finish_reason"]
IDS = (11, 2, 7, 1)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY", "XL_SUITE_SERVER_ARGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    return make_benchmark(tmp_path / "bench")


def make_benchmark(folder: Path, languages: tuple[str, ...] = ("deu", "zho"), ids: tuple[int, ...] = IDS) -> Path:
    for language in languages:
        rows = [
            BenchmarkRow(
                id, "koala", f"Question {id}? Answer in {language}.", f"Question {id}?", "", language, "target"
            )
            for id in ids
        ]
        write_parquet(folder / language / "test-00000-of-00001.parquet", rows)
    (folder / "README.md").write_text("---\npretty_name: Small Bench\n---\n# Small\n", encoding="utf-8")
    return folder


def answer(request: dict[str, Any]) -> str:
    return f"Antwort auf {last_message(request)}"


def run(benchmark: Path, out: Path, server: Loopback, **options: Any) -> Report:
    name = options.pop("name", "")
    chat = {"slots": 4, "attempts": 1, "progress": False, **options.pop("chat", {})}
    plan = plan_responses(benchmark, **options)
    model = parse_model(f"tiny@{server.url}")
    return respond(plan, model, out, options=ChatOptions(journal=out / ".journal.sqlite", **chat), name=name)


def test_outputs_are_what_alpaca_eval_reads(benchmark: Path, tmp_path: Path) -> None:
    import pandas

    with serve_loopback(answer, keep_requests=True) as server:
        report = run(benchmark, tmp_path / "out", server)
    assert report.folder == tmp_path / "out" / "tiny"
    assert sorted(path.name for path in report.folder.iterdir()) == ["deu.json", "zho.json"]
    rows = json.loads((report.folder / "deu.json").read_text(encoding="utf-8"))
    assert [list(row) for row in rows] == [KEYS] * 4
    assert rows[1] == {
        "id": 2,
        "dataset": "koala",
        "instruction": "Question 2? Answer in deu.",
        "output": "Antwort auf Question 2? Answer in deu.",
        "generator": "tiny",
        "language": "deu",
        "benchmark": "small-bench",
        "finish_reason": "stop",
    }
    assert [row["id"] for row in rows] == sorted(IDS)
    frame = pandas.read_json(report.folder / "zho.json")
    assert {"dataset", "instruction", "output", "generator"} <= set(frame.columns)
    assert read_records(report.folder / "zho.json", ModelOutput)[0].output.startswith("Antwort auf Question 1?")
    assert server.requests[0]["temperature"] == 0.7
    assert server.requests[0].get("max_tokens", server.requests[0].get("max_completion_tokens")) == 2048


def test_prompting(benchmark: Path, tmp_path: Path) -> None:
    prompting = Prompting(system="Be brief. {instruction}", template="Q: {instruction}\nA {or not}:")
    with serve_loopback(answer, keep_requests=True) as server:
        run(benchmark, tmp_path, server, prompting=prompting, languages="zho", limit=1)
    assert [request["messages"] for request in server.requests] == [
        [
            {"role": "system", "content": "Be brief. {instruction}"},
            {"role": "user", "content": "Q: Question 1? Answer in zho.\nA {or not}:"},
        ]
    ]
    with pytest.raises(BadInput, match="same prompt"):
        Prompting(template="Answer!")


def test_a_failed_row_is_listed_and_tried_again_alone(benchmark: Path, tmp_path: Path) -> None:
    def fail(request: dict[str, Any]) -> str | Reply:
        return (
            Reply("broken", status=500) if "Question 7? Answer in deu" in last_message(request) else answer(request)
        )

    with serve_loopback(fail) as server:
        report = run(benchmark, tmp_path, server, chat={"slots": 1})
    assert [(row.language, row.id) for row in report.failed] == [("deu", 7)]
    listed = json.loads((tmp_path / "tiny" / "failed.json").read_text(encoding="utf-8"))
    assert [list(row) for row in listed] == [["id", "language", "reason", "attempts"]]
    assert "500" in listed[0]["reason"]
    assert read_ids(tmp_path / "tiny" / "deu.json") == [1, 2, 11]
    assert report.languages["deu"].n_failed == 1
    assert "1 rows failed" in report.describe()

    with serve_loopback(answer) as server:
        run(benchmark, tmp_path, server, languages="zho")
        assert (tmp_path / "tiny" / "failed.json").exists(), "says nothing about zho"
        report = run(benchmark, tmp_path, server)
    assert server.calls == 1
    assert not report.failed
    assert not (tmp_path / "tiny" / "failed.json").exists()
    assert read_ids(tmp_path / "tiny" / "deu.json") == [1, 2, 7, 11]


def test_limit_then_all_pays_once(benchmark: Path, tmp_path: Path) -> None:
    with serve_loopback(answer) as server:
        report = run(benchmark, tmp_path, server, limit=1)
        assert [count.n_rows for count in report.languages.values()] == [1, 1]
        assert read_ids(tmp_path / "tiny" / "deu.json") == [1]
        run(benchmark, tmp_path, server)
        assert (server.calls, server.repeated) == (8, 0)
        report = run(benchmark, tmp_path, server, languages="deu")
    assert (server.calls, report.ledger.from_journal) == (8, 4)
    assert read_ids(tmp_path / "tiny" / "zho.json") == sorted(IDS), "another language's file stays"


def test_same_bytes_whatever_the_order_and_from_a_replay(benchmark: Path, tmp_path: Path) -> None:
    def slowly(request: dict[str, Any]) -> Reply:
        return Reply(answer(request), delay=0.02 * (len(last_message(request)) % 5))

    with serve_loopback(answer) as server:
        run(benchmark, tmp_path / "a", server)
    with serve_loopback(slowly) as server:
        run(benchmark, tmp_path / "b", server)
    replay = parse_model(f"replay:{tmp_path / 'a' / '.journal.sqlite'}")
    respond(plan_responses(benchmark), replay, tmp_path / "c", options=ChatOptions(progress=False))
    assert (
        read_tree(tmp_path / "a" / "tiny") == read_tree(tmp_path / "b" / "tiny") == read_tree(tmp_path / "c" / "tiny")
    )


def test_truncated_and_empty_answers_are_counted(benchmark: Path, tmp_path: Path) -> None:
    def cut(request: dict[str, Any]) -> Reply:
        if "Question 1?" in last_message(request):
            return Reply("Ein halber Satz, der", finish_reason="length")
        return Reply(" \n" if "Question 2?" in last_message(request) else "Ganz.")

    with serve_loopback(cut) as server:
        report = run(benchmark, tmp_path, server, languages="deu")
    count = report.languages["deu"]
    assert (count.n_rows, count.n_truncated, count.n_empty, count.n_failed) == (4, 1, 1, 0)
    assert read_records(tmp_path / "tiny" / "deu.json", ModelOutput)[0].finish_reason == "length"
    assert "deu: 4 rows, 1 truncated, 1 empty" in report.describe()


def test_another_benchmark_or_generator_is_refused_before_any_call(benchmark: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with serve_loopback(answer) as server:
        run(benchmark, out, server, name="org/tiny")
        calls = server.calls
        with pytest.raises(BadInput, match="outputs of 'org/tiny'"):
            run(benchmark, out, server, name="org:tiny")
        other = make_benchmark(tmp_path / "other")
        (other / "README.md").unlink()
        with pytest.raises(BadInput, match=r"holds outputs on 'small-bench'.*on 'other'"):
            run(other, out, server, name="somebody-else")
        (tmp_path / "file").touch()
        with pytest.raises(BadInput, match="is a file"):
            run(benchmark, tmp_path / "file", server)
        assert server.calls == calls
    assert [path.name for path in sorted(out.iterdir()) if path.is_dir()] == ["org-tiny"]


def test_the_budget_leaves_what_was_paid_for(benchmark: Path, tmp_path: Path) -> None:
    from xl_suite.errors import BudgetReached

    sampling = Sampling(max_tokens=100)
    with serve_loopback(answer) as server, pytest.raises(BudgetReached):
        chat = {"slots": 1, "budget": 0.5, "price": (0.0, 4000.0)}
        run(benchmark, tmp_path, server, sampling=sampling, chat=chat)
    found = list((tmp_path / "tiny").glob("*.json"))
    assert found
    assert 0 < sum(len(read_ids(path)) for path in found) < 8


def test_plan(benchmark: Path) -> None:
    plan = plan_responses(benchmark, languages="zho,deu", limit=2)
    assert [call.row for call in plan.calls] == ["zho/1", "zho/2", "deu/1", "deu/2"]
    assert plan.languages == ("zho", "deu")
    with pytest.raises(UnknownLanguage, match="deu"):
        plan_responses(benchmark, languages="ger")
    with pytest.raises(BadInput, match=r"has no swe"):
        plan_responses(benchmark, languages="swe")
    with pytest.raises(BadInput, match="names no language"):
        plan_responses(benchmark, languages=",")


def test_seeds_belong_to_rows(benchmark: Path) -> None:
    def seeds(plan: Plan) -> dict[str, int | None]:
        return {call.row: call.sampling.seed for call in plan.calls}

    everything = seeds(plan_responses(benchmark, seed=1))
    assert len(set(everything.values())) == len(everything)
    assert seeds(plan_responses(benchmark, seed=1, languages="zho", limit=1)).items() <= everything.items()
    assert seeds(plan_responses(benchmark, seed=2))["deu/1"] != everything["deu/1"]
    assert set(seeds(plan_responses(benchmark)).values()) == {None}
    assert 0 <= derive_seed(-5, "deu/1") < 2**31


def test_a_language_is_never_a_path(tmp_path: Path) -> None:
    row = BenchmarkRow(1, "koala", "Hi", "Hi", "", "../../x", "target")
    write_parquet(tmp_path / "deu" / "test-00000-of-00001.parquet", [row])
    with pytest.raises(BadInput, match="no language's code"):
        plan_responses(tmp_path)


def test_a_doubled_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="row 3 twice"):
        plan_responses(make_benchmark(tmp_path, ids=(3, 3)))


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("---\ntags: [evaluation, xl-suite, xl-alpacaeval]\npretty_name: Something\n---\n# A\n", "xl-alpacaeval"),
        ("---\npretty_name: My  Bench\n---\n# A\n", "my-bench"),
        ("---\ntags: [xl-suite]\n---\n# A\n", "bench"),
        ("no YAML", "bench"),
        (None, "bench"),
    ],
)
def test_the_benchmark_is_named_by_its_card(tmp_path: Path, card: str | None, name: str) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    assert name_benchmark(folder) == name


@pytest.mark.parametrize(
    ("generator", "folder"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("Qwen/Qwen2.5-7B", "Qwen-Qwen2.5-7B"),
        ("../../x", "x"),
        ("/etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("my model\n", "my-model"),
        ("通义千问", "通义千问"),
    ],
)
def test_folders_of_generators(generator: str, folder: str) -> None:
    assert name_folder(generator) == folder


@pytest.mark.parametrize("generator", ["", ".", "..", "/", " ", "../..", "\0"])
def test_a_generator_without_a_name_is_refused(generator: str) -> None:
    with pytest.raises(BadInput, match="--name"):
        name_folder(generator)


@given(st.text(min_size=1, max_size=400))
def test_a_generator_is_never_a_path(generator: str) -> None:
    try:
        name = name_folder(generator)
    except BadInput:
        return
    assert Path("out", name).resolve().parent == Path("out").resolve()
    assert not name.startswith((".", "-"))
    assert len(name.encode()) < 140
    assert re.fullmatch(r"[\w.-]+", name)


def test_long_names_stay_apart() -> None:
    assert name_folder("m" * 300) != name_folder("m" * 301)


def read_ids(path: Path) -> list[int]:
    return [row["id"] for row in json.loads(path.read_text(encoding="utf-8"))]


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
