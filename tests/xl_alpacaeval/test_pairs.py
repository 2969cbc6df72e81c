"""Any-to-any prompts: the phrases, the templates in all languages, and the folder of pairs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from xl_alpacaeval.dataset import build_benchmark, write_folder
from xl_alpacaeval.pairs import build_pairs, list_targets
from xl_suite.chat.loopback.server import serve_loopback
from xl_suite.cli.main import main
from xl_suite.dataset.card import check_card
from xl_suite.dataset.expected import find_expected
from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.records import BenchmarkRow, write_parquet
from xl_suite.tables import read_table
from xl_suite.templates import Phrase, Template, find_phrase, phrases, templates

# A language of the benchmarks may lack templates and phrases of its own: then no prompts are asked in it.
CODES = list(dict.fromkeys(row.language for row in read_table("xl_suite", "templates.tsv", Template)))
# How a language's name differs in a phrase from CLDR's: other stems and endings, which only a reader can check.
INFLECTED = {"hun", "fin"}


@pytest.mark.parametrize("row", phrases(), ids=lambda row: f"{row.language}-{row.target}")
def test_every_phrase_names_its_language_as_cldr_does(row: Phrase) -> None:
    import langcodes

    assert row.language in CODES
    assert row.target in CODES
    name = langcodes.Language.get(row.target).display_name(row.language)
    if row.language in INFLECTED:
        assert row.phrase.startswith(name[: max(2, len(name) - 2)])
    else:
        assert row.phrase.endswith(name) or name in row.phrase
    assert [other.target for other in phrases() if (other.language, other.phrase) == (row.language, row.phrase)] == [
        row.target
    ]


def test_every_language_with_templates_has_phrases_for_every_other() -> None:
    assert sorted((row.language, row.target) for row in phrases()) == sorted((a, b) for a in CODES for b in CODES)


@pytest.mark.parametrize(
    "row", [row for code in CODES for row in templates(code)], ids=lambda row: f"{row.language}-{row.id}"
)
def test_every_template_has_its_placeholder_and_is_in_its_language(row: Template) -> None:
    from xl_suite.fidelity import judge_language

    holder = "{language}" if row.language == "eng" else "{in_language}"
    assert row.text.count(holder) == 1
    assert row.text.count("{") == row.text.count("}") == 1
    own = row.fill("English") if row.language == "eng" else row.fill_phrase(find_phrase(row.language, row.language))
    assert "{" not in own
    # One sentence of three words is hard to tell, so all of a language's together must be told.
    joined = ". ".join(
        one.fill("English") if row.language == "eng" else one.fill_phrase(find_phrase(row.language, row.language))
        for one in templates(row.language)
    )
    assert judge_language(joined + ".", row.language).verdict == "right"


def test_every_language_has_six_templates_and_english_the_papers_twelve() -> None:
    counts = {code: len({row.text for row in templates(code)}) for code in CODES}
    assert counts == {code: 12 if code == "eng" else 6 for code in CODES}
    plain = [row.text for row in templates() if not row.text.endswith(" language")]
    assert [row.id for row in templates("deu")] == [row.id for row in templates() if row.text in plain]


@pytest.fixture
def m_alpacaeval(tmp_path: Path) -> Path:
    folder = tmp_path / "m-alpacaeval"
    texts = {
        1: "Warum bleiben Fahrräder aufrecht?",
        2: "Nenne drei Fische.  ",
        249: "Bitte auf Deutsch.",
        574: "Hallo!",
    }
    rows = [BenchmarkRow(n, "own", text.rstrip(), text, "", "deu", "target") for n, text in texts.items()]
    write_parquet(folder / "deu" / "test-00000-of-00001.parquet", rows)
    return folder


def build(folder: Path, out: Path, *options: str) -> int:
    arguments = ["build", "xl-alpacaeval", "--from", "deu", "--m-alpacaeval", str(folder), "--out", str(out)]
    return main([*arguments, *options])


def test_pairs_are_built_loaded_answered_and_scored(
    m_alpacaeval: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import datasets

    out = tmp_path / "pairs"
    assert build(m_alpacaeval, out, "--languages", "hin,por", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == {"deu-hin": 3, "deu-por": 3}
    assert told["dropped"] == [249]
    assert list_languages(out) == ["deu-por", "deu-hin"]
    for arguments, split in ((["deu-hin"], "test"), ([], "german_hindi")):
        loaded = datasets.load_dataset(str(out), *arguments, split=split, cache_dir=str(tmp_path / "cache"))
        assert (
            [BenchmarkRow(**row) for row in loaded]
            == read_benchmark(out, ["deu-hin"])
            == read_benchmark(out, ["hin"])
        )
    row = read_benchmark(out, ["deu-hin"])[1]
    assert row.instruction == f"Nenne drei Fische.\n\n{row.template}"
    assert "auf Hindi" in row.template
    assert (row.language, row.prompt, row.expected) == ("hin", "Nenne drei Fische.", "target")
    assert read_benchmark(out, ["hin"])[2].expected == "other:fra"
    card = (out / "README.md").read_text(encoding="utf-8")
    assert check_card(card, with_clients=True) == []

    hindi = "साइकिल अपने पहियों के घूमने और चलाने वाले के संतुलन के कारण सीधी रहती है।"
    portuguese = "As bicicletas ficam de pé por causa do equilíbrio de quem as conduz e da velocidade das rodas."
    with serve_loopback(lambda request: hindi if "auf Hindi" in str(request["messages"]) else portuguese) as server:
        model = ["--model", f"tiny@{server.url}", "--out", str(tmp_path / "outputs")]
        assert main(["respond", str(out), *model]) == 0
        assert main(["respond", str(out), *model, "--languages", "deu-hin"]) == 0
        assert server.calls == 6
    assert sorted(p.name for p in (tmp_path / "outputs" / "tiny").iterdir()) == ["hin.json", "por.json", "run.json"]
    capsys.readouterr()
    assert main(["fidelity", str(tmp_path / "outputs" / "tiny"), "--benchmark", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["languages"]
    assert {code: score["pass_rate"] for code, score in scores.items()} == {"hin": 1.0, "por": 1.0}


def test_outputs_on_pairs_and_on_english_prompts_do_not_mix(
    m_alpacaeval: Path, own_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(m_alpacaeval, tmp_path / "pairs", "--languages", "hin")
    write_folder(build_benchmark(str(own_prompts), languages=["hin"], allow_changed=True), tmp_path / "english")
    with serve_loopback() as server:
        for benchmark, status in (("english", 0), ("pairs", 2)):
            options = ["--model", f"tiny@{server.url}", "--out", str(tmp_path / "outputs"), "--languages", "all"]
            assert main(["respond", str(tmp_path / benchmark), *options]) == status
    assert "xl-alpacaeval-from-deu" in capsys.readouterr().err


def test_all_targets_by_default_and_the_same_bytes(m_alpacaeval: Path, tmp_path: Path) -> None:
    assert sorted(list_targets("deu")) == sorted(code for code in CODES if code != "deu")
    for name in ("a", "b"):
        build(m_alpacaeval, tmp_path / name)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) == 12
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_what_cannot_be_asked_for_is_told(m_alpacaeval: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="m-AlpacaEval itself"):
        build_pairs("deu", ["deu"], m_alpacaeval)
    with pytest.raises(BadInput, match=r"phrases\.tsv"):
        build_pairs("deu", ["swe"], m_alpacaeval)
    with pytest.raises(BadInput, match="no templates in 'swe'"):
        build_pairs("swe", ["deu"], m_alpacaeval)
    with pytest.raises(BadInput, match=r"no such folder.*build m-alpacaeval --languages deu --out .*absent"):
        build_pairs("deu", ["hin"], tmp_path / "absent")
    with pytest.raises(BadInput, match="has no fra"):
        build_pairs("fra", ["deu"], m_alpacaeval)
    assert build(m_alpacaeval, tmp_path / "out", "--languages", "hin", "--variant", "strict") == 2


def test_the_english_path_keeps_its_bytes(own_prompts: Path) -> None:
    """The rows of all twelve languages, as they were before prompts could be in other languages."""
    rows = build_benchmark(str(own_prompts), allow_changed=True).rows
    digest = hashlib.sha256(repr({code: list(rows[code]) for code in rows}).encode()).hexdigest()
    assert digest == "580ac15c7bd48cc778cc73eebb95088def8de54476e74bbdea9302d95755dada"
    assert {find_language(code).name in rows[code][0].template for code in rows if code != "eng"} == {True}


def test_a_score_reads_what_the_prompts_of_a_pair_expect(m_alpacaeval: Path, tmp_path: Path) -> None:
    build(m_alpacaeval, tmp_path / "pairs", "--languages", "hin,por")
    assert find_expected(tmp_path / "pairs", {"hin": {"named otherwise"}}) == {"hin": {574: "other:fra"}}
    with pytest.raises(BadInput, match="has no deu"):
        find_expected(tmp_path / "pairs", {"deu": {"named otherwise"}})
