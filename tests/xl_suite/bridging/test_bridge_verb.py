"""`xl-suite bridge`: plan, collect, archive on a scripted judge; fit, replay and apply from the archive alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.xl_suite.bridging.conftest import LANGUAGES, MODELS, PROMPTS, judge, write_families, write_models
from xl_suite.bridging.folder import read_design
from xl_suite.chat.loopback.server import Loopback, Reply, last_message, serve_loopback
from xl_suite.cli.main import main
from xl_suite.judging.annotations import read_annotations
from xl_suite.publishing.checks import check_folder


def plan(folder: Path, *more: str, models: tuple[str, ...] = MODELS) -> int:
    return main(
        [
            *("bridge", "plan", *(str(folder / "outputs" / model) for model in models)),
            *(
                "--reference",
                str(folder / "reference" / "ref"),
                "--annotator",
                "xl_local",
                "--model",
                "old@http://x:1",
            ),
            *("--families", str(write_families(folder, models)), "--out", str(folder / "bridge"), *more),
        ]
    )


def collect(bridge: Path, name: str, server: Loopback, *more: str) -> int:
    return main(
        ["bridge", "collect", str(bridge), "--annotator", "xl_local", "--model", f"{name}@{server.url}", *more]
    )


def read_files(folder: Path, *names: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in names
        for path in sorted((folder / name).rglob("*.json"))
    }


@pytest.fixture
def collected(tmp_path: Path, server: Loopback) -> Path:
    write_models(tmp_path)
    assert plan(tmp_path, "--repeat-share", "0.25") == 0
    assert collect(tmp_path / "bridge", "old", server) == 0
    return tmp_path


def archive(folder: Path, *more: str) -> int:
    return main(["bridge", "archive", str(folder / "bridge"), "--out", str(folder / "archive"), *more])


def test_plan_within_a_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(tmp_path)
    assert plan(tmp_path, "--price", "2.5,10", "--budget", "0.6", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert 0.5 < told["cost"]["dollars"] <= 0.6
    assert told["cost"]["dollars_in_batches"] == pytest.approx(told["cost"]["dollars"] / 2)
    design = read_design(tmp_path / "bridge")
    cells = len(MODELS) * len(LANGUAGES)
    assert len(design.rows) == cells * told["rows_per_model_and_language"] < cells * PROMPTS
    assert told["cost"]["calls"] == 2 * len(design.rows) + 4 * sum(row.repeated for row in design.rows)
    assert all(row.probability is not None and 0 < row.probability < 1 for row in design.rows)
    width = told["precision"]["languages"]["deu"]
    assert width[0] > width[1] > 0
    # The same again changes nothing; another one is refused.
    before = (tmp_path / "bridge" / "design.json").read_bytes()
    assert plan(tmp_path, "--price", "2.5,10", "--budget", "0.6") == 0
    assert plan(tmp_path, "--price", "2.5,10", "--budget", "0.4") == 2
    assert (tmp_path / "bridge" / "design.json").read_bytes() == before
    assert "another bridge's design" in capsys.readouterr().err


def test_plan_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(tmp_path)
    assert plan(tmp_path, "--budget", "1") == 2
    assert "price" in capsys.readouterr().err
    assert plan(tmp_path, "--price", "2.5,10", "--budget", "0.001") == 2
    assert "does not pay for one row" in capsys.readouterr().err
    (tmp_path / "few.tsv").write_text("Alder-0\tAlder\n")
    assert plan(tmp_path, "--families", str(tmp_path / "few.tsv")) == 2
    assert "the family of Birch-1, Cedar-2" in capsys.readouterr().err


def test_collect_estimate_resume_and_repeats(
    tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    write_models(tmp_path, MODELS[:2])
    assert plan(tmp_path, "--repeat-share", "0.25", models=MODELS[:2]) == 0
    assert "`bridge fit` will refuse" in capsys.readouterr().err
    bridge = tmp_path / "bridge"
    assert collect(bridge, "old", server, "--estimate", "--json") == 0
    expected = 2 * 2 * PROMPTS * 2 + 2 * 2 * 6 * 2 * 2
    assert json.loads(capsys.readouterr().out)["calls"] == expected
    assert collect(bridge, "old", server, "--budget", "0.02", "--price", "2.5,10") == 1
    paid = server.stats()["answered"]
    assert 0 < paid < expected
    assert collect(bridge, "old", server, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n_judged"], told["n_failed"]) == (expected, 0)
    assert server.stats()["answered"] == expected
    assert collect(bridge, "old", server, "--json") == 0
    assert json.loads(capsys.readouterr().out)["paid"] == 0
    again = json.loads((bridge / "repeats" / "3" / "Alder-0" / "xl_local-old" / "deu.json").read_text())
    assert len(again) == 2 * 6
    # The outputs are pinned: with other ones nothing more is judged.
    path = bridge / "outputs" / "Alder-0" / "deu.json"
    path.write_text(path.read_text().replace("quality", "Quality", 1))
    assert collect(bridge, "old", server) == 2
    assert "not the file that the design was made for" in capsys.readouterr().err


def test_one_way_of_reading_verdicts_holds_for_all_rows(tmp_path: Path) -> None:
    """A judge that gives no log probabilities on some answers: these fail and are counted, none is parsed."""

    def forget(request: dict[str, Any]) -> Reply:
        reply = judge(request)
        return Reply(reply.text, logprobs=[]) if "second model" in last_message(request) else reply

    write_models(tmp_path, MODELS[:2])
    path = tmp_path / "outputs" / "Birch-1" / "deu.json"
    path.write_text(path.read_text().replace("quality", "second model, quality"))
    assert plan(tmp_path, models=MODELS[:2]) == 0
    with serve_loopback(forget) as server:
        assert collect(tmp_path / "bridge", "old", server) == 1
    for model in MODELS[:2]:
        rows = read_annotations(tmp_path / "bridge" / "annotations" / model / "xl_local-old")
        assert {row.method for row in rows} == {"logprobs"}
        failed = {row.language for row in rows if row.preference is None}
        assert failed == ({"deu"} if model == "Birch-1" else set())


def test_a_model_that_cannot_be_judged_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(request: dict[str, Any]) -> Reply:
        return Reply("no", logprobs=[]) if "second model" in last_message(request) else judge(request)

    write_models(tmp_path, MODELS[:2])
    for path in (tmp_path / "outputs" / "Alder-0").iterdir():
        path.write_text(path.read_text().replace("quality", "second model, quality"))
    assert plan(tmp_path, models=MODELS[:2]) == 0
    with serve_loopback(refuse) as server:
        assert collect(tmp_path / "bridge", "old", server, "--method", "logprobs") == 1
        assert "Alder-0: no judgement was made" in capsys.readouterr().err
        assert (tmp_path / "bridge" / "annotations" / "Birch-1").is_dir()
        assert not (tmp_path / "bridge" / "annotations" / "Alder-0").exists()
    with serve_loopback(lambda request: Reply("no", logprobs=[])) as server:
        assert collect(tmp_path / "bridge", "new", server, "--method", "logprobs") == 2


@pytest.mark.parametrize("name", ["design.json", "bridge.json"])
def test_newer_formats_are_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text('{"format": 2}')
    verb = (
        ["fit", str(tmp_path), "--out", str(tmp_path / "x")]
        if name == "design.json"
        else ["apply", str(tmp_path), "s"]
    )
    assert main(["bridge", *verb]) == 2
    assert "format 2; this version of xl-suite reads format 1" in capsys.readouterr().err


def test_killed_and_resumed_pays_no_row_twice(tmp_path: Path, server: Loopback) -> None:
    server.latency = 0.02
    write_models(tmp_path)
    assert plan(tmp_path) == 0
    command = [sys.executable, "-m", "xl_suite.cli.main", "bridge", "collect", str(tmp_path / "bridge")]
    command += ["--annotator", "xl_local", "--model", f"old@{server.url}", "--slots", "8"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while server.stats()["answered"] < 100 and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert server.stats()["answered"] >= 100
    server.latency = 0.0
    assert collect(tmp_path / "bridge", "old", server) == 0
    design = read_design(tmp_path / "bridge")
    wanted = 2 * len(design.rows) + 4 * sum(row.repeated for row in design.rows)
    assert wanted <= server.stats()["answered"] <= wanted + 2 * 8
    assert archive(tmp_path) == 0


@pytest.mark.slow
def test_archive_alone_replays_and_fits_offline(
    collected: Path, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge = collected / "bridge"
    assert collect(bridge, "new", server) == 0
    assert archive(collected) == 0
    assert archive(collected) == 2
    assert archive(collected, "--replace") == 0
    folder = collected / "archive"
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    checked = check_folder(folder)
    assert checked.problems == ()
    run = json.loads((folder / "run.json").read_text())
    assert run["judges"]["xl_local-old"]["prompt_sha256"]
    assert run["judges"]["xl_local-old"]["methods"] == ["logprobs"]
    assert run["journal"]["first_call"] <= run["journal"]["last_call"]

    answer = fit_alone(folder, tmp_path / "one")
    # The verdicts made again from the journal's text are the same bytes, and so is the fit on them.
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("design.json", "outputs", "reference", "journal.jsonl"):
        subprocess.run(["cp", "-r", str(folder / name), str(copy / name)], check=True)
    for name in ("old", "new"):
        replay(copy, name)
    assert read_files(copy, "annotations", "repeats") == read_files(folder, "annotations", "repeats")
    assert fit_alone(copy, tmp_path / "two").keys() == answer.keys()
    assert read_bridge(tmp_path / "two") == read_bridge(tmp_path / "one")
    for worth in answer["languages"].values():
        assert worth["error_map"] < worth["error_none"]
    ceiling = answer["judges"]["overall"]["noise_ceiling"]["xl_local-old"]
    assert ceiling["agreement"] == 1  # this judge gives the same answer whenever it is asked
    assert answer["judges"]["overall"]["agreement"]["agreement"] < 1
    assert answer["judges"]["overall"]["position"]["xl_local-old"]["position_bias"] > 0
    assert check_folder(tmp_path / "one").problems == ()
    capsys.readouterr()
    check_apply(tmp_path / "one", tmp_path, capsys)


def without_network() -> dict[str, str]:
    """An environment without keys, in which any connection fails at once."""
    kept = {name: value for name, value in os.environ.items() if "KEY" not in name and "TOKEN" not in name}
    return kept | {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}


def run_alone(*arguments: str) -> str:
    """A process of its own that cannot open a connection."""
    block = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise OSError('no network here')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "from xl_suite.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", block, *arguments],
        env=without_network(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fit_alone(folder: Path, out: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run_alone("bridge", "fit", str(folder), "--out", str(out), "--json"))
    return answer


def replay(folder: Path, name: str) -> None:
    run_alone(
        *("bridge", "collect", str(folder), "--annotator", "xl_local", "--model", f"{name}@http://127.0.0.1:9"),
        *("--replay", str(folder / "journal.jsonl")),
    )


def read_bridge(folder: Path) -> bytes:
    """The bytes of a fitted bridge but for the day on which it was fitted."""
    return re.sub(rb'"date": "[0-9-]+"', b"", (folder / "bridge.json").read_bytes())


def check_apply(bridge: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(**changes: Any) -> str:
        rates = {"deu": {"win_rate": 45.0, "standard_error": 2.0}, "gle": {"win_rate": 45.0, "standard_error": 2.0}}
        score = {"model": "mine", "annotator": "xl_local-old", "reference": "ref", "languages": rates} | changes
        path = folder / "score.json"
        path.write_text(json.dumps(score))
        return str(path)

    assert main(["bridge", "apply", str(bridge), write(), "--json", "--out", str(folder / "mapped")]) == 0
    (mapped,) = json.loads(capsys.readouterr().out)["mapped"]
    assert json.loads((folder / "mapped" / "mine.mapped.json").read_text()) == [mapped]
    assert mapped["mapped"] is True
    assert mapped["through"]["old"] == "xl_local-old"
    assert mapped["overall"]["low"] < mapped["overall"]["mapped"] < mapped["overall"]["high"]
    assert mapped["overall"]["mapped"] > 50  # the new judge likes the models better
    assert (
        main(["bridge", "apply", str(bridge), write(languages={"mlt": {"win_rate": 45, "standard_error": 2}})]) == 0
    )
    assert "mlt: 45.00 -> not mapped: not known: the bridge has no rows in mlt" in capsys.readouterr().out
    assert main(["bridge", "apply", str(bridge), write(annotator="xl_gpt4o")]) == 2
    assert main(["bridge", "apply", str(bridge), write(reference="another")]) == 2
    assert "Scores of another reference cannot go over it" in capsys.readouterr().err


def test_fit_refuses_too_few_models(tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(tmp_path, MODELS[:7])
    assert plan(tmp_path, models=MODELS[:7]) == 0
    bridge = tmp_path / "bridge"
    assert collect(bridge, "old", server) == 0
    assert main(["bridge", "fit", str(bridge), "--out", str(tmp_path / "fitted")]) == 2
    assert "name the new judge" in capsys.readouterr().err
    assert collect(bridge, "new", server) == 0
    assert main(["bridge", "fit", str(bridge), "--out", str(tmp_path / "fitted")]) == 2
    assert "7 models of 5 families: a bridge needs 8 models of 4 families" in capsys.readouterr().err
    assert not (tmp_path / "fitted").exists()


def test_fit_refuses_rows_without_probabilities(collected: Path, server: Loopback) -> None:
    bridge = collected / "bridge"
    assert collect(bridge, "new", server) == 0
    design = json.loads((bridge / "design.json").read_text())
    design["drawn_by"] = ["language", "verdict"]
    for row in design["rows"]:
        row["probability"] = None
    (bridge / "design.json").write_text(json.dumps(design))
    assert main(["bridge", "fit", str(bridge), "--out", str(collected / "fitted")]) == 2


def test_archive_refuses_gaps(tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(tmp_path, MODELS[:2])
    assert plan(tmp_path, models=MODELS[:2]) == 0
    assert archive(tmp_path) == 2
    assert "no journal" in capsys.readouterr().err
    assert collect(tmp_path / "bridge", "new", server) == 0
    assert archive(tmp_path) == 2
    assert "no verdicts of xl_local-old" in capsys.readouterr().err
    assert collect(tmp_path / "bridge", "old", server) == 0
    path = tmp_path / "bridge" / "repeats" / "2" / "Alder-0" / "xl_local-old" / "deu.json"
    path.unlink()
    assert archive(tmp_path) == 2
    assert "6 judgements of xl_local-old that the design asks for are not there" in capsys.readouterr().err
    assert archive(tmp_path, "--allow-gaps", "--json") == 0
    assert json.loads(capsys.readouterr().out)["n_missing"] == 6
    assert json.loads((tmp_path / "archive" / "run.json").read_text())["n_missing"] == 6


def test_one_name_is_one_judge(tmp_path: Path, server: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    write_models(tmp_path, MODELS[:2])
    assert plan(tmp_path, models=MODELS[:2]) == 0
    bridge = tmp_path / "bridge"
    assert collect(bridge, "old", server) == 0
    settings = bridge / "judges" / "xl_local-old.json"
    told = json.loads(settings.read_text())
    assert told["model"] == "old"
    settings.write_text(json.dumps(told | {"prompt_sha256": "0" * 64}))
    assert collect(bridge, "old", server) == 2
    assert "another prompt_sha256" in capsys.readouterr().err
