"""--batch on the verbs: the same files as one by one, and what they say of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import scripted_models
from tests.m_alpacaeval.conftest import translate, write_xl_alpacaeval
from tests.written import read_files, write_questions
from tests.xl_suite.chat.batches.conftest import FAST
from xl_suite.chat import settings
from xl_suite.chat.batches.overview import list_batches
from xl_suite.chat.loopback.replies import Reply, token_logprobs
from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback
from xl_suite.chat.settings import Batching
from xl_suite.cli.main import run_verb

COUNT = 10


@pytest.fixture(autouse=True)
def fast_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that are made and looked at without delay, however few calls they have."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def hurry(tail: str) -> Batching:
        return replace(FAST, tail=tail, least=2)

    monkeypatch.setattr(settings, "Batching", hurry)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    write_questions(folder, ("deu", "zho"), COUNT)
    return folder


@pytest.fixture
def server() -> Iterator[Loopback]:
    def answer(request: dict[str, Any]) -> str | Reply:
        text = last_message(request)
        if request["model"] == "judge":
            first, second = ("4", "3") if "number of the level" in text else ("m", "M")
            chance = 0.9 if len(text) % 2 else 0.6
            return Reply(first, logprobs=token_logprobs({first: math.log(chance), second: math.log(1 - chance)}))
        return f"Antwort von {request['model']} auf {text[:200]}"

    with serve_loopback(answer) as found:
        yield found


def run_both(command: list[str], tmp_path: Path) -> Path:
    """Runs a verb one by one and in batches; both write the same. The folder of the batches."""
    folders = [tmp_path / "single", tmp_path / "batched"]
    for folder, more in zip(folders, ([], ["--batch"]), strict=True):
        outcome = run_verb([*command, "--out", str(folder), *more])
        assert outcome.status == 0, outcome
    single, batched = map(read_files, folders)
    assert list(single) == list(batched)
    for name, content in single.items():
        assert content == batched[name], name
    listed = list_batches(folders[1] / ".journal.sqlite")
    assert listed
    assert not any(one.is_open for one in listed)
    return folders[1]


@pytest.mark.parametrize(("strategy", "calls"), [("direct", 1), ("reason-then-translate-2-calls", 2)])
def test_respond(strategy: str, calls: int, bench: Path, server: Loopback, tmp_path: Path) -> None:
    made = run_both(["respond", str(bench), "--model", f"tiny@{server.url}", "--strategy", strategy], tmp_path)
    assert sum(one.plan.calls for one in list_batches(made / ".journal.sqlite")) == calls * 2 * COUNT


def test_judge_and_rate(bench: Path, server: Loopback, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        command = ["respond", str(bench), "--model", f"{name}@{server.url}", "--out", str(tmp_path)]
        assert run_verb(command).status == 0
    judge = ["judge", str(tmp_path / "ours"), "--reference", str(tmp_path / "theirs"), "--annotator", "xl_gpt4o"]
    run_both([*judge, "--model", f"judge@{server.url}", "--order", "both"], tmp_path / "judged")
    run_both(["rate", str(tmp_path / "ours"), "--model", f"judge@{server.url}"], tmp_path / "rated")


def test_bridge_collect_asks_for_all_parts_together(bench: Path, server: Loopback, tmp_path: Path) -> None:
    for name in ("ours", "theirs", "reference"):
        command = ["respond", str(bench), "--model", f"{name}@{server.url}", "--out", str(tmp_path)]
        assert run_verb(command).status == 0
    (tmp_path / "families.tsv").write_text("ours\tone\ntheirs\ttwo\n")
    plan = ["bridge", "plan", str(tmp_path / "ours"), str(tmp_path / "theirs"), "--annotator", "xl_gpt4o"]
    plan += ["--model", f"judge@{server.url}", "--reference", str(tmp_path / "reference"), "--repeat-share", "0.5"]
    plan += ["--families", str(tmp_path / "families.tsv")]
    found = []
    for more in ([], ["--batch"]):
        folder = tmp_path / f"bridge{len(more)}"
        assert run_verb([*plan, "--out", str(folder)]).status == 0
        collect = ["bridge", "collect", str(folder), "--annotator", "xl_gpt4o", "--model", f"judge@{server.url}"]
        done = run_verb([*collect, *more])
        assert done.status == 0, done.notes
        counts = {key: done.answer[key] for key in ("n_judged", "n_failed", "paid", "from_journal")}
        paths = [path for path in sorted(folder.rglob("*.json")) if path.name in ("deu.json", "zho.json")]
        found.append((counts, [(str(path.relative_to(folder)), path.read_bytes()) for path in paths]))
        again = run_verb([*collect, *more]).answer
        assert (again["paid"], again["from_journal"]) == (0, counts["paid"])
    assert found[0] == found[1]
    assert found[0][0]["n_failed"] == 0
    batches = list_batches(tmp_path / "bridge1" / ".journal.sqlite")
    assert [one.plan.name for one in batches] == ["judge"]
    assert list_batches(tmp_path / "bridge0" / ".journal.sqlite") == []


def test_build_m_alpacaeval(tmp_path: Path) -> None:
    bench = write_xl_alpacaeval(tmp_path / "xl")
    with serve_loopback(translate) as server:
        command = ["build", "m-alpacaeval", "--benchmark", str(bench), "--languages", "deu,zho"]
        run_both([*command, "--model", f"gpt@{server.url}"], tmp_path)


def test_generate(tmp_path: Path) -> None:
    passages = scripted_models.write_passages(tmp_path / "passages.jsonl", 6)
    with serve_loopback(scripted_models.answer) as server:
        models = [f"  - {{model: '{name}@{server.url}'}}" for name in scripted_models.MODELS]
        config = tmp_path / "config.yaml"
        lines = [
            "languages: [deu, hun]",
            f"passages: {{source: '{passages}', count: 6}}",
            f"teacher: {{model: 'teacher@{server.url}'}}",
            "translators:",
            *models,
        ]
        config.write_text("\n".join(lines) + "\n")
        made = run_both(["generate", str(config)], tmp_path)
    asked = sorted(one.plan.name for one in list_batches(made / ".journal.sqlite"))
    # Both languages of a translator are in one batch.
    assert asked == sorted(["teacher", "teacher", *scripted_models.MODELS])


def test_estimate_says_half_the_price_and_the_waves(bench: Path, server: Loopback, tmp_path: Path) -> None:
    command = ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path), "--estimate"]
    command += ["--price", "1,10"]
    single = run_verb(command)
    batched = run_verb([*command, "--batch"])
    assert batched.answer["estimates"][0]["dollars"] == pytest.approx(single.answer["estimates"][0]["dollars"] / 2)
    assert "at half price, in 1 wave of batches (up to 24 h each)" in batched.text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--batch-tail", "online"], "add --batch"),
        (["--batch", "--replay", "none.sqlite"], "--replay asks none"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    more: list[str], said: str, bench: Path, server: Loopback, tmp_path: Path
) -> None:
    outcome = run_verb(
        ["respond", str(bench), "--model", f"tiny@{server.url}", "--out", str(tmp_path / "out"), *more]
    )
    assert outcome.status == 2
    assert said in outcome.notes[0]
