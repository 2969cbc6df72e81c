"""`xl-suite train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json, add_model, add_out

SUMMARY = "Fine-tune a model with LoRA on a training subset or on preference pairs."
EXAMPLES = """\
examples:
  xl-suite train train_paper --data subsets/8k --out models/eurollm-8k --estimate
  xl-suite train train_paper --data subsets/8k --out models/eurollm-8k --merge
  xl-suite train train_paper --model Qwen/Qwen2.5-7B --data subsets/8k --out models/qwen-8k --merge
  xl-suite train train_dpo --model models/eurollm-8k/merged --data pairs --out models/eurollm-8k-dpo
  xl-suite train train_paper --data subsets/8k --out models/eurollm-8k-seeds --seeds 1,2,3
then: xl-suite respond xl-alpacaeval --model vllm:models/eurollm-8k/merged --name eurollm-8k --out outputs

CONFIG is a YAML file, or one that comes with the package: train_paper (the paper's values), train_dpo, train_smoke.
After a kill the same command continues from the last checkpoint, with the same result. It needs the extra `train`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or: train_paper, train_dpo, train_smoke")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder of `xl-suite subset` or `preferences`, or a file or folder of other instruction data",
    )
    add_out(parser)
    add_model(parser, "a Hub ID or a folder; replaces the configuration's model")
    parser.add_argument("--merge", action="store_true", help="also write the model with the adapter merged in")
    parser.add_argument(
        "--seeds", type=parse_seeds, metavar="N,N", help="one adapter for each seed (1,2,3), in OUT/seed-1 and so on"
    )
    parser.add_argument("--estimate", action="store_true", help="print steps, tokens and memory, and load no weights")
    parser.add_argument("--force", action="store_true", help="train even if memory or device seem insufficient")
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_instruct.training.config import read_training_config
    from xl_instruct.training.train import estimate_training
    from xl_suite.api import train

    if args.estimate:
        config = read_training_config(args.config, {"model": args.model} if args.model else None)
        plan = estimate_training(config, args.data)
        return Outcome(plan.to_dict(), plan.describe())
    options = {"data": args.data, "out": args.out, "model": args.model, "merge": args.merge, "force": args.force}
    if args.seeds is not None:
        runs = train(args.config, **options, seeds=args.seeds)
        value = {
            "out": str(args.out),
            "runs": [{"seed": s, **r.to_dict()} for s, r in zip(args.seeds, runs, strict=True)],
        }
        return Outcome(value, notes=tuple(run.describe() for run in runs))
    trained = train(args.config, **options)
    return Outcome(trained.to_dict(), notes=(trained.describe(),))


def parse_seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of seeds such as 1,2,3") from None
