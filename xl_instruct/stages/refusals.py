"""What was refused, by whom and why; and an early stop when nearly all is, so that the rest is not paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import LeftOut, Row
from xl_suite.errors import XLSuiteError

# Rows of a stage, or candidates of a translator, after which a run may stop.
FIRST = 200

# Characters of a refused text that are kept to show it.
SHOWN = 1000
NO_SOUND = "a segment without a sound candidate"


class NearlyAllRefused(XLSuiteError):
    """A run that stopped early. rows: those that were refused until then."""

    exit_status = 1

    def __init__(self, message: str, rows: Sequence[LeftOut]):
        super().__init__(message)
        self.rows = rows


def list_refused(row: Row, first: int | None = None) -> list[dict[str, str]]:
    """The refused candidates of the segments of a translated row that have no sound one, an entry for each guard.

    Where each segment has a sound one (of different translators), all refused ones. first: how many translators
    count, from the first on; None for all. Keys: `guard`, `segment`, `candidate`, `translator`.
    """
    return _list(row, first, all) or _list(row, first, any)


def _list(row: Row, first: int | None, quantify: Callable[[Iterable[object]], bool]) -> list[dict[str, str]]:
    found = []
    for segment in row["segments"]:
        candidates = segment.get("candidates", ())[:first]
        if segment["kind"] in TRANSLATABLE and quantify(one["refused"] for one in candidates):
            found += [
                {
                    "guard": guard,
                    "segment": segment["text"][:SHOWN],
                    "candidate": one["text"][:SHOWN],
                    "translator": one["model"],
                }
                for one in candidates
                for guard in one["refused"]
            ]
    return found


def describe_refused(refused: Sequence[dict[str, str]]) -> str:
    """A few words: which guards refused the candidates of which translators how often."""
    counts = Counter((one["guard"], one["translator"]) for one in refused)
    return ", ".join(
        f"{guard} ({translator}{f', {count} times' if count > 1 else ''})"
        for (guard, translator), count in counts.items()
    )


class Watch:
    """Looks at the rows of one stage in their order, and ends the run when nearly all of them are refused.

    share: of the rows, or of one translator's candidates, that is refused at least when the run stops; 1 stops only
    where all are. stage: its name for messages. models: the translators that the stage asks; none for the teacher's.
    """

    def __init__(self, share: float, stage: str, language: str = "", models: Sequence[str] = ()):
        self._share, self._stage, self._language = share, stage, language
        self._rows: list[LeftOut] = []
        self._seen = self._lost = 0
        self._why: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._guards: dict[str, Counter[str]] = {model: Counter() for model in models}

    def add(self, row: Row | LeftOut) -> None:
        """Counts a row. Raises NearlyAllRefused."""
        self._seen += 1
        if isinstance(row, LeftOut):
            if row.kind == "quarantined":
                self._lost += 1
                self._why[row.reason] += 1
                self._keep(row)
        elif self._guards:
            refused = _list(row, None, all)
            if refused:
                self._keep(
                    LeftOut(
                        row["id"], "translated", "quarantined", NO_SOUND, describe_refused(refused), self._language,
                        refused=refused,
                    )
                )  # fmt: skip
            for candidate in _candidates(row):
                if candidate["model"] in self._guards:
                    self._asked[candidate["model"]] += 1
                    self._refused[candidate["model"]] += bool(candidate["refused"])
                    self._guards[candidate["model"]].update(candidate["refused"])
        self._check()

    def _keep(self, row: LeftOut) -> None:
        if len(self._rows) < FIRST:
            self._rows.append(row)

    def _check(self) -> None:
        where = " ".join(filter(None, (self._stage, self._language)))
        if self._seen >= FIRST and self._lost >= self._share * self._seen:
            self._stop(f"{where}: {self._lost:,} of the first {self._seen:,} rows are refused", self._why)
        for model, asked in self._asked.items():
            if asked >= FIRST and self._refused[model] >= self._share * asked:
                said = f"{where}: {self._refused[model]:,} of the first {asked:,} candidates of {model} are refused"
                self._stop(said, self._guards[model])

    def _stop(self, said: str, why: Counter[str]) -> None:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in why.most_common())
        raise NearlyAllRefused(
            f"{said} ({counts}). The run stopped before it paid for the rest. Look at quarantine.jsonl: is it the "
            "right model, with its right chat template? The same command tries again with new samples; "
            "`stop_at_refused: null` in the configuration goes on whatever is refused.",
            self._rows,
        )


def _candidates(row: Row) -> Iterator[Row]:
    return (one for segment in row["segments"] for one in segment.get("candidates", ()))
