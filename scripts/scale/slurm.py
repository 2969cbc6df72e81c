"""A Slurm of two nodes on this machine, of Debian's slurm-wlm and munge, run by root without systemd."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.scale import cluster

CONFIG = """\
ClusterName=scale
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldPort=16817
NodeName=a NodeHostname={host} NodeAddr=127.0.0.1 Port=16818 CPUs=2
NodeName=b NodeHostname={host} NodeAddr=127.0.0.1 Port=16819 CPUs=2
PartitionName=main Nodes=a,b Default=YES MaxTime=INFINITE State=UP
"""


def is_installed() -> bool:
    return all(shutil.which(name, path=_path()) for name in ("munged", "slurmctld", "slurmd", "sbatch"))


@contextmanager
def start_slurm(folder: Path) -> Iterator[None]:
    """Lets SLURM_CONF name the two nodes, until they are stopped."""
    place = folder / "slurm"
    for name in ("state", "spool-a", "spool-b"):
        (place / name).mkdir(parents=True)
    (place / "slurm.conf").write_text(CONFIG.format(folder=place, host=socket.gethostname().partition(".")[0]))
    os.environ.update(SLURM_CONF=str(place / "slurm.conf"), PATH=_path())
    key = place / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    files = {name: place / f"munge.{name}" for name in ("sock", "pid", "log", "seed")}
    options = ["--key-file", str(key), "--socket", str(files["sock"]), "--pid-file", str(files["pid"])]
    options += ["--log-file", str(files["log"]), "--seed-file", str(files["seed"])]
    try:
        subprocess.run(["munged", "--force", *options], check=True)
        subprocess.run(["slurmctld", "-c"], check=True)
        for node in ("a", "b"):
            subprocess.run(["slurmd", "-N", node], check=True)
        cluster.wait_until(lambda: _ask("sinfo", "-h", "-t", "idle", "-o", "%D") == "2", 60)
        yield
    finally:
        for path in (*place.glob("slurmd-*.pid"), place / "slurmctld.pid", files["pid"]):
            with suppress(OSError, ValueError):
                os.kill(int(path.read_text()), signal.SIGTERM)


def submit_array(command: list[str], count: int, folder: Path) -> str:
    """The plain script of docs/how-to/scaling.md: one array, two ranks at a time. Returns the job's ID."""
    at = command.index("respond") + 1
    words = " ".join(command[:at])
    rest = " ".join(f"'{word}'" for word in command[at:])
    script = f'#!/bin/bash\nsrun {words} --rank "$SLURM_ARRAY_TASK_ID/{count}" {rest}\n'
    (folder / "ranks.sh").write_text(script)
    log = str(folder / "ranks-%a.log")
    return _ask("sbatch", "--parsable", f"--array=0-{count - 1}", "-o", log, str(folder / "ranks.sh"))


def wait_for_job(job: str) -> None:
    cluster.wait_until(lambda: not _ask("squeue", "-h", "-j", job), 300)


def _ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
