"""`xl-suite judge`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xl_suite.cli.options import add_judging_options, print_json
from xl_suite.errors import BadInput

SUMMARY = "Have a judge compare outputs with reference outputs, prompt by prompt."
EXAMPLES = """\
examples:
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --estimate
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --budget 20
  xl-suite judge outputs/my-model --reference outputs/gpt-4o-mini --annotator xl_local \\
      --model Qwen2.5-72B@http://localhost:8000/v1 --order both --out annotations
  xl-suite judge results/lm-eval --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations
then: xl-suite score annotations/my-model/xl_gpt4o"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reference", type=Path, required=True, metavar="OUTPUTS", help="outputs to compare with")
    parser.add_argument(
        "--annotator", required=True, metavar="NAME_OR_DIR", help="see `xl-suite annotators`; the paper's is xl_gpt4o"
    )
    parser.add_argument("--model", metavar="MODEL", help="another judge than the annotator's own")
    parser.add_argument(
        "--order",
        default="random",
        choices=["random", "both"],
        help="random: one order a prompt, AlpacaEval's draw (default); both: twice the calls, shows position bias",
    )
    parser.add_argument("--allow-partial", action="store_true", help="judge the rows that both sides have")
    add_judging_options(parser, read="verdict", auto="by logprobs where the judge gives them")


def run(args: argparse.Namespace) -> int:
    from xl_suite.chat.estimates import estimate
    from xl_suite.chat.models import parse_model
    from xl_suite.cli.options import print_estimates, read_chat_options
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import choose_method, judge_pairs, plan_calls, write_judgement
    from xl_suite.judging.lifetime import find_announced_end
    from xl_suite.judging.pairwise import pair_outputs
    from xl_suite.responding.outputs import read_outputs

    if args.out.exists() and not args.out.is_dir():
        raise BadInput(f"{args.out} is a file. Name a folder with --out.")
    annotator = read_annotator(args.annotator)
    model = parse_model(args.model or annotator.model)
    options = read_chat_options(args, args.out / ".journal.sqlite")
    everything = pair_outputs(
        read_outputs(args.outputs, args.language),
        read_outputs(args.reference, args.language),
        languages=args.languages,
        allow_partial=args.allow_partial,
    )
    pairs = {language: rows[: args.limit] for language, rows in everything.items()}
    earlier = {} if args.limit is None else {language: rows[args.limit :] for language, rows in everything.items()}
    if args.estimate:
        method = choose_method(annotator, args.method, args.samples, args.max_tokens)
        calls = plan_calls(pairs, annotator, order=args.order, method=method)
        print_estimates([estimate(model, calls, options)], json=args.json)
        return 0
    if options.replay is None and (end := find_announced_end(model)):
        print(f"warning: the judge {model.name} will end ({end}). Keep the journal.", file=sys.stderr)
    judgement = judge_pairs(
        pairs,
        annotator,
        model,
        options,
        order=args.order,
        method=args.method,
        samples=args.samples,
        max_tokens=args.max_tokens,
    )
    folder = write_judgement(args.out, judgement, earlier)
    for note in judgement.noted:
        print(f"note: {note}", file=sys.stderr)
    if any(earlier.values()):
        print("note: rows beyond --limit that were judged in the same way before stay in the files.", file=sys.stderr)
    print(judgement.describe(folder), file=sys.stderr)
    if args.json:
        print_json(judgement.to_dict(folder))
    return 1 if any(judgement.failures.values()) else 0
