"""Language fidelity against its bars, on real text: speed, both sides of the identification, mixed answers.

    python scripts/benchmarks/fidelity.py DATA

DATA holds `udhr/<code>.txt` (a paragraph a line) and `alpaca_eval/results/<generator>/model_outputs.json`.
Ends with status 1 where a bar is missed. Speed is taken from the whole verb, start of the process included.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from xl_suite.fidelity import FidelityAnswer, judge_answers, score_fidelity
from xl_suite.languages import table
from xl_suite.records import ModelOutput, read_records, write_json

GENERATORS = ("alpaca-7b", "gpt-4o-mini-2024-07-18", "gpt4_1106_preview")
NEIGHBOURS = {"por": ["spa"], "deu": ["nld"], "gle": ["gla"], "fin": ["est"], "hin": ["mar", "nep"]}


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure beside its bar. value and bar: percent, or megabytes per second."""

    what: str
    n: int
    value: float
    bar: float


def read_paragraphs(folder: Path) -> dict[str, list[str]]:
    """The paragraphs of the Universal Declaration by language."""
    return {path.stem: path.read_text(encoding="utf-8").split("\n") for path in sorted(folder.glob("*.txt"))}


def read_sentences(paragraphs: list[str]) -> list[str]:
    return [part for text in paragraphs for part in re.split(r"(?<=[.।。]) *", text.strip()) if len(part) > 15]


def percent(hits: int, n: int) -> float:
    return 100 * hits / n if n else 100.0


def judge_all(outputs: list[str], language: str) -> list[str]:
    return [verdict.verdict for verdict in judge_answers([FidelityAnswer(output) for output in outputs], language)]


def mix_one_in_five(own: list[str], foreign: list[str], seed: int) -> list[str]:
    """Each foreign sentence among four of the own language, in any place; half as lines, half as one paragraph."""
    draw = random.Random(seed)
    mixed = []
    for number, sentence in enumerate(foreign):
        sentences = draw.sample(own, 4)
        sentences.insert(draw.randrange(5), sentence)
        mixed.append(("\n" if number % 2 else " ").join(sentences))
    return mixed


def measure_declaration(folder: Path) -> Iterator[Measured]:
    texts = {code: [line for line in lines if line.strip()] for code, lines in read_paragraphs(folder).items()}
    codes = [language.code for language in table()]
    rejected_far: list[int] = [0, 0]
    for code in codes:
        verdicts = judge_all(texts[code], code)
        yield Measured(
            f"{code}: own paragraphs right", len(verdicts), percent(verdicts.count("right"), len(verdicts)), 98
        )
    for code in codes:
        for other in texts:
            if other == code:
                continue
            verdicts = judge_all(texts[other], code)
            rejected = len(verdicts) - verdicts.count("right")
            if other in NEIGHBOURS.get(code, []):
                yield Measured(f"{code}: {other} rejected", len(verdicts), percent(rejected, len(verdicts)), 95)
                wrong = verdicts.count("wrong")
                yield Measured(f"{code}: {other} wrong", len(verdicts), percent(wrong, len(verdicts)), 90)
            else:
                rejected_far[0] += rejected
                rejected_far[1] += len(verdicts)
    yield Measured("all other pairs rejected", rejected_far[1], percent(*rejected_far), 99)
    sentences = {code: read_sentences(lines) for code, lines in texts.items()}
    for code in codes:
        found, n, worst, worst_code = 0, 0, 101.0, ""
        for other in texts:
            if other == code:
                continue
            verdicts = judge_all(mix_one_in_five(sentences[code], sentences[other], 7), code)
            found += verdicts.count("mixed")
            n += len(verdicts)
            if percent(verdicts.count("mixed"), len(verdicts)) < worst:
                worst, worst_code = percent(verdicts.count("mixed"), len(verdicts)), other
        yield Measured(f"{code}: one foreign sentence in five found", n, percent(found, n), 95)
        yield Measured(f"{code}: the same, hardest language ({worst_code})", len(sentences[worst_code]), worst, 90)


def insert_sentence(text: str, sentence: str, draw: random.Random) -> str:
    """The sentence at the end of a line or of a sentence of the text, but not inside fenced code."""
    places = [match.end() for match in re.finditer(r"(?<=[.!?])(?= )|$", text, re.MULTILINE)]
    places = [at for at in places if text[:at].count("```") % 2 == 0] or [0]
    at = draw.choice(places)
    return f"{text[:at].rstrip(' ')} {sentence} {text[at:].lstrip(' ')}".strip()


def measure_answers(data: Path) -> Iterator[Measured]:
    rows = [row for name in GENERATORS for row in read_outputs(data, name)]
    english = score_fidelity(rows, "eng")
    determinate = english.n_right + english.n_wrong + english.n_mixed
    yield Measured(
        "real English answers right (of determinate)", determinate, percent(english.n_right, determinate), 99
    )
    yield Measured("real English answers determinate", len(rows), percent(determinate, len(rows)), 90)
    german = score_fidelity(rows, "deu")
    yield Measured("asked for in German: not right", len(rows), percent(len(rows) - german.n_right, len(rows)), 99.5)
    yield Measured("asked for in German: wrong", len(rows), percent(german.n_wrong, len(rows)), 90)
    draw = random.Random(5)
    texts = {code: read_sentences(lines) for code, lines in read_paragraphs(data / "udhr").items() if code != "eng"}
    mixed = []
    for row, verdict in zip(rows, english.verdicts, strict=True):
        if verdict.verdict == "right":
            code = draw.choice(list(texts))
            mixed.append(replace(row, output=insert_sentence(row.output, draw.choice(texts[code]), draw)))
    found = score_fidelity(mixed, "eng")
    yield Measured("with one foreign sentence: mixed", len(mixed), percent(found.n_mixed, len(mixed)), 95)
    yield Measured(
        "with one foreign sentence: not right", len(mixed), percent(len(mixed) - found.n_right, len(mixed)), 95
    )


def read_outputs(data: Path, name: str) -> list[ModelOutput]:
    return read_records(data / "alpaca_eval" / "results" / name / "model_outputs.json", ModelOutput)


def measure_speed(data: Path) -> Iterator[Measured]:
    """CPU seconds of `xl-suite fidelity` over all outputs, with the start of the process."""
    command = "import sys; from xl_suite.cli.main import main; sys.exit(main(sys.argv[1:]))"
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        size = 0
        for name in GENERATORS:
            rows = [replace(row, language="eng") for row in read_outputs(data, name)]
            size += sum(len(row.output.encode()) for row in rows)
            write_json(Path(folder) / name / "eng.json", rows)
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, "-c", command, "fidelity", folder, "--json"],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **one_core},
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            rates.append(size / 1e6 / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    yield Measured("MB of output a CPU second, whole verb, median of 3", size, statistics.median(rates), 0.8)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    data = parser.parse_args().data
    missed = 0
    print(f"{'what':<58}{'n':>9}{'value':>9}{'bar':>7}")
    for measure in (measure_declaration(data / "udhr"), measure_answers(data), measure_speed(data)):
        for row in measure:
            ok = row.value >= row.bar
            missed += not ok
            print(f"{row.what:<58}{row.n:>9}{row.value:>9.2f}{row.bar:>7g}{'' if ok else '  missed'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
