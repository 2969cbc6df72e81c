"""Whose answer is it: a server that differs from the one in the journal is refused, with the ways out."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from xl_suite.chat.calls import Answer, Call, Message
from xl_suite.chat.identity import Identity, OtherServer, describe_folder
from xl_suite.chat.journal import Journal
from xl_suite.chat.loopback.server import Loopback, serve_loopback
from xl_suite.chat.models import OPENAI_URL, parse_model
from xl_suite.chat.replay import export_journal, import_journal
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput

CALLS = [Call(f"deu/{number}", (Message("user", f"Say {number}"),)) for number in range(3)]
VLLM = {"/v1/models": {"data": [{"id": "tgi", "root": "/models/first", "parent": None}]}}
OTHER = {"/v1/models": {"data": [{"id": "tgi", "root": "/models/second", "parent": None}]}}
LLAMA = {
    "/v1/models": {"data": [{"id": "first.gguf", "meta": {"n_params": 8}}]},
    "/props": {"model_path": "first.gguf", "chat_template": "{{ x }}", "build_info": "b1"},
}
TGI = {"/info": {"model_id": "org/model", "model_sha": "abc", "model_dtype": "bfloat16", "sha": "null"}}


def ask(server: Loopback, journal: Path, *, name: str = "", same_model: bool = False) -> dict[str, str]:
    texts: dict[str, str] = {}

    def keep(call: Call, result: object) -> None:
        assert isinstance(result, Answer)
        texts[call.row] = result.text

    options = ChatOptions(journal, progress=False, generator=name, same_model=same_model)
    run_calls(parse_model(f"tgi@{server.url}"), CALLS, keep, options)
    return texts


def read_said(journal: Path) -> list[dict[str, object]]:
    with closing(Journal(journal, read_only=True)) as opened:
        return [json.loads(fact.value) for fact in opened.facts() if fact.kind == "identity"]


def test_another_server_of_the_same_name_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    with serve_loopback(lambda request: "A", paths=VLLM) as first:
        assert set(ask(first, journal).values()) == {"A"}
    with serve_loopback(lambda request: "B", paths=OTHER) as second:
        with pytest.raises(OtherServer, match=r"--same-model.*--out.*--journal") as caught:
            ask(second, journal)
        assert isinstance(caught.value, BadInput)
        assert first.url in str(caught.value)
        assert second.url in str(caught.value)
        assert set(ask(second, journal, same_model=True).values()) == {"A"}
        assert second.calls == 0


@pytest.mark.parametrize("before", [VLLM, LLAMA, TGI], ids=["vllm", "llamacpp", "tgi"])
def test_a_server_that_was_started_again_with_other_weights_is_refused(
    tmp_path: Path, before: dict[str, Any]
) -> None:
    journal = tmp_path / "j.sqlite"
    with serve_loopback(lambda request: "A", paths=before) as server:
        assert set(ask(server, journal).values()) == {"A"}
        assert ask(server, journal)
        changed = json.loads(json.dumps(before).replace("first", "second").replace("abc", "def"))
        server.paths = changed
        with pytest.raises(OtherServer, match=r"second|def"):
            ask(server, journal)


def test_a_silent_server_is_told_apart_by_the_name_that_its_user_gives_it(tmp_path: Path) -> None:
    with serve_loopback(lambda request: "A") as server:
        ask(server, tmp_path / "j", name="llama")
        ask(server, tmp_path / "j", name="llama")
        with pytest.raises(OtherServer, match=r"--name llama.*--name gemma"):
            ask(server, tmp_path / "j", name="gemma")
    with serve_loopback(lambda request: "A", paths=VLLM) as server:  # it says that it is the same
        ask(server, tmp_path / "k", name="llama")
        ask(server, tmp_path / "k", name="renamed")


def test_the_hash_of_the_weights_settles_it_whatever_the_address(tmp_path: Path) -> None:
    for _ in range(2):
        with serve_loopback(lambda request: "A", paths=TGI) as server:
            ask(server, tmp_path / "j")
    assert [one["said"]["model_sha"] for one in read_said(tmp_path / "j")] == ["abc"]  # type: ignore[index]


def test_a_server_out_of_reach_does_not_hinder_a_run_that_the_journal_answers(tmp_path: Path) -> None:
    with serve_loopback(lambda request: "A", paths=VLLM) as server:
        ask(server, tmp_path / "j")
    assert set(ask(server, tmp_path / "j").values()) == {"A"}


def test_servers_that_share_the_load_must_say_the_same(tmp_path: Path) -> None:
    with serve_loopback(paths=VLLM) as one, serve_loopback(paths=OTHER) as two:
        model = parse_model(f"tgi@{one.url},{two.url}")
        with pytest.raises(OtherServer, match="say different things"):
            run_calls(model, CALLS, lambda call, result: None, ChatOptions(tmp_path / "j", progress=False))
        assert one.calls + two.calls == 0


def test_identities_travel_with_an_exported_journal_without_the_ports_of_this_machine(tmp_path: Path) -> None:
    with serve_loopback(lambda request: "A", paths=VLLM) as server:
        ask(server, tmp_path / "j")
        export_journal(tmp_path / "j", tmp_path / "j.jsonl")
        assert server.url not in (tmp_path / "j.jsonl").read_text()
        import_journal(tmp_path / "j.jsonl", tmp_path / "k")
        assert read_said(tmp_path / "k") == [{"urls": ["http://127.0.0.1/v1"], "said": {"root": "/models/first"}}]
        assert set(ask(server, tmp_path / "k").values()) == {"A"}


def test_what_fits() -> None:
    here, there = ("http://a/v1",), ("http://b/v1",)
    assert Identity("x", (OPENAI_URL,)).fits(Identity("y", (OPENAI_URL,)))
    assert not Identity("x", here).fits(Identity("x", there))
    assert Identity("x", ("http://127.0.0.1:1/v1",)).fits(
        Identity("x", ("http://localhost:2/v1", "http://127.0.0.1:3/v1"))
    )
    assert not Identity("x", ("http://127.0.0.1:1/a/v1",)).fits(Identity("x", ("http://127.0.0.1:1/b/v1",)))
    assert Identity("x", (*here, *there)).fits(Identity("x", there))
    assert Identity("x", here).fits(Identity("", here))
    assert not Identity("", here, {"root": "a"}).fits(Identity("", here, {"root": "b"}))
    # Versions change by themselves.
    assert Identity("", here, {"build_info": "a"}).fits(Identity("", here, {"build_info": "b"}))


def test_a_folder_says_its_template_and_precision(tmp_path: Path) -> None:
    assert describe_folder(tmp_path) == {}
    (tmp_path / "config.json").write_text('{"torch_dtype": "bfloat16"}')
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ x }}"}')
    said = describe_folder(tmp_path)
    assert said["precision"] == "bfloat16"
    assert len(said["chat_template_sha256"]) == 64
