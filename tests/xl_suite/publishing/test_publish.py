"""Publishing to a loopback Hub with the real huggingface_hub, and loading from it with the real datasets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.hub_server import TOKEN, Fault, Hub, serve_hub
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.publishing.checks import check_folder, find_files
from xl_suite.publishing.hub import add_gate, next_version

REPO = "org/demo"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "benchmark"
    write_demo_benchmark(folder, build_demo_rows())
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "benchmark"))


def run(hub: Hub, tmp_path: Path, *words: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own: huggingface_hub reads its endpoint when it is imported."""
    names = ("HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(tmp_path / "hf")}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, cwd=tmp_path)


def publish(hub: Hub, folder: Path, *options: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    words = ["-m", "xl_suite.cli.main", "publish", str(folder), "--repo", REPO, *options]
    return run(hub, folder.parent, *words, token=token)


def files_on(hub: Hub) -> dict[str, bytes]:
    repo = hub.repos["dataset", REPO]
    commit = repo.find("main")
    assert commit is not None
    return commit.files


def test_published_then_loaded_also_streaming(hub: Hub, folder: Path) -> None:
    done = publish(hub, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.url}/datasets/{REPO} at 1.0.0"
    repo = hub.repos["dataset", REPO]
    assert list(repo.tags) == ["1.0.0"]
    assert len(repo.commits) == 2
    expected = {str(path.relative_to(folder)): path.read_bytes() for path in find_files(folder)}
    assert {name: data for name, data in files_on(hub).items() if name != ".gitattributes"} == expected
    code = f"""if True:
        from datasets import load_dataset
        one = load_dataset({REPO!r}, "deu", split="test")
        other = load_dataset({REPO!r}, split="german")
        stream = load_dataset({REPO!r}, "zho", split="test", streaming=True)
        pinned = load_dataset({REPO!r}, "deu", split="test", revision="1.0.0")
        print(len(one), one.to_list() == other.to_list() == pinned.to_list(), next(iter(stream))["language"])"""
    loaded = run(hub, folder.parent, "-c", code)
    assert loaded.stdout.strip() == "23 True zho", loaded.stderr


def test_a_second_publish_of_the_same_makes_no_commit(hub: Hub, folder: Path) -> None:
    assert publish(hub, folder).returncode == 0
    again = publish(hub, folder)
    assert (again.returncode, "nothing was committed" in again.stdout) == (0, True)
    assert len(hub.repos["dataset", REPO].commits) == 2
    assert list(hub.repos["dataset", REPO].tags) == ["1.0.0"]


def test_a_change_is_one_commit_and_the_next_version(hub: Hub, folder: Path) -> None:
    assert publish(hub, folder).returncode == 0
    card = folder / "README.md"
    card.write_text(card.read_text() + "\nOne more line.\n")
    uploads = hub.count("^PUT /lfs/")
    dry = publish(hub, folder, "--dry-run", "--json")
    told = json.loads(dry.stdout)
    assert [(change["path"], change["kind"]) for change in told["changes"]] == [("README.md", "changed")]
    assert (told["tag"], told["n_unchanged"], told["known"]) == ("1.1.0", 12, True)
    assert len(hub.repos["dataset", REPO].commits) == 2
    assert publish(hub, folder).returncode == 0
    assert list(hub.repos["dataset", REPO].tags) == ["1.0.0", "1.1.0"]
    assert files_on(hub)["README.md"] == card.read_bytes()
    assert hub.count("^PUT /lfs/") == uploads


def test_a_dry_run_makes_nothing(hub: Hub, folder: Path) -> None:
    done = publish(hub, folder, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "does not exist yet" in done.stderr
    assert hub.repos == {}
    assert not (folder / ".cache").exists()


def test_commits_that_the_folder_has_not_seen_are_not_overwritten(hub: Hub, folder: Path) -> None:
    assert publish(hub, folder).returncode == 0
    repo = hub.repos["dataset", REPO]
    head = repo.add("main", "by somebody else", {**files_on(hub), "notes.md": b"theirs"}).id
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nOurs.\n")
    refused = publish(hub, folder)
    assert refused.returncode == 2
    assert f"--over {head}" in refused.stderr
    assert files_on(hub)["notes.md"] == b"theirs"
    assert publish(hub, folder, "--over", "0" * 40).returncode == 2
    assert publish(hub, folder, "--over", head).returncode == 0
    assert "notes.md" not in files_on(hub)


def test_a_repository_of_someone_elses_content_is_not_overwritten(hub: Hub, folder: Path, tmp_path: Path) -> None:
    assert publish(hub, folder).returncode == 0
    shutil.rmtree(folder / ".cache")  # as in another checkout
    assert (
        publish(hub, folder).returncode == 0
    )  # the same content: nothing to do, and the commit is known from now on
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nMore.\n")
    assert publish(hub, folder).returncode == 0


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (Fault("POST /api/repos/create", 401), "Log in first"),
        (Fault("POST .*/commit/", 403), "may not write there"),
        (Fault("POST .*/commit/", 412), "look at --dry-run"),
        (Fault("POST .*/commit/", 409), "Run the same command again"),
        (Fault("POST .*/commit/", 500, times=9), "Run the same command again"),
        (Fault("^PUT /lfs/", cut=True, times=99), "Run the same command again"),
    ],
    ids=["401", "403", "412", "409", "500", "cut"],
)
def test_refusals_say_what_to_do_commit_nothing_and_the_next_run_succeeds(
    hub: Hub, folder: Path, fault: Fault, advice: str
) -> None:
    hub.faults.append(fault)
    refused = publish(hub, folder)
    assert refused.returncode == 2, refused.stdout
    assert advice in refused.stderr
    assert "Traceback" not in refused.stderr
    assert TOKEN not in refused.stderr
    assert all(len(repo.commits) == 1 and not repo.tags for repo in hub.repos.values())
    fault.times = 0
    assert publish(hub, folder).returncode == 0
    assert list(hub.repos["dataset", REPO].tags) == ["1.0.0"]


def test_a_token_that_is_none(hub: Hub, folder: Path) -> None:
    refused = publish(hub, folder, token="hf_wrong")
    assert (refused.returncode, "Log in first" in refused.stderr) == (2, True)


def test_private_gated_and_a_branch(hub: Hub, folder: Path) -> None:
    done = publish(hub, folder, "--private", "--gated", "manual", "--gated-prompt", 'Agree: "yes"', "--tag", "0.1.0")
    assert done.returncode == 0, done.stderr
    repo = hub.repos["dataset", REPO]
    assert (repo.private, repo.settings["gated"]) == (True, "manual")
    assert b'extra_gated_prompt: "Agree: \\"yes\\""' in files_on(hub)["README.md"]
    assert list(repo.tags) == ["0.1.0"]
    taken = publish(hub, folder, "--tag", "0.1.0")
    assert "has the tag 0.1.0 already" in taken.stderr
    branch = publish(hub, folder, "--revision", "next")
    assert branch.returncode == 0, branch.stderr
    assert set(repo.branches) == {"main", "next"}


def break_card(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("license: apache-2.0\n", ""))


def remove_card(folder: Path) -> None:
    (folder / "README.md").unlink()


def drop_rows(folder: Path) -> None:
    path = folder / "deu" / "test-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).slice(1), path)


def rename_column(folder: Path) -> None:
    path = folder / "deu" / "test-00000-of-00001.parquet"
    table = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(table.rename_columns(["idx", *table.column_names[1:]]), path)


def corrupt(folder: Path) -> None:
    (folder / "deu" / "test-00000-of-00001.parquet").write_bytes(b"PAR1 no more")


def plant(text: str) -> Any:
    def change(folder: Path) -> None:
        path = folder / "deu" / "test-00000-of-00001.parquet"
        rows = pyarrow.parquet.read_table(path)
        prompts = [*rows.column("prompt").to_pylist()[:-1], text]
        column = rows.column_names.index("prompt")
        pyarrow.parquet.write_table(rows.set_column(column, "prompt", [prompts]), path)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (break_card, "license is missing"),
        (remove_card, "There is no card"),
        (drop_rows, "deu/test has 22 rows; the card says 23"),
        (rename_column, "has the columns idx"),
        (corrupt, "no readable Parquet file"),
        (plant("my key is sk-" + "a1" * 12), "looks like a key (sk-a1a"),
        (plant("-----BEGIN RSA PRIVATE KEY-----"), "looks like a key"),
        (plant("write to Jane.Doe+x@mail.example.org"), "e-mail address Jane.Doe+x@mail.example.org in deu"),
    ],
)
def test_a_folder_that_must_not_go_out_is_refused(hub: Hub, folder: Path, change: Any, message: str) -> None:
    change(folder)
    refused = publish(hub, folder)
    assert refused.returncode == 2
    assert message in refused.stderr, refused.stderr
    assert hub.repos == {}


def test_emails_can_be_allowed(hub: Hub, folder: Path) -> None:
    plant("write to jane@example.org")(folder)
    assert publish(hub, folder, "--allow-emails").returncode == 0


def test_a_key_of_the_environment_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XL_SUITE_API_KEY", "my-own-secret-string")
    plant("text with my-own-secret-string inside")(folder)
    assert "one of your environment's keys" in check_folder(folder).problems[0]


def test_hidden_files_stay_here(folder: Path) -> None:
    (folder / ".journal.sqlite").write_text("")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.json").write_text("{}")
    assert not [path for path in find_files(folder) if ".cache" in path.parts or path.name.startswith(".")]


def test_an_adapter_is_a_model(hub: Hub, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    (adapter / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Adapter\n")
    assert "base_model is missing" in publish(hub, adapter).stderr
    (adapter / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: org/base\n---\n# Adapter\n")
    done = publish(hub, adapter)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{hub.url}/{REPO} at 1.0.0")
    assert ("model", REPO) in hub.repos


@pytest.mark.parametrize(
    ("tags", "version"),
    [([], "1.0.0"), (["main-2"], "1.0.0"), (["1.0.0"], "1.1.0"), (["v1.9.3", "1.10.0", "0.9.0"], "1.11.0")],
)
def test_versions(tags: list[str], version: str) -> None:
    assert next_version(tags) == version


def test_a_gate_is_a_field_of_the_card() -> None:
    assert add_gate("---\na: 1\n---\n", "x").startswith('---\nextra_gated_prompt: "x"\na: 1\n')


@pytest.mark.parametrize("name", ["demo", "org/", "../x", "org/demo/more", "a b/c"])
def test_names_that_are_no_repository(hub: Hub, folder: Path, name: str) -> None:
    words = ["-m", "xl_suite.cli.main", "publish", str(folder), "--repo", name, "--dry-run"]
    done = run(hub, folder.parent, *words)
    assert (done.returncode, "no repository on the Hub" in done.stderr) == (2, True)
