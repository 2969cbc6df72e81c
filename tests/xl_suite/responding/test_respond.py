"""Answers to a benchmark: what is asked, what is written, what is refused, and what a second run pays for."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny_model import make_tiny_model
from xl_suite.chat.calls import Sampling
from xl_suite.chat.loopback.server import Loopback, Reply, last_message, serve_loopback
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.cli.main import main
from xl_suite.errors import BadInput, ModelUnavailable, UnknownLanguage
from xl_suite.records import BenchmarkRow, ModelOutput, read_records, write_parquet
from xl_suite.responding.outputs import name_folder, read_outputs
from xl_suite.responding.plan import Plan, Prompting, derive_seed, name_benchmark, plan_responses
from xl_suite.responding.report import Report
from xl_suite.responding.respond import check_finished, respond
from xl_suite.responding.strategies import find_strategy

ROOT = Path(__file__).resolve().parents[3]
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
    settings = ChatOptions(journal=out / ".journal.sqlite", same_model=True, **chat)
    if not settings.replace:
        check_finished(plan, model, out, settings, name)
    return respond(plan, model, out, options=settings, name=name)


def test_outputs_are_what_alpaca_eval_reads(benchmark: Path, tmp_path: Path) -> None:
    import pandas

    with serve_loopback(answer, keep_requests=True) as server:
        report = run(benchmark, tmp_path / "out", server)
    assert report.folder == tmp_path / "out" / "tiny"
    assert sorted(path.name for path in report.folder.iterdir()) == ["deu.json", "run.json", "zho.json"]
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


@pytest.mark.parametrize("strategy", ["direct", "reason-then-translate-2-calls"])
def test_a_limit_keeps_the_rows_that_were_asked_in_the_same_way(
    benchmark: Path, tmp_path: Path, strategy: str
) -> None:
    options = {"strategy": find_strategy(strategy)}
    with serve_loopback(answer) as server:
        folder = run(benchmark, tmp_path, server, **options).folder
        whole, calls = (folder / "deu.json").read_bytes(), server.calls
        report = run(benchmark, tmp_path, server, limit=1, **options)
        assert (folder / "deu.json").read_bytes() == whole
        assert server.calls == calls
        assert report.languages["deu"].to_dict()["n_kept"] == 3
        assert "3 of them kept" in report.describe()
        other = {"sampling": Sampling(temperature=0.1), "chat": {"replace": True}}
        report = run(benchmark, tmp_path, server, limit=1, **other, **options)
        assert read_ids(folder / "deu.json") == [1], "answers to other calls are not mixed in"
        assert report.languages["deu"].to_dict()["n_dropped"] == 3
        run(benchmark, tmp_path, server, chat={"replace": True}, **options)
        make_benchmark(benchmark, ids=IDS[:3])
        with pytest.raises(BadInput, match=r"4 rows, and 1 of them .*--replace"):
            run(benchmark, tmp_path, server, **options)
        again = run(benchmark, tmp_path, server, chat={"replace": True}, **options)
    assert again.languages["deu"].to_dict()["n_dropped"] == 1, "a prompt that the benchmark lacks"
    assert "deu: 3 rows of earlier runs, asked in another way" in report.describe()


def test_further_samples_have_folders_of_their_own(benchmark: Path, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    def differ(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        counts[text] += 1
        return (
            Reply("no", status=400) if "7? Answer in zho" in text and counts[text] == 3 else f"{counts[text]} {text}"
        )

    with serve_loopback(differ, keep_requests=True) as server:
        report = run(benchmark, tmp_path, server, samples=3, seed=1, chat={"slots": 1})
        assert len({request["seed"] for request in server.requests}) == 24
        assert run(benchmark, tmp_path, server, seed=1).ledger.from_journal == 8, "the first is what one run gives"
    assert report.folder == tmp_path / "tiny"
    found = [tmp_path / "tiny", tmp_path / "sample-2" / "tiny", tmp_path / "sample-3" / "tiny"]
    outputs = [read_records(folder / "deu.json", ModelOutput)[0].output for folder in found]
    assert [text.partition(" ")[0] for text in outputs] == ["1", "2", "3"]
    assert [(folder / "failed.json").exists() for folder in found] == [False, False, True]
    assert read_ids(found[2] / "zho.json") == [1, 2, 11]
    assert report.languages["deu"].n_rows == 12
    assert f"sample 3: {found[2]}" in report.describe()
    with pytest.raises(BadInput, match="temperature 0"):
        plan_responses(benchmark, samples=2, sampling=Sampling(temperature=0))


def test_same_bytes_whatever_the_order_and_from_a_replay(benchmark: Path, tmp_path: Path) -> None:
    def slowly(request: dict[str, Any]) -> Reply:
        return Reply(answer(request), delay=0.02 * (len(last_message(request)) % 5))

    with serve_loopback(answer) as server:
        run(benchmark, tmp_path / "a", server)
    with serve_loopback(slowly) as server:
        run(benchmark, tmp_path / "b", server)
    journal = tmp_path / "a" / ".journal.sqlite"
    assert main(["respond", str(benchmark), "--model", f"replay:{journal}", "--out", str(tmp_path / "c")]) == 0
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
    found = [path for path in (tmp_path / "tiny").glob("*.json") if path.name != "run.json"]
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
    with pytest.raises(BadInput, match="not a language's code"):
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


def test_what_is_paid_for_needs_neither_key_nor_server(benchmark: Path, tmp_path: Path) -> None:
    plan = plan_responses(benchmark)
    options = ChatOptions(journal=tmp_path / ".journal.sqlite", progress=False, same_model=True)
    with serve_loopback(answer) as server:
        respond(plan, parse_model(f"gpt-4o@{server.url}"), tmp_path, options=options)
    before = read_tree(tmp_path / "gpt-4o")
    report = respond(plan, parse_model("gpt-4o"), tmp_path, options=options)
    assert (report.ledger.from_journal, report.ledger.paid) == (8, 0)
    assert read_tree(tmp_path / "gpt-4o") == before
    local = Model("gpt-4o", "gpt-4o", (), "vllm", source="gone")
    assert respond(plan, local, tmp_path, options=options).ledger.paid == 0
    assert read_tree(tmp_path / "gpt-4o") == before
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
        respond(plan_responses(benchmark, seed=1), parse_model("gpt-4o"), tmp_path / "else", options=options)


def test_the_verb(benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "system.txt").write_text("Be brief.\n", encoding="utf-8")
    (tmp_path / "template.txt").write_text("Q: {instruction}\nA:\n", encoding="utf-8")
    out = tmp_path / "out"
    with serve_loopback(answer, keep_requests=True) as server:
        command = ["respond", str(benchmark), "--model", f"tiny@{server.url}", "--out", str(out), "--json"]
        command += [
            "--languages",
            "deu",
            "--limit",
            "2",
            "--name",
            "org/brief",
            "--temperature",
            "none",
            "--top-p",
            ".9",
        ]
        command += ["--system", f"@{tmp_path / 'system.txt'}", "--template", str(tmp_path / "template.txt")]
        assert main([*command, "--estimate"]) == 0
        estimated = json.loads(capsys.readouterr().out)
        assert (estimated["calls"], estimated["new"], server.calls) == (2, 2, 0)
        assert not out.exists(), "an estimate writes nothing"
        assert main(command) == 0
    found = capsys.readouterr()
    report = json.loads(found.out)
    assert report["languages"] == {"deu": {"n_rows": 2, "n_truncated": 0, "n_empty": 0, "n_failed": 0}}
    assert (report["generator"], report["benchmark"], report["failed"]) == ("org/brief", "small-bench", [])
    assert report["ledger"]["paid"] == 2
    assert "deu: 2 rows" in found.err
    assert (out / "org-brief" / "deu.json").is_file()
    assert [one["content"] for one in server.requests[0]["messages"]] == [
        "Be brief.",
        "Q: Question 1? Answer in deu.\nA:",
    ]
    assert "temperature" not in server.requests[0]
    assert server.requests[0]["top_p"] == 0.9


def test_the_verb_ends_with_1_when_rows_failed(
    benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(request: dict[str, Any]) -> str | Reply:
        return Reply("broken", status=500) if "Question 7?" in last_message(request) else answer(request)

    with serve_loopback(fail) as server:
        command = [
            "respond",
            str(benchmark),
            "--model",
            f"tiny@{server.url}",
            "--out",
            str(tmp_path),
            "--attempts",
            "1",
        ]
        assert main([*command, "--json"]) == 1
    assert [row["id"] for row in json.loads(capsys.readouterr().out)["failed"]] == [7, 7]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "m@localhost:1"], "m@http://localhost:1"),
        (["--model", "gpt-4o"], "OPENAI_API_KEY"),
        (["--model", "m@http://localhost:1", "--system", "@/no/such/file"], "/no/such/file"),
        (["--model", "m@http://localhost:1", "--template", "/no/such/file"], "/no/such/file"),
        (["--model", "m@http://localhost:1", "--languages", "ger"], "Did you mean 'deu'"),
        (["--model", "m@http://localhost:1", "--name", "../.."], "--name"),
    ],
)
def test_bad_use_ends_with_2_and_writes_nothing(
    arguments: list[str], says: str, benchmark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["respond", str(benchmark), "--out", str(tmp_path / "out"), *arguments]) == 2
    found = capsys.readouterr()
    assert says in found.err
    assert found.out == ""
    assert not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.slow
def test_a_real_server_interrupted_and_killed_half_way(tmp_path: Path) -> None:
    """Issue: rows complete and none doubled, though one run was interrupted and the next one lost its server."""
    pytest.importorskip("fastapi")
    benchmark = make_benchmark(tmp_path / "bench", ids=tuple(range(1, 9)))
    model = make_tiny_model(tmp_path / "tiny chat")
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "xl_suite.cli.main",
        "respond",
        str(benchmark),
        "--model",
        f"transformers:{model}",
    ]
    command += ["--limit", "5", "--max-tokens", "150", "--slots", "1", "--out", str(out), "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=environment)

    with start() as first:
        server = find_server(first.pid)
        wait_for(lambda: count_answers(out) >= 2)
        first.send_signal(signal.SIGINT)
        _, messages = first.communicate(timeout=60)
        assert first.returncode == 130, messages
        wait_for(lambda: not server.is_running())
    interrupted = count_answers(out)
    assert 2 <= interrupted < 10

    with start() as second:
        server = find_server(second.pid)
        wait_for(lambda: count_answers(out) >= interrupted + 2)
        server.kill()
        printed, messages = second.communicate(timeout=60)
        assert second.returncode == 1, messages
        assert "server has ended" in messages
        assert json.loads(printed)["ledger"]["paid"] > 0
    killed = count_answers(out)
    assert interrupted + 2 <= killed < 10
    assert read_ids(out / "tiny-chat" / "deu.json")[:2] == [1, 2], "what there is can be read already"

    with start() as third:
        printed, messages = third.communicate(timeout=120)
    assert third.returncode == 0, messages
    report = json.loads(printed)
    assert (report["ledger"]["from_journal"], report["ledger"]["paid"]) == (killed, 10 - killed)
    for language in ("deu", "zho"):
        rows = read_records(out / "tiny-chat" / f"{language}.json", ModelOutput, unique="id")
        assert [row.id for row in rows] == [1, 2, 3, 4, 5]
        assert all(row.output and row.finish_reason in ("stop", "length") for row in rows)
    before = read_tree(out / "tiny-chat")
    assert subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, timeout=60).returncode == 0
    assert read_tree(out / "tiny-chat") == before


def find_server(pid: int) -> psutil.Process:
    """The server that the process `pid` has started."""
    found: list[psutil.Process] = []

    def look() -> bool:
        for process in psutil.Process(pid).children(recursive=True):
            arguments = process.cmdline()
            if "transformers.cli.transformers" in arguments and "keeper.py" not in " ".join(arguments):
                found.append(process)
        return bool(found)

    wait_for(look)
    return found[0]


def count_answers(out: Path) -> int:
    journal = out / ".journal.sqlite"
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM answers").fetchone()[0])
        except sqlite3.OperationalError:  # not made yet
            return 0


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def read_ids(path: Path) -> list[int]:
    return [row["id"] for row in json.loads(path.read_text(encoding="utf-8"))]


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_samples_of_lm_eval_are_outputs_of_their_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results" / "org__tiny"

    def log(time: str, output: str) -> None:
        document = {"id": 1, "dataset": "d", "instruction": "F", "language": "deu", "expected": "target"}
        folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"doc": document, "filtered_resps": [output]})
        (folder / f"samples_xl_alpacaeval_deu_{time}.jsonl").write_text(line + "\n", encoding="utf-8")

    log("2026-01-02T00-00-00.1", "new")
    log("2026-01-01T00-00-00.1", "old")
    (folder / "results_2026-01-02T00-00-00.1.json").write_text('{"results": {}}')
    for place in (folder, folder.parent):
        ((row,),) = read_outputs(place).values()
        assert (row.output, row.generator, row.language) == ("new", "org/tiny", "deu")
        assert row.benchmark == "xl-alpacaeval"
    assert main(["fidelity", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_undetermined"] == 1
    folder = tmp_path / "results" / "__home__me__my-model"
    log("2026-01-02T00-00-00.1", "mine")
    assert read_outputs(folder)["deu"][0].generator == "my-model"
    with pytest.raises(BadInput, match="several generators: my-model, org/tiny"):
        read_outputs(folder.parent)
