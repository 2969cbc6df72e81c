"""`xl-suite score`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import (
    Outcome,
    add_annotator,
    add_benchmark,
    add_format,
    add_gate,
    add_json,
    add_languages,
    add_plot,
    add_reference,
    add_resampling,
    describe_rows,
)

SUMMARY = "Score a model from its annotations: win rates with intervals, raw, gated and length-controlled."
EXAMPLES = """\
examples:
  xl-suite score annotations/MODEL/xl_gpt4o --benchmark xl-alpacaeval --outputs outputs/MODEL
  xl-suite score annotations/MODEL                      # several judges: their scores and their agreement
  xl-suite score run1/MODEL/J run2/MODEL/J run3/MODEL/J # several runs of a model, with their spread
  xl-suite score seed-1/J seed-2/J seed-3/J --training-seeds  # one way of training, from three seeds
  xl-suite score annotations.json.gz --json             # a file of alpaca_eval
  xl-suite score ratings/MODEL/JUDGE                    # ratings: means from 1 to 5 by criterion

The 95 % intervals cover prompts only: other prompts of the same kind. Rates are percentages."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        nargs="+",
        metavar="ANNOTATIONS",
        help="a file or folder, of `judge` or of `rate`; several are runs of a model",
    )
    parser.add_argument(
        "--outputs",
        type=Path,
        help="the model's outputs, which show the answers that were cut off if annotations do not (one run)",
    )
    add_reference(parser, "the reference's outputs, likewise")
    add_benchmark(
        parser,
        "it says which prompts expect the target language (default for XL-AlpacaEval and m-AlpacaEval: the packaged "
        "list)",
    )
    add_annotator(
        parser,
        "the judge's folder, or one that `xl-suite audit --only length` wrote, for its length_slope.json (default: "
        "beside ANNOTATIONS, or as shipped)",
    )
    parser.add_argument(
        "--assume-length-slope",
        default="",
        metavar="MEAN,SE",
        help="use this length slope of the judge, in logits; the rate at equal lengths is marked as assumed",
    )
    parser.add_argument(
        "--training-seeds",
        action="store_true",
        help="ANNOTATIONS belong to models that differ in their training seed only: "
        "score them as one, with seeds in the error",
    )
    add_gate(parser, "both")
    add_resampling(parser)
    add_languages(parser)
    add_format(parser)
    add_plot(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import score
    from xl_suite.scoring.figure import write_figure

    scores = score(
        args.annotations,
        benchmark=args.benchmark,
        outputs=args.outputs,
        reference=args.reference,
        annotator=args.annotator,
        assume_length_slope=args.assume_length_slope,
        training_seeds=args.training_seeds,
        gate=args.gate,
        languages=args.languages,
        resamples=args.resamples,
        seed=args.seed,
    )
    notes = scores.notes
    if args.plot:
        notes = (*notes, write_figure(args.plot, scores.figure()))
    return Outcome(scores.to_dict(), describe_rows(scores, args.format) or scores.describe(), notes)
