"""The loopback server as others see it: its command, its rules file, its counts; and the self-test that uses it."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xl_suite.api import chat_options
from xl_suite.chat.loopback.replies import Rule, follow_rules, read_rules
from xl_suite.chat.loopback.server import FaultRates, Reply, serve_loopback
from xl_suite.cli import selftest as verb
from xl_suite.cli.options import add_chat_options, read_chat_settings
from xl_suite.errors import BadInput
from xl_suite.selftest.client import Trial, try_faults, try_kills


def post(url: str, text: str = "hi", **fields: Any) -> dict[str, Any]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **fields}).encode()
    request = urllib.request.Request(url + "/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        value: dict[str, Any] = json.load(response)
    return value


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=20) as response:
        value: dict[str, Any] = json.load(response)
    return value


@contextmanager
def run_command(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "xl_suite.chat.loopback", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_command_prints_its_url_and_serves(tmp_path: Path) -> None:
    rules = [{"match": "^Bonjour", "text": "Salut."}, {"match": "bad", "status": 503, "times": 1}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    with run_command("--rules", str(tmp_path / "rules.json"), "--models", "m,n") as url:
        assert [one["id"] for one in get(url + "/models")["data"]] == ["m", "n"]
        assert post(url, "Bonjour !")["choices"][0]["message"]["content"] == "Salut."
        with pytest.raises(urllib.error.HTTPError, match="503"):
            post(url, "bad")
        assert post(url, "bad") == post(url, "bad")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            post(url, model="z")
        stats = get(url + "/stats")
    assert (stats["calls"], stats["answered"], stats["repeated"]) == (5, 3, 1)
    assert stats["statuses"] == {"200": 3, "503": 1, "404": 1}


def test_logprobs_are_given_when_asked_for() -> None:
    with serve_loopback(lambda request: "two words") as server:
        assert post(server.url)["choices"][0]["logprobs"] is None
        content = post(server.url, logprobs=True, top_logprobs=1)["choices"][0]["logprobs"]["content"]
    assert [one["token"] for one in content] == ["two", " words"]
    assert len(content[0]["top_logprobs"]) == 1


def test_slots_bound_what_is_computed_at_a_time() -> None:
    async def ask() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(asyncio.to_thread(post, server.url, str(n)) for n in range(4)))
        return loop.time() - begun

    with serve_loopback(latency=0.2, slots=1) as server:
        assert asyncio.run(ask()) >= 0.8
        assert server.peak > 1


def test_faults_follow_from_seed_and_request_alone() -> None:
    rates = FaultRates(throttled=0.1, broken=0.1, stalled=0.1, cut=0.1, garbage=0.1, seed=3)
    bodies = [str(n).encode() for n in range(3000)]
    first = [rates.choose(body, 1) for body in bodies]
    assert first == [rates.choose(body, 1) for body in bodies]
    assert first != [replace(rates, seed=4).choose(body, 1) for body in bodies]
    assert first != [rates.choose(body, 2) for body in bodies]
    assert 1350 < sum(fault is not None for fault in first) < 1650
    assert {type(fault) for fault in first} == {Reply, type(None)}


def test_a_script_that_breaks_is_a_broken_server() -> None:
    with serve_loopback(lambda request: 1 / 0) as server, pytest.raises(urllib.error.HTTPError, match="500"):  # type: ignore[arg-type, return-value]
        post(server.url)


def test_rules_can_be_bound_to_a_model_and_a_number() -> None:
    script = follow_rules([Rule(match="x", model="a", text="one", times=2), Rule(text="rest")])
    request = {"model": "a", "messages": [{"role": "user", "content": "x"}]}
    texts = [reply.text for reply in (script(request) for _ in range(3)) if isinstance(reply, Reply)]
    assert texts == ["one", "one", "rest"]


@pytest.mark.parametrize("text", ["{", "{}", '[{"mach": "x"}]'])
def test_bad_rules_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(BadInput, match=r"rules\.json"):
        read_rules(tmp_path / "rules.json")


def test_the_selftest_passes_and_counts(tmp_path: Path) -> None:
    faults = try_faults(tmp_path, 200)
    kills = try_kills(tmp_path, 600, (0.5,))
    assert faults.passed
    assert kills.passed
    assert faults.retries > 0
    assert kills.from_journal > 100
    assert kills.paid == 600 + kills.repeated


@pytest.mark.parametrize(("field", "value"), [("lost", 1), ("doubled", 1), ("repeated", 11)])
def test_the_selftest_fails_when_something_is_wrong(field: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Trial("t", 10, 10, 0, 0, 0, 10, 0, 0, 1.0)
    monkeypatch.setattr("xl_suite.selftest.client.run_selftest", lambda: [good])
    options = argparse.Namespace(only="client", minutes=None, sweep=False, seed=0)
    passed = verb.run(options)
    assert (passed.status, passed.answer["passed"]) == (0, True)
    bad = replace(good, **{field: value})  # type: ignore[arg-type]
    monkeypatch.setattr("xl_suite.selftest.client.run_selftest", lambda: [good, bad])
    failed = verb.run(options)
    assert failed.status == 1
    assert "FAILED" in failed.text


def test_the_options_of_the_verbs_are_the_sessions(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_chat_options(parser)
    options = chat_options(tmp_path, **read_chat_settings(parser.parse_args([])))
    assert (options.journal, options.slots, options.budget) == (tmp_path / ".journal.sqlite", 64, None)
    args = parser.parse_args(
        ["--replay", "j", "--slots", "3", "--budget", "1.5", "--price", "1,2.5", "--price", "m=3,4", "--timeout", "9"]
    )
    options = chat_options(tmp_path, **read_chat_settings(args))
    assert (options.journal, options.replay, options.slots) == (None, Path("j"), 3)
    assert (options.budget, options.price, options.timeout) == (1.5, {"": (1.0, 2.5), "m": (3.0, 4.0)}, 9.0)
    with pytest.raises(BadInput, match="one of the two"):
        chat_options(tmp_path, **read_chat_settings(parser.parse_args(["--replay", "j", "--journal", "k"])))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--slots", "0"],
        ["--budget", "-1"],
        ["--budget", "nan"],
        ["--price", "3"],
        ["--price", "=1,2"],
        ["--timeout", "0"],
        ["--slots", "x"],
    ],
)
def test_bad_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_chat_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(arguments)
    assert arguments[0] in capsys.readouterr().err
