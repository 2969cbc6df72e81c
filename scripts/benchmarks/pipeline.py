"""Memory and speed of `xl-suite generate` over many calls: every stage, three translators, scripted models at 0 ms.

python scripts/benchmarks/pipeline.py [--calls 1000000] [--slots 64] [--keep DIR]

The run is a process of its own; its resident memory is read twice a second. The slope is that of a line through the
samples while calls are made, after the first fifth of that time, in MB per 100,000 calls. What is loaded to write
Parquet at the end comes on top once, whatever the number of calls: it is in the most.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from xl_suite.chat.loopback.server import last_message

LANGUAGES = ("deu", "por", "hun")
TRANSLATORS = ("translator-a", "translator-b", "translator-c")
SENTENCES = 12
WORDS = {
    "German": "der Fluss fließt langsam durch das Tal und die Leute sehen ihn jeden Morgen von der alten Brücke aus",
    "Portuguese": "o rio corre devagar pelo vale e as pessoas olham para ele todas as manhãs da velha ponte de pedra",
    "Hungarian": "a folyó lassan folyik a völgyben és az emberek minden reggel látják őt a régi hídról amikor mennek",
}
NOUNS = "river bridge valley morning harbour market church window garden letter teacher sailor winter summer"
VERBS = "crosses follows remembers measures paints repairs describes protects discovers visits"
PLACES = "near the station|behind the old walls|beside the library|above the lake|in the northern quarter"


def answer(request: dict[str, Any]) -> str:
    """What a teacher or a translator would say, as far as guards and parsers look."""
    text = last_message(request)
    if request["model"] == "teacher":
        if "<passage>\n" in text:
            return f"<instruction>What happens around {text[-300:-290].strip() or 'there'}?</instruction>"
        draft = text.rpartition("<response>\n")[2].partition("\n</response>")[0]
        return f"<instruction>Tell me what happens there.</instruction>\n<response>{draft}</response>"
    head, _, rest = text.rpartition("\n\n<text>")
    words = WORDS[head.partition(" into ")[2].partition(".")[0]].split()
    source = rest.removesuffix("</text>")
    digest = hashlib.blake2b(f"{request['model']}/{source}".encode()).digest()
    numbers = [word.strip(".,") for word in source.split() if word.strip(".,").isdigit()]
    chosen = [words[byte % len(words)] for byte in digest[: max(4, len(source.split()) - len(numbers))]]
    return " ".join([*chosen, *numbers]).capitalize() + "."


def write_passages(path: Path, count: int) -> None:
    draw = random.Random(1)
    nouns, verbs, places = NOUNS.split(), VERBS.split(), PLACES.split("|")
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            sentences = [
                f"The {draw.choice(nouns)} of the {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)} "
                f"and the {draw.choice(nouns)} {draw.choice(places)} in the year {1000 + number} for {part} days."
                for part in range(2, SENTENCES + 2)
            ]
            file.write(json.dumps({"text": " ".join(sentences)}) + "\n")


def write_config(path: Path, passages: Path, count: int, url: str) -> None:
    value = {
        "languages": list(LANGUAGES),
        "passages": {"source": str(passages), "count": count, "limits": {"near": 1.0}},
        "teacher": {"model": f"teacher@{url}"},
        "translators": [{"model": f"{name}@{url}"} for name in TRANSLATORS],
    }
    path.write_text(json.dumps(value), encoding="utf-8")  # JSON is YAML


def serve() -> tuple[subprocess.Popen[str], str]:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pipeline, time\n"
    code += "from xl_suite.chat.loopback.server import serve_loopback\n"
    code += "with serve_loopback(pipeline.answer) as server:\n"
    code += "    print(server.url, flush=True)\n    time.sleep(36000)\n"
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def read_memory(pid: int) -> float:
    """Resident memory of a process in MB; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def fit_slope(samples: list[tuple[float, float]]) -> float:
    """The slope of a line through (x, y)."""
    count = len(samples)
    x_mean, y_mean = sum(x for x, _ in samples) / count, sum(y for _, y in samples) / count
    spread = sum((x - x_mean) ** 2 for x, _ in samples)
    return sum((x - x_mean) * (y - y_mean) for x, y in samples) / spread if spread else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--slots", type=int, default=64)
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
            command += ["--out", str(folder / "out"), "--slots", str(args.slots), "--json"]
            begun = time.perf_counter()
            with (folder / "messages.txt").open("w") as messages, (folder / "answer.json").open("w") as output:
                run = subprocess.Popen(command, stdout=output, stderr=messages)
                samples, calling = [], 0.0
                while run.poll() is None:
                    samples.append((time.perf_counter() - begun, read_memory(run.pid)))
                    if not any((folder / "out" / ".stages").glob("*scored-*")):
                        calling = samples[-1][0]
                    time.sleep(0.5)
            seconds = time.perf_counter() - begun
        finally:
            server.kill()
        if run.returncode not in (0, 1):  # 1: some rows are in quarantine
            print((folder / "messages.txt").read_text()[-3000:], file=sys.stderr)
            return 1
        made = json.loads((folder / "answer.json").read_text())
    calls = made["calls"]["paid"] + made["calls"]["shared"]
    samples = [(second, memory) for second, memory in samples if memory]
    later = [
        (second * calls / calling / 100_000, memory) for second, memory in samples if calling / 5 < second < calling
    ]
    print("| passages | calls | seconds | calls a second | RSS, most (MB) | slope (MB per 100,000 calls) |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(
        f"| {count:,} | {calls:,} | {seconds:.0f} | {calls / seconds:,.0f} | {max(m for _, m in samples):.0f} "
        f"| {fit_slope(later):+.2f} |"
    )
    for name, ledger in made["ledgers"].items():
        print(f"{name}: {ledger}", file=sys.stderr)
    for row in made["stages"]:
        print(row, file=sys.stderr)
    print("memory over time:", [round(m) for _, m in samples[:: max(1, len(samples) // 40)]], file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
