"""`xl-suite publish`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json

SUMMARY = "Publish the folder of a dataset or an adapter on the Hub: one commit, one tag, no silent overwriting."
EXAMPLES = """\
examples:
  xl-suite publish xl-alpacaeval --repo xl-suite/xl-alpacaeval --dry-run
  xl-suite publish xl-alpacaeval --repo xl-suite/xl-alpacaeval
  xl-suite publish adapter --repo me/eurollm-xl-instruct --private
then: load_dataset("xl-suite/xl-alpacaeval", "deu")"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder written by build, generate or train")
    parser.add_argument("--repo", required=True, metavar="ORG/NAME", help="the repository; created if missing")
    parser.add_argument("--dry-run", action="store_true", help="show the changes, and make none")
    parser.add_argument("--private", action="store_true", help="a new repository is private")
    parser.add_argument(
        "--gated", choices=["auto", "manual"], help="readers must ask for access; auto grants it at once"
    )
    parser.add_argument(
        "--gated-prompt",
        metavar="TEXT",
        default="By asking for access you agree to the licence on the card.",
        help="the text that they agree to, on the card",
    )
    parser.add_argument("--revision", default="main", metavar="BRANCH", help="default: main")
    parser.add_argument("--tag", metavar="VERSION", help="default: 1.0.0, or the next minor version")
    parser.add_argument(
        "--over", metavar="COMMIT", help="replace this commit even if it did not come from this folder"
    )
    parser.add_argument(
        "--allow-emails", action="store_true", help="publish even if the data contain e-mail addresses"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import plan_publish
    from xl_suite.publishing.hub import publish, to_json

    plan = plan_publish(
        args.folder,
        args.repo,
        gated_prompt=args.gated_prompt if args.gated else None,
        revision=args.revision,
        tag=args.tag,
        allow_emails=args.allow_emails,
    )
    if args.dry_run:
        return Outcome(to_json(plan), plan.describe())
    logging.getLogger("xl_suite.publishing").info("%s", plan.describe())
    done = publish(plan, private=args.private, gated=args.gated, over=args.over)
    same = " already equals this folder: nothing was committed"
    text = done.url + ("" if done.commit else same) + (f" at {done.tag}" if done.tag else "")
    return Outcome({"url": done.url, "commit": done.commit, "tag": done.tag}, text)
