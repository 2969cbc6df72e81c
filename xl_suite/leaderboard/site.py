"""Builds the leaderboard's folder: index.html, one page per model, one that compares two, the answers, and a CSV.

    DIR/index.html  DIR/compare.html  DIR/leaderboard.csv  DIR/models/<model>.html
    DIR/answers/<model>/<scores>/<language>.json  DIR/prompts/<hash>.js: see `answer_files`

DIR/.scores keeps what was scored, so that the next build pays only for what is new; the pages don't need it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xl_suite import __version__
from xl_suite.auditing.card import read_audited
from xl_suite.errors import BadInput
from xl_suite.fidelity.error import find_error
from xl_suite.languages import find_language
from xl_suite.leaderboard.answer_files import PROMPTS, list_shared
from xl_suite.leaderboard.forms import draw_boards, format_boards
from xl_suite.leaderboard.jobs import name_places, plan_jobs
from xl_suite.leaderboard.mapped import mapped_boards
from xl_suite.leaderboard.metrics import list_metrics
from xl_suite.leaderboard.models import read_models
from xl_suite.leaderboard.page import render_page
from xl_suite.leaderboard.rated import score_ratings
from xl_suite.leaderboard.results import MARKER, find_results, is_site
from xl_suite.leaderboard.scored import SUMMARY, Job, hash_job, score_job
from xl_suite.leaderboard.table import Board, Row, build_boards, mark_audited, paper_boards
from xl_suite.leaderboard.writing import boards_to_json, write_csv
from xl_suite.pages import embed
from xl_suite.records import write_text
from xl_suite.staging import clear_abandoned, list_entries, refuse_links

SCORES = ".scores"
PARALLEL_BYTES = 4_000_000  # of annotations, from which on processes are worth their start
LIVE = "live.js"  # what goes on, while `--watch` builds the page
_OURS = ("index.html", LIVE, "compare.html", "leaderboard.csv", "models", "answers", PROMPTS, SCORES, MARKER)
INDEX_SCRIPTS = ("shared.js", "live.js", "page.js")
COMPARE_SCRIPTS = ("shared.js", "prompts.js", "statistics.js", "compare.js")
MODEL_SCRIPTS = ("shared.js", "prompts.js", "model.js")

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Live:
    """How the index looks for news: every so many seconds it loads LIVE, and itself anew after another build."""

    seconds: float
    build: int


@dataclass(frozen=True, slots=True)
class Site:
    """What was built. n_scored: jobs scored now; the other n_known were known."""

    folder: Path
    boards: tuple[Board, ...]
    n_models: int
    n_scored: int
    n_known: int
    not_judged: tuple[str, ...]

    @property
    def index(self) -> Path:
        return self.folder / "index.html"

    def format(self, form: str) -> str:
        """The tables as `markdown`, `latex`, `csv` or `json`."""
        return format_boards(self.boards, form)

    def figure(self) -> str:
        """An SVG of win rate against fidelity of the first table that was measured, a dot per model and language."""
        return draw_boards(self.boards)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the verb's `--json`."""
        return {
            "index": str(self.index),
            "csv": str(self.folder / "leaderboard.csv"),
            "n_models": self.n_models,
            "n_scored": self.n_scored,
            "n_known": self.n_known,
            "not_judged": list(self.not_judged),
            "boards": [
                {
                    "benchmark": board.benchmark,
                    "annotator": board.annotator,
                    "method": board.method,
                    "order": board.order,
                    "reference": board.reference,
                    "paper": board.paper,
                    "models": [row.name for row in board.rows],
                }
                for board in self.boards
            ],
        }


def build_site(
    results: Sequence[Path],
    out: Path,
    *,
    benchmarks: Sequence[Path] = (),
    paper: bool = True,
    title: str = "Cross-lingual generation",
    resamples: int = 10_000,
    workers: int = 1,
    live: Live | None = None,
    required: bool = True,
    report: Report = lambda line: None,
) -> Site:
    """Builds the leaderboard of all results in `out`, which may hold an earlier one.

    benchmarks: dataset folders that say which prompts expect the target language, beside those in the results and
    XL-AlpacaEval's packaged list. paper: whether the paper's tables are below. live: how the index looks for news
    while runs go on. required: whether anything must have been judged. Raises BadInput where `out` holds anything
    else, and where results are missing or do not fit.
    """
    check_out(out)
    found = find_results(results, required=required)
    jobs = plan_jobs(found, benchmarks)
    digests = [hash_job(job, resamples) for job in jobs]
    scores = out / SCORES
    new = {digest: job for job, digest in zip(jobs, digests, strict=True) if not (scores / digest).is_dir()}
    out.mkdir(parents=True, exist_ok=True)
    _write_marker(out)
    _score_all(new, scores, resamples, workers, report)
    places = name_places([job.generator for job in jobs])
    summaries = [json.loads((scores / digest / SUMMARY).read_bytes()) for digest in digests]
    rated, kept = score_ratings(found.ratings, found.outputs, scores, resamples)
    models = read_models(found.models)
    boards = build_boards(zip(jobs, digests, summaries, strict=True), places, models, rated)
    audits = [read_audited(path) for path in found.cards]
    boards = mark_audited(boards, audits)
    shown = [*boards, *mark_audited(mapped_boards(found.mapped, models), audits), *(paper_boards() if paper else [])]
    report(f"writing the pages of {len(places)} models")
    _write_models(out, boards, places, scores, title)
    _write_changed(out / "leaderboard.csv", write_csv(shown))
    data = {"title": title, "live": live and asdict(live), **_describe(shown), "boards": boards_to_json(shown)}
    _write_changed(out / "index.html", render_page("page.html", INDEX_SCRIPTS, title=title, data=embed(data)))
    pairs = {"title": title, "root": "", **_describe(boards), "boards": [_tell_compared(board) for board in boards]}
    page = render_page("compare.html", COMPARE_SCRIPTS, title=f"Two models · {title}", data=embed(pairs))
    _write_changed(out / "compare.html", page)
    _forget(scores, set(digests), kept)
    judged = {job.generator for job in jobs} | {job.reference for job in jobs}
    return Site(
        folder=out,
        boards=tuple(shown),
        n_models=len(places),
        n_scored=len(new),
        n_known=len(jobs) - len(new),
        not_judged=tuple(sorted(set(found.outputs) - judged)),
    )


def check_out(out: Path) -> None:
    """Raises BadInput unless `out` is missing, empty, or holds a leaderboard and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput(f"{out} is a file. Name a folder with --out.")
    clear_abandoned(out)
    names = [entry.name for entry in list_entries(out)]
    strange = [name for name in names if name not in _OURS]
    if strange or (names and not is_site(out)):
        found = (strange or names)[0]
        raise BadInput(
            f"{out} holds {found}, which is not part of a leaderboard; nothing was changed. "
            "Name a new or an empty folder with --out."
        )
    for name in ("models", "answers", PROMPTS, SCORES):
        refuse_links(out / name)


def _forget(scores: Path, digests: set[str], kept: set[str]) -> None:
    """Deletes the scores that no job has any more, and the prompts that only those had."""
    for stale in set(os.listdir(scores)) - digests - kept - {PROMPTS}:
        if (scores / stale).is_dir():
            shutil.rmtree(scores / stale, ignore_errors=True)
        else:
            (scores / stale).unlink()
    if (scores / PROMPTS).is_dir():
        shared = {name for digest in digests for name in list_shared(scores / digest)}
        for name in set(os.listdir(scores / PROMPTS)) - shared:
            (scores / PROMPTS / name).unlink()


def _write_marker(out: Path) -> None:
    write_text(out / MARKER, json.dumps({"made_by": "xl-suite leaderboard", "version": __version__}) + "\n")


_known: dict[Any, Any] = {}  # of references, for all jobs of a process


def _ignore_interrupt() -> None:
    """Ctrl-C in a terminal reaches every process; the one that started the others decides what follows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _score_one(job: Job, folder: Path, resamples: int) -> str:
    score_job(job, folder, resamples, _known)
    return job.generator


def _score_all(new: dict[str, Job], scores: Path, resamples: int, workers: int, report: Report) -> None:
    scores.mkdir(exist_ok=True)
    if not new:
        return
    size = sum(path.stat().st_size for job in new.values() for path in job.files)
    report(f"scoring {len(new)} models by judge: {size / 1e6:.0f} MB of annotations")
    try:
        if workers > 1 and len(new) > 1 and size > PARALLEL_BYTES:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(
                min(workers, len(new)), mp_context=context, initializer=_ignore_interrupt
            ) as pool:
                tasks = [pool.submit(_score_one, job, scores / digest, resamples) for digest, job in new.items()]
                try:
                    for number, task in enumerate(tasks, start=1):
                        report(f"  {number}/{len(new)} {task.result()}")
                except BaseException:  # those that are being scored are finished, the others not begun
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        else:
            for number, (digest, job) in enumerate(new.items(), start=1):
                report(f"  {number}/{len(new)} {_score_one(job, scores / digest, resamples)}")
    finally:
        _known.clear()


def _describe(boards: Sequence[Board]) -> dict[str, Any]:
    """The languages and metrics that the scripts name. error: percent, None where none was published."""
    codes = dict.fromkeys(code for board in boards for code in board.languages if code)
    languages: dict[str, dict[str, Any]] = {}
    for code in codes:
        language = find_language(code)
        error = find_error(code)
        languages[code] = {"name": language.name, "tag": language.code2 or code, "class": language.resource}
        languages[code]["error"] = None if error is None else error.right_bound * 100
    metrics = list_metrics(key for board in boards for row in board.rows for key in row.cells)
    return {"languages": languages, "metrics": [asdict(metric) for metric in metrics]}


def _write_models(out: Path, boards: Sequence[Board], places: dict[str, str], scores: Path, title: str) -> None:
    """The page of each model, and the files that the pages load; what an earlier build left is deleted."""
    rows: dict[str, list[tuple[Board, Row]]] = {name: [] for name in places}
    for board in boards:
        for row in board.rows:
            rows[row.name].append((board, row))
    written = set()
    for name, own in rows.items():
        runs = []  # a page holds what its model's tables hold
        for board, row in own:
            kept = scores / row.digest
            folder = out / "answers" / row.place / row.digest[:12]  # as _locate_answers
            for file in sorted(kept.iterdir()):
                if file.name != SUMMARY:
                    written.add(_link(file, folder / file.name))
            for shared in sorted(list_shared(kept)):
                written.add(_link(scores / PROMPTS / shared, out / PROMPTS / shared))
            (said,) = boards_to_json([_alone(board, row)])
            said["answers"] = f"../{_locate_answers(row)}"
            runs.append({"board": said, "codes": list(row.languages), "told": row.runs})
        head = {"title": title, "name": name, "place": places[name], "root": "../", "runs": runs}
        data = embed(head | _describe([board for board, _ in own]))
        page = out / "models" / f"{places[name]}.html"
        _write_changed(page, render_page("model.html", MODEL_SCRIPTS, title=f"{name} · {title}", data=data))
        written.add(page)
    for folder in (out / "models", out / "answers", out / PROMPTS):
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file() and file not in written:
                file.unlink()
            elif file.is_dir() and not any(file.iterdir()):
                file.rmdir()


def _write_changed(path: Path, text: str) -> None:
    """Writes the text where it is not there already: a page that is open elsewhere stays as it was."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (OSError, ValueError):
        pass
    write_text(path, text)


def _locate_answers(row: Row) -> str:
    """The URL of the folder of a row's answers, from the folder of the leaderboard."""
    return f"answers/{quote(row.place)}/{row.digest[:12]}/"


def _tell_compared(board: Board) -> dict[str, Any]:
    """What the page of comparisons needs of a board: where its models' answers are, and no numbers."""
    (said,) = boards_to_json([replace(board, rows=[])])
    rows = [
        {"name": row.name, "place": row.place, "answers": _locate_answers(row), "codes": list(row.languages)}
        for row in board.rows
    ]
    return said | {"languages": board.languages, "rows": rows}


def _alone(board: Board, row: Row) -> Board:
    """The board with one of its rows; the page of a model says nothing of others."""
    return replace(board, rows=[row])


def _link(source: Path, target: Path) -> Path:
    """Puts the file at `target` too, as a link where the disk allows it, else as a copy; returns `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and os.path.samefile(source, target):
        return target
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
