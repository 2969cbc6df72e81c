"""The leaderboard's tables: one for each judge, method, reference and benchmark, a row per model; and the paper's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xl_suite.languages import table as languages_table
from xl_suite.leaderboard.metrics import AVERAGE, Cell, Cells
from xl_suite.leaderboard.models import Model, find_model
from xl_suite.leaderboard.paper import JUDGE, REFERENCE, list_paper_lines
from xl_suite.leaderboard.ranks import Ranks, rank_summaries
from xl_suite.leaderboard.rated import Rated
from xl_suite.leaderboard.scored import Job
from xl_suite.provenance import RUN, tell_runs

LEAST_SHARE = 0.9  # of a language's prompts must be judged for a model to be ranked; some verdicts are never read


@dataclass(frozen=True, slots=True)
class Row:
    """A model in a table. place: the folder's name of its page, empty where it has none.

    covariance: of the win rates of `languages`, in squared points. warnings: what makes the scores doubtful.
    told_apart: by language, how many answers are in the language asked for, and of how many that can be told.
    judged, asked: by language, how many prompts were, and how many there are. complete: whether these are nearly all
    of the table's prompts; missing: the languages of which they are not. A model that is not complete comes below
    those that are. ranks: intervals that hold for all complete rows at once, see `scoring.ranks`. runs: who answered
    and who judged, as the folders' run.json have it.
    """

    name: str
    model: Model
    cells: Mapping[str, Cells]
    place: str = ""
    digest: str = ""
    tables: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    covariance: Sequence[Sequence[float]] = ()
    warnings: tuple[str, ...] = ()
    told_apart: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    judged: Mapping[str, int] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)
    complete: bool = True
    missing: tuple[str, ...] = ()
    ranks: Ranks = field(default_factory=dict)
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """Rows that may be compared with each other. paper: whether they are the paper's printed numbers.

    rater: who rated by which rubrics. through: the bridge that mapped scores came through.
    references: a hash of each reference answer by language and prompt. audited: by language that a card of the judge
    covers, the defects that it is marked for.
    """

    benchmark: str
    annotator: str
    method: str
    order: str
    reference: str
    paper: bool = False
    tables: tuple[int, ...] = ()
    reference_fidelity: float | None = None
    rater: str = ""
    rows: list[Row] = field(default_factory=list)
    references: dict[str, dict[str, str]] = field(default_factory=dict)
    through: Mapping[str, str] = field(default_factory=dict)
    audited: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        return self.benchmark, self.annotator, self.method, self.order, self.reference

    @property
    def languages(self) -> list[str]:
        """The languages of any row, in the order of the languages' table, others after them."""
        found = {code for row in self.rows for cells in row.cells.values() for code in cells} - {AVERAGE}
        order = {language.code: place for place, language in enumerate(languages_table())}
        return sorted(found, key=lambda code: (order.get(code, len(order)), code))


def build_boards(
    scored: Iterable[tuple[Job, str, Mapping[str, Any]]],
    places: Mapping[str, str],
    models: Mapping[str, Model] | None = None,
    ratings: Sequence[Rated] = (),
) -> list[Board]:
    """The tables of what was scored: (job, digest, summary) each. Reference answers that differ split a table.

    ratings: rubric scores, of which a table shows those by the judge that rated most of its models.
    """
    boards: list[Board] = []
    summaries = {}
    for job, digest, summary in scored:
        summaries[digest] = summary
        origin = summary["provenance"]
        key = (job.benchmark, job.annotator, origin["method"], origin["order"], job.reference)
        board = next((one for one in boards if one.key == key and _agree(one, summary["references"])), None)
        if board is None:
            rate = ((summary["overall"] or {}).get("reference_fidelity") or {}).get("pass_rate")
            board = Board(*key, reference_fidelity=None if rate is None else rate * 100)
            boards.append(board)
        for language, prompts in summary["references"].items():
            board.references.setdefault(language, {}).update(prompts)
        board.rows.append(_make_row(job, digest, summary, places, models or {}))
    boards = [_add_ratings(_rank(_mark_incomplete(board), summaries), ratings) for board in boards]
    for board in boards:
        board.rows.sort(key=lambda row: (not row.complete, -(row.cells["win_rate"].get(AVERAGE, (0, 0, 0))[0] or 0)))
    return sorted(boards, key=lambda board: (-len(board.rows), board.key))


def mark_audited(boards: Sequence[Board], audits: Iterable[tuple[str, Mapping[str, Sequence[str]]]]) -> list[Board]:
    """The boards with what the cards of their judges say; several cards of one judge are joined.

    audits: (annotator, defects by language) of each card, as `auditing.card.read_audited` gives them.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for annotator, audited in audits:
        for language, defects in audited.items():
            known = found.setdefault(annotator, {}).setdefault(language, [])
            known += [defect for defect in defects if defect not in known]
    return [replace(board, audited=found.get(board.annotator, {})) for board in boards]


def paper_boards(benchmarks: Iterable[str] | None = None) -> list[Board]:
    """The paper's printed tables. benchmarks: only those on one of them; all by default."""
    boards = []
    for benchmark, tables, lines in list_paper_lines():
        if benchmarks is not None and benchmark not in benchmarks:
            continue
        board = Board(benchmark, JUDGE, "", "", REFERENCE, paper=True, tables=tables)
        for line in lines:
            cells: dict[str, Cells] = {
                metric: {language: (value, None, None) for language, value in values.items()}
                for metric, values in line.values.items()
            }
            model = Model(line.billions, line.training, line.hub_id)
            board.rows.append(Row(line.model, model, cells, tables=line.tables))
        boards.append(board)
    return boards


def _mark_incomplete(board: Board) -> Board:
    """The board with the rows marked that lack more than a few of the prompts of its languages, or a language.

    A rate over some prompts cannot be ranked beside one over all: the others may be the hard ones.
    """
    asked = {
        language: max(len(prompts), *(row.asked.get(language, 0) for row in board.rows))
        for language, prompts in board.references.items()
    }
    rows = []
    for row in board.rows:
        missing = [language for language in asked if row.judged.get(language, 0) < LEAST_SHARE * asked[language]]
        total, judged = sum(asked.values()), sum(row.judged.values())
        told = f"Judged on {judged} of {total} prompts: not ranked beside complete ones"
        rows.append(
            replace(row, complete=False, missing=tuple(missing), warnings=(*row.warnings, told)) if missing else row
        )
    return replace(board, rows=rows)


def _rank(board: Board, summaries: Mapping[str, Mapping[str, Any]]) -> Board:
    """The board with the ranks of its complete rows."""
    full = sorted((row for row in board.rows if row.complete), key=lambda row: (row.name, row.digest))
    found = rank_summaries([summaries[row.digest] for row in full], board.languages)
    ranks = {row.digest: one for row, one in zip(full, found, strict=True)}
    return replace(board, rows=[replace(row, ranks=ranks.get(row.digest, {})) for row in board.rows])


def _add_ratings(board: Board, ratings: Sequence[Rated]) -> Board:
    """The board with the rubric scores of its models by one judge: those of two are never compared."""
    names = {row.name for row in board.rows}
    own = [one for one in ratings if one.generator in names and one.benchmark in ("", board.benchmark)]
    counts = Counter(one.rater for one in own)
    if not counts:
        return board
    rater = max(sorted(counts), key=lambda name: counts[name])
    by_name = {one.generator: one.cells for one in own if one.rater == rater}
    rows = [replace(row, cells={**row.cells, **by_name.get(row.name, {})}) for row in board.rows]
    return replace(board, rater=rater, rows=rows)


def _agree(board: Board, references: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the reference answers are the same on the prompts that both have."""
    for language, prompts in references.items():
        known = board.references.get(language)
        if known is None or known == prompts:
            continue
        if any(known.get(prompt, digest) != digest for prompt, digest in prompts.items()):
            return False
    return True


def _make_row(
    job: Job,
    digest: str,
    summary: Mapping[str, Any],
    places: Mapping[str, str],
    models: Mapping[str, Model],
) -> Row:
    languages = summary["languages"]
    cells: dict[str, Cells] = {}
    for language, keys in languages.items():
        _add_cells(cells, language, keys)
    overall = summary["overall"]
    if overall is None:
        overall = dict(next(iter(languages.values())))
    known = [keys["cost"] for keys in languages.values() if keys["cost"] is not None]
    _add_cells(cells, AVERAGE, {**overall, "cost": sum(known) if known else None})
    repeated = [code or "all" for code, keys in languages.items() if keys.get("is_constant")]
    addressed = sum(keys["n_addressed"] for keys in languages.values())
    failed = sum(keys["n_failed"] for keys in languages.values())
    warnings = [f"Answers repeat one text in {', '.join(repeated)}"] if repeated else []
    if addressed:
        warnings.append(
            "1 answer addresses the judge" if addressed == 1 else f"{addressed} answers address the judge"
        )
    warnings += [f"{failed} judgements failed"] if failed else []
    return Row(
        name=job.generator,
        model=models.get(job.generator) or find_model(job.generator),
        cells=cells,
        place=places[job.generator],
        digest=digest,
        languages=tuple(languages),
        covariance=summary["covariance"],
        warnings=tuple(warnings),
        told_apart={
            language: (found["n_right"], sum(found[f"n_{name}"] for name in ("right", "wrong", "mixed", "empty")))
            for language, keys in languages.items()
            if (found := keys.get("fidelity"))
        },
        judged={language: keys["n_total"] for language, keys in languages.items()},
        asked={language: keys["n_asked"] for language, keys in languages.items()},
        runs=_tell_runs(job),
    )


def _tell_runs(job: Job) -> tuple[str, ...]:
    """A line for each run that a run.json beside the files describes; files without one say nothing."""
    answered = [path for path in job.outputs if (path.parent / RUN).is_file()]
    judged = [path for path in job.files if (path.parent / RUN).is_file()]
    return (*tell_runs("answered", "outputs", answered), *tell_runs("judged", "annotations", judged))


def _add_cells(cells: dict[str, Cells], language: str, keys: Mapping[str, Any]) -> None:
    fidelity = (keys.get("fidelity") or {}).get("pass_rate")
    found: dict[str, Cell] = {
        "win_rate": (keys.get("win_rate"), keys.get("ci_low"), keys.get("ci_high")),
        "gated": (keys.get("gated_win_rate"), keys.get("gated_ci_low"), keys.get("gated_ci_high")),
        "fidelity": (None if fidelity is None else fidelity * 100, None, None),
        "lc": (keys.get("length_controlled_winrate"), keys.get("lc_ci_low"), keys.get("lc_ci_high")),
        "n": (keys.get("n_total"), None, None),
        "length": (keys.get("avg_length"), None, None),
        "truncated": (keys.get("truncation_rate"), None, None),
        "cost": (keys.get("cost"), None, None),
    }
    for metric, cell in found.items():
        if cell[0] is not None:
            cells.setdefault(metric, {})[language] = cell
