"""Stage 0 reads any corpus, says why it drops a row, and draws the same sample whatever the order."""

from __future__ import annotations

import gzip
import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from xl_instruct.corpus.filters import REASONS, PassageLimits, check_form, check_language
from xl_instruct.corpus.near_duplicates import NearDuplicates, estimate_similarity, make_sketch
from xl_instruct.corpus.passages import Passage, Sample, read_passages, sample_passages
from xl_suite.errors import BadInput, BadRecord

NOUNS = ("river", "garden", "teacher", "window", "letter", "market", "engine", "bridge", "forest", "doctor", "island")
VERBS = ("follows", "remembers", "carries", "repairs", "watches", "describes", "visits", "measures", "protects")
SMALL = PassageLimits(least_words=10)


def write(seed: int, sentences: int = 12) -> str:
    """English prose without sense, never the same twice."""
    draw = random.Random(seed)
    return " ".join(
        f"The old {draw.choice(NOUNS)} near the {draw.choice(NOUNS)} {draw.choice(VERBS)} a {draw.choice(NOUNS)} "
        f"with the {draw.choice(NOUNS)} that they have in the {draw.choice(NOUNS)} of number {draw.randrange(10**6)}."
        for _ in range(sentences)
    )


PROSE = write(0)


@pytest.fixture
def corpus() -> list[Passage]:
    return [Passage(f"doc{i:03}", write(i), "corpus") for i in range(200)]


def find_ids(sample: Sample) -> list[str]:
    return [passage.id for passage in sample.passages]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROSE, None),
        ("", "no_text"),
        (None, "no_text"),
        (PROSE + "\0", "broken_text"),
        (PROSE + "\ud800", "broken_text"),
        ("Too short to be of use.", "too_short"),
        (write(1, 60), "too_long"),
        ("a b c " * 60, "no_prose"),
        ("12 34 56 7.8 " * 30, "no_prose"),
        ("\n".join(f"- {line}" for line in PROSE.split(". ")), "no_prose"),
        ("\n".join(f"{line}..." for line in PROSE.split(". ")), "no_prose"),
        ("der Hund läuft über die Straße und bellt laut " * 10, "no_prose"),
        ("\n".join([PROSE.split(". ")[0]] * 9 + PROSE.split(". ")), "repetitive"),
        (PROSE + " Lorem ipsum dolor sit amet.", "boilerplate"),
        ("\n".join(f"Read our Privacy Policy, {line}" for line in PROSE.split(". ")), "boilerplate"),
        (PROSE + "\n\nAll rights reserved.", None),
        (PROSE + "\n\n1. Run:\n   ```\n   " + "{ 1 + 2 } != [ 3 ]; " * 20 + "\n   ```\n2. Stop.", None),
        (PROSE + "\n\n1. Run:\n   " + "{ 1 + 2 } != [ 3 ]; " * 20 + "\n2. Stop.", "no_prose"),
    ],
)
def test_form(text: Any, reason: str | None) -> None:
    assert check_form(text, PassageLimits()) == reason
    assert reason is None or reason in REASONS


def test_language(shared_data: Path) -> None:
    for code in ("eng", "deu", "nld", "gla", "zho"):
        text = "\n".join((shared_data / f"udhr/{code}.txt").read_text(encoding="utf-8").splitlines()[:8])
        assert check_language(text, PassageLimits()) == (None if code == "eng" else "not_english")


def test_real_answers_serve_as_passages(shared_data: Path) -> None:
    path = shared_data / "alpaca_eval/results/gpt4_1106_preview/model_outputs.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    passages = [Passage(str(i), row["output"], "gpt4") for i, row in enumerate(rows, start=1)]
    counts = sample_passages(passages, 805, 1).counts
    assert counts["read"] == 805 == sum(counts.values()) - counts["read"]
    assert counts["kept"] > 600


def test_sample_does_not_depend_on_order(corpus: list[Passage]) -> None:
    first = sample_passages(corpus, 20, 7)
    assert len(first.passages) == len(set(find_ids(first))) == 20
    assert first.counts == {"read": 200, "kept": 20, "not_sampled": 180}
    turned = sample_passages(corpus[::-1], 20, 7)
    assert turned == first
    assert find_ids(sample_passages(corpus, 20, 8)) != find_ids(first)
    halves = [sample_passages(half, 20, 7).passages for half in (corpus[:90], corpus[90:])]
    assert sample_passages([*halves[1], *halves[0]], 20, 7).passages == first.passages
    assert sample_passages(corpus, 10, 7).passages == first.passages[:10]


def test_every_row_is_counted_once(corpus: list[Passage]) -> None:
    base = corpus[:30]
    doubled = [Passage(f"x{p.id}", p.text.upper().replace(".", " !"), p.source) for p in base[:5]]
    near = [Passage(f"y{p.id}", p.text + " The end.", p.source) for p in base[5:9]]
    bad = [Passage("z1", "short", "corpus"), Passage("z2", "", "corpus")]
    dropped: list[tuple[str, str]] = []
    rows = [*doubled, *near, *bad, *base]
    sample = sample_passages(rows, 100, 3, on_drop=lambda passage, reason: dropped.append((passage.id, reason)))
    assert sample.counts == {
        "read": 41, "kept": 30, "duplicate": 5, "near_duplicate": 4, "no_text": 1, "too_short": 1
    }  # fmt: skip
    assert len(dropped) == 11
    assert {i for i, reason in dropped if reason == "duplicate"} == {p.id for p in doubled}
    assert sorted([*find_ids(sample), *(i for i, _ in dropped)]) == sorted(p.id for p in rows)


def test_memory_is_bounded_by_the_size() -> None:
    alive: list[int] = []

    def stream() -> Iterator[Passage]:
        for number in range(400):
            yield Passage(str(number), write(number, 2), "corpus")

    sample = sample_passages(stream(), 5, 1, SMALL, on_drop=lambda passage, reason: alive.append(-1))
    assert len(sample.passages) == 5
    assert len(alive) == 395
    with pytest.raises(BadInput, match="0 passages"):
        sample_passages([], 0, 1)


def test_similarity() -> None:
    left, right = write(1, 30), write(1, 30).replace("The old", "The new", 2)
    exact = _jaccard(left, right)
    assert abs(estimate_similarity(frozenset(make_sketch(left)), frozenset(make_sketch(right))) - exact) < 0.15
    near = NearDuplicates(0.8)
    assert [near.add(left), near.add(right), near.add(write(2, 30)), near.add(left), near.add(""), near.add("")] == [
        True, False, True, False, True, False
    ]  # fmt: skip


def _jaccard(left: str, right: str) -> float:
    a, b = ({tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in (left.split(), right.split()))
    return len(a & b) / len(a | b)


def test_files(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "url": f"u{i}"} for i in range(3)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    lines = tmp_path / "lines"
    (lines / "sub").mkdir(parents=True)
    jsonl = "\n".join(map(json.dumps, [*rows, {"text": None, "url": "u3"}])) + "\n\n"
    (lines / "b.jsonl").write_text(jsonl)
    (lines / "sub/c.jsonl.gz").write_bytes(gzip.compress(jsonl.encode()))
    found = list(read_passages(str(lines)))
    assert [passage.id for passage in found] == [
        *(f"b.jsonl:{i}" for i in (1, 2, 3, 4)),
        *(f"sub/c.jsonl.gz:{i}" for i in (1, 2, 3, 4)),
    ]
    assert [passage.text for passage in found[:4]] == ["text 0", "text 1", "text 2", ""]
    assert {passage.source for passage in found} == {"lines"}
    own = list(read_passages(str(tmp_path / "a.parquet"), id="url", text="text"))
    assert own[0] == Passage("u0", "text 0", "a.parquet")
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "d.txt").write_bytes("Größe\n".encode() + b"\xff")
    (texts / "e.md.gz").write_bytes(gzip.compress(b"two"))
    assert [(passage.id, passage.text) for passage in read_passages(str(texts))] == [
        ("d.txt", "Größe\n\ufffd"),
        ("e.md.gz", "two"),
    ]


def test_bad_corpora(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"content": "x"}\n')
    with pytest.raises(BadRecord, match=r"a.jsonl, record 1, field 'text': missing. Columns found: content"):
        list(read_passages(str(tmp_path / "a.jsonl")))
    (tmp_path / "b.jsonl").write_text('{"text": "x"}\n{bad\n{"other": 1}\n')
    with pytest.raises(BadRecord, match=r"b.jsonl, record 2: not JSON: .* So are 2 of 3 lines, more than 5%"):
        list(read_passages(str(tmp_path / "b.jsonl")))
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match=r"c.parquet: not a readable Parquet"):
        list(read_passages(str(tmp_path / "c.parquet")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="the folder holds no data"):
        list(read_passages(str(tmp_path / "empty")))
    with pytest.raises(BadInput, match="no such file or folder"):
        list(read_passages("/no/such/folder"))


def test_one_bad_line_is_counted_and_named(tmp_path: Path) -> None:
    from xl_instruct.config import Passages
    from xl_instruct.corpus.sampling import sample_rows
    from xl_instruct.stages.files import Summary

    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": write(i)}) + "\n" for i in range(4)) + '{"text": "cut off\n')
    told: list[str] = []
    assert len(list(read_passages(str(path), progress=told.append))) == 4
    assert len(told) == 1
    assert re.search(r"1 of 5 lines are not rows and were left out: .*a\.jsonl, record 5: not JSON", told[0])
    summary = Summary("passages")
    assert len(list(sample_rows(Passages(source=str(path), count=9), None, summary))) == 4
    assert summary.left_out["dropped", "bad_line"] == 1


def yield_passages() -> Iterator[Passage | dict[str, str]]:
    yield Passage("p1", "one", "mine")
    yield {"text": "two"}


def yield_texts() -> list[str]:
    return ["a text alone"]


def test_a_plugin_yields_passages() -> None:
    name = "tests.xl_instruct.corpus.test_passages:yield_passages"
    assert list(read_passages(name)) == [Passage("p1", "one", "mine"), Passage(f"{name}:2", "two", name)]
    with pytest.raises(BadInput, match="yields str; passages are needed"):
        list(read_passages("tests.xl_instruct.corpus.test_passages:yield_texts"))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("old", "o\u00adld").replace("near", "ne\u00adar"),
        lambda text: re.sub(r"(\w\w)(\w)", "\\1\u200b\\2", text),
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: "<p>" + text.replace(". ", '.</p><p class="x">') + "</p>",
        lambda text: text.replace("old", "&#111;ld"),
    ],
)
def test_duplicates_are_seen_through_signs_forms_and_tags(change: Callable[[str], str]) -> None:
    text = write(3) + " The café near the crème is closed."
    changed = change(text)
    assert changed != text
    passages = [Passage("a", text, "s"), Passage("b", changed, "s"), Passage("c", changed + " The end of it.", "s")]
    assert sample_passages(passages[:2], 9, 1).counts == {"read": 2, "kept": 1, "duplicate": 1}
    assert sample_passages(passages[::2], 9, 1).counts == {"read": 2, "kept": 1, "near_duplicate": 1}


def test_a_hub_dataset_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: dict[str, Any] = {}

    def load_dataset(name: str, config: str | None, **options: Any) -> Iterator[dict[str, str]]:
        if name == "org/absent":
            raise FileNotFoundError("not on the Hub")
        asked.update(options, name=name, config=config)
        return ({"text": f"t{i}"} for i in range(10**9))  # never read to its end

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    rows = read_passages("org/corpus", config="en", revision="abc")
    assert next(rows) == Passage("org/corpus/train:1", "t0", "org/corpus")
    assert asked == {"name": "org/corpus", "config": "en", "split": "train", "revision": "abc", "streaming": True}
    with pytest.raises(BadInput, match=r"'org/absent' could not be streamed.*not on the Hub"):
        next(read_passages("org/absent"))


def test_a_file_that_is_not_there_is_not_looked_for_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: pytest.fail("asked the Hub"))
    for name in ("passages.jsonl", "data/passages.parquet", "notes.txt", "rows.json"):
        with pytest.raises(BadInput, match="no such file or folder"):
            next(read_passages(name))


HARBOUR = """the harbour of this town was built by people who came over the sea and paid for it with fish and wood
while others kept the lights on through long winters until a new road made the boats less needed than before"""


def test_only_so_many_rows_of_a_hub_dataset_are_read_from_files_in_a_drawn_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import datasets

    from xl_instruct.config import Passages
    from xl_instruct.corpus.sampling import sample_rows
    from xl_instruct.stages.files import Summary

    asked = []

    class Stream:
        def shuffle(self, *, seed: int, buffer_size: int) -> Stream:
            asked.append(seed)
            return self

        def __iter__(self) -> Iterator[dict[str, str]]:
            for number in range(10**9):
                yield {"text": f"Number {number} tells how the old harbour was built and who paid for it. " * 12}

    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **options: Stream())
    summary = Summary("passages")
    rows = list(sample_rows(Passages(source="org/corpus", count=5, read=40, seed=3), None, summary))
    assert asked == [3]
    assert summary.extra["read"] == 40
    assert rows


def test_a_phrase_that_every_text_holds_costs_no_square_and_hides_no_near_duplicate() -> None:
    draw = random.Random(5)
    words = HARBOUR.split()
    notice = "this site uses cookies to give you the best experience on our pages"
    texts = [
        f"{notice} " + " ".join(f"{draw.choice(words)}{draw.randint(0, 999)}" for _ in range(80)) for _ in range(400)
    ]
    near = NearDuplicates(0.8)
    assert all(near.add(text) for text in texts)
    assert max(map(len, near._index.values())) == 100
    assert not any(near.add(f"{text} the end") for text in texts[-5:])
