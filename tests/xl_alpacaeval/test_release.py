"""The official release: rows recovered from a folder of its shape, and the comparison with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xl_alpacaeval.dataset import build_benchmark
from xl_alpacaeval.release import read_release, recover_rows, split_instruction
from xl_alpacaeval.sources import read_source
from xl_alpacaeval.verify import compare_rows, describe
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.publishing.hub_files import HubFiles
from xl_suite.records import BenchmarkRow, Prompt, write_json
from xl_suite.templates import Template, draw_template, templates

GERMAN = find_language("deu")
TEMPLATE_5 = draw_template(0, 5).fill("German")
OTHER_TEMPLATE = next(template.fill("German") for template in templates() if template != draw_template(0, 5))


def write_release(folder: Path, prompts: Path, *, separator: str = "\n\n", seed: int = 0) -> Path:
    """A made-up release of the prompts: `german.json` and `english.json`, instructions only."""
    rows = build_benchmark(str(prompts), languages=["deu"], seed=seed, allow_changed=True).rows
    for code, name in (("deu", "german"), ("eng", "english")):
        texts = [row.instruction.replace("\n\n" + row.template, separator + row.template) for row in rows[code]]
        write_json(folder / f"{name}.json", [{"instruction": text} for text in texts])
    return folder


def change_row(folder: Path, place: int, old: str, new: str) -> None:
    path = folder / "german.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert old in rows[place - 1]["instruction"]
    rows[place - 1]["instruction"] = rows[place - 1]["instruction"].replace(old, new)
    path.write_text(json.dumps(rows), encoding="utf-8")


@pytest.mark.parametrize("where", ["release", "release/data"])
@pytest.mark.parametrize("separator", ["\n\n", "\n", " ", ". "])
def test_rows_are_recovered_and_kept(own_prompts: Path, tmp_path: Path, separator: str, where: str) -> None:
    write_release(tmp_path / where, own_prompts, separator=separator, seed=9)
    prompts = read_source(str(own_prompts), allow_changed=True).prompts
    release = read_release(str(tmp_path / "release"), prompts, allow_changed=True)
    ours = build_benchmark(str(own_prompts), languages=["deu"], seed=9, allow_changed=True).rows
    assert not release.unmatched
    for code in ("deu", "eng"):
        assert [row.id for row in release.rows[code]] == list(range(1, 11))
        assert [row.template for row in release.rows[code]] == [row.template for row in ours[code]]
        assert all(row.instruction.endswith(row.template) for row in release.rows[code])
    kept = json.loads((tmp_path / where / "german.json").read_text(encoding="utf-8"))
    assert [row.instruction for row in release.rows["deu"]] == [row["instruction"] for row in kept]


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.id)
@pytest.mark.parametrize("end", ["", ".", "\n"])
def test_every_template_is_recognised(template: Template, end: str) -> None:
    filled = template.fill("German")
    prompt, found = split_instruction(f"Why? Answer in short. {filled}{end}", GERMAN)
    assert (prompt, found.rstrip(".")) == ("Why? Answer in short.", filled)


def test_a_prompt_that_the_release_edited_is_known_by_likeness_and_a_strange_one_is_not() -> None:
    prompts = [Prompt(1, "own", "Plan a picnic for six people, two of them vegetarian."), Prompt(2, "own", "Why?")]
    texts = [
        "Plan a picnic for six persons, two of them vegetarian. Respond in German",
        "Boil an egg. Respond in German",
    ]
    rows, lost = recover_rows(texts, GERMAN, prompts)
    assert [row.id for row in rows] == [1]
    assert rows[0].prompt.startswith("Plan a picnic for six persons")
    assert lost == [2]


def test_a_prompt_that_stands_in_a_release_twice_is_taken_once() -> None:
    texts = ["Why? Respond in German", "Why? Answer in German"]
    rows, lost = recover_rows(texts, GERMAN, [Prompt(1, "own", "Why?")])
    assert [(row.id, row.template) for row in rows] == [(1, "Respond in German")]
    assert lost == [2]


def test_edited_prompts_match_with_their_edits_and_without() -> None:
    prompts = [
        Prompt(249, "own", "A book. Answer in English."),
        Prompt(274, "own", "Please write in English language."),
    ]
    texts = [
        "A book. Answer in German. Respond in German",
        "Write in English language.\nAnswer in German language",
    ]
    rows, lost = recover_rows(texts, GERMAN, prompts)
    assert ([row.id for row in rows], lost) == ([249, 274], [])
    assert [row.template for row in rows] == ["Respond in German", "Answer in German language"]


def test_the_command_builds_a_release_and_says_what_cannot_go_with_it(
    own_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = write_release(tmp_path / "release", own_prompts, separator=" ")
    base = ["build", "xl-alpacaeval", "--source", str(release), "--prompts", str(own_prompts), "--out"]
    base += [str(tmp_path / "out"), "--allow-changed-source", "--json"]
    assert main(base) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["variant"], report["seed"], report["rows"]) == ("official", None, {"deu": 10, "eng": 10})
    assert "The rows are those of the official release" in (tmp_path / "out" / "README.md").read_text(
        encoding="utf-8"
    )
    for options, message in (
        (["--variant", "strict"], "leave --variant and --seed out"),
        (["--seed", "1"], "leave --variant and --seed out"),
        (["--languages", "swe"], "has no swe; it has deu, eng"),
    ):
        assert main([*base, *options]) == 2
        assert message in capsys.readouterr().err


def test_a_release_on_the_hub_is_found_by_its_files(
    own_prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_release(tmp_path / "release", own_prompts)
    monkeypatch.setattr("xl_alpacaeval.release.download", lambda hub, file: folder / Path(file).name)

    def find(repo: str) -> HubFiles:
        return HubFiles(repo, "d" * 40, ("README.md", "add_langs.py", "data/german.json", "data/english.json"))

    benchmark = build_benchmark("viyer98/XL-AlpacaEval", prompts=str(own_prompts), allow_changed=True, find=find)
    assert benchmark.release is not None
    assert (benchmark.release.name, benchmark.release.revision) == ("viyer98/XL-AlpacaEval", "d" * 40)
    assert list(benchmark.rows) == ["deu", "eng"]


def test_rows_without_a_prompt_are_an_error_and_left_out_only_on_request(own_prompts: Path, tmp_path: Path) -> None:
    folder = write_release(tmp_path / "release", own_prompts)
    change_row(folder, 6, "Explain the rules of chess to a child.", "Sing.")
    prompts = read_source(str(own_prompts), allow_changed=True).prompts
    with pytest.raises(BadInput, match=r"1 rows have none of AlpacaEval's prompts \(deu: record 6\)"):
        read_release(str(folder), prompts)
    release = read_release(str(folder), prompts, allow_changed=True)
    assert release.unmatched == {"deu": [6]}
    assert [row.id for row in release.rows["deu"]] == [1, 2, 3, 4, 5, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("place", "old", "new", "field"),
    [
        (5, "How long", "For how long", "prompt"),
        (5, TEMPLATE_5, OTHER_TEMPLATE, "template"),
        (5, "\n\n", " ", "layout"),
    ],
)
def test_verify_finds_the_one_row_that_differs(
    own_prompts: Path,
    tmp_path: Path,
    place: int,
    old: str,
    new: str,
    field: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_release(tmp_path / "release", own_prompts)
    arguments = ["build", "xl-alpacaeval", "--source", str(own_prompts), "--out", str(tmp_path / "out")]
    arguments += ["--languages", "deu", "--allow-changed-source", "--json", "--verify", str(folder)]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["verify"]["same"] is True
    change_row(folder, place, old, new)
    assert main(arguments) == 0
    captured = capsys.readouterr()
    verify = json.loads(captured.out)["verify"]
    assert verify["same"] is False
    german, english = verify["languages"]
    assert english["same"] is True
    assert {name: german[name] for name in ("prompt", "template", "layout", "only_here", "only_there")} == {
        "prompt": [],
        "template": [],
        "layout": [],
        "only_here": [],
        "only_there": [],
    } | {field: [place]}
    assert f"prompt {place}" in captured.err


def test_other_templates_and_missing_rows_are_told_apart(own_prompts: Path) -> None:
    here = build_benchmark(str(own_prompts), languages=["deu"], allow_changed=True).rows
    there = build_benchmark(str(own_prompts), languages=["deu"], seed=1, allow_changed=True).rows
    (found, english) = compare_rows(here, {"deu": there["deu"][2:], "eng": there["eng"]})
    same = [ours.id for ours, theirs in zip(here["deu"], there["deu"], strict=True) if ours == theirs]
    assert found.only_here == (1, 2)
    assert found.template == tuple(number for number in range(3, 11) if number not in same)
    assert not found.prompt
    assert english.same
    assert "another template: prompt" in describe([found], "a release")
    with pytest.raises(BadInput, match="Nothing to compare"):
        compare_rows({"deu": here["deu"]}, {"fra": []})


def test_a_row_whose_prompt_differs_is_counted_once() -> None:
    here = BenchmarkRow(1, "own", "a\n\nx", "a", "x", "deu", "target")
    there = BenchmarkRow(1, "own", "b y", "b", "y", "deu", "target")
    (found,) = compare_rows({"deu": [here]}, {"deu": [there]})
    assert (found.prompt, found.template, found.layout) == ((1,), (), ())


def test_verify_without_the_hub_says_so_and_the_folder_stands(
    own_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)
    arguments = ["build", "xl-alpacaeval", "--source", str(own_prompts), "--out", str(tmp_path / "out"), "--json"]
    arguments += ["--allow-changed-source", "--languages", "deu", "--verify", "viyer98/XL-AlpacaEval"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "Built, but not compared" in captured.err
    assert json.loads(captured.out)["verify"]["status"] == "unavailable"
    assert (tmp_path / "out" / "README.md").is_file()


def test_the_real_prompts_are_all_recovered_in_chinese(alpaca_eval: Path, tmp_path: Path) -> None:
    source = read_source(str(alpaca_eval))
    rows = build_benchmark(str(alpaca_eval), languages=["zho"]).rows["zho"]
    recovered, lost = recover_rows([row.instruction for row in rows], find_language("zho"), source.prompts)
    assert lost == []
    assert [(row.id, row.template, row.instruction) for row in recovered] == [
        (row.id, row.template, row.instruction) for row in rows
    ]
