"""A prompt set of one's own as a benchmark: how it is read, what is refused, and that the other verbs take it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.hub_server import Repo, serve_hub
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import main
from xl_suite.dataset.card import read_metadata
from xl_suite.dataset.folder import read_benchmark
from xl_suite.dataset.prompts import build_prompts, derive_id
from xl_suite.errors import BadInput
from xl_suite.harness import load_documents
from xl_suite.publishing.hub_files import HubFiles
from xl_suite.records import Prompt as Record
from xl_suite.records import write_json, write_jsonl, write_parquet

TEXTS = ["Why is the sky blue?", "Write a haiku, with 'ü' in it.", "Translate into French: good day"]
ANSWERS = {
    "Why": "Der Himmel ist blau, weil die Luft das blaue Licht der Sonne stärker streut als das rote.",
    "Write": "Über dem Fluss liegt früh am Morgen ein dünner Nebel, und kein Vogel hat bisher gesungen.",
    "Translate": "Die Übersetzung lautet bonjour, und damit grüßt man sich in Frankreich bis zum Abend.",
}
ROWS = [{"prompt": text, "question_id": f"q-{place}", "cluster": "x"} for place, text in enumerate(TEXTS)]


def write_source(path: Path) -> Path:
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]))
            writer.writeheader()
            writer.writerows(ROWS)
    elif path.suffix == ".parquet":
        write_parquet(path, [Record(place, "x", text) for place, text in enumerate(TEXTS)])
    else:
        (write_json if path.suffix == ".json" else write_jsonl)(path, ROWS)
    return path


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".csv", ".parquet"])
def test_each_kind_of_file_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    source = write_source(tmp_path / f"source{ending}")
    column = "instruction" if ending == ".parquet" else "prompt"
    built = build_prompts(str(source), column, "mine", ["deu"])
    assert {code: [row.prompt for row in rows] for code, rows in built.rows.items()} == {"deu": TEXTS, "eng": TEXTS}
    assert [row.id for row in built.rows["deu"]] == [derive_id(text) for text in TEXTS]
    assert all("German" in row.template and row.instruction.endswith(row.template) for row in built.rows["deu"])
    assert all(row.template == "" and row.instruction == row.prompt for row in built.rows["eng"])


def test_ids_and_templates_do_not_depend_on_order_and_duplicates_are_named(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", ROWS)
    write_json(tmp_path / "b.json", [ROWS[2], ROWS[0], ROWS[2], ROWS[1]])
    first, second = (build_prompts(str(tmp_path / name), "prompt", "mine", ["deu"]) for name in ("a.json", "b.json"))
    assert sorted(first.rows["deu"], key=lambda row: row.id) == sorted(second.rows["deu"], key=lambda row: row.id)
    assert (first.duplicates, second.duplicates) == ((), (3,))


def test_the_ids_of_a_column_are_kept_where_they_are_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "s.json", [{"q": 7, "p": "one"}, {"q": "abc", "p": "two"}])
    rows = build_prompts(str(tmp_path / "s.json"), "p", "mine", ["deu"], id_column="q", template="none").rows
    assert [row.id for row in rows["deu"]] == [7, derive_id("abc")]
    assert list(rows) == ["deu"]
    assert rows["deu"][0].instruction == "one"


def test_expected_languages_by_hand_go_before_those_by_rule(tmp_path: Path) -> None:
    source = write_source(tmp_path / "s.json")
    table = tmp_path / "expected.tsv"
    table.write_text(f"id\tpattern\texpected\n\t(?i)french\tother:fra\n\t.\tany\n{derive_id(TEXTS[0])}\t\ttarget\n")
    rows = build_prompts(str(source), "prompt", "mine", ["deu"], expected=table).rows["deu"]
    assert [row.expected for row in rows] == ["target", "any", "other:fra"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("1\t\tfra", "must be target, any or other:CODE"),
        ("1\tx\tany", "exactly one of id and pattern"),
        ("\t(\tany", "not a regular expression"),
        ("99\t\tany", "no prompt has ID 99"),
    ],
)
def test_a_table_of_expected_languages_that_cannot_be_understood_is_refused(
    tmp_path: Path, line: str, told: str
) -> None:
    source = write_source(tmp_path / "s.json")
    (tmp_path / "e.tsv").write_text(f"id\tpattern\texpected\n{line}\n")
    with pytest.raises(BadInput, match=told):
        build_prompts(str(source), "prompt", "mine", ["deu"], expected=tmp_path / "e.tsv")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"column": "text"}, "The record has: prompt, question_id, cluster"),
        ({"name": "xl-alpacaeval"}, "AlpacaEval's IDs"),
        ({"name": "../x"}, "lower-case letters"),
        ({"template": "none", "languages": ["deu", "zho"]}, "takes one language"),
        ({"id_column": "cluster"}, "that of another prompt"),
        ({"license": "mine"}, "the Hub does not know it"),
        ({"file": "a.json"}, "is not a Hub ID"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_way_out(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    source = write_source(tmp_path / "s.json")
    settings: dict[str, Any] = {"column": "prompt", "name": "mine", "languages": ["deu"]} | change
    with pytest.raises(BadInput, match=told):
        build_prompts(str(source), **settings)


def test_an_empty_prompt_is_refused_by_its_record(tmp_path: Path) -> None:
    write_json(tmp_path / "s.json", [{"p": "one"}, {"p": " "}])
    with pytest.raises(BadInput, match="2"):
        build_prompts(str(tmp_path / "s.json"), "p", "mine", ["deu"])


def test_a_dataset_on_the_hub_names_its_files_and_keeps_its_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(tmp_path / "test.parquet")
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Prompts\n")
    hub = HubFiles("org/prompts", "c0ffee", ("README.md", "de/test.parquet", "hi/test.parquet"))
    monkeypatch.setattr("xl_suite.dataset.prompts.download", lambda hub, file: tmp_path / Path(file).name)
    with pytest.raises(BadInput, match=r"--file: de/test\.parquet, hi/test\.parquet"):
        build_prompts("org/prompts", "instruction", "mine", ["deu"], find=lambda repo: hub)
    built = build_prompts(
        "org/prompts", "instruction", "mine", ["deu"], file="de/test.parquet", find=lambda repo: hub
    )
    assert (built.license, built.revision, built.source) == ("apache-2.0", "c0ffee", "org/prompts")


def test_the_columns_of_m_arenahard_on_a_hub(tmp_path: Path) -> None:
    """As its card names them: Parquet by language, with question_id, category, cluster and prompt."""
    rows = [{"question_id": f"{place:032x}", "prompt": text} for place, text in enumerate(TEXTS)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "de.parquet")
    data = (tmp_path / "de.parquet").read_bytes()
    repo = Repo("dataset", "org/arena", private=False)
    files = {f"{code}/test-00000-of-00001.parquet": data for code in ("de", "fr")}
    commit = repo.add("main", "first", files | {"README.md": b"---\nlicense: apache-2.0\n---\n"})
    build = [sys.executable, "-m", "xl_suite.cli.main", "build", "prompts", "--source", "org/arena", "--column"]
    build += ["prompt", "--id-column", "question_id", "--languages", "deu", "--template", "none", "--name", "arena"]
    build += ["--file", "de/test-00000-of-00001.parquet", "--out", str(tmp_path / "bench"), "--json"]
    with serve_hub() as hub:
        hub.repos["dataset", "org/arena"] = repo
        environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        done = subprocess.run(build, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = json.loads(done.stdout)
    assert (built["license"], built["revision"], built["rows"]) == ("apache-2.0", commit.id, {"deu": 3})
    assert [row.id for row in read_benchmark(tmp_path / "bench", ["deu"])] == [
        derive_id(str(row["question_id"])) for row in rows
    ]


def test_the_columns_of_x_alpacaeval(tmp_path: Path) -> None:
    """As its card names them: JSON by language, with id, dataset and instruction."""
    write_json(tmp_path / "korean.json", [{"id": 7, "dataset": "koala", "instruction": "하늘은 왜 파란가요?"}])
    source = str(tmp_path / "korean.json")
    rows = build_prompts(source, "instruction", "x", ["kor"], id_column="id", template="none").rows
    assert [(row.id, row.instruction) for row in rows["kor"]] == [(7, "하늘은 왜 파란가요?")]


def test_the_other_verbs_take_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, bench = write_source(tmp_path / "s.jsonl"), tmp_path / "bench"
    build = ["build", "prompts", "--source", str(source), "--column", "prompt", "--languages", "deu"]
    assert main([*build, "--name", "my-prompts", "--license", "cc0-1.0", "--out", str(bench), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"deu": 3, "eng": 3}
    metadata = read_metadata((bench / "README.md").read_text(encoding="utf-8")) or {}
    assert metadata["license"] == "cc0-1.0"
    assert metadata["tags"][-1] == "my-prompts"
    assert len(read_benchmark(bench, ["deu"])) == 3

    def answer(request: dict[str, Any]) -> str:
        prompt = request["messages"][-1]["content"]
        return next(text for start, text in ANSWERS.items() if prompt.startswith(start))

    with serve_loopback(answer) as server:
        for name in ("one", "two"):
            model = ["--model", f"m-{name}@{server.url}", "--name", name]
            assert main(["respond", str(bench), *model, "--languages", "deu", "--out", str(tmp_path / "out")]) == 0
    with serve_loopback(lambda request: "Final verdict: tie") as server:
        judge = ["judge", str(tmp_path / "out/one"), "--reference", str(tmp_path / "out/two"), "--out"]
        judge += [str(tmp_path / "judged"), "--annotator", "xl_local", "--model", f"j@{server.url}"]
        assert main(judge) == 0
    capsys.readouterr()
    assert main(["fidelity", str(tmp_path / "out/one"), "--benchmark", str(bench), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_right"] == 3
    score = ["score", str(tmp_path / "judged/one"), "--outputs", str(tmp_path / "out/one")]
    assert main([*score, "--benchmark", str(bench), "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert (scored["n_total"], scored["n_draws"], scored["win_rate"]) == (3, 3, 50)
    judged = str(tmp_path / "judged/one/xl_local-j")
    submit = ["submit", "--outputs", str(tmp_path / "out/one"), "--annotations", judged]
    submit += ["--reference", str(tmp_path / "out/two"), "--benchmark", str(bench), "--languages", "deu"]
    assert main([*submit, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"]
    site = ["leaderboard", str(tmp_path / "out"), str(tmp_path / "judged"), "--benchmark", str(bench), "--resamples"]
    assert main([*site, "100", "--no-paper", "--out", str(tmp_path / "site")]) == 0
    documents = load_documents("deu", "xl-suite/my-prompts", benchmark=str(bench))["test"]
    assert [row["expected"] for row in documents] == ["target"] * 3
