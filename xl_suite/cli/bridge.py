"""`xl-suite bridge`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.jobs import run_job
from xl_suite.cli.options import (
    Outcome,
    add_annotator,
    add_batch_options,
    add_chat_options,
    add_json,
    add_language,
    add_languages,
    add_model,
    add_out,
    add_price,
    add_reference,
    add_seed,
    read_chat_settings,
)
from xl_suite.cli.values import non_negative, positive

SUMMARY = "Replace a judge: plan and collect its last verdicts, archive them, map old win rates to a new judge's."
EXAMPLES = """\
examples:
  xl-suite bridge plan outputs/* --reference reference/gpt-4o-mini --annotator xl_gpt4o --budget 200 --out bridge
  xl-suite bridge collect bridge --annotator xl_gpt4o --budget 220
  xl-suite bridge archive bridge --license cc-by-nc-4.0 --out bridge-archive
later, even offline, with the archive only:
  xl-suite bridge collect bridge-archive --annotator xl_local --model NEW_JUDGE@http://localhost:8000/v1
  xl-suite bridge fit bridge-archive --out bridge-to-new
  xl-suite score annotations/MODEL/xl_gpt4o --json > score.json
  xl-suite bridge apply bridge-to-new score.json --out results/mapped
then: xl-suite leaderboard results --out leaderboard   # mapped scores in tables of their own"""

LICENSE = "cc-by-nc-4.0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    plan = actions.add_parser("plan", help="choose the rows that the old judge must see")
    plan.add_argument("outputs", type=Path, nargs="+", metavar="OUTPUTS", help="one folder of outputs for each model")
    add_reference(plan, "outputs to compare with", required=True)
    _add_judge(plan)
    plan.add_argument(
        "--budget", type=non_negative, metavar="USD", help="dollars; limits the number of rows (default: all rows)"
    )
    add_price(plan)
    plan.add_argument("--families", type=Path, metavar="FILE", help="a table of model<TAB>family, for other names")
    plan.add_argument(
        "--repeat-share",
        type=non_negative,
        default=0.1,
        metavar="SHARE",
        help="share of rows judged 3 times (0.1)",
    )
    add_seed(plan, "the seed for choosing rows", 0)
    add_language(plan)
    add_languages(plan)
    add_out(plan)
    add_json(plan)
    collect = actions.add_parser("collect", help="judge the rows in both orders, a part of them three times")
    _add_bridge(collect)
    _add_judge(collect)
    collect.add_argument(
        "--method", default="auto", choices=["auto", "logprobs", "parsed"], help="how a verdict is read (auto)"
    )
    add_chat_options(collect)
    add_batch_options(collect)
    add_json(collect)
    archive = actions.add_parser("archive", help="write all that a later bridge needs, as a dataset")
    _add_bridge(archive)
    archive.add_argument("--license", default=LICENSE, help=f"the archive's licence, as the Hub names it ({LICENSE})")
    archive.add_argument("--replace", action="store_true", help="replace an existing archive")
    archive.add_argument(
        "--allow-gaps", action="store_true", help="archive even if judgements are missing; they are counted"
    )
    add_out(archive)
    add_json(archive)
    fit = actions.add_parser("fit", help="compare two judges and map one's win rates to the other's")
    _add_bridge(fit)
    fit.add_argument("--new", metavar="ANNOTATOR", help="the new judge (default: the only one besides the old)")
    fit.add_argument(
        "--margin", type=positive, default=3.0, metavar="POINTS", help="within which means may be compared (3)"
    )
    fit.add_argument("--license", default=LICENSE, help=f"the bridge's licence, as the Hub names it ({LICENSE})")
    add_languages(fit)
    add_out(fit)
    add_json(fit)
    apply = actions.add_parser("apply", help="map old scores, with the wider intervals that result")
    apply.add_argument("bridge", type=Path, metavar="BRIDGE", help="the folder that `bridge fit --out` wrote")
    apply.add_argument(
        "scores", type=Path, nargs="+", metavar="SCORE.json", help="what `xl-suite score --json` printed"
    )
    add_out(apply, required=False)
    add_json(apply)


def _add_bridge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bridge", type=Path, metavar="BRIDGE", help="the folder of a bridge, or an archive")


def _add_judge(parser: argparse.ArgumentParser) -> None:
    add_annotator(parser, "see `xl-suite annotators`; the paper's is xl_gpt4o", required=True)
    add_model(parser, "another judge than the annotator's own")


def run(args: argparse.Namespace) -> Outcome:
    actions = {"plan": _plan, "collect": _collect, "archive": _archive, "fit": _fit, "apply": _apply}
    return actions[args.action](args)


def _plan(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import plan_bridge
    from xl_suite.bridging.plan import describe_plan, read_families

    design = plan_bridge(
        args.outputs,
        args.reference,
        annotator=args.annotator,
        out=args.out,
        model=args.model,
        budget=args.budget,
        price=dict(args.price or ()),
        families=read_families(args.families) if args.families else None,
        repeat_share=args.repeat_share,
        seed=args.seed,
        languages=args.languages,
        language=args.language,
    )
    answer = {"folder": str(args.out), "n_rows": len(design.rows), **design.told}
    return Outcome(answer, notes=(describe_plan(design, args.out),))


def _collect(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import collect_bridge
    from xl_suite.bridging.collection import Collected

    job = collect_bridge.plan(
        args.bridge, annotator=args.annotator, model=args.model, method=args.method, **read_chat_settings(args)
    )

    def finish(collected: Collected) -> Outcome:
        told = (
            f"{collected.annotator}: {collected.n_judged} judged, {collected.n_failed} failed; "
            f"{collected.paid} calls paid, {collected.from_journal} from the journal"
        )
        return Outcome(collected.to_json(), notes=(told,), status=1 if collected.n_failed else 0)

    return run_job(args, job, finish)


def _archive(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import archive_bridge

    told = archive_bridge(
        args.bridge, out=args.out, license=args.license, replace=args.replace, allow_gaps=args.allow_gaps
    )
    notes = (
        f"{told['n_verdicts']} verdicts, {told['n_missing']} missing, {told['calls']} calls, {told['n_files']} files",
        f"then: xl-suite publish {args.out} --repo ORG/NAME --dry-run",
    )
    return Outcome(told, notes=notes)


def _fit(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import fit_bridge
    from xl_suite.bridging.fitted import describe

    fitted = fit_bridge(
        args.bridge,
        out=args.out,
        new=args.new,
        margin=args.margin,
        license=args.license,
        languages=args.languages,
    )
    return Outcome(fitted.to_json(), describe(fitted))


def _apply(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import apply_bridge
    from xl_suite.bridging.fitted import describe_mapped, read_fitted, read_score
    from xl_suite.records import write_json
    from xl_suite.responding.outputs import name_folder

    fitted = read_fitted(args.bridge)
    mapped = [apply_bridge(fitted, read_score(path)) for path in args.scores]
    for one in mapped if args.out is not None else ():
        write_json(args.out / f"{name_folder(str(one['model']))}.mapped.json", [one])
    return Outcome({"mapped": mapped}, "\n".join(map(describe_mapped, mapped)))
