"""The chat client against its bars: utilisation, calls per second, memory, start, faults, kill -9.

    python scripts/benchmarks/chat_client.py [--rounds 5] [--only utilisation,rate,wide,faults,kill]

Every figure comes from a process of its own against the loopback server in another; times are those of the server,
from its first request to its last response. The client has its journal on, in a new file; bare aiohttp (a plain
`session.post(json=...)` and `response.json()` in as many workers as there are slots) has none, and takes turns with
it in the same run. Prints the table, writes it beside this script, and ends with status 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_suffix(".md")
TEXT = " ".join(["Schreibe einen kurzen Text über die Brücken einer Stadt am Fluss."] * 6)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `value` is compared with `bar`, upwards or downwards."""

    what: str
    value: float
    bar: float
    upwards: bool
    shown: str
    detail: str

    @property
    def passed(self) -> bool:
        return self.value >= self.bar if self.upwards else self.value <= self.bar


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: 5)")
    parser.add_argument("--only", default="utilisation,rate,wide,faults,kill", help="parts, with commas between")
    parser.add_argument("--child", nargs=4, metavar=("KIND", "URL", "COUNT", "SLOTS"), help=argparse.SUPPRESS)
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, url, count, slots = args.child
        run_child(kind, url, int(count), int(slots), args.journal)
        return 0
    parts: dict[str, Callable[[int], list[Line]]] = {
        "utilisation": measure_utilisation,
        "rate": measure_rate,
        "wide": measure_wide,
        "faults": measure_faults,
        "kill": measure_kills,
    }
    lines = []
    for name in args.only.split(","):
        for line in parts[name](args.rounds):
            print(f"{'ok  ' if line.passed else 'MISS'} {line.what}: {line.shown} ({line.detail})", file=sys.stderr)
            lines.append(line)
    table = format_table(lines, args.rounds)
    print(table)
    TABLE.write_text(table + "\n", encoding="utf-8")
    return 0 if all(line.passed for line in lines) else 1


def measure_utilisation(rounds: int) -> list[Line]:
    ratio, ours, bare = compare(5000, 64, 0.05, rounds)
    return [
        Line(
            "5,000 calls, 64 slots, 50 ms: utilisation ÷ bare aiohttp's",
            ratio,
            0.97,
            True,
            f"{ratio:.3f}",
            f"utilisation {ours:.3f} with journal, {bare:.3f} bare without",
        )
    ]


def measure_wide(rounds: int) -> list[Line]:
    ratio, ours, bare = compare(50_000, 1024, 0.2, min(rounds, 3))
    return [
        Line(
            "50,000 calls, 1,024 slots, 200 ms: utilisation ÷ bare aiohttp's",
            ratio,
            0.95,
            True,
            f"{ratio:.3f}",
            f"utilisation {ours:.3f} with journal, {bare:.3f} bare without",
        )
    ]


def compare(count: int, slots: int, latency: float, rounds: int) -> tuple[float, float, float]:
    """(median ratio of a round, median utilisation of ours, of bare aiohttp)."""
    ours, bare = [], []
    for number in range(rounds):
        for kind in ("ours", "bare") if number % 2 else ("bare", "ours"):
            measured = run_client(kind, count, slots, latency)
            utilisation = count * latency / slots / measured["seconds"]
            (ours if kind == "ours" else bare).append(utilisation)
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return statistics.median(ratios), statistics.median(ours), statistics.median(bare)


def measure_rate(rounds: int) -> list[Line]:
    measured = [run_client("ours", 5000, 64, 0.0) for _ in range(rounds)]
    bare = statistics.median(5000 / run_client("bare", 5000, 64, 0.0)["seconds"] for _ in range(rounds))
    rate = statistics.median(5000 / one["seconds"] for one in measured)
    memory = max(one["megabytes"] for one in measured)
    start = statistics.median(one["start"] for one in measured)
    return [
        Line("5,000 calls, 64 slots, 0 ms: calls/s", rate, 3000, True, f"{rate:,.0f}", f"bare aiohttp {bare:,.0f}"),
        Line("the same: peak memory in MB", memory, 120, False, f"{memory:.0f}", "largest of all rounds"),
        Line("the same: start to first call in s", start, 1.0, False, f"{start:.2f}", "process start included"),
    ]


def measure_faults(rounds: int) -> list[Line]:
    options = ["--throttled", "0.03", "--broken", "0.02", "--stalled", "0.002"]
    seconds, retries = [], []
    for seed in range(min(rounds, 3)):
        measured = run_client("ours", 2000, 64, 0.05, [*options, "--seed", str(seed)])
        if measured["rows"] != 2000:
            raise SystemExit(f"{2000 - measured['rows']} rows are missing")
        seconds.append(measured["wall"])
        retries.append(measured["retries"])
    worst = max(seconds)
    return [
        Line(
            "2,000 calls, 64 slots, 50 ms, 3 % 429, 2 % 500, 0.2 % stalls of 5 s: s",
            worst,
            10,
            False,
            f"{worst:.1f}",
            f"all rows, {retries} retries, the whole process, slowest round",
        )
    ]


def measure_kills(rounds: int, count: int = 5000, slots: int = 64) -> list[Line]:
    """Kills at random moments; each counts on its own: repeated calls between it and the end of the next run."""
    dice = random.Random(0)
    worst = lost = doubled = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            journal = Path(folder, f"{number}.sqlite")
            with run_server(0.05) as url:
                share = dice.uniform(0.02, 0.98)
                child = start_client("ours", url, count, slots, journal)
                while get_stats(url)["distinct"] < share * count and child.poll() is None:
                    time.sleep(0.002)
                killed = child.poll() is None
                child.kill()
                child.communicate()
                output, _ = start_client("ours", url, count, slots, journal).communicate()
                stats = get_stats(url)
            if not killed:
                raise SystemExit("the client was done before it could be killed")
            worst = max(worst, stats["repeated"])
            lost += count - json.loads(output)["rows"]
            doubled += json.loads(output)["doubled"]
    return [
        Line(
            f"kill -9 at {rounds} random moments, then the same command: most calls repeated",
            worst,
            2 * slots,
            False,
            f"{worst}",
            f"{slots} slots",
        ),
        Line(
            "the same: rows lost or doubled", lost + doubled, 0, False, f"{lost + doubled}", f"{count:,} calls each"
        ),
    ]


def run_client(
    kind: str, count: int, slots: int, latency: float, server_options: list[str] | None = None
) -> dict[str, Any]:
    """One run in a process of its own: seconds (by the server), start, wall, megabytes, rows, retries."""
    with tempfile.TemporaryDirectory() as folder, run_server(latency, server_options or []) as url:
        begun = time.time()
        output, _ = start_client(kind, url, count, slots, Path(folder, "journal.sqlite")).communicate()
        wall = time.time() - begun
        stats = get_stats(url)
    measured: dict[str, Any] = json.loads(output)
    measured["seconds"] = stats["last_response"] - stats["first_request"]
    measured["start"] = stats["first_request"] - begun
    measured["wall"] = wall
    return measured


def start_client(kind: str, url: str, count: int, slots: int, journal: Path) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--journal", str(journal), "--child", kind, url, str(count), str(slots)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


@contextmanager
def run_server(latency: float, options: list[str] | None = None) -> Iterator[str]:
    command = [sys.executable, "-m", "xl_suite.chat.loopback", "--latency", str(latency), *(options or [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def environment() -> dict[str, str]:
    """Children find the package of this checkout, installed or not."""
    place = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (place, os.environ.get("PYTHONPATH"))))}


def get_stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url + "/stats") as response:
        stats: dict[str, Any] = json.load(response)
    return stats


def run_child(kind: str, url: str, count: int, slots: int, journal: Path) -> None:
    result = {"ours": run_ours, "bare": run_bare}[kind](url, count, slots, journal)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result["megabytes"] = peak / (1024 if sys.platform != "darwin" else 1024 * 1024)
    print(json.dumps(result))


def run_ours(url: str, count: int, slots: int, journal: Path) -> dict[str, Any]:
    from xl_suite.chat.calls import Call, Message
    from xl_suite.chat.models import Model
    from xl_suite.chat.run import run_calls
    from xl_suite.chat.settings import ChatOptions

    calls = (Call(f"deu/{number}", (Message("user", f"{number}: {TEXT}"),)) for number in range(count))
    rows: set[str] = set()
    doubled = 0

    def keep(call: Call, result: object) -> None:
        nonlocal doubled
        doubled += call.row in rows
        rows.add(call.row)

    model = Model("loopback", "loopback", (url,), "server")
    ledger = run_calls(model, calls, keep, ChatOptions(journal, slots=slots, progress=False))
    return {"rows": len(rows) - ledger.failed, "doubled": doubled, "retries": ledger.retries}


def run_bare(url: str, count: int, slots: int, journal: Path) -> dict[str, Any]:
    import aiohttp

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * slots + 256)), hard))
    numbers = iter(range(count))
    texts: list[str] = []

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = {
                "model": "loopback",
                "messages": [{"role": "user", "content": f"{number}: {TEXT}"}],
                "temperature": 0.7,
                "max_tokens": 2048,
            }
            async with session.post(url + "/chat/completions", json=body) as response:
                answer = await response.json()
                texts.append(answer["choices"][0]["message"]["content"])

    async def run() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(work(session) for _ in range(slots)))

    asyncio.run(run())
    return {"rows": len(texts), "doubled": 0, "retries": 0}


def format_table(lines: list[Line], rounds: int) -> str:
    rows = ["| what | bar | measured | | detail |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        sign = "≥" if line.upwards else "≤"
        rows.append(
            f"| {line.what} | {sign} {line.bar:,g} | {line.shown} | {'ok' if line.passed else 'missed'} "
            f"| {line.detail} |"
        )
    load = os.getloadavg()[0]
    rows.append("")
    rows.append(
        f"`python scripts/benchmarks/chat_client.py --rounds {rounds}`: Python {platform.python_version()}, "
        f"aiohttp {version('aiohttp')}, {os.cpu_count()} cores, load {load:.1f} at the end. Medians of the rounds "
        "(3 at most for the long ones)."
    )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
