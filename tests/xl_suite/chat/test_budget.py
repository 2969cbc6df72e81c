"""Prices, the budget that is never passed, and estimates."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from xl_suite.chat.budget import Budget, find_price, prices, require_price
from xl_suite.chat.calls import Call, Message, Sampling
from xl_suite.chat.estimates import estimate
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.chat.models import Model
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.cli.main import main
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
