"""Prices, the budget that is never passed, and estimates."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from xl_suite.chat.budget import Budget, check_prices, find_price, prices, require_price
from xl_suite.chat.calls import Call, Message, Sampling
from xl_suite.chat.client import ChatClient
from xl_suite.chat.estimates import estimate
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.loopback.server import Loopback, Reply, serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.run import run, run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.cli.main import main, run_verb
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.errors import BadInput, BudgetReached

GPT = Model("gpt-4o-mini", "gpt-4o-mini", ("http://127.0.0.1:9/v1",), "openai")


@settings(max_examples=examples(60))
@given(
    st.floats(0, 2),
    st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 1)), max_size=60),
    st.integers(1, 12),
    st.integers(0, 2**32),
)
def test_the_budget_is_never_passed(limit: float, costs: list[tuple[float, float]], slots: int, seed: int) -> None:
    """Slots run calls that cost a share of what was held back for them, in any order, until the budget stops them."""
    dice = random.Random(seed)

    async def run() -> None:
        budget = Budget(limit)
        queue = list(costs)
        stopped = False

        async def work() -> None:
            nonlocal stopped
            while queue:
                most, share = queue.pop()
                try:
                    await budget.reserve(most)
                except BudgetReached:
                    stopped = True
                    assert budget.spent + most > limit
                    return
                assert budget.spent + budget.reserved <= limit * (1 + 1e-9)
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
                await budget.settle(most, most * share)
                assert budget.spent <= limit * (1 + 1e-9)

        await asyncio.wait_for(asyncio.gather(*(work() for _ in range(slots))), 20)
        assert stopped or not queue
        assert budget.reserved == 0

    asyncio.run(run())


def test_every_price_has_a_source_and_a_date() -> None:
    assert len({price.model for price in prices()}) == len(prices()) >= 4
    for price in prices():
        assert 0 < price.prompt < price.completion
        assert price.cached is None or 0 < price.cached < price.prompt
        assert price.batch == 0.5
        assert price.source.startswith("https://")
        assert len(price.date) == 10
    assert require_price(Model("gpt-4o-2024-08-06", "", (), "openai")).of(1_000_000, 100_000) == pytest.approx(3.5)


def test_the_verb_lists_prices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "gpt-4.1", "claude-haiku", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["prices"]
    assert {one["model"] for one in told} >= {"gpt-4.1", "gpt-4.1-mini", "claude-haiku-4-5"}
    assert all(one["source"] and one["date"] for one in told)
    assert main(["prices", "gpt-4.1-2025-04-14"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:6] == ["gpt-4.1-2025-04-14", "2", "0.5", "8", "x", "0.5"]
    assert main(["prices", "no-such-model"]) == 2
    assert "no price for no-such-model" in capsys.readouterr().err


def test_servers_of_our_own_cost_nothing_and_unknown_ones_are_unknown() -> None:
    assert find_price(Model("x", "x", (), "vllm")).of(10**6, 10**6) == 0  # type: ignore[union-attr]
    assert find_price(Model("x", "x", (), "server")) is None
    with pytest.raises(BadInput, match=r"'x' is unknown.*--price.*gpt-4o"):
        require_price(Model("x", "x", (), "server"))
    assert require_price(Model("x", "x", (), "server"), (1.0, 2.0)).of(10**6, 10**6) == 3.0


@pytest.mark.parametrize("limit", [-1.0, float("nan")])
def test_a_budget_is_a_sum_of_money(limit: float) -> None:
    with pytest.raises(BadInput, match="--budget"):
        Budget(limit)


def test_an_estimate_counts_what_is_new_and_makes_no_call(tmp_path: Path) -> None:
    calls = [Call(f"r{n}", (Message("user", "x" * 392),), Sampling(max_tokens=100)) for n in range(4)]
    calls += [Call("other", (Message("user", "y" * 392),), Sampling(max_tokens=100))]
    journal = tmp_path / "j.sqlite"
    before = estimate(GPT, calls, ChatOptions(journal))
    assert (before.calls, before.new, before.in_journal) == (5, 2, 3)
    assert (before.prompt_tokens, before.completion_tokens) == (200, 200)
    assert before.dollars == pytest.approx((200 * 0.15 + 200 * 0.6) / 1e6)
    assert before.most_dollars == pytest.approx((800 * 0.15 + 200 * 0.6) / 1e6)
    assert not journal.exists()
    with serve_loopback(lambda request: "four words or so") as server:
        served = Model(GPT.name, GPT.key, (server.url,), "openai")
        run_calls(served, calls[:4], lambda call, result: None, ChatOptions(journal, progress=False))
        assert server.calls == 1
        after = estimate(served, calls, ChatOptions(journal))
        assert server.calls == 1
    assert (after.calls, after.new, after.in_journal) == (5, 1, 4)
    assert after.completion_tokens == 4
    assert "mean of the journal" in after.basis
    assert estimate(served, calls[:4], ChatOptions(replay=journal)).new == 0


def test_an_estimate_is_a_range_by_what_the_answers_are() -> None:
    calls = [Call(f"r{n}", (Message("user", f"{n:03} " + "x" * 388),), Sampling(max_tokens=2048)) for n in range(100)]
    found = {kind: estimate(GPT, calls, ChatOptions(), kind) for kind in ("answer", "verdict", "translation")}
    tokens = {kind: (one.low_completion_tokens, one.high_completion_tokens) for kind, one in found.items()}
    assert tokens == {"answer": (10_000, 100_000), "verdict": (100, 40_000), "translation": (2_000, 12_000)}
    for kind, one in found.items():
        assert one.low_dollars < one.dollars < one.high_dollars < one.most_dollars  # type: ignore[operator]
        assert kind in one.basis
    told = found["answer"].describe()
    assert "10,000 to 100,000 completion tokens (bytes / 4; typical lengths of answers, without reasoning)" in told
    assert "; $0.01 to $0.06, at most $0.13" in told
    half = found["answer"].scale(0.5, model="half")
    assert (half.model, half.calls, half.high_completion_tokens) == ("half", 50, 50_000)
    assert half.most_dollars == pytest.approx(found["answer"].most_dollars / 2)  # type: ignore[operator]


def test_an_estimate_without_a_price_says_so() -> None:
    one = estimate(Model("m", "m", (), "server"), [Call("r", (Message("user", "x"),))], ChatOptions())
    assert (one.dollars, one.most_dollars) == (None, None)
    assert "--price" in one.describe()


def ask(server: Loopback, count: int, **options: Any) -> tuple[list[str], Ledger]:
    """The texts that arrive, whether or not the run comes to its end, and the ledger."""
    texts: list[str] = []
    ledger = Ledger()

    async def converse(client: ChatClient) -> None:
        calls = [Call(f"deu/{n}", (Message("user", f"Say {n}"),), Sampling(max_tokens=16)) for n in range(count)]
        await client.ask_all(calls, lambda call, result: texts.append(str(result)))

    model = Model("x", "x", (server.url,), "server")
    try:
        run(model, converse, ChatOptions(progress=False, price={"x": (1.0, 1.0)}, **options), ledger=ledger)
    except BudgetReached as error:
        texts.append(f"stopped: {error}")
    return texts, ledger


def with_usage(prompt: Any, completion: Any) -> Callable[[dict[str, Any]], Reply]:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    return lambda request: Reply(raw=json.dumps({"model": "x", "choices": [choice], "usage": usage}).encode())


def test_a_call_far_above_what_was_reckoned_with_stops_the_rest() -> None:
    with serve_loopback(with_usage(10, 2_000_000)) as server:
        texts, ledger = ask(server, 200, slots=2, budget=100.0)
        assert server.stats()["answered"] <= 4
    assert "cost $2.0000 (10 + 2,000,000 tokens" in texts[-1]
    assert ledger.paid == len(texts) - 1  # what was in flight is kept
    assert ledger.dollars == pytest.approx(2.00001 * ledger.paid)


@pytest.mark.parametrize("completion", [-5, True, 1.5, "many", None, 10**30])
def test_usage_that_cannot_be_is_counted_at_its_most(
    completion: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("xl_suite"), "propagate", True)
    with serve_loopback(with_usage(10, completion)) as server, caplog.at_level(logging.WARNING, "xl_suite"):
        texts, ledger = ask(server, 3, budget=1.0)
    assert (len(texts), ledger.uncounted) == (3, 3)
    assert ledger.dollars is not None
    assert ledger.dollars >= 3 * 16 / 1e6
    assert "no usable numbers of tokens" in caplog.text
    assert "3 without usable token counts" in ledger.describe()


def test_a_price_says_whose_it_is() -> None:
    own, other = Model("own", "own", (), "server"), Model("other", "other", (), "server")
    check_prices({"own": (1.0, 2.0), "other": (3.0, 4.0)}, [own, other, GPT])
    check_prices((1.0, 2.0), [own, GPT])
    assert find_price(GPT, (0.0, 0.0)) == find_price(GPT)  # a listed price is not replaced by one without a name
    assert find_price(GPT, {"gpt-4o-mini": (0.0, 0.0)}).of(10**6, 10**6) == 0  # type: ignore[union-attr]
    assert find_price(own, {"other": (1.0, 2.0)}) is None
    for price, models in (((0.0, 0.0), [GPT]), ((0.0, 0.0), [own, other]), ({"far": (0.0, 0.0)}, [own])):
        with pytest.raises(BadInput, match="--price"):
            check_prices(price, models)  # type: ignore[arg-type]


def test_what_a_stopped_verb_cost_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `run_verb`, which `reproduce` spends its budget by, and by --json."""
    write_demo_benchmark(tmp_path / "bench", build_demo_rows())
    with serve_loopback() as server:
        command = ["respond", str(tmp_path / "bench"), "--model", f"x@{server.url}", "--json", "--slots", "1"]
        command += ["--max-tokens", "8", "--budget", "0.002", "--price", "x=1,1", "--out"]
        outcome = run_verb([*command, str(tmp_path / "one")])
        assert (outcome.status, outcome.ledger is not None and outcome.ledger.paid > 0) == (1, True)
        assert main([*command, str(tmp_path / "two")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "budget of $0.002" in told["error"]
    assert 0 < told["ledger"]["dollars"] <= 0.002


def test_a_run_that_stops_early_does_not_cut_a_file(tmp_path: Path) -> None:
    """Here the journal is lost, so that the second run asks anew and its budget ends soon."""
    write_demo_benchmark(tmp_path / "bench", build_demo_rows())
    with serve_loopback() as server:
        command = ["respond", str(tmp_path / "bench"), "--model", f"x@{server.url}", "--slots", "1", "--max-tokens"]
        command += ["8", "--languages", "deu", "--price", "x=1,1", "--out", str(tmp_path / "out")]
        assert main(command) == 0
        path = next((tmp_path / "out").glob("*/deu.json"))
        before = path.read_bytes()
        (tmp_path / "out" / ".journal.sqlite").unlink()
        assert main([*command, "--replace", "--budget", "0.0006"]) == 1
        assert path.read_bytes() == before
        partial = path.with_name("deu.partial.json")
        assert 0 < len(json.loads(partial.read_bytes())) < len(json.loads(before))
        assert main([*command, "--replace"]) == 0
    assert not partial.exists()
