"""`xl-suite leaderboard`."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from xl_suite.cli.options import Outcome, add_format, add_json, add_out, add_plot
from xl_suite.cli.values import positive, positive_int

SUMMARY = "Build a leaderboard: a page that needs no network, one per model with all of its answers, and a CSV."
EXAMPLES = """\
examples:
  xl-suite leaderboard results --out leaderboard
  xl-suite leaderboard ours theirs --out leaderboard --benchmark xl-alpacaeval
  xl-suite leaderboard results --out leaderboard --watch            # while runs go on; Ctrl-C ends it
  xl-suite leaderboard results --out leaderboard --format latex --plot figure.svg
then: open leaderboard/index.html

The command searches RESULTS for files of `respond` (outputs/<model>/<language>.json), `judge` (annotations/<model>/
<judge>/<language>.json) and `rate`. The first record of a file shows its kind, so other layouts and files of
alpaca_eval work too. An optional models.tsv in RESULTS describes models in tab-separated columns: generator,
billions, training, hub_id. Models are ranked together only if judge, method, order, reference and benchmark are
equal. A second build scores only new results. With --watch the page also shows the progress of runs, read from the
journals in RESULTS, with the language verdicts on their answers and the newest answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS", help="folders of outputs and annotations")
    add_out(parser)
    for name, what in (
        ("--outputs", "of outputs, in addition to RESULTS"),
        ("--annotations", "of annotations, in addition to RESULTS"),
    ):
        parser.add_argument(name, type=Path, action="append", default=[], metavar="DIR", help=f"a folder {what}")
    parser.add_argument(
        "--benchmark",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="its folder says which prompts expect the target language (default: one in RESULTS, or, for "
        "XL-AlpacaEval, the packaged list)",
    )
    parser.add_argument("--title", default="Cross-lingual generation", help="the title of the page")
    parser.add_argument("--no-paper", action="store_true", help="leave out the paper's published rows")
    parser.add_argument(
        "--resamples",
        type=positive_int,
        default=10_000,
        metavar="N",
        help="resamples of prompts (default: 10000)",
    )
    parser.add_argument(
        "--workers",
        type=positive_int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one for each core)",
    )
    parser.add_argument("--watch", action="store_true", help="build again whenever results change, until Ctrl-C")
    parser.add_argument(
        "--every", type=positive, default=5.0, metavar="SECONDS", help="with --watch: how often to look (default: 5)"
    )
    add_format(parser)
    add_plot(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import leaderboard, watch_leaderboard
    from xl_suite.scoring.figure import write_figure

    site = (partial(watch_leaderboard, seconds=args.every) if args.watch else leaderboard)(
        [*args.results, *args.outputs, *args.annotations],
        out=args.out,
        benchmarks=args.benchmark,
        paper=not args.no_paper,
        title=args.title,
        resamples=args.resamples,
        workers=args.workers,
    )
    notes: tuple[str, ...] = ()
    if site.not_judged:
        notes = (f"outputs without annotations, left out: {', '.join(site.not_judged)}",)
    if args.plot:
        notes = (*notes, write_figure(args.plot, site.figure()))
    told = f"{site.n_models} models, {len(site.boards)} tables: open {site.index}"
    return Outcome(site.to_dict(), site.format(args.format) if args.format else told, notes)
