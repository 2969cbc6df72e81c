"""Local weights: is the folder a model, and which one is it?"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from xl_suite.errors import ModelUnavailable
from xl_suite.records import write_text

logger = logging.getLogger("xl_suite.chat")
# What decides a model's answers: weights, configuration, tokenizer and chat template, and code that comes along.
_SUFFIXES = {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".model", ".txt", ".jinja", ".py", ".tiktoken"}
# What training leaves beside them.
_LEFT_OUT = {"trainer_state.json", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "scaler.pt"}
_WEIGHTS = (".safetensors", ".bin", ".gguf")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json", "spiece.model")


def check_folder(folder: Path) -> None:
    """Raises ModelUnavailable, naming what is absent, for a folder that cannot be served."""
    names = {path.name for path in model_files(folder)}
    if "adapter_config.json" in names and "config.json" not in names:
        raise ModelUnavailable(
            f"{folder} holds a LoRA adapter, not a model. Merge it into its base model first "
            "(peft: PeftModel.from_pretrained(base, DIR).merge_and_unload().save_pretrained(OUT))."
        )
    absent = [] if "config.json" in names else ["config.json"]
    if not any(name.endswith(_WEIGHTS) for name in names):
        absent.append("weights (*.safetensors)")
    if not names.intersection(_TOKENIZERS) and not any(name.endswith((".gguf", ".tiktoken")) for name in names):
        absent.append("a tokenizer (tokenizer.json)")
    if absent:
        found = ", ".join(sorted(names)[:8]) or "nothing of a model"
        raise ModelUnavailable(
            f"{folder} is not a folder of a model: {', '.join(absent)} absent. Found: {found}. "
            "A folder as save_pretrained writes it, for model and tokenizer, is needed."
        )


def read_config(folder: Path) -> dict[str, Any]:
    """The model's config.json; empty where it is absent or cannot be read."""
    try:
        found = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def weigh(folder: Path) -> int:
    """Bytes of the weights."""
    return sum(path.stat().st_size for path in model_files(folder) if path.suffix in _WEIGHTS)


def model_files(folder: Path) -> list[Path]:
    """The files at the top of the folder that decide the model's answers, by name."""
    files = (path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.name not in _LEFT_OUT)
    return sorted(path for path in files if path.is_file() and not path.name.startswith("."))


def hash_folder(folder: Path) -> str:
    """`sha256:` and the hash of the names and contents of the model's files.

    The hash of a file is kept in the user's cache by path, size and time of change, so that weights of many
    gigabytes are read once and not at every start.
    """
    kept = _read_kept()
    known = dict(kept)
    whole = hashlib.sha256()
    for path in model_files(folder.resolve()):
        whole.update(f"{path.name}\0{_hash_file(path, kept)}\n".encode())
    if kept != known:
        _write_kept(kept)
    return f"sha256:{whole.hexdigest()}"


def _hash_file(path: Path, kept: dict[str, str]) -> str:
    """The file's hash, from `kept` where neither size nor time has changed since; adds it there otherwise."""
    status = path.stat()
    state = f"{status.st_size} {status.st_mtime_ns} "
    entry = kept.get(str(path), "")
    if entry.startswith(state):
        return entry.removeprefix(state)
    if status.st_size > 1 << 30:
        logger.info("reading %s (%.1f GB) for its hash, once", path, status.st_size / 1e9)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kept[str(path)] = state + digest
    return digest


def _kept_path() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xl-suite" / "weights.json"


def _read_kept() -> dict[str, str]:
    try:
        kept = json.loads(_kept_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in kept.items()} if isinstance(kept, dict) else {}


def _write_kept(kept: dict[str, str]) -> None:
    try:
        write_text(_kept_path(), json.dumps(kept, indent=0))
    except OSError:  # a home that cannot be written to costs a second reading, nothing else
        return
