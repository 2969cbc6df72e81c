from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_instruct.qe.store import ScoreJournal, pair_key, score_pairs
from xl_suite.errors import JournalError

PAIRS = [(f"source {index}", f"translation {index % 40}" + "!" * (index % 7)) for index in range(100)]


class Counting:
    """Scores by length, a little otherwise in other company; remembers what it was asked."""

    name, licence, languages, range = "counting", "mit", None, (0.0, 1.0)
    window = 16

    def __init__(self, fingerprint: str = "one", stop_after: int | None = None):
        self.fingerprint, self.stop_after = fingerprint, stop_after
        self.asked: list[tuple[str, str]] = []

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += zip(sources, translations, strict=True)
        return [len(s) + len(t) + 1e-9 * len(sources) for s, t in zip(sources, translations, strict=True)]


def test_each_pair_is_scored_once_in_a_run_and_across_runs(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        scores = score_pairs(first, PAIRS + PAIRS[::3], "deu", store)
    assert len(first.asked) == len(set(first.asked)) == len(PAIRS)
    assert scores == [*(found := score_pairs(Counting(), PAIRS, "deu")), *found[::3]]
    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        more = [("new", "neu"), *PAIRS]
        assert score_pairs(second, more, "deu", store)[1:] == scores[: len(PAIRS)]
    assert second.asked == [("new", "neu")]


def test_an_interrupted_run_resumes_to_the_same_scores(tmp_path: Path) -> None:
    whole = score_pairs(Counting(), PAIRS, "deu")
    resumed = Counting()
    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        with pytest.raises(KeyboardInterrupt):
            score_pairs(Counting(stop_after=48), PAIRS, "deu", store)
        assert score_pairs(resumed, PAIRS, "deu", store) == whole
    assert len(resumed.asked) == len(PAIRS) - 48


def test_another_checkpoint_or_language_meets_no_old_score(tmp_path: Path) -> None:
    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        score_pairs(Counting(), PAIRS, "deu", store)
        for other, language in ((Counting("two"), "deu"), (Counting(), "zho")):
            score_pairs(other, PAIRS, language, store)
            assert len(other.asked) == len(PAIRS)


def test_an_estimator_without_fingerprint_is_not_stored(tmp_path: Path) -> None:
    class Changing:
        name, licence, languages, range = "changing", "mit", None, (0.0, 1.0)

        def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
            return [0.5] * len(sources)

    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        assert score_pairs(Changing(), PAIRS, "deu", store) == [0.5] * len(PAIRS)
        assert store.get_many([pair_key("", *pair, "deu") for pair in PAIRS]) == {}


def test_what_was_put_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from xl_instruct.qe.store import ScoreJournal\n"
        "store = ScoreJournal(Path(sys.argv[1]))\n"
        "for n in range(50): store.put_many({bytes([n, m]): n + m / 256 for m in range(256)})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert ended.returncode == -signal.SIGKILL
    with ScoreJournal(path) as store:
        keys = [bytes([n, m]) for n in range(50) for m in range(256)]
        assert store.get_many(keys) == {key: key[0] + key[1] / 256 for key in keys}


def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at as one\n" * 40, encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"notes\.txt"):
        ScoreJournal(path)
    assert path.read_bytes() == before


def test_a_failed_write_keeps_nothing_and_names_the_file(tmp_path: Path) -> None:
    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        with pytest.raises(JournalError, match=r"journal\.sqlite"):
            store.put_many({b"good": 1.0, b"nan": float("nan")})  # SQLite has no NaN: it becomes NULL
        assert store.get_many([b"good"]) == {}


@given(st.lists(st.text(max_size=5), min_size=4, max_size=4), st.lists(st.text(max_size=5), min_size=4, max_size=4))
def test_keys_differ_where_anything_differs(one: list[str], two: list[str]) -> None:
    assert (pair_key(*one) == pair_key(*two)) == (one == two)


def test_parts_of_a_key_do_not_run_together() -> None:
    assert pair_key("f", "ab", "c", "deu") != pair_key("f", "a", "bc", "deu")
    assert pair_key("f", "\ud800", "c", "deu") != pair_key("f", "\ufffd", "c", "deu")
