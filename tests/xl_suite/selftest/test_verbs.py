"""Command lines that are stopped at their file operations: a sample of the sweep that `make soak` makes whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xl_suite.selftest.cases import CASES
from xl_suite.selftest.verbs import (
    Baseline,
    Bench,
    choose_points,
    has_online_calls,
    list_files,
    open_bench,
    run_baseline,
    try_faults,
    try_point,
    try_together,
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with open_bench() as bench:
        yield bench


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name.replace(" ", "-") for case in CASES])
def test_a_verb_that_is_stopped_ends_as_if_it_had_not_been(bench: Bench, number: int) -> None:
    """Each case at one operation, a verb that asks a model also in several processes and against a bad server."""
    case = CASES[number].at(bench.server.url)
    baseline = run_baseline(bench, case)
    assert baseline.operations > 0
    # Operations that differ from case to case, so that all cases together see every part of a run.
    points = choose_points(baseline.operations, 4)
    operation = points[number % len(points)]
    assert try_point(bench, case, baseline, operation).wrong == ""
    if case.paid:
        assert try_together(bench, case, baseline, 5 if number % 2 else 2).wrong == ""
        way = ("interrupt", "terminate", "full")[number % 3]
        assert try_point(bench, case, baseline, baseline.operations // 2, way).wrong == ""
    if has_online_calls(case):
        assert try_faults(bench, case, baseline).wrong == ""


def test_a_difference_is_seen(bench: Bench, tmp_path: Path) -> None:
    """Another file, a temporary name, a call paid twice, another status: none of them passes."""
    case = next(case for case in CASES if case.name == "subset").at(bench.server.url)
    baseline = run_baseline(bench, case)
    other = Baseline(baseline.start, 0, {**baseline.files, "lost": "x"}, baseline.operations, 0)
    assert try_point(bench, case, other, 2).wrong == "other files: lost"
    other = Baseline(baseline.start, 3, baseline.files, baseline.operations, 0)
    assert "ended with status 0" in try_point(bench, case, other, 2).wrong
    respond = next(case for case in CASES if case.name == "respond").at(bench.server.url)
    paid = run_baseline(bench, respond)
    assert "12 calls were paid twice" in try_faults(bench, respond, Baseline(paid.start, 0, paid.files, 9, -12)).wrong
    (baseline.start / ".left.00000000-1-00000000").write_text("x")
    assert "left over" in try_point(bench, case, baseline, 2).wrong
    assert list_files(tmp_path) == {}


def test_points_are_spread_over_a_run() -> None:
    assert choose_points(10, 0) == list(range(1, 11))
    assert choose_points(10, 3) == [3, 7, 10]
    assert choose_points(2, 5) == [1, 2]
