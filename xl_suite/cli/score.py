"""`xl-suite score`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from xl_suite.cli.options import add_json, add_languages, positive_int, print_json
from xl_suite.dataset.expected import find_expected, list_benchmarks

SUMMARY = "Score a model from its annotations: win rates with intervals, raw, gated and length-controlled."
EXAMPLES = """\
examples:
  xl-suite score annotations/MODEL/xl_gpt4o --benchmark xl-alpacaeval --outputs outputs/MODEL
  xl-suite score annotations/MODEL                      # several judges: their scores and their agreement
  xl-suite score run1/MODEL/J run2/MODEL/J run3/MODEL/J # several runs of a model: its own spread too
  xl-suite score annotations.json.gz --json             # a file of alpaca_eval
  xl-suite score ratings/MODEL/JUDGE                    # of `xl-suite rate`: means from 1 to 5 by criterion

The 95 % intervals cover prompts only: other prompts of the same kind. Rates are percentages."""


MANY_CHARACTERS = 4_000_000  # from here on, processes that share the work are worth their start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        nargs="+",
        metavar="ANNOTATIONS",
        help="a file or folder, of `judge` or of `rate`; several are runs of a model",
    )
    parser.add_argument("--outputs", type=Path, help="the model's outputs, for its truncation rate (one run)")
    parser.add_argument("--reference", type=Path, help="the reference's outputs, for its truncation rate")
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="DIR",
        help="its folder says which prompts expect the target language (default for XL-AlpacaEval and m-AlpacaEval: "
        "the packaged list)",
    )
    parser.add_argument(
        "--gate",
        choices=("both", "model", "none"),
        default="both",
        help="whose answers must be in the target language for the gated win rate (both); "
        "none does not look at the languages",
    )
    parser.add_argument("--resamples", type=positive_int, default=10_000, metavar="N", help="of the prompts (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (0)")
    add_languages(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from xl_suite.judging.annotations import scale_preference, select_languages
    from xl_suite.languages import parse_languages
    from xl_suite.rating.ratings import find_rating_files
    from xl_suite.scoring.answers import read_reasons
    from xl_suite.scoring.judges import describe_judges, group_by_judge
    from xl_suite.scoring.runs import read_runs
    from xl_suite.scoring.scores import score_annotations

    if any(map(find_rating_files, args.annotations)):
        return _score_ratings(args)
    annotations = read_runs(args.annotations)
    if args.languages != "all":
        codes = [language.code for language in parse_languages(args.languages, [])]
        annotations = select_languages(annotations, codes)
    benchmarks = list_benchmarks(annotations)
    expected = find_expected(args.benchmark, benchmarks)
    unmarked = sorted(set(benchmarks) - set(expected))
    if unmarked and args.gate != "none":
        print(
            f"{', '.join(unmarked)}: without --benchmark every prompt is taken to expect an answer in the target "
            "language.",
            file=sys.stderr,
        )
    reasons = read_reasons(args.outputs) if args.outputs else None
    reference_reasons = read_reasons(args.reference) if args.reference else None
    judges = group_by_judge(annotations)
    size = sum(len(row.output_1) + len(row.output_2) for row in annotations)
    many = size > MANY_CHARACTERS and args.gate != "none" and bool(benchmarks)
    if many:
        print(f"Looking at the languages of {2 * len(annotations)} answers ...", file=sys.stderr)
    known: dict[Any, Any] = {}
    scores = {
        name: score_annotations(
            rows,
            expected=expected,
            reasons=reasons,
            reference_reasons=reference_reasons,
            gate=args.gate,
            resamples=args.resamples,
            seed=args.seed,
            workers=(os.cpu_count() or 1) if many else 1,
            known=known,
        ).to_json()
        for name, rows in judges.items()
    }
    answer: dict[str, Any] = next(iter(scores.values()))
    if len(scores) > 1:
        answer = {"model": answer["model"], "annotators": scores, **describe_judges(annotations)}
    if args.json:
        print_json(answer)
    else:
        from xl_suite.scoring.tables import show_score

        print(show_score(answer))
    failed = sum(scale_preference(row.preference) is None for row in annotations)
    if failed:
        print(
            f"{failed} of {len(annotations)} judgements failed; n_failed counts them. `xl-suite judge` retries them.",
            file=sys.stderr,
        )
    return 0


def _score_ratings(args: argparse.Namespace) -> int:
    """Scores on rubrics. Of a folder with several judges, each on its own."""
    from xl_suite.errors import BadInput
    from xl_suite.languages import parse_languages
    from xl_suite.rating.ratings import read_ratings
    from xl_suite.rating.scores import score_ratings, show_ratings

    if len(args.annotations) > 1:
        raise BadInput("Ratings are scored one folder at a time: name OUT/<generator>/<judge>, or OUT/<generator>.")
    ratings = read_ratings(args.annotations[0])
    if args.languages != "all":
        codes = [language.code for language in parse_languages(args.languages, [])]
        found = {row.language for row in ratings}
        missing = [code for code in codes if code not in found]
        if missing:
            raise BadInput(f"no ratings in {', '.join(missing)}. The languages found: {', '.join(sorted(found))}.")
        ratings = [row for row in ratings if row.language in codes]
    judges = {
        judge: [row for row in ratings if row.judge == judge] for judge in sorted({row.judge for row in ratings})
    }
    scores = {judge: score_ratings(rows, resamples=args.resamples, seed=args.seed) for judge, rows in judges.items()}
    if args.json:
        print_json(next(iter(scores.values())) if len(scores) == 1 else {"judges": scores})
    else:
        print("\n\n".join(show_ratings(score) for score in scores.values()))
    return 0
