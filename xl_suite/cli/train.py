"""`xl-suite train`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xl_suite.cli.options import add_json, add_out, print_json

SUMMARY = "Fine-tune a model with LoRA on a training subset or on preference pairs."
EXAMPLES = """\
examples:
  xl-suite train train_paper --data subsets/8k --out models/eurollm-8k --estimate
  xl-suite train train_paper --data subsets/8k --out models/eurollm-8k --merge
  xl-suite train train_paper --model Qwen/Qwen2.5-7B --data subsets/8k --out models/qwen-8k --merge
  xl-suite train train_dpo --model models/eurollm-8k/merged --data pairs --out models/eurollm-8k-dpo
then: xl-suite respond xl-alpacaeval --model vllm:models/eurollm-8k/merged --name eurollm-8k --out outputs

CONFIG is a YAML file, or one that comes with the package: train_paper (the paper's values), train_dpo, train_smoke.
After a kill the same command goes on from the last checkpoint, to the same result. It needs the extra `train`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or: train_paper, train_dpo, train_smoke")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="what `xl-suite subset` or `preferences` wrote"
    )
    add_out(parser)
    parser.add_argument("--model", metavar="ID_OR_DIR", help="another model than the configuration's")
    parser.add_argument("--merge", action="store_true", help="also write the weights with the adapter in them")
    parser.add_argument("--estimate", action="store_true", help="print steps, tokens and memory, and load no weights")
    parser.add_argument("--force", action="store_true", help="train though memory or device speak against it")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from xl_instruct.training.config import read_training_config
    from xl_instruct.training.train import estimate_training, train

    config = read_training_config(args.config, {"model": args.model} if args.model else None)
    if args.estimate:
        plan = estimate_training(config, args.data)
        if args.json:
            print_json(plan.to_dict())
        else:
            print(plan.describe())
        return 0
    trained = train(config, args.data, args.out, merge=args.merge, force=args.force)
    print(trained.describe(), file=sys.stderr)
    if args.json:
        print_json(trained.to_dict())
    return 0
