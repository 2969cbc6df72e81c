"""Half-price batches: every call is answered once and paid once, whatever happens to batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.xl_suite.chat.batches.conftest import CALLS, FAST, ask, ask_online, check_done, serve, texts
from xl_suite.chat.calls import FailedCall
from xl_suite.chat.identity import OtherServer
from xl_suite.chat.journal import Journal
from xl_suite.chat.loopback.batching import BatchFaults
from xl_suite.chat.loopback.server import Reply
from xl_suite.chat.models import Model
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, BudgetReached, ModelUnavailable


def test_same_answers_and_keys_as_online_at_half_the_price(tmp_path: Path, options: ChatOptions) -> None:
    online = replace(options, journal=tmp_path / "online.sqlite", batch=None, price=(1.0, 10.0))
    with serve() as server:
        found, ledger = ask(server, replace(options, price=(1.0, 10.0)))
        single, full = ask(server, online)
        assert server.statuses == {"200": 200}
    assert found == single
    assert len(found) == 100
    assert ledger.dollars == pytest.approx((full.dollars or 0) / 2)
    assert ledger.paid == 100
    stored = [Journal(path, read_only=True) for path in (tmp_path / ".journal.sqlite", tmp_path / "online.sqlite")]
    rows = [[one._replace(time=0) for one in journal.answers()] for journal in stored]
    assert rows[0] == rows[1]
    check_done(options)


def test_answered_calls_make_no_batch(options: ChatOptions) -> None:
    with serve() as server:
        ask(server, options)
        found, ledger = ask(server, options)
        assert server.desk.made == 1
    assert len(found) == 100
    assert ledger.from_journal == 100


def test_few_calls_go_online(options: ChatOptions) -> None:
    with serve() as server:
        found, _ = ask(server, options, CALLS[:7])
        assert server.desk.made == 0
    assert len(texts(found)) == 7


def test_samples_of_one_request_are_calls_of_their_own(options: ChatOptions) -> None:
    calls = [replace(CALLS[0], row=f"deu/0 sample {n}", sample=n) for n in range(10)]
    with serve() as server:
        found, ledger = ask(server, options, calls)
        assert server.desk.made == 1
    assert len(texts(found)) == 10
    assert ledger.paid == 10


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(BatchFaults(create=["500"]), id="create-500"),
        pytest.param(BatchFaults(create=["cut"]), id="create-cut"),
        pytest.param(BatchFaults(create=["lost-500"]), id="created-but-500"),
        pytest.param(BatchFaults(create=["lost-cut"]), id="created-but-cut"),
        pytest.param(BatchFaults(create=["429", "500", "lost-500"]), id="create-again-and-again"),
        pytest.param(BatchFaults(upload=["500", "cut"]), id="upload"),
        pytest.param(BatchFaults(look=["500", "cut", "429"]), id="look"),
        pytest.param(BatchFaults(doubled=20), id="doubled-lines"),
        pytest.param(BatchFaults(shuffle=True), id="shuffled"),
    ],
)
def test_one_batch_is_made_and_paid_once(faults: BatchFaults, options: ChatOptions, tmp_path: Path) -> None:
    with serve(faults) as server:
        found, ledger = ask(server, options)
        assert (server.calls, server.repeated) == (100, 0)
    assert texts(found) == ask_online(tmp_path)
    assert ledger.paid == 100
    check_done(options)


@pytest.mark.parametrize("tail", ["batch", "online"])
@pytest.mark.parametrize(
    ("faults", "again"),
    [
        pytest.param(BatchFaults(expire=0.5), 50, id="expired-at-half"),
        pytest.param(BatchFaults(errors=0.1), 10, id="a-tenth-in-the-error-file"),
        pytest.param(BatchFaults(zero=0.2), 20, id="status-0"),
        pytest.param(BatchFaults(missing=12), 12, id="missing-lines"),
    ],
)
def test_calls_without_an_answer_are_asked_again(
    faults: BatchFaults, again: int, tail: str, options: ChatOptions, tmp_path: Path
) -> None:
    options = replace(options, batch=replace(FAST, tail=tail))
    with serve(replace(faults)) as server:
        found, ledger = ask(server, options)
        assert server.desk.made == (2 if tail == "batch" else 1)
    assert texts(found) == ask_online(tmp_path)
    assert ledger.retries == again
    check_done(options)


def test_results_that_are_gone_are_said_and_asked_again(
    options: ChatOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(BatchFaults(lose=True)) as server, caplog.at_level("INFO", "xl_suite.chat"):
        found, _ = ask(server, options)
        assert server.calls == 200
    assert texts(found) == ask_online(tmp_path)
    assert "0 of 100 calls answered; 100 without an answer; results are gone: file-" in caplog.text


def test_calls_are_given_up_after_the_attempts(options: ChatOptions) -> None:
    with serve(BatchFaults(expire=0.5)) as server:
        found, ledger = ask(server, replace(options, attempts=1))
    assert len(texts(found)) == 50
    reasons = {result.reason for result in found.values() if isinstance(result, FailedCall)}
    assert reasons == {"batch_expired: This request could not be executed in time."}
    assert ledger.failed == 50


def test_validation_that_names_lines_fails_these_calls(options: ChatOptions) -> None:
    with serve(BatchFaults(invalid="bad request", invalid_line=3)) as server:
        found, _ = ask(server, options)
        assert server.desk.made == 2
    failed = [result for result in found.values() if isinstance(result, FailedCall)]
    assert [one.row for one in failed] == ["deu/2"]
    assert failed[0].reason == "refused by the batch's validation: bad request"


def test_validation_of_the_whole_ends_the_run_and_releases_the_calls(options: ChatOptions) -> None:
    with serve(BatchFaults(invalid="the account is not active")) as server:
        with pytest.raises(ModelUnavailable, match="the account is not active"):
            ask(server, options)
        check_done(options)
        assert len(ask(server, options)[0]) == 100


def test_refused_and_withheld_rows_are_as_online(options: ChatOptions, tmp_path: Path) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        text = request["messages"][-1]["content"]
        if text == "Say 3":
            return Reply("This model's maximum context length is 8 tokens.", 400)
        if text == "Say 5":
            return Reply("", finish_reason="content_filter")
        return "yes"

    with serve(script=script) as server:
        found, _ = ask(server, options)
        online, _ = ask(server, replace(options, batch=None, journal=tmp_path / "online.sqlite"))
    assert found == online
    assert isinstance(found["deu/3"], FailedCall)


def test_a_refused_key_ends_the_run(options: ChatOptions) -> None:
    with (
        serve(script=lambda request: Reply("Incorrect API key provided.", 401)) as server,
        pytest.raises(ModelUnavailable, match="key"),
    ):
        ask(server, options)


def test_a_shape_that_the_server_wants_is_learnt(options: ChatOptions) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        if "max_tokens" in request:
            return Reply(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                "instead.",
                400,
            )
        return "yes"

    with serve(script=script) as server:
        found, _ = ask(server, options)
        assert server.desk.made == 2
        assert len(ask(server, options)[0]) == 100
        assert server.desk.made == 2
    assert len(texts(found)) == 100


def test_plans_are_split_at_the_limits(options: ChatOptions, tmp_path: Path) -> None:
    with serve() as server:
        found, _ = ask(server, replace(options, batch=replace(FAST, requests=30)))
        assert [batch.calls for batch in server.desk.batches.values()] == [30, 30, 30, 10]
        ask(server, replace(options, journal=tmp_path / "2.sqlite", batch=replace(FAST, bytes=12_000)))
        assert len(server.desk.batches) > 5
    assert len(texts(found)) == 100


@pytest.mark.parametrize("most", [60, 20, 7])
def test_enqueued_tokens_that_are_too_many_split_the_batch(most: int, options: ChatOptions) -> None:
    with serve(BatchFaults(enqueued=most)) as server:
        found, _ = ask(server, options)
        assert (server.calls, server.repeated) == (100, 0)
    assert len(texts(found)) == 100
    check_done(options)


def test_budget_holds_in_batches(options: ChatOptions) -> None:
    one = 16 * 10 / 1e6 / 2  # the most that an answer's tokens can cost; prompts are free here
    options = replace(options, price=(0.0, 10.0), budget=35.5 * one)
    with serve(script=lambda request: Reply("yes", completion_tokens=16)) as server:
        with pytest.raises(BudgetReached):
            ask(server, options)
        assert server.calls == 35
        found, ledger = ask(server, replace(options, budget=100 * one))
        assert (server.calls, server.repeated) == (100, 0)
    assert len(texts(found)) == 100
    assert ledger.dollars == pytest.approx(65 * one)


def test_budget_waits_for_batches_that_cost_less_than_they_might(options: ChatOptions) -> None:
    one = 16 * 10 / 1e6 / 2
    with serve(script=lambda request: Reply("yes", completion_tokens=1)) as server:
        found, _ = ask(server, replace(options, price=(0.0, 10.0), budget=40 * one))
        assert server.desk.made > 2
    assert len(texts(found)) == 100


def test_open_batches_are_found_behind_those_of_others(options: ChatOptions) -> None:
    with serve(BatchFaults(create=["lost-cut"])) as server:
        server.desk.add_foreign(150)
        create = server.desk._make

        def make(*arguments: Any) -> Any:
            batch = create(*arguments)
            server.desk.add_foreign(150)
            return batch

        server.desk._make = lambda *arguments: (setattr(server.desk, "_make", create), make(*arguments))[1]  # type: ignore[method-assign]
        found, _ = ask(server, options)
        assert server.calls == 100
    assert len(texts(found)) == 100


def test_another_servers_answers_are_not_taken_for_the_models(options: ChatOptions) -> None:
    def describe(root: str) -> dict[str, Any]:
        return {"/v1/models": {"data": [{"id": "tiny", "root": root}]}}

    with serve(paths=describe("weights-1")) as server:
        ask(server, options)
        server.paths.update(describe("weights-2"))
        with pytest.raises(OtherServer, match="weights-1"):
            ask(server, options, [replace(call, sample=1) for call in CALLS])
        assert server.calls == 100


def test_the_key_is_in_no_message(options: ChatOptions) -> None:
    with serve() as server:
        refusal = json.dumps({"error": {"message": "the key sk-secret may not make batches"}}).encode()
        server.desk._handle_file = lambda *_: (403, refusal)  # type: ignore[method-assign]
        model = Model("tiny", "tiny", (server.url,), "server", api_key="sk-secret")
        with pytest.raises(ModelUnavailable, match=r"the key \*\*\* may not make batches"):
            run_calls(model, CALLS, lambda call, result: None, options)


def test_a_server_without_batches_is_told(options: ChatOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as server:
        monkeypatch.setattr(server.desk, "_handle_file", lambda *_: (404, b'{"detail": "Not Found"}'))
        with pytest.raises(ModelUnavailable, match="this server has no batches"):
            ask(server, options)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Model("tiny", "tiny", (), "vllm", source="weights"), "starts a server of its own"),
        (Model("tiny", "tiny", ("http://a/v1", "http://b/v1"), "server"), "name one URL"),
    ],
)
def test_models_without_batches_are_refused(model: Model, said: str, options: ChatOptions) -> None:
    with pytest.raises(BadInput, match=said):
        run_calls(model, CALLS, lambda call, result: None, options)


def test_estimate_says_half_the_price_and_the_waves(tmp_path: Path) -> None:
    from xl_suite.chat.estimates import estimate

    model = Model("gpt-4o", "gpt-4o", ("https://api.openai.com/v1",), "openai")
    single = estimate(model, CALLS, ChatOptions(tmp_path / "none"))
    batched = estimate(model, CALLS, ChatOptions(tmp_path / "none", batch=FAST), waves=(1, 3))
    assert batched.dollars == pytest.approx((single.dollars or 0) / 2)
    assert "half price, in 1 to 3 waves of batches" in batched.describe()
    assert single.to_dict()["waves"] is None


def test_custom_ids_are_the_keys(options: ChatOptions) -> None:
    uploaded: list[bytes] = []
    with serve() as server:
        read = server.desk._handle_file

        def keep(method: str, names: list[str], body: bytes) -> tuple[int, bytes]:
            if method == "POST":
                uploaded.append(body)
            return read(method, names, body)

        server.desk._handle_file = keep  # type: ignore[method-assign]
        ask(server, options)
    lines = [json.loads(line) for line in uploaded[0].splitlines() if line.startswith(b"{")]
    assert options.journal is not None
    with Journal(options.journal, read_only=True) as journal:
        assert {bytes.fromhex(line["custom_id"]) for line in lines} == {one.key for one in journal.answers()}
    assert lines[0]["url"] == "/v1/chat/completions"
    assert lines[0]["body"]["model"] == "tiny"
