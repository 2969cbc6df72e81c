"""Names of models, and the servers that are started for some of them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.chat.models import OPENAI_URL, Model, parse_model, require_key
from xl_suite.chat.serving.servers import run_server
from xl_suite.errors import BadInput, MissingExtra, ModelUnavailable

ROOT = Path(__file__).resolve().parents[3]
KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY", "XL_SUITE_VLLM", "XL_SUITE_SERVER_ARGS")

# A server as far as `run_server` is concerned: it takes vLLM's options and answers its health check.
FAKE_SERVER = """\
import http.server, json, os, subprocess, sys, time
arguments = sys.argv[1:]
mode = os.environ.get("FAKE_MODE", "")
print("fake server", json.dumps(arguments), "secret" if "OPENAI_API_KEY" in os.environ else "no secret", flush=True)
print("token" if "HF_TOKEN" in os.environ else "no token", flush=True)
if mode == "dies":
    sys.exit("CUDA out of memory, says the fake")
if mode == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the worker inherits it
if mode in ("worker", "stubborn"):
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("worker", worker.pid, flush=True)
if mode == "slow":
    time.sleep(600)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
port = int(arguments[arguments.index("--port") + 1])
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
print("serving", os.getpid(), flush=True)
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder that looks like a model's."""
    folder = tmp_path / "my model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text(name, encoding="utf-8")
    return folder


@pytest.fixture
def fake_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    script = tmp_path / "fake_vllm.py"
    script.write_text(FAKE_SERVER, encoding="utf-8")
    monkeypatch.setenv("XL_SUITE_VLLM", f"{sys.executable} {script}")
    return lambda mode: monkeypatch.setenv("FAKE_MODE", mode)


@pytest.fixture
def impatient_keeper(tmp_path: Path) -> Path:
    """The keeper, but for the time that it gives a server to end by itself."""
    text = (ROOT / "xl_suite" / "chat" / "serving" / "keeper.py").read_text(encoding="utf-8")
    assert "GRACE_SECONDS = 5.0" in text
    path = tmp_path / "keeper.py"
    path.write_text(text.replace("GRACE_SECONDS = 5.0", "GRACE_SECONDS = 0.3"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "name", "urls"),
    [
        ("m@http://localhost:8000/v1", "m", ["http://localhost:8000/v1"]),
        ("m@http://localhost:8000/v1/", "m", ["http://localhost:8000/v1"]),
        ("m@http://localhost:8000", "m", ["http://localhost:8000/v1"]),
        ("m@HTTP://LocalHost:8000/", "m", ["http://localhost:8000/v1"]),
        ("m@https://host/proxy/", "m", ["https://host/proxy/v1"]),
        ("m@https://host/v1beta/openai/", "m", ["https://host/v1beta/openai"]),
        ("m@http://host/v1/chat/completions", "m", ["http://host/v1"]),
        ("m@http://[::1]:8000", "m", ["http://[::1]:8000/v1"]),
        ("Qwen/Qwen2.5-7B@http://a:1,http://b:2/v1", "Qwen/Qwen2.5-7B", ["http://a:1/v1", "http://b:2/v1"]),
        ("m@http://a:1,http://a:1/v1", "m", ["http://a:1/v1"]),
        ("llama3:8b@http://a:1", "llama3:8b", ["http://a:1/v1"]),
        ("org/m@main:x@http://a:1", "org/m@main:x", ["http://a:1/v1"]),
    ],
)
def test_server_names(text: str, name: str, urls: list[str]) -> None:
    assert parse_model(text) == Model(name, name, tuple(urls), "server")


@pytest.mark.parametrize("name", ["gpt-4o-2024-08-06", "ft:gpt-4o:org::id", "claude@20240229", "org/name"])
def test_openai_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_model(name) == Model(name, name, (OPENAI_URL,), "openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere:9/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert parse_model(name) == Model(name, name, ("http://elsewhere:9/v1",), "openai", "sk-secret")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no model"),
        (" \t", "names no model"),
        ("a b", "space"),
        ("a\nb", "do not print"),
        ("@http://a:1", "no model before the @"),
        ("m@ftp://a/v1", "not a URL that can be called"),
        ("m@http://", "not a URL that can be called"),
        ("m@http://a:port/v1", "not a URL"),
        ("m@http://a:99999", "not a URL"),
        ("m@http://a:1,", "not a URL that can be called"),
        ("m@http://a:1/v1?key=x", "query"),
        ("m@localhost:8000", r"m@http://localhost:8000"),
        ("m@10.0.0.1:8000/v1", r"m@http://10.0.0.1:8000/v1"),
        ("vllm:", "names nothing"),
        ("vllm:m@http://a:1", "takes no URL"),
        ("transfomers:org/m", "Did you mean 'transformers:org/m'"),
        ("VLLM:org/m", "Did you mean 'vllm:org/m'"),
        ("./model", "transformers:./model"),
        ("transformers:/no/such/folder", "neither a folder here"),
        ("transformers:org/name/more", "neither a folder here"),
        ("replay:/no/such/journal", "no journal"),
        ("replay:", "names nothing"),
        ("replay:" + "a" * 5000, "no journal"),
        ("vllm:~nobody/" + "a" * 5000, "neither a folder here"),
        ("/" + "a" * 5000, "is a folder"),
    ],
)
def test_bad_names_tell_the_way_out(text: str, says: str) -> None:
    with pytest.raises((BadInput, ModelUnavailable), match=says.replace("(", r"\(")):
        parse_model(text)


@given(
    st.one_of(st.text(), st.from_regex(r"(vllm:|replay:|transformers:)?[\w/:@.#-]*(@https?://\S*)?", fullmatch=True))
)
def test_any_text_is_a_model_or_is_refused(text: str) -> None:
    try:
        model = parse_model(text)
    except (BadInput, ModelUnavailable):
        return
    assert model.name
    assert all(url.startswith(("http://", "https://")) and not url.endswith("/") for url in model.urls)


def test_a_secret_in_a_url_is_not_repeated() -> None:
    with pytest.raises(BadInput, match="XL_SUITE_API_KEY") as caught:
        parse_model("m@http://user:hunter2@host/v1")
    assert "hunter2" not in str(caught.value)


def test_keys_go_only_where_they_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert parse_model("m@http://foreign:1").api_key is None
    assert parse_model(f"m@{OPENAI_URL}").api_key == "sk-openai"
    assert parse_model(f"m@{OPENAI_URL},http://foreign:1").api_key is None
    monkeypatch.setenv("XL_SUITE_API_KEY", "other")
    assert parse_model("m@http://foreign:1").api_key == "other"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://foreign:1/v1/")
    assert parse_model("m@http://foreign:1").api_key == "sk-openai"
    assert "sk-openai" not in repr(parse_model("gpt-4o"))


def test_openai_needs_its_key_only_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
        require_key(parse_model("gpt-4o"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    require_key(parse_model("gpt-4o"))
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    require_key(parse_model("gpt-4o"))


def test_replay_names(tmp_path: Path) -> None:
    journal = tmp_path / "a#b.sqlite"
    journal.touch()
    assert parse_model(f"replay:{journal}") == Model("", "", (), "replay", source=str(journal))
    assert parse_model(f"replay:{journal}#org/m") == Model("org/m", "org/m", (), "replay", source=str(journal))


def test_local_weights_are_known_by_their_content(weights: Path, tmp_path: Path) -> None:
    model = parse_model(f"vllm:{weights}")
    assert (model.name, model.kind, model.source) == ("my-model", "vllm", str(weights))
    assert model.key.startswith("sha256:")
    moved = tmp_path / "moved"
    weights.rename(moved)
    (moved / "README.md").write_text("no part of the model", encoding="utf-8")
    (moved / "optimizer.pt").write_text("nor this", encoding="utf-8")
    assert parse_model(f"transformers:{moved}").key == model.key
    (moved / "model.safetensors").write_text("other weights", encoding="utf-8")
    assert parse_model(f"transformers:{moved}").key != model.key


def test_weights_are_read_once(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    key = parse_model(f"vllm:{weights}").key
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    assert parse_model(f"vllm:{weights}").key == key


@pytest.mark.parametrize(
    ("absent", "says"),
    [("config.json", "config.json"), ("model.safetensors", "weights"), ("tokenizer.json", "a tokenizer")],
)
def test_an_incomplete_folder_is_named(weights: Path, absent: str, says: str) -> None:
    (weights / absent).unlink()
    with pytest.raises(ModelUnavailable, match=f"is not a folder of a model: {says}"):
        parse_model(f"transformers:{weights}")


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="LoRA adapter"):
        parse_model(f"vllm:{tmp_path}")


def test_missing_extras_have_their_install_line(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingExtra, match=r"XL_SUITE_VLLM.*xl-suite\[vllm\]"):
        start(parse_model(f"vllm:{weights}"), tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"torch is not installed.*xl-suite\[hf\]"):
        start(parse_model(f"transformers:{weights}"), tmp_path)


def test_an_old_transformers_is_refused(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "4.57.6")
    with pytest.raises(ModelUnavailable, match=r"transformers 4.57.6 is too old.*5\.6 or later"):
        start(parse_model(f"transformers:{weights}"), tmp_path)


def test_settings_that_cannot_be(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse_model(f"vllm:{weights}")
    monkeypatch.setenv("XL_SUITE_VLLM", "no-such-command")
    with pytest.raises(ModelUnavailable, match="no-such-command"):
        start(model, tmp_path)
    monkeypatch.setenv("XL_SUITE_SERVER_ARGS", "--unclosed 'quote")
    with pytest.raises(BadInput, match="XL_SUITE_SERVER_ARGS"):
        start(model, tmp_path)
    monkeypatch.setenv("XL_SUITE_SERVER_SECONDS", "soon")
    with pytest.raises(BadInput, match="XL_SUITE_SERVER_SECONDS"):
        start(model, tmp_path)


def serve(model: Model, log: Path) -> AbstractContextManager[tuple[Model, Callable[[], str | None]]]:
    return run_server(model, log, lambda line: print(line, file=sys.stderr), threading.Event())


def start(model: Model, folder: Path) -> None:
    with serve(model, folder / "server.log"):
        pass


def test_a_server_is_started_and_stopped(
    weights: Path,
    tmp_path: Path,
    fake_vllm: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_vllm("worker")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("XL_SUITE_SERVER_ARGS", "--max-model-len 4096 --dtype auto")
    monkeypatch.setenv("HF_TOKEN", "hf_of_mine")
    log = tmp_path / "logs" / "server.log"
    with serve(parse_model(f"vllm:{weights}"), log) as (served, explain_death):
        assert served.urls[0].startswith("http://127.0.0.1:")
        assert served.urls[0].endswith("/v1")
        assert explain_death() is None
        pids = read_pids(log)
        assert all(map(psutil.pid_exists, pids))
        assert len(pids) == 2
    assert_gone(pids)
    text = log.read_text(encoding="utf-8")
    arguments = json.loads(text.split("fake server ")[1].split("]")[0] + "]")
    assert arguments[:4] == ["serve", str(weights), "--served-model-name", "my-model"]
    assert arguments[4:6] == ["--max-model-len", "4096"]
    assert "no secret" in text
    assert "no token" in text
    assert "ready after" in capsys.readouterr().err


def test_a_server_that_ignores_the_signal_is_killed(
    weights: Path,
    tmp_path: Path,
    fake_vllm: Callable[[str], None],
    impatient_keeper: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_vllm("stubborn")
    monkeypatch.setattr("xl_suite.chat.serving.keeper.__file__", str(impatient_keeper))
    with serve(parse_model(f"vllm:{weights}"), tmp_path / "log"):
        pids = read_pids(tmp_path / "log")
    assert_gone(pids)


def test_a_server_that_dies_at_the_start_shows_its_log(
    weights: Path, tmp_path: Path, fake_vllm: Callable[[str], None]
) -> None:
    fake_vllm("dies")
    with pytest.raises(ModelUnavailable, match=r"did not start(?s:.*)CUDA out of memory, says the fake"):
        start(parse_model(f"vllm:{weights}"), tmp_path)


def test_a_server_that_is_never_ready_names_the_limit(
    weights: Path, tmp_path: Path, fake_vllm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_vllm("slow")
    monkeypatch.setenv("XL_SUITE_SERVER_SECONDS", "0.5")
    with pytest.raises(ModelUnavailable, match=r"not ready after 0.5 s.*XL_SUITE_SERVER_SECONDS"):
        start(parse_model(f"vllm:{weights}"), tmp_path)


def test_a_server_that_dies_later_is_reported(
    weights: Path, tmp_path: Path, fake_vllm: Callable[[str], None]
) -> None:
    fake_vllm("")
    log = tmp_path / "server.log"
    with serve(parse_model(f"vllm:{weights}"), log) as (_, explain_death):
        assert explain_death() is None
        os.kill(read_pids(log)[0], signal.SIGKILL)
        wait_for(lambda: explain_death() is not None)
        assert "server.log" in (explain_death() or "")


def test_a_taken_port_is_tried_again(
    weights: Path, tmp_path: Path, fake_vllm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first server finds its port taken, as by another run in the moment between finding and binding."""
    fake_vllm("")
    once = tmp_path / "once"
    script = tmp_path / "fake_vllm.py"
    taken = f"import os, sys\nif not os.path.exists({str(once)!r}):\n    open({str(once)!r}, 'w')\n"
    script.write_text(taken + "    sys.exit('[Errno 98] address already in use')\n" + FAKE_SERVER, encoding="utf-8")
    with serve(parse_model(f"vllm:{weights}"), tmp_path / "log") as (served, _):
        assert is_up(served.urls[0])


@pytest.mark.parametrize("mode", ["worker", "stubborn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_is_left_behind(
    number: signal.Signals,
    mode: str,
    weights: Path,
    tmp_path: Path,
    fake_vllm: Callable[[str], None],
    impatient_keeper: Path,
) -> None:
    fake_vllm(mode)
    log = tmp_path / "log"
    code = (
        "import sys, threading, time; from pathlib import Path; from xl_suite.chat.serving import keeper\n"
        "from xl_suite.chat.models import parse_model\n"
        "from xl_suite.chat.serving.servers import run_server\n"
        "keeper.__file__ = sys.argv[3]\n"
        "with run_server(parse_model(sys.argv[1]), Path(sys.argv[2]), lambda line: None, threading.Event()):\n"
        "    print('up', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, f"vllm:{weights}", str(log), str(impatient_keeper)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == "up\n"
        pids = read_pids(log)
        ours.send_signal(number)
        try:
            ours.wait(20)
        finally:
            ours.kill()  # the block would wait for it
    assert len(pids) == 2
    assert_gone(pids)


def read_pids(log: Path) -> list[int]:
    """The processes that the fake server names in its log: itself, and its worker if it has one."""

    def read() -> list[int]:
        lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
        return [int(words[1]) for words in lines if len(words) == 2 and words[0] in ("serving", "worker")]

    wait_for(lambda: bool(read()))
    return read()


def assert_gone(pids: list[int]) -> None:
    def is_gone(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    wait_for(lambda: all(map(is_gone, pids)))


def wait_for(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_up(url: str) -> bool:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=5)
    connection.request("GET", "/health")
    return connection.getresponse().status == 200
