"""Runs ranks by real engines: the same bytes for any number of ranks, what a kill costs, and the overhead.

    python -m scripts.scale.check [--engines local,ray,parsl,slurm] [--rows 48] [--overhead-rows 0]

Ray has two nodes on 127.0.0.1 and 127.0.0.2; a rank, a worker and then a node are killed. `slurm` is parsl, and the
plain array of docs/how-to/scaling.md, on two nodes of a real Slurm; it is left out where Debian's packages are not
installed (apt-get install slurm-wlm munge). Status 1 where a file differs, a row is lost or doubled, or a kill
repeats more than 2 calls a slot. The calls of `generate` are not compared: a sentence of two shards is asked in both.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.scale import cluster, slurm
from tests.scripted_models import MODELS, write_passages
from tests.scripted_models import answer as answer_for_data
from tests.written import read_files, write_questions
from xl_suite.chat.loopback.replies import Reply, token_logprobs
from xl_suite.chat.loopback.server import Loopback, last_message, serve_loopback

LANGUAGES = ("deu", "fra", "hin", "hun", "kor", "lit", "por", "zho")
SLOTS = 8
# Seconds of a call: so that a rank works for some seconds when it is killed, and as a quick model has it.
SLOW = 0.3
MODEL = 0.5

# parsl on two nodes of Slurm, a rank at a time on each.
SLURM = f"""\
provider:
  kind: SlurmProvider
  partition: main
  exclusive: false
  cores_per_node: 1
  walltime: "00:10:00"
  init_blocks: 2
  max_blocks: 2
  worker_init: export PATH={Path(sys.executable).parent}:$PATH
executor: {{max_workers_per_node: 1, address: 127.0.0.1}}
"""


@dataclass(frozen=True)
class Bench:
    """A benchmark, a server of its models, and the folder of a check."""

    folder: Path
    server: Loopback
    benchmark: Path
    rows: int

    def respond(self, out: Path, *more: str, name: str = "ours") -> list[str]:
        model = f"{name}@{self.server.url}"
        return ["respond", str(self.benchmark), "--model", model, "--out", str(out), "--slots", str(SLOTS), *more]

    def judge(self, place: Path, *more: str) -> list[str]:
        outputs = place / "outputs"
        command = ["judge", str(outputs / "ours"), "--reference", str(outputs / "theirs"), "--annotator", "xl_gpt4_1"]
        command += ["--model", f"judge@{self.server.url}", "--slots", str(SLOTS), "--out", str(place / "judged")]
        return [*command, *more]

    def generate(self, out: Path) -> list[str]:
        config = self.folder / "generate.json"
        value = {
            "languages": ["deu", "hun"],
            "passages": {"source": str(write_passages(self.folder / "passages.jsonl", self.rows // 8))},
            "teacher": {"model": f"teacher@{self.server.url}"},
            "translators": [{"model": f"{name}@{self.server.url}"} for name in MODELS],
        }
        config.write_text(json.dumps(value))
        return ["generate", str(config), "--out", str(out), "--slots", str(SLOTS)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="local,ray,parsl,slurm")
    parser.add_argument("--rows", type=int, default=48, help="prompts of each of 8 languages (default: 48)")
    parser.add_argument(
        "--overhead-rows", type=int, default=0, help="the same for the overhead (default: not measured)"
    )
    parser.add_argument("--only", default="bytes,kills", help="bytes, kills (default: both)")
    parser.add_argument("--out", type=Path, default=Path("build/scale"))
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    wrong: list[str] = []
    for engine in args.engines.split(","):
        if engine == "slurm" and not slurm.is_installed():
            print("slurm: left out: it needs Debian's slurm-wlm and munge, and root")
            continue
        with open_engine(engine, args.out.absolute()) as options:
            if "bytes" in args.only:
                with make_bench(args.out.absolute() / f"{engine}-bytes", args.rows, 0.0) as bench:
                    wrong += check_bytes(bench, engine, options)
            if "kills" in args.only:
                for kind, stroke in KILLS.items():
                    if engine == "ray" or kind == "rank":
                        with make_bench(args.out.absolute() / f"{engine}-{kind}", args.rows, SLOW) as bench:
                            wrong += check_kill(bench, engine, options, kind, stroke)
                if engine == "slurm":
                    with make_bench(args.out.absolute() / "sbatch", args.rows, SLOW) as bench:
                        wrong += check_array(bench)
            if args.overhead_rows:
                with make_bench(args.out.absolute() / f"{engine}-time", args.overhead_rows, MODEL) as bench:
                    measure(bench, engine, options)
    print("\n".join(["", *wrong, f"wrong: {len(wrong)}"]))
    return 1 if wrong else 0


@contextmanager
def open_engine(engine: str, folder: Path) -> Iterator[list[str]]:
    """The options of an engine, whose cluster is there meanwhile."""
    if engine == "slurm":
        config = folder / "slurm.yaml"
        config.write_text(SLURM)
        with slurm.start_slurm(folder):
            yield ["--executor", "parsl", "--executor-config", str(config)]
        return
    if engine != "ray":
        yield ["--executor", engine]
        return
    with cluster.start_cluster(folder) as address:
        config = folder / "ray.yaml"
        config.write_text(f"address: {address}\n")
        yield ["--executor", "ray", "--executor-config", str(config)]


@contextmanager
def make_bench(folder: Path, count: int, latency: float) -> Iterator[Bench]:
    write_questions(folder / "bench", LANGUAGES, count)
    with serve_loopback(answer, latency=latency) as server:
        yield Bench(folder, server, folder / "bench", count * len(LANGUAGES))


def answer(request: dict[str, Any]) -> str | Reply:
    if request["model"] in ("teacher", *MODELS):
        return answer_for_data(request)
    text = last_message(request)
    if request["model"] == "judge":
        return Reply("m", logprobs=token_logprobs({"m": -0.1 - len(text) % 7 / 10, "M": -2.3}))
    return f"Antwort von {request['model']} auf {text[:200]}"


def check_bytes(bench: Bench, engine: str, options: list[str]) -> list[str]:
    """respond and judge by 1, 3 and 8 ranks against one process."""
    wrong = []
    for count in (0, 1, 3, 8):
        more = [*options, "--ranks", str(count)] if count else []
        place, before = bench.folder / f"ranks-{count}", bench.server.calls
        run(bench.respond(place / "outputs", name="theirs"))
        run(bench.respond(place / "outputs", *more))
        run(bench.judge(place, *more))
        asked = bench.server.calls - before
        alike = read_files(place) == read_files(bench.folder / "ranks-0")
        files = len(read_files(place))
        told = f"{engine}, ranks: {count or 'none'}: files: {files}, the same: {alike}, calls: {asked}"
        print(told, flush=True)
        if not alike or asked != 4 * bench.rows:  # the judge sees both orders
            wrong.append(told)
        run([*bench.generate(bench.folder / f"data-{count}"), *([*more, "--shard-rows", "8"] if count else [])])
        alike = read_files(bench.folder / f"data-{count}") == read_files(bench.folder / "data-0")
        calls = bench.server.calls - before - asked
        told = f"{engine}, ranks: {count or 'none'}: generate: the same: {alike}, calls: {calls}"
        print(told, flush=True)
        wrong += [] if alike else [told]
    return wrong


def kill_rank(out: Path) -> int:
    cluster.kill(cluster.find_all_ranks(out)[0])
    return 1


def kill_worker(out: Path) -> int:
    parent = cluster.find_all_ranks(out)[0].parent()
    assert parent is not None
    cluster.kill(parent)
    return 1


def kill_node(out: Path) -> int:
    nodes = [cluster.find_node(one) for one in cluster.find_all_ranks(out)]
    second = [one for one in nodes if one is not None and cluster.is_on(one, "127.0.0.2")]
    cluster.kill(second[0])
    return len(second)


# Each kills something, and says how many ranks that ends.
KILLS: dict[str, Callable[[Path], int]] = {"rank": kill_rank, "worker": kill_worker, "node": kill_node}


def check_kill(bench: Bench, engine: str, options: list[str], kind: str, stroke: Callable[[Path], int]) -> list[str]:
    """Kills something at half of the calls; the engine tries again, or the same command does."""
    run(bench.respond(bench.folder / "single"))
    before = bench.server.calls
    out = bench.folder / "ranked"
    command = bench.respond(out, *options, "--ranks", "8")
    child = subprocess.Popen(xl_suite(command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    cluster.wait_until(lambda: bench.server.calls - before > bench.rows // 3, 300)
    touched = stroke(out)
    _, said = child.communicate(timeout=600)
    first = child.returncode
    if first:
        run(command)
    repeated = bench.server.calls - before - bench.rows
    alike = read_files(out) == read_files(bench.folder / "single")
    told = (
        f"{engine}, {kind} killed: the run ended with {first}, repeated calls: {repeated}, "
        f"2 x slots of its ranks: {2 * SLOTS * touched}, the same files: {alike}"
    )
    print(told, flush=True)
    if not alike or repeated > 2 * SLOTS * touched or repeated < 0:
        return [f"{told}\n{said[-2000:]}"]
    return []


def check_array(bench: Bench) -> list[str]:
    """The plain array of Slurm, a rank of which is killed; the same array again, then --finish."""
    run(bench.respond(bench.folder / "single"))
    before = bench.server.calls
    out = bench.folder / "ranked"
    command = xl_suite(bench.respond(out))
    job = slurm.submit_array(command, 8, bench.folder)
    cluster.wait_until(lambda: bench.server.calls - before > bench.rows // 3, 300)
    kill_rank(out)
    slurm.wait_for_job(job)
    early = subprocess.run([*command, "--finish"], capture_output=True, check=False).returncode
    slurm.wait_for_job(slurm.submit_array(command, 8, bench.folder))
    run([*bench.respond(out), "--finish"])
    repeated = bench.server.calls - before - bench.rows
    alike = read_files(out) == read_files(bench.folder / "single")
    told = (
        f"sbatch, rank killed: --finish then: {early}, repeated calls: {repeated}, 2 x slots: {2 * SLOTS}, "
        f"the same files: {alike}"
    )
    print(told, flush=True)
    return [told] if not alike or early != 1 or not 0 <= repeated <= 2 * SLOTS else []


def measure(bench: Bench, engine: str, options: list[str]) -> None:
    """Wall time of one process and of ranks two at a time, with as many calls in flight in all."""
    times = []
    for more in (["--slots", str(2 * SLOTS)], [*options, "--ranks", "2"]):
        before, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        run(bench.respond(bench.folder / f"time-{len(times)}", *more))
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime
        times.append((time.perf_counter() - before, cpu))
    (one, one_cpu), (many, many_cpu) = times
    print(
        f"{engine}: calls: {bench.rows}; one process {one:.1f} s ({one_cpu:.1f} CPU-s); 2 ranks {many:.1f} s "
        f"({many_cpu:.1f} CPU-s of this command's own processes): {many / one:.3f} x",
        flush=True,
    )


def run(arguments: list[str]) -> None:
    """Runs xl-suite; ends this script where it fails."""
    done = subprocess.run(xl_suite(arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        command = re.sub(r"\s+", " ", " ".join(arguments))
        sys.exit(f"xl-suite {command}: status {done.returncode}\n{done.stderr[-3000:]}")


def xl_suite(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "xl_suite.cli.main", *arguments]


if __name__ == "__main__":
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        os.environ.pop(name, None)
    sys.exit(main())
