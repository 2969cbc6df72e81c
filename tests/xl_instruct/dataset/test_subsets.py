"""Subsets: their balance, order and nesting, the two forms of trl, and the data of others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xl_instruct.synthetic_rows import make_row, make_rows, write_xl_instruct
from xl_instruct.dataset.subsets import BALANCES, SAMPLINGS, Subset, choose_subset, write_subset
from xl_instruct.training.foreign import read_foreign
from xl_instruct.training.sources import SourceRow, TrainingSource, read_xl_instruct
from xl_suite.cli.main import main
from xl_suite.errors import BadInput

COUNTS = {"deu": 9, "hun": 3, "zho": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = {code: make_rows(code, count) for code, count in COUNTS.items()}
    naive = {"deu": [make_row(number, "deu", [[0.2]]) for number in range(4)]}
    return write_xl_instruct(tmp_path_factory.mktemp("data") / "xl-instruct", rows, naive)


def identify(subset: Subset) -> list[tuple[str, int]]:
    return [(row.language, row.id) for row in subset.rows]


def make_source(counts: dict[str, int]) -> TrainingSource:
    entries = {code: [(n, (n * 37 % 101) / 101) for n in range(count)] for code, count in counts.items()}

    def load(order: Sequence[tuple[str, int]]) -> tuple[SourceRow, ...]:
        return tuple(SourceRow(place, f"i{place}", "r", code, entries[code][place][1]) for code, place in order)

    return TrainingSource("s", "S", "mit", "naive", "qe", entries, load)


def test_balanced_best_takes_the_highest_scores_of_each_language(folder: Path) -> None:
    source = read_xl_instruct(folder, "best-of-k")
    subset = choose_subset(source, size=7)
    assert subset.counts == {"deu": 3, "hun": 2, "zho": 2}
    for code in COUNTS:
        scores = sorted((score or 0 for _, score in source.entries[code]), reverse=True)
        taken = [row.qe_score for row in subset.rows if row.language == code]
        assert taken == scores[: len(taken)]
    assert subset.rows[0].instruction.endswith("Respond in German.")
    assert subset.source.licence == "cc-by-sa-4.0"
    assert subset.source.translations == "best-of-3"


def test_a_language_that_runs_out_leaves_its_share_to_the_others(folder: Path) -> None:
    subset = choose_subset(read_xl_instruct(folder, "best-of-3"), size=21)
    assert subset.counts == {"deu": 9, "hun": 3, "zho": 9}
    assert subset.short == ("hun",)


def test_proportional_and_per_language(folder: Path) -> None:
    source = read_xl_instruct(folder, "best-of-k")
    assert choose_subset(source, size=16, balance="proportional").counts == {"deu": 4, "hun": 2, "zho": 10}
    assert choose_subset(source, size=3, balance="per-language").counts == dict.fromkeys(COUNTS, 3)
    with pytest.raises(BadInput, match="3 rows in hun, fewer than 4"):
        choose_subset(source, size=4, balance="per-language")


@given(
    counts=st.dictionaries(st.sampled_from(["deu", "hun", "zho", "hin"]), st.integers(1, 25), min_size=1),
    sizes=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    sampling=st.sampled_from(SAMPLINGS),
    balance=st.sampled_from(BALANCES[:2]),
    seed=st.integers(0, 3),
)
def test_subsets_are_nested(
    counts: dict[str, int], sizes: tuple[int, int], sampling: str, balance: str, seed: int
) -> None:
    source = make_source(counts)
    small, large = sorted(min(size, sum(counts.values())) for size in sizes)
    first = choose_subset(source, size=small, sampling=sampling, balance=balance, seed=seed)
    second = choose_subset(source, size=large, sampling=sampling, balance=balance, seed=seed)
    assert len(first.rows) == small
    assert identify(second)[:small] == identify(first)
    assert len(set(identify(second))) == large
    if balance == "balanced" and not first.short:
        assert max(first.counts.values()) - min(first.counts.values()) <= 1


def test_random_depends_on_seed_and_row_alone() -> None:
    few, more = make_source({"deu": 40}), make_source({"deu": 40, "hun": 9})
    first = identify(choose_subset(few, size=10, sampling="random", seed=1))
    again = choose_subset(more, size=20, sampling="random", seed=1)
    assert [one for one in identify(again) if one[0] == "deu"][:10] == first
    assert identify(choose_subset(few, size=10, sampling="random", seed=2)) != first
    assert first != identify(choose_subset(few, size=10))


def test_too_many_rows_are_refused(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"32 rows, fewer than 33: deu 9, hun 3, zho 20"):
        choose_subset(read_xl_instruct(folder, "best-of-k"), size=33)


def test_unknown_translations_and_languages_are_named(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"it has: naive, best-of-3"):
        read_xl_instruct(folder, "best-of-2")
    with pytest.raises(BadInput, match=r"'best'; valid: naive, best-of-k"):
        read_xl_instruct(folder, "best")
    with pytest.raises(BadInput, match=r"has no gle\. It has: "):
        read_xl_instruct(folder, "best-of-k", ["gle"])


def test_the_verb_writes_what_trl_and_datasets_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import load_dataset
    from trl import is_conversational

    out = tmp_path / "subset"
    arguments = ["subset", str(folder), "--size", "6", "--languages", "deu,zho", "--out", str(out), "--json"]
    assert main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["languages"] == {"deu": 3, "zho": 3}
    plain = load_dataset(str(out), "prompt_completion", split="train", cache_dir=str(tmp_path / "cache"))
    chats = load_dataset(str(out), "conversational", split="train", cache_dir=str(tmp_path / "cache"))
    assert Counter(plain["language"]) == {"deu": 3, "zho": 3}
    assert not is_conversational(plain[0])
    assert is_conversational(chats[0])
    assert [row["prompt"][0]["content"] for row in chats] == list(plain["prompt"])
    assert [row["completion"][0]["role"] for row in chats] == ["assistant"] * 6
    before = (out / "README.md").read_bytes()
    assert "cc-by-sa-4.0" in before.decode()
    assert main([*arguments[:3], "4", *arguments[4:]]) == 0  # a subset is replaced, and only that
    assert main(arguments[:-1]) == 0
    assert (out / "README.md").read_bytes() == before
    for wrong in ("abc", "0", "K"):
        with pytest.raises(SystemExit):
            main([*arguments[:3], wrong, *arguments[4:]])
        assert "argument --size: " in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    assert main(["subset", str(folder), "--out", str(tmp_path / "mine")]) == 2


def test_x_instruction_is_imported(tmp_path: Path) -> None:
    data = tmp_path / "X-Instruction"
    (data / "turkish").mkdir(parents=True)
    rows = [{"instruction": f"Ask {n}?", "input": "", "output": f"Vastaus {n}."} for n in range(5)]
    (data / "fi.json").write_text(json.dumps([*rows, {"instruction": "empty", "output": " "}]))
    lines = [json.dumps({"instruction": f"Ask {n}?", "response": f"Yanıt {n}."}) for n in range(3)]
    (data / "turkish" / "part-1.jsonl").write_text("\n".join(lines))
    source = read_foreign(data)
    assert {code: len(entries) for code, entries in source.entries.items()} == {"fin": 5, "tur": 3}
    subset = choose_subset(source, size=4, sampling="random")
    assert subset.counts == {"fin": 2, "tur": 2}
    for row in subset.rows:
        assert ("Finnish" if row.language == "fin" else "Turkish") in row.instruction
        assert row.instruction.startswith("Ask ")
        assert row.qe_score is None
    with pytest.raises(BadInput, match="no best one: give --sampling random"):
        choose_subset(source, size=4)
    out = tmp_path / "out"
    write_subset(subset, out)
    assert "license: unknown" in (out / "README.md").read_text()


def test_a_file_without_a_language_in_its_name(tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps([{"instruction": "Ask", "output": "Vastaus"}]))
    with pytest.raises(BadInput, match="cannot be told from its name"):
        read_foreign(data)
    assert list(read_foreign(data, ["fin"]).entries) == ["fin"]
