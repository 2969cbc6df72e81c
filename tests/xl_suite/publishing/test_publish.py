"""Publishing to a loopback Hub with the real huggingface_hub, and loading from it with the real datasets.

Most of it runs in this process, with huggingface_hub's endpoint set to the loopback Hub; what is loaded is loaded in
a process of its own, as datasets reads its endpoint when it is imported.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from huggingface_hub import HfApi

from tests.hub_server import TOKEN, Fault, Hub, serve_hub
from xl_suite.cli.main import main
from xl_suite.dataset.card import read_metadata
from xl_suite.demo.benchmark import build_demo_rows, write_demo_benchmark
from xl_suite.demo.steps import run_demo
from xl_suite.errors import BadInput
from xl_suite.publishing.checks import check_folder, find_files
from xl_suite.publishing.hub import add_gate, newest_version, next_version, plan_publish
from xl_suite.publishing.hub import publish as publish_plan

REPO = "org/demo"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve_hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between attempts
        monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        yield hub


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "benchmark"
    write_demo_benchmark(folder, build_demo_rows())
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "benchmark"))


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def publish(hub: Hub, folder: Path, *options: str, token: str = TOKEN, repo: str = REPO) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("HF_TOKEN", token)
        status = main(["publish", str(folder), "--repo", repo, *options])
    return Done(status, out.getvalue(), err.getvalue())


def run(hub: Hub, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own."""
    names = ("HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf")}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, cwd=tmp_path)


def files_on(hub: Hub) -> dict[str, bytes]:
    repo = hub.repos["dataset", REPO]
    commit = repo.find("main")
    assert commit is not None
    return commit.files


LOAD = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
repo = sys.argv[1]
for config in sys.argv[2].split(","):
    whole = load_dataset(repo, config)
    for split, rows in whole.items():
        print(json.dumps([config, split, len(rows), sorted(rows.column_names)]))
    stream = load_dataset(repo, config, split=split, streaming=True, revision="1.0.0")
    assert list(stream) == rows.to_list()
print(json.dumps(get_dataset_config_names(repo)))
"""


@pytest.mark.slow
def test_all_of_the_demos_datasets_are_published_and_loaded(hub: Hub, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    run_demo(demo)
    folders = [card.parent for card in sorted(demo.glob("*/README.md"))]
    assert {"benchmark", "m-alpacaeval", "xl-instruct"} == {folder.name for folder in folders}
    for folder in folders:
        repo = f"org/{folder.name}"
        name = "xl_suite.cli.main"
        done = run(hub, tmp_path, "-m", name, "publish", str(folder), "--repo", repo, "--allow-emails")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{hub.url}/datasets/{repo} at 1.0.0"
        told = read_metadata((folder / "README.md").read_text()) or {}
        layout = {info["config_name"]: info for info in told["dataset_info"]}
        configs = [next(iter(layout)), list(layout)[-1]]
        loaded = run(hub, tmp_path, "-c", LOAD, repo, ",".join(configs))
        assert loaded.returncode == 0, loaded.stderr
        *lines, names = (json.loads(line) for line in loaded.stdout.splitlines())
        assert sorted(names) == sorted(layout)
        assert lines == [
            [config, split["name"], split["num_examples"], sorted(one["name"] for one in layout[config]["features"])]
            for config in configs
            for split in layout[config]["splits"]
        ]


def test_published_is_what_the_folder_holds(hub: Hub, folder: Path) -> None:
    done = publish(hub, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.url}/datasets/{REPO} at 1.0.0"
    repo = hub.repos["dataset", REPO]
    assert list(repo.tags) == ["1.0.0"]
    assert len(repo.commits) == 2
    expected = {str(path.relative_to(folder)): path.read_bytes() for path in find_files(folder)}
    assert {name: data for name, data in files_on(hub).items() if name != ".gitattributes"} == expected


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
    assert "does not exist yet" in done.stdout
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


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_run(hub: Hub, folder: Path) -> None:
    hub.faults.append(Fault("POST .*/commit/", lost=True))
    assert publish(hub, folder).returncode == 2
    repo = hub.repos["dataset", REPO]
    assert (len(repo.commits), repo.tags) == (2, {})
    assert "Only the tag 1.0.0 is missing" in publish(hub, folder, "--dry-run").stdout
    again = publish(hub, folder)
    assert (again.returncode, again.stdout.strip().endswith("nothing was committed at 1.0.0")) == (0, True)
    assert (len(repo.commits), repo.tags) == (2, {"1.0.0": repo.branches["main"]})
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nMore.\n")
    assert publish(hub, folder).returncode == 0  # the commit counts as seen
    assert list(repo.tags) == ["1.0.0", "1.1.0"]


def test_a_tag_that_could_not_be_made_is_made_by_the_next_run(hub: Hub, folder: Path) -> None:
    hub.faults.append(Fault("POST .*/tag/", status=500, times=9))
    assert publish(hub, folder).returncode == 2
    repo = hub.repos["dataset", REPO]
    assert (len(repo.commits), repo.tags) == (2, {})
    hub.faults.clear()
    assert publish(hub, folder).returncode == 0
    assert (len(repo.commits), list(repo.tags)) == (2, ["1.0.0"])
    assert publish(hub, folder).stdout.strip().endswith("nothing was committed")


def test_the_hubs_own_check_of_the_card(hub: Hub, folder: Path) -> None:
    hub.yaml_errors.append('"license" must be one of the following')
    refused = publish(hub, folder)
    assert refused.returncode == 2
    assert '"license" must be one of the following' in refused.stderr
    assert all(len(repo.commits) == 1 for repo in hub.repos.values())


def test_busy_for_a_moment(hub: Hub, folder: Path) -> None:
    """503 and a cut connection during the upload are nothing that a user need know of."""
    hub.faults += [Fault("^PUT /lfs/", status=503), Fault("^PUT /lfs/", cut=True)]
    done = publish(hub, folder)
    assert (done.returncode, list(hub.repos["dataset", REPO].tags)) == (0, ["1.0.0"]), done.stderr


def test_a_repository_that_somebody_makes_in_the_meantime(hub: Hub, folder: Path) -> None:
    plan = plan_publish(folder, REPO)
    other = Path(shutil.copytree(folder, folder.parent / "other"))
    assert publish(hub, other).returncode == 0
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BadInput, match="by somebody else in the meantime"):
        patch.setenv("HF_TOKEN", TOKEN)
        publish_plan(plan)
    assert len(hub.repos["dataset", REPO].commits) == 2


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


def change_type(folder: Path) -> None:
    path = folder / "deu" / "test-00000-of-00001.parquet"
    rows = pyarrow.parquet.read_table(path)
    column = pyarrow.array([str(value) for value in rows.column("id").to_pylist()])
    pyarrow.parquet.write_table(rows.set_column(rows.column_names.index("id"), "id", column), path)


def leave_journal(folder: Path) -> None:
    from xl_suite.chat.journal import Journal

    Journal(folder / "run.sqlite").close()


def plant_in_file(folder: Path) -> None:
    (folder / "notes").write_text("x" * ((1 << 20) - 9) + " hf_" + "a" * 34)


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


KEY = "hf_" + "a" * 34


def pack(folder: Path) -> None:
    (folder / "notes.jsonl.gz").write_bytes(gzip.compress(b"x" * 3_000_000 + f" {KEY}".encode()))


def pack_half(folder: Path) -> None:
    (folder / "notes.gz").write_bytes(gzip.compress(bytes(range(256)) * 4)[:-20])


def write_utf16(folder: Path) -> None:
    (folder / "notes.txt").write_text(f"x {KEY}", encoding="utf-16")


def hide_behind_nul(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"\0" * (2 << 20) + b" " + KEY.encode())


def name_file(folder: Path) -> None:
    (folder / f"run-{KEY}.txt").write_text("x")


def put_into_metadata(folder: Path) -> None:
    path = folder / "deu" / "test-00000-of-00001.parquet"
    table = pyarrow.parquet.read_table(path)
    metadata = {**(table.schema.metadata or {}), b"note": f"made with {KEY}".encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path)


def link_outside(folder: Path) -> None:
    (folder.parent / "passwords").write_text("root")
    (folder / "data.txt").symlink_to(folder.parent / "passwords")


def link_to_a_hidden_file(folder: Path) -> None:
    (folder / ".env").write_text("SECRET=1")
    (folder / "data.txt").symlink_to(".env")


def link_to_a_folder(folder: Path) -> None:
    (folder.parent / "others").mkdir()
    (folder / "data").symlink_to(folder.parent / "others")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pack, "notes.jsonl.gz holds what looks like a key (hf_aaa"),
        (pack_half, "notes.gz looks compressed, and cannot be unpacked"),
        (write_utf16, "notes.txt holds what looks like a key (hf_aaa"),
        (hide_behind_nul, "weights.bin holds what looks like a key (hf_aaa"),
        (name_file, "The name of run-[key].txt holds what looks like a key (hf_aaa"),
        (put_into_metadata, "parquet holds what looks like a key (hf_aaa"),
        (link_outside, "is not a file that is published from this folder"),
        (link_to_a_hidden_file, "is not a file that is published from this folder"),
        (link_to_a_folder, "is not a file that is published from this folder"),
        (break_card, "license is missing"),
        (remove_card, "There is no card"),
        (drop_rows, "deu/test has 22 rows; the card says 23"),
        (rename_column, "has the columns idx"),
        (change_type, "deu/test-00000-of-00001.parquet: id is string; the card says int64"),
        (leave_journal, "run.sqlite is an SQLite file, such as a journal"),
        (plant_in_file, "notes holds what looks like a key (hf_aaa"),
        (corrupt, "not a readable Parquet file"),
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
    assert KEY not in refused.stderr
    assert hub.repos == {}


def test_a_link_to_a_published_file_is_published(folder: Path) -> None:
    (folder / "notes.txt").write_text("text")
    (folder / "again.txt").symlink_to("notes.txt")
    assert folder / "again.txt" in find_files(folder)


def test_a_card_of_somebody_else_is_not_overwritten_unseen(hub: Hub, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", TOKEN)
        HfApi(endpoint=hub.url).create_repo(REPO, repo_type="dataset")
    head = hub.repos["dataset", REPO].add("main", "by hand", {**files_on(hub), "README.md": b"weeks of work"}).id
    refused = publish(hub, folder)
    assert (refused.returncode, f"--over {head}" in refused.stderr) == (2, True)
    assert files_on(hub)["README.md"] == b"weeks of work"


def test_a_refused_tag_does_not_deny_the_commit(hub: Hub, folder: Path) -> None:
    hub.faults.append(Fault("POST .*/tag/", status=401))
    refused = publish(hub, folder)
    head = hub.repos["dataset", REPO].branches["main"]
    assert refused.returncode == 2
    assert "Nothing was committed" not in refused.stderr
    assert f"Commit {head} is there; only its tag is missing" in refused.stderr


def test_emails_can_be_allowed(hub: Hub, folder: Path) -> None:
    plant("write to jane@example.org")(folder)
    assert publish(hub, folder, "--allow-emails").returncode == 0


def test_a_key_of_the_environment_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XL_SUITE_API_KEY", "my-own-secret-string")
    plant("text with my-own-secret-string inside")(folder)
    assert "one of your environment's keys" in check_folder(folder).problems[0]


def test_hidden_and_working_files_stay_here(folder: Path) -> None:
    (folder / ".journal.sqlite").write_text("")
    (folder / "review.jsonl").write_text("{}")
    (folder / "data").mkdir()
    (folder / "data" / "review.jsonl").write_text("{}")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.json").write_text("{}")
    found = find_files(folder)
    assert not [path for path in found if ".cache" in path.parts or path.name.startswith(".")]
    assert [path for path in found if path.name == "review.jsonl"] == [folder / "data" / "review.jsonl"]


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


SPACE = "---\ntitle: Leaderboard\nsdk: static\n---\n# Leaderboard\n"


def test_a_leaderboard_is_a_static_space(hub: Hub, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "README.md").write_text(SPACE)
    assert "There is no index.html" in publish(hub, site).stderr
    (site / "index.html").write_text("<p>x</p>")
    (site / ".scores").mkdir()
    (site / ".scores" / "kept.json").write_text("{}")
    done = publish(hub, site)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.url}/spaces/{REPO} at 1.0.0"
    repo = hub.repos["space", REPO]
    assert (repo.sdk, sorted(repo.commits[-1].files)) == ("static", [".gitattributes", "README.md", "index.html"])
    (site / "README.md").write_text(SPACE.replace("static", "gradio"))
    assert "only static Spaces" in publish(hub, site).stderr


def test_the_newest_version() -> None:
    assert newest_version(["v1.9.0", "1.10.0", "draft"]) == "1.10.0"
    assert newest_version(["draft"]) == ""


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
    done = publish(hub, folder, "--dry-run", repo=name)
    assert (done.returncode, "not a repository on the Hub" in done.stderr) == (2, True)
