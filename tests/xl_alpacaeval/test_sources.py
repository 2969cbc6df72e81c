"""Sources of the prompts: bad ones are explained, changed ones are described, the Hub is asked once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xl_alpacaeval import sources
from xl_alpacaeval.dataset import build_benchmark
from xl_alpacaeval.sources import RawPrompt, assign_ids, checksum, read_source
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.publishing.hub_files import HubFiles, HubUnreachable, find_on_hub
from xl_suite.records import read_raw

Rows = list[dict[str, Any]]


def rewrite(path: Path, change: Callable[[Rows], Any]) -> Path:
    rows = read_raw(path)
    changed = change(rows)
    copy = path.parent / "changed.json"
    copy.write_text(json.dumps(rows if changed is None else changed), encoding="utf-8")
    return copy


def drop(rows: Rows) -> None:
    del rows[3]


def reword(rows: Rows) -> None:
    rows[4]["instruction"] += " Really?"


def double(rows: Rows) -> None:
    rows[5] = dict(rows[2])


def mistype(rows: Rows) -> None:
    rows[6]["instruction"] = 7


def unset(rows: Rows) -> None:
    del rows[1]["dataset"]


def put_nan(rows: Rows) -> None:
    rows[1]["instruction"] = float("nan")


def blank(rows: Rows) -> None:
    rows[1]["instruction"] = " \n"


def half_surrogate(rows: Rows) -> None:
    rows[1]["instruction"] = "broken \ud83d"


BAD_FILES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: path.unlink(), "no such file"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
    "empty": (lambda path: path.write_text(""), "the file is empty"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "not JSON"),
    "not a list": (lambda path: path.write_text('{"rows": []}'), "expected a JSON array"),
    "no rows": (lambda path: path.write_text("[]"), "holds no records"),
    "a list of strings": (lambda path: path.write_text('["a"]'), "expected an object"),
    "wrong encoding": (lambda path: path.write_bytes('[{"instruction": "caf\xe9"}]'.encode("latin-1")), "not UTF-8"),
    "binary": (lambda path: path.write_bytes(b"PAR1\x00\x01\xff"), "not UTF-8"),
    "nested": (lambda path: path.write_text("[" * 100_000), "nested too deeply"),
    "wrong type": (lambda path: rewrite(path, mistype).replace(path), "record 7, field 'instruction': expected str"),
    "missing field": (lambda path: rewrite(path, unset).replace(path), "record 2, field 'dataset': missing"),
    "NaN": (lambda path: rewrite(path, put_nan).replace(path), "record 2, field 'instruction': NaN"),
    "doubled": (lambda path: rewrite(path, double).replace(path), "record 6, field 'instruction': the same prompt"),
    "blank": (lambda path: rewrite(path, blank).replace(path), "record 2, field 'instruction': the prompt is empty"),
    "surrogate": (lambda path: rewrite(path, half_surrogate).replace(path), "record 2, field 'instruction': half"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_source_is_explained_and_leaves_nothing(
    name: str, own_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, message = BAD_FILES[name]
    spoil(own_prompts)
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out" / "xl-alpacaeval"
    arguments = ["build", "xl-alpacaeval", "--source", str(own_prompts), "--out", str(out), "--allow-changed-source"]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, "it has 804 prompts; there are 805\n- missing: prompt 4\n"),
        (reword, "- changed: prompt 5\n"),
        (lambda rows: rows.insert(2, rows.pop(9)), "- out of order: prompt 3\n"),
        (lambda rows: rows.insert(5, {"dataset": "own", "instruction": "New"}), "- unknown: record 6\n"),
        (
            lambda rows: [row | {"dataset": "own"} for row in rows],
            "- changed: prompt 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and",
        ),
    ],
)
def test_a_changed_source_is_described(
    alpaca_eval: Path, tmp_path: Path, change: Callable[[Rows], Any], message: str
) -> None:
    copy = tmp_path / "prompts.json"
    copy.write_bytes(alpaca_eval.read_bytes())
    changed = rewrite(copy, change)
    with pytest.raises(BadInput) as error:
        read_source(str(changed))
    assert message in str(error.value)
    assert "--allow-changed-source" in str(error.value)
    source = read_source(str(changed), allow_changed=True)
    assert source.difference
    by_id = {prompt.id: prompt for prompt in source.prompts}
    assert by_id[249].instruction.endswith("Answer in English.")
    assert len(by_id) == len(source.prompts)


def test_the_real_prompts_are_the_pinned_ones(alpaca_eval: Path) -> None:
    source = read_source(str(alpaca_eval))
    assert source.sha256 == sources.SHA256
    assert source.difference == ()
    assert [prompt.id for prompt in source.prompts] == list(range(1, 806))
    assert read_source(str(alpaca_eval.parent)).sha256 == sources.SHA256


def test_the_checksum_tells_apart_what_joined_text_would_not() -> None:
    assert checksum([RawPrompt("a", "bc")]) != checksum([RawPrompt("ab", "c")])
    assert checksum([RawPrompt("a", "b"), RawPrompt("c", "d")]) != checksum(
        [RawPrompt("c", "d"), RawPrompt("a", "b")]
    )


def test_unknown_prompts_are_numbered_from_one() -> None:
    assert assign_ids([RawPrompt("own", str(number)) for number in range(1000)]) == list(range(1, 1001))


def test_without_the_hub_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", _no_network)
    monkeypatch.setattr("huggingface_hub.scan_cache_dir", lambda: _no_cache(tmp_path))
    with pytest.raises(HubUnreachable, match=r"the Hub does not answer \(no network\).*--source alpaca_eval.json"):
        read_source("tatsu-lab/alpaca_eval")


def test_the_cache_of_the_hub_serves_without_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_prompts: Path
) -> None:
    import huggingface_hub

    revision = "a" * 40
    repo = tmp_path / "hub" / "datasets--tatsu-lab--alpaca_eval"
    (repo / "blobs").mkdir(parents=True)
    (repo / "snapshots" / revision).mkdir(parents=True)
    (repo / "blobs" / "1").write_bytes(own_prompts.read_bytes())
    (repo / "snapshots" / revision / "alpaca_eval.json").symlink_to(repo / "blobs" / "1")
    scan = huggingface_hub.scan_cache_dir
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", _no_network)
    monkeypatch.setattr("huggingface_hub.scan_cache_dir", lambda: scan(tmp_path / "hub"))
    assert find_on_hub("tatsu-lab/alpaca_eval") == HubFiles("tatsu-lab/alpaca_eval", revision, ("alpaca_eval.json",))


def test_the_revision_on_the_hub_is_found_once_and_recorded(
    monkeypatch: pytest.MonkeyPatch, own_prompts: Path
) -> None:
    asked: list[str] = []

    def find(repo: str) -> HubFiles:
        asked.append(repo)
        return HubFiles(repo, "b" * 40, ("README.md", "alpaca_eval.json"))

    monkeypatch.setattr(sources, "download", lambda hub, file: own_prompts)
    benchmark = build_benchmark(languages=["deu"], allow_changed=True, find=find)
    assert asked == ["tatsu-lab/alpaca_eval"]
    assert (benchmark.source.name, benchmark.source.revision) == ("tatsu-lab/alpaca_eval", "b" * 40)
    with pytest.raises(BadInput, match="on the Hub has no"):
        read_source("org/other", find=lambda repo: HubFiles(repo, "c" * 40, ("data.csv",)))


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no network")


def _no_cache(path: Path) -> None:
    from huggingface_hub.errors import CacheNotFound

    raise CacheNotFound("none", cache_dir=path)
