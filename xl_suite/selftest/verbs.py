"""Every verb that writes is stopped at its file operations and run again: nothing is lost, paid twice or left over.

A run without a stop gives the files to compare with. Each trial begins with the same inputs, stops the command once,
runs it again without a stop, and compares every file.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_suite.chat.loopback.server import FaultRates, Loopback, serve_loopback
from xl_suite.chat.replay import export_journal
from xl_suite.selftest.cases import CASES, SLOTS, Case, make_inputs, make_script
from xl_suite.selftest.points import WAYS, Forker, Ran, start_forker
from xl_suite.staging import is_temporary

# A stop loses what was in flight and what was not yet written, each as many calls as there are slots at most.
ALLOWED = 2 * SLOTS
JOURNAL = ".sqlite"
FAULTS = FaultRates(throttled=0.03, broken=0.03, cut=0.02, garbage=0.02)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of one trial. operation: the file operation at which it was stopped, of `operations`. repeated: calls
    that the server answered twice. wrong: what differs from a run without a stop; empty if nothing does."""

    name: str
    way: str
    operation: int
    operations: int
    paid: int
    repeated: int
    wrong: str

    @property
    def passed(self) -> bool:
        return not self.wrong

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True, slots=True)
class Bench:
    """What trials need. inputs: a folder that each trial copies."""

    forker: Forker
    server: Loopback
    inputs: Path
    work: Path


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run without a stop: its status (1 where rows are set aside), files, file operations, and the calls that the
    server answered more than once, because the verb asks again on purpose."""

    start: Path
    status: int
    files: dict[str, str]
    operations: int
    repeated: int


@contextmanager
def open_bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xl-suite-selftest-")))
        server = stack.enter_context(serve_loopback())
        (folder / "inputs").mkdir()
        make_inputs(folder / "inputs", server.url)
        server.script = make_script(folder / "inputs" / "demo-out")
        yield Bench(stack.enter_context(start_forker()), server, folder / "inputs", folder / "work")


def sample(points: int = 1) -> Iterator[Stopped]:
    """Every verb that asks a model: stopped in each way at `points` file operations, in two and in five processes at
    once, and with a server that throttles, breaks off and talks nonsense."""
    with open_bench() as bench:
        for case in [case.at(bench.server.url) for case in CASES if case.paid]:
            baseline = run_baseline(bench, case)
            for way in WAYS:
                for operation in choose_points(baseline.operations - 1, points):
                    yield try_point(bench, case, baseline, operation, way)
            for copies in (2, 5):
                yield try_together(bench, case, baseline, copies)
            if has_online_calls(case):
                yield try_faults(bench, case, baseline)
            shutil.rmtree(baseline.start)


def sweep(cases: Sequence[Case] = CASES, *, points: int = 0, ways: Sequence[str] = ("kill",)) -> Iterator[Stopped]:
    """Stops each case at every file operation, or at `points` of them that are spread evenly; one after the other."""
    with open_bench() as bench:
        for case in cases:
            case = case.at(bench.server.url)
            baseline = run_baseline(bench, case)
            for way in ways:
                for operation in choose_points(baseline.operations, points):
                    yield try_point(bench, case, baseline, operation, way)
            shutil.rmtree(baseline.start)


def soak(seconds: float, seed: int = 0) -> Iterator[Stopped]:
    """Stops cases at random, in a random way, once or several times before they may end, until the time is over."""
    chosen = random.Random(seed)
    end = time.monotonic() + seconds
    with open_bench() as bench:
        baselines: dict[str, Baseline] = {}
        while time.monotonic() < end:
            case = chosen.choice(CASES).at(bench.server.url)
            if case.name not in baselines:
                baselines[case.name] = run_baseline(bench, case)
            baseline = baselines[case.name]
            kind = chosen.random() if case.paid else 1.0
            if kind < 0.2:
                yield try_together(bench, case, baseline, chosen.choice((2, 5)))
            elif kind < 0.3 and has_online_calls(case):
                yield try_faults(bench, case, baseline)
            else:
                operation = chosen.randint(1, baseline.operations)
                yield try_point(bench, case, baseline, operation, chosen.choice(WAYS), stops=chosen.choice((1, 1, 3)))


def run_baseline(bench: Bench, case: Case) -> Baseline:
    """Runs what comes before the case and keeps the folder for its trials, then the case itself, to its end."""
    start = bench.inputs.with_name(f"start {case.name}")
    shutil.rmtree(start, ignore_errors=True)
    shutil.copytree(bench.inputs, start, symlinks=True)
    for command in case.before:
        _need(bench.forker.run(command, _enter(bench, start))[0], command)
        shutil.rmtree(start)
        bench.work.rename(start)
    bench.server.forget()
    ran = bench.forker.run(case.command, _enter(bench, start))[0]
    if ran.status not in (0, 1):
        _need(ran, case.command)
    return Baseline(start, ran.status, list_files(bench.work), ran.operations, bench.server.repeated)


def try_point(
    bench: Bench, case: Case, baseline: Baseline, operation: int, way: str = "kill", stops: int = 1
) -> Stopped:
    """Stops the case at its file operation `operation` as often as `stops` says, then lets it end."""
    bench.server.forget()
    work = _enter(bench, baseline.start)
    for _ in range(stops):
        stopped = bench.forker.run(case.command, work, at=operation, way=way)[0]
    ended = bench.forker.run(case.command, work)[0]
    wrong = _find_wrong(bench, baseline, ended, allowed=stops * ALLOWED if case.paid else 0)
    if way == "full" and "Traceback" in stopped.text:
        wrong = f"a traceback for a full disk: {stopped.text[-300:]}"
    return _report(bench, case, baseline, f"{way}" + (f" x{stops}" if stops > 1 else ""), operation, wrong)


def try_together(bench: Bench, case: Case, baseline: Baseline, copies: int) -> Stopped:
    """Starts the case in several processes at once: one runs, the others are refused; no call is paid twice."""
    bench.server.forget()
    work = _enter(bench, baseline.start)
    ran = bench.forker.run(case.command, work, copies=copies)
    ended = bench.forker.run(case.command, work)[0]
    wrong = _find_wrong(bench, baseline, ended, allowed=0)
    if not wrong and not {one.status for one in ran} <= {baseline.status, 2}:
        wrong = f"statuses {[one.status for one in ran]}: {[one.text[-200:] for one in ran]}"
    return _report(bench, case, baseline, f"{copies} processes", 0, wrong)


def try_faults(bench: Bench, case: Case, baseline: Baseline) -> Stopped:
    """The server answers every tenth request with 429, 500, half a response or HTML; the files are the same."""
    bench.server.forget()
    bench.server.faults = FAULTS
    try:
        ended = bench.forker.run(case.command, _enter(bench, baseline.start))[0]
    finally:
        bench.server.faults = FaultRates()
    return _report(bench, case, baseline, "faults", 0, _find_wrong(bench, baseline, ended, allowed=0))


def has_online_calls(case: Case) -> bool:
    """Whether the loopback server's faults suit the case; batches have faults and tests of their own."""
    return case.paid and "--batch" not in case.command


def choose_points(operations: int, points: int) -> list[int]:
    """`points` of the file operations 1 to `operations`, the last one among them; all of them for 0."""
    if points <= 0 or points >= operations:
        return list(range(1, operations + 1))
    return sorted({round(operations * (number + 1) / points) for number in range(points)})


def list_files(folder: Path) -> dict[str, str]:
    """A digest of each file by its path: of a journal what it exports, and without what depends on timing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if path.is_dir() or _is_passing(path):
            continue
        if path.suffix == JOURNAL:
            with tempfile.TemporaryDirectory() as other:
                export_journal(path, Path(other) / "text.jsonl")
                lines = (Path(other) / "text.jsonl").read_bytes().splitlines()
            found[place] = hashlib.sha256(b"\n".join(sorted(lines))).hexdigest()
        else:
            found[place] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _is_passing(path: Path) -> bool:
    """Whether a file belongs to a lock or to SQLite's log beside a journal; these come and go."""
    return path.name.endswith((".lock", "-wal", "-shm", ".sqlite.holder"))


def _enter(bench: Bench, start: Path) -> Path:
    shutil.rmtree(bench.work, ignore_errors=True)
    shutil.copytree(start, bench.work, symlinks=True)
    return bench.work


def _need(ran: Ran, command: Sequence[str]) -> None:
    if ran.status != 0:
        raise RuntimeError(f"`xl-suite {' '.join(command)}` ended with status {ran.status}: {ran.text[-2000:]}")


def _find_wrong(bench: Bench, baseline: Baseline, ended: Ran, allowed: int) -> str:
    if ended.status != baseline.status:
        return f"the second run ended with status {ended.status}: {ended.text[-600:]}"
    litter = [path.relative_to(bench.work).as_posix() for path in bench.work.rglob("*") if is_temporary(path.name)]
    if litter:
        return f"left over: {', '.join(litter)}"
    repeated = bench.server.repeated - baseline.repeated
    if repeated > allowed:
        return f"{repeated} calls were paid twice"
    found = list_files(bench.work)
    names = sorted(
        name for name in found.keys() | baseline.files.keys() if found.get(name) != baseline.files.get(name)
    )
    return f"other files: {', '.join(names)}" if names else ""


def _report(bench: Bench, case: Case, baseline: Baseline, way: str, operation: int, wrong: str) -> Stopped:
    repeated = max(0, bench.server.repeated - baseline.repeated)
    paid = bench.server.answered
    return Stopped(case.name, way, operation, baseline.operations, paid, repeated, wrong)


__all__ = ["Stopped", "choose_points", "sample", "soak", "sweep"]
