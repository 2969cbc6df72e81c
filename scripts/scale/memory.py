"""Memory of ranks over many calls: `xl-suite generate --ranks N`, three translators, scripted models at 0 ms.

    python -m scripts.scale.memory [--calls 1000000] [--ranks 2] [--slots 32] [--keep DIR]

Resident memory of each rank and of the command itself is read twice a second: the most, and the medians of the second
and the last fifth of its time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import nullcontext, suppress
from pathlib import Path

import psutil

from scripts.benchmarks.pipeline import LANGUAGES, SENTENCES, TRANSLATORS, serve, write_config, write_passages

MB = 1024 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write there, and leave everything")
    args = parser.parse_args()
    count = max(2, round(args.calls / (len(LANGUAGES) * len(TRANSLATORS) * SENTENCES + 2)))
    with nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        write_passages(folder / "passages.jsonl", count)
        server, url = serve()
        try:
            write_config(folder / "config.yaml", folder / "passages.jsonl", count, url)
            command = [sys.executable, "-m", "xl_suite.cli.main", "generate", str(folder / "config.yaml")]
            command += ["--out", str(folder / "out"), "--slots", str(args.slots), "--ranks", str(args.ranks)]
            begun = time.perf_counter()
            with (folder / "messages.txt").open("w") as messages:
                run = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=messages)
                samples = watch(run)
            seconds = time.perf_counter() - begun
        finally:
            server.kill()
        if run.returncode not in (0, 1):
            print((folder / "messages.txt").read_text()[-3000:], file=sys.stderr)
            return 1
        paid = sum(
            json.loads(path.read_text())["ledger"]["paid"]
            for path in (folder / "out" / ".parts").glob("*/.ranks/*-of-*.json")
        )
    print(f"passages: {count:,}, calls of ranks: {paid:,}, seconds: {seconds:.0f}\n")
    print("| process | seconds | most (MB) | second fifth (MB) | last fifth (MB) |\n| --- | --- | --- | --- | --- |")
    for name, own in samples.items():
        fifth = max(1, len(own) // 5)
        early, late = (round(statistics.median(part)) for part in (own[fifth : 2 * fifth] or own, own[-fifth:]))
        print(f"| {name} | {len(own) / 2:.0f} | {max(own):.0f} | {early} | {late} |")
    return 0


def watch(run: subprocess.Popen[bytes]) -> dict[str, list[float]]:
    """Resident memory in MB, twice a second, of the command and of each rank of each phase."""
    samples: dict[str, list[float]] = defaultdict(list)
    whole = psutil.Process(run.pid)
    while run.poll() is None:
        with suppress(psutil.Error):
            samples["the command"].append(whole.memory_info().rss / MB)
            for child in whole.children(recursive=True):
                with suppress(psutil.Error, ValueError):
                    words = child.cmdline()
                    name = f"{words[words.index('--phase') + 1]}, rank {words[words.index('--rank') + 1]}"
                    samples[name].append(child.memory_info().rss / MB)
        time.sleep(0.5)
    return samples


if __name__ == "__main__":
    sys.exit(main())
