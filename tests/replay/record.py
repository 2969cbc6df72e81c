"""Makes a fixture: runs the main job in small against the loopback server, and keeps journals and files.

    python -m tests.replay.record v1               a new fixture, with journals of the format of today
    python -m tests.replay.record v0 --expected    only the expected files of one that exists, from its journals

An output that is changed on purpose needs --expected, and a journal whose format is changed a new fixture; older ones
stay, because journals of every format must stay readable. What is recorded does not depend on when or where.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pyarrow
import yaml

from tests.replay.commands import (
    HERE,
    Command,
    list_journals,
    prepare,
    read_commands,
    run_command,
    write_commands,
)
from tests.replay.models import TOPICS, Models, read_demo, write_passage
from tests.replay.snapshot import take_snapshot
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.chat.replay import export_journal

SERVER = "http://127.0.0.1:9/v1"  # nothing listens there; a recording puts the loopback server's URL in its place
ROWS = "5"
TIME = 1_700_000_000  # of every call in the journals
KEPT_AS_TEXT = ("annotations", "ratings", "generated")  # the other journals are kept as SQLite
LOCAL = "xl_local-demo-judge"

FORM_GUARDS = ("echo", "refusal", "remark", "refers", "language", "loop", "short")

CONFIG = {
    "title": "XL-Instruct, replay",
    "licence": "apache-2.0",
    "languages": ["deu", "hun"],
    "passages": {"source": "passages.jsonl", "count": len(TOPICS), "licence": "Apache-2.0, written for this test"},
    # The scripted teacher writes by the form of a response and not from the passage.
    "teacher": {"model": f"demo-teacher@{SERVER}", "licence": "none", "guards": list(FORM_GUARDS)},
    "translators": [{"model": f"translator-{name}@{SERVER}", "licence": "none"} for name in "ac"],
    "filtering": {"drop": 0.25},
    "decontaminate": "xl-alpacaeval",
}


def ask(name: str, words: str, journal: str, status: int = 0) -> Command:
    """A command that asks models; `journal` answers it."""
    suffix = "jsonl" if journal in KEPT_AS_TEXT else "sqlite"
    return Command(name, (*words.split(), "--replay", f"journals/{journal}.{suffix}", "--json"), status)


def show(name: str, words: str, status: int = 0) -> Command:
    """A command that asks no model."""
    return Command(name, (*words.split(), "--json"), status)


COMMANDS = [
    show(
        "build-xl",
        "build xl-alpacaeval --source prompts.json --allow-changed-source --variant all --languages deu,hun,zho,eng "
        "--out xl-alpacaeval",
    ),
    *(
        ask(
            f"respond-{name}",
            f"respond xl-alpacaeval --model demo-{name}@{SERVER} --languages deu,hun,zho --limit {ROWS} "
            "--out outputs",
            "outputs",
        )
        for name in ("good", "slips", "reference")
    ),
    ask(
        "respond-samples",
        f"respond xl-alpacaeval --model demo-good@{SERVER} --languages deu --limit 2 --samples 2 --seed 7 "
        "--out sampled",
        "outputs",
    ),
    ask(
        "respond-strategy",
        f"respond xl-alpacaeval --model demo-good@{SERVER} --languages hun --limit 3 --out reasoned "
        "--strategy reason-then-translate-2-calls",
        "outputs",
    ),
    # The journal holds a failed call of the fifth row, which no replay can answer.
    ask(
        "respond-failing",
        f"respond xl-alpacaeval --model demo-failing@{SERVER} --languages hun --limit 4 --out failing",
        "outputs",
    ),
    show("fidelity-good", "fidelity outputs/demo-good --benchmark xl-alpacaeval"),
    show("fidelity-all", "fidelity outputs --benchmark xl-alpacaeval --details details.json"),
    show("fidelity-with-failed", "fidelity recorded/demo-failing"),
    *(
        ask(
            f"judge-{name}",
            f"judge outputs/demo-{name} --reference outputs/demo-reference --annotator xl_local "
            f"--model demo-judge@{SERVER} --order random --method logprobs --out annotations",
            "annotations",
            1,
        )
        for name in ("good", "slips")
    ),
    ask(
        "judge-both-orders",
        "judge outputs/demo-good --reference outputs/demo-reference --annotator xl_gpt4o_crosslingual "
        f"--languages deu --model gpt-4o-2024-08-06@{SERVER} --order both --method parsed --out annotations",
        "annotations",
        1,
    ),
    ask(
        "rate",
        f"rate outputs/demo-good --model demo-rater@{SERVER} --languages deu --limit 4 --out ratings",
        "ratings",
        1,
    ),
    ask(
        "build-m",
        f"build m-alpacaeval --benchmark xl-alpacaeval --model demo-translator@{SERVER} --languages deu --qe surface "
        "--out m-alpacaeval",
        "translations",
        1,
    ),
    ask("generate", "generate config.yaml --out xl-instruct", "generated", 1),
    show("subset-best", "subset xl-instruct --size 8 --translations best-of-2 --out subsets/best"),
    show("subset-random", "subset xl-instruct --size 8 --translations naive --sampling random --out subsets/random"),
    show("preferences", "preferences xl-instruct --margin 0 --out preferences"),
    show(
        "score-good",
        f"score annotations/demo-good/{LOCAL} --benchmark xl-alpacaeval --outputs outputs/demo-good "
        "--reference outputs/demo-reference --resamples 500",
    ),
    show("score-slips", f"score annotations/demo-slips/{LOCAL} --benchmark xl-alpacaeval --resamples 500"),
    show("score-judges", "score annotations/demo-good --gate model --languages deu --resamples 500"),
    show("score-ratings", "score ratings/demo-good/demo-rater --resamples 500"),
    show("compare", f"compare annotations/demo-good/{LOCAL} annotations/demo-slips/{LOCAL}"),
    show(
        "compare-gated",
        f"compare annotations/demo-good/{LOCAL} annotations/demo-slips/{LOCAL} --gate both --benchmark xl-alpacaeval "
        "--resamples 500",
    ),
    show(
        "leaderboard",
        "leaderboard outputs annotations ratings --benchmark xl-alpacaeval --no-paper --workers 1 --resamples 500 "
        "--out leaderboard",
    ),
]


def write_inputs(folder: Path) -> list[str]:
    """The files that the commands read; returns the prompts."""
    # The eighth prompt is one that the demo's benchmark leaves out: nobody answers it.
    rows = [row for number, row in enumerate(read_demo("prompts.json"), start=1) if number != 8]
    folder.mkdir(parents=True)
    (folder / "prompts.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    passages = [json.dumps({"text": write_passage(topic)}) + "\n" for topic in TOPICS]
    (folder / "passages.jsonl").write_text("".join(passages), encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False), encoding="utf-8")
    return [row["instruction"] for row in rows]


def record_journals(version: Path, scratch: Path) -> None:
    """Runs all commands against the loopback server, with one call at a time, and keeps the journals."""
    prompts = write_inputs(version / "inputs")
    work = scratch / "recording"
    shutil.copytree(version / "inputs", work)
    (work / "journals").mkdir()
    with serve_loopback(Models(prompts)) as server:
        config = work / "config.yaml"
        config.write_text(config.read_text(encoding="utf-8").replace(SERVER, server.url), encoding="utf-8")
        for command in COMMANDS:
            words = [word.replace(SERVER, server.url).replace(".jsonl", ".sqlite") for word in command.words]
            if "--replay" in words:
                words[words.index("--replay")] = "--journal"
                words += ["--slots", "1"]
            if command.name == "respond-failing":
                words[words.index("--limit") + 1] = ROWS
                command = replace(command, status=1)
            if command.name == "fidelity-with-failed":
                shutil.copytree(work / "failing", work / "recorded")
                shutil.copytree(work / "failing", version / "inputs" / "recorded", ignore=_ignore_hidden)
            _run(replace(command, words=tuple(words)), work)
    (version / "journals").mkdir()
    for path in sorted((work / "journals").glob("*.sqlite")):
        if path.stem in KEPT_AS_TEXT:
            export_journal(path, version / "journals" / f"{path.stem}.jsonl")
        else:
            _copy_journal(path, version / "journals" / path.name)


def record_expected(version: Path, scratch: Path, commands: list[Command]) -> None:
    """Replays the journals and keeps what the commands write."""
    work = scratch / "replay"
    prepare(version, work)
    for command in commands:
        _run(command, work)
    shutil.rmtree(version / "expected", ignore_errors=True)
    (version / "pyarrow.txt").write_text(f"{pyarrow.__version__}\n", encoding="utf-8")
    for name, data in take_snapshot(work, version / "inputs").items():
        path = version / "expected" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _run(command: Command, work: Path) -> None:
    status, said = run_command(command, work)
    if status != command.status:
        sys.exit(f"{command.name} ends with status {status}, not {command.status}:\n{said}")


def _ignore_hidden(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(".")]


def _copy_journal(source: Path, target: Path) -> None:
    """The journal with one order of its rows and one time, so that a second recording gives the same bytes."""
    with closing(sqlite3.connect(source, isolation_level=None)) as journal:
        for table in ("answers", "failures"):
            journal.execute(f"UPDATE {table} SET time = {TIME}")
        journal.execute("CREATE TEMP TABLE ordered AS SELECT * FROM answers ORDER BY model, key")
        columns = "key, model, request, answer, prompt_tokens, completion_tokens, time"
        journal.execute("DELETE FROM answers")
        journal.execute(f"INSERT INTO answers ({columns}) SELECT {columns} FROM ordered ORDER BY rowid")
        journal.execute(f"VACUUM INTO '{target}'")
    with closing(sqlite3.connect(f"file:{quote(str(target))}?mode=rw", uri=True)) as journal:
        journal.execute("PRAGMA journal_mode=WAL")  # as xl-suite leaves it


def _check_paths(version: Path, scratch: Path) -> None:
    """Ends where a file names a folder of this machine or the loopback server."""
    for path in sorted(version.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        for place in (str(scratch), str(HERE), f"{Path.home()}/", f"{tempfile.gettempdir()}/"):
            if place.encode() in data:
                sys.exit(f"{path} names {place}")
        if b"127.0.0.1:" in data.replace(SERVER.encode(), b""):
            sys.exit(f"{path} names the loopback server")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("version", help="v0, v1, ...: the folder beside this file")
    parser.add_argument(
        "--expected", action="store_true", help="keep the journals, and write the expected files anew"
    )
    args = parser.parse_args()
    version = HERE / args.version
    if version.exists() != args.expected:
        sys.exit(f"{version} {'exists: a new fixture needs another name' if version.exists() else 'does not exist'}.")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        scratch = Path(folder)
        if not args.expected:
            record_journals(version, scratch)
            write_commands(version, COMMANDS)
        record_expected(version, scratch, read_commands(version))
        _check_paths(version, scratch)
    for path in list_journals(version):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
