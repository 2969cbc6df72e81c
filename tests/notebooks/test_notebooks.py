"""The notebooks of examples/, run in a Jupyter kernel against the loopback server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.scripted_models import answer, write_passages
from tests.tiny_model import make_tiny_model
from xl_suite.chat.loopback.server import Reply, last_message, serve_loopback
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SENTENCES = {
    "German": "Das ist eine ruhige und klare Antwort auf die Frage, die gestellt wurde.",
    "Hungarian": "Ez egy nyugodt és világos válasz arra a kérdésre, amelyet feltettek.",
}


def respond(request: dict[str, Any]) -> str | Reply:
    """As a model that answers in the language, the judge, the teacher or a translator would."""
    if request["model"] == "my-judge":
        return "m"
    if not request["model"].startswith("my-"):
        return answer(request)
    text = last_message(request)
    language = next((name for name in SENTENCES if name in text), "German")
    sentence = SENTENCES[language if request["model"] != "my-other-model" or len(text) % 3 else "German"]
    return f"{sentence} ({len(text)})"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader of the notebooks works: a benchmark, passages and a small model."""
    place = tmp_path_factory.mktemp("examples")
    rows = build_demo_rows()
    write_demo_benchmark(place / "xl-alpacaeval", {code: rows[code] for code in ("deu", "hun", "eng")})
    write_passages(place / "passages.jsonl", 40)
    make_tiny_model(place / "model")
    return place


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_loopback(respond) as server:
        yield server.url


def run_notebook(name: str, folder: Path, url: str) -> list[Any]:
    """Runs a notebook as it is, but for the address of its server; returns the outputs of its cells."""
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("http://localhost:8000/v1", url)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def read_html(outputs: list[Any]) -> str:
    return "\n".join(output["data"].get("text/html", "") for output in outputs if "data" in output)


@pytest.mark.slow
def test_benchmark_and_results(folder: Path, url: str) -> None:
    shown = read_html(run_notebook("benchmark_a_model.ipynb", folder, url))
    assert "Language fidelity" in shown
    assert "<td>overall</td>" in shown
    assert "my-other-model" in shown
    outputs = run_notebook("read_results.ipynb", folder, url)
    assert "win rate" in "".join(output.get("text", "") for output in outputs)
    assert (folder / "leaderboard" / "index.html").is_file()


@pytest.mark.slow
def test_data_and_training(folder: Path, url: str) -> None:
    run_notebook("make_data_and_train.ipynb", folder, url)
    assert (folder / "xl-instruct" / "bestof2").is_dir()
    assert list((folder / "adapter" / "adapter").glob("*.safetensors"))


def test_notebooks_are_stored_without_outputs() -> None:
    for path in EXAMPLES.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook.cells), path.name


def test_every_example_is_run() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(path.name in text for path in EXAMPLES.glob("*.ipynb"))
