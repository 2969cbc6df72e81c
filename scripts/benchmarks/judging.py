"""How long 797 x 11 judgements take, beside alpaca_eval's own run of the same job on the same loopback server.

python scripts/benchmarks/judging.py [--languages 11] [--theirs 1] [--latency 0.05] [--slots 64]

alpaca_eval judges one file at a time and a hundred times slower, so it gets `--theirs` languages; its seconds are
shown for those and as judgements a second, which is what to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from xl_suite.chat.loopback.server import Reply, token_logprobs
from xl_suite.judging.annotator import write_for_alpaca_eval
from xl_suite.languages import table
from xl_suite.records import ModelOutput, write_json

JUDGE = "gpt-4o-2024-08-06"


def judge_by_hash(request: dict[str, Any]) -> Reply:
    share = zlib.crc32(request["messages"][-1]["content"].encode()) % 1000 / 1000
    return Reply("m", logprobs=token_logprobs({"m": -0.1 - share, "M": -1.1 + share}))


def write_sides(folder: Path, languages: int, rows: int) -> None:
    """Outputs as long as GPT-4o-mini's are (about 1,900 characters), made up."""
    for code in [row.code for row in table()][:languages]:
        for side in ("model", "reference"):
            outputs = [
                ModelOutput(f"Instruction {i}\n\nRespond in {code}", f"{side} {code} {i} " * 120, side, i, "", code)
                for i in range(1, rows + 1)
            ]
            write_json(folder / side / f"{code}.json", outputs)


def serve(latency: float, slots: int) -> tuple[subprocess.Popen[str], str]:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import judging, time\n"
    code += "from xl_suite.chat.loopback.server import serve_loopback\n"
    code += (
        "with serve_loopback(judging.judge_by_hash, latency=float(sys.argv[2]), slots=int(sys.argv[3])) as server:\n"
    )
    code += "    print(server.url, flush=True)\n    time.sleep(3600)\n"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(latency), str(slots)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", type=int, default=11)
    parser.add_argument("--theirs", type=int, default=1, help="languages that alpaca_eval judges; 0: none")
    parser.add_argument("--rows", type=int, default=797)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--slots", type=int, default=64)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_sides(folder, args.languages, args.rows)
        process, url = serve(args.latency, args.slots)
        try:
            rows = [run_ours(folder, url, args)]
            rows += [run_theirs(folder, url, args)] if args.theirs else []
        finally:
            process.kill()
    print("| | judgements | seconds | a second | utilisation |\n| --- | --- | --- | --- | --- |")
    for name, count, seconds, utilisation in rows:
        print(f"| {name} | {count:,} | {seconds:.1f} | {count / seconds:,.0f} | {utilisation:.3f} |")
    return 0


def run_ours(folder: Path, url: str, args: argparse.Namespace) -> tuple[str, int, float, float]:
    command = [sys.executable, "-m", "xl_suite.cli.main", "judge", str(folder / "model")]
    command += ["--reference", str(folder / "reference"), "--annotator", "xl_gpt4o", "--model", f"{JUDGE}@{url}"]
    command += ["--out", str(folder / "ours"), "--slots", str(args.slots), "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begun
    return "xl-suite judge", args.languages * args.rows, seconds, json.loads(done.stdout)["ledger"]["utilisation"]


def run_theirs(folder: Path, url: str, args: argparse.Namespace) -> tuple[str, int, float, float]:
    environment = os.environ | {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "HF_HUB_OFFLINE": "1"}
    environment["OPENAI_MAX_CONCURRENCY"] = str(args.slots)
    config = str(write_for_alpaca_eval("xl_gpt4o", cache=folder))
    begun = time.perf_counter()
    for code in [row.code for row in table()][: args.theirs]:
        command = [sys.executable, "-m", "alpaca_eval.main", "evaluate", "--annotators_config", config]
        command += ["--model_outputs", str(folder / "model" / f"{code}.json")]
        command += ["--reference_outputs", str(folder / "reference" / f"{code}.json")]
        command += ["--caching_path", str(folder / f"{code}.cache.json"), "--fn_metric", "get_winrate"]
        command += ["--sort_by", "win_rate", "--output_path", str(folder / "theirs" / code)]
        subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=True)
    seconds = time.perf_counter() - begun
    count = args.theirs * args.rows
    return "alpaca_eval 0.6.6", count, seconds, count * args.latency / args.slots / seconds


if __name__ == "__main__":
    sys.exit(main())
