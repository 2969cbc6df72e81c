"""`xl-suite bridge`."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from xl_suite.cli.options import (
    Outcome,
    add_annotator,
    add_chat_options,
    add_json,
    add_language,
    add_languages,
    add_model,
    add_out,
    add_reference,
    add_seed,
    describe_estimates,
    non_negative,
    positive,
    price_pair,
    read_chat_settings,
)
from xl_suite.errors import BadInput

SUMMARY = "Replace a judge: plan and collect its last verdicts, archive them, map old win rates to a new judge's."
EXAMPLES = """\
examples:
  xl-suite bridge plan outputs/* --reference reference/gpt-4o-mini --annotator xl_gpt4o --budget 200 --out bridge
  xl-suite bridge collect bridge --annotator xl_gpt4o --budget 220
  xl-suite bridge archive bridge --license cc-by-nc-4.0 --out bridge-archive
later, also offline, with the archive alone:
  xl-suite bridge collect bridge-archive --annotator xl_local --model NEW_JUDGE@http://localhost:8000/v1
  xl-suite bridge fit bridge-archive --out bridge-to-new
  xl-suite score annotations/MODEL/xl_gpt4o --json > score.json
  xl-suite bridge apply bridge-to-new score.json --out results/mapped
then: xl-suite leaderboard results --out leaderboard   # mapped scores in tables of their own"""

LICENSE = "cc-by-nc-4.0"

logger = logging.getLogger("xl_suite")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    plan = actions.add_parser("plan", help="choose the rows that the old judge must see")
    plan.add_argument("outputs", type=Path, nargs="+", metavar="OUTPUTS", help="one folder of outputs for each model")
    add_reference(plan, "outputs to compare with", required=True)
    _add_judge(plan)
    plan.add_argument("--budget", type=non_negative, metavar="USD", help="as many rows as it pays for (default: all)")
    plan.add_argument("--price", type=price_pair, metavar="PROMPT,COMPLETION", help="dollars per million tokens")
    plan.add_argument("--families", type=Path, metavar="FILE", help="a table of model<TAB>family, for other names")
    plan.add_argument(
        "--repeat-share", type=non_negative, default=0.1, metavar="SHARE", help="of the rows, judged 3 times (0.1)"
    )
    add_seed(plan, "of the drawing", 0)
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
    add_json(collect)
    archive = actions.add_parser("archive", help="write all that a later bridge needs, as a dataset")
    _add_bridge(archive)
    archive.add_argument("--license", default=LICENSE, help=f"of the archive, as the Hub names it ({LICENSE})")
    archive.add_argument("--replace", action="store_true", help="write an archive anew that is there already")
    archive.add_argument(
        "--allow-gaps", action="store_true", help="archive though judgements are missing; they are counted"
    )
    add_out(archive)
    add_json(archive)
    fit = actions.add_parser("fit", help="compare two judges and map one's win rates to the other's")
    _add_bridge(fit)
    fit.add_argument("--new", metavar="ANNOTATOR", help="the new judge (default: the only one besides the old)")
    fit.add_argument(
        "--margin", type=positive, default=3.0, metavar="POINTS", help="within which means may be compared (3)"
    )
    fit.add_argument("--license", default=LICENSE, help=f"of the bridge, as the Hub names it ({LICENSE})")
    add_languages(fit)
    add_out(fit)
    add_json(fit)
    apply = actions.add_parser("apply", help="map old scores, with the intervals that this costs")
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
    from xl_suite.bridging.folder import write_bridge
    from xl_suite.bridging.plan import Costs, choose_families, describe_plan, design_bridge, read_families
    from xl_suite.chat.budget import require_price
    from xl_suite.chat.models import parse_model
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import name_annotator
    from xl_suite.judging.pairwise import pair_outputs
    from xl_suite.responding.outputs import read_outputs

    annotator = read_annotator(args.annotator)
    model = parse_model(args.model or annotator.model)
    if args.budget is not None:
        require_price(model, args.price)
    reference = read_outputs(args.reference, args.language)
    outputs: dict[str, dict[str, Any]] = {}
    for path in args.outputs:
        rows = read_outputs(path, args.language)
        generator = next(iter(rows.values()))[0].generator
        if generator in outputs:
            raise BadInput(f"{path}: outputs of {generator} again. Each model is given once.")
        outputs[generator] = rows
    models = choose_families(list(outputs), read_families(args.families) if args.families else {})
    pairs = {
        name: pair_outputs(rows, reference, languages=args.languages, allow_partial=True)
        for name, rows in outputs.items()
    }
    languages = {language for by_language in pairs.values() for language in by_language}
    design = design_bridge(
        pairs,
        models,
        Costs(pairs, annotator, model, args.price),
        reference=next(iter(reference.values()))[0].generator,
        annotator=name_annotator(annotator, model),
        budget=args.budget,
        repeat_share=args.repeat_share,
        seed=args.seed,
    )
    chosen = {name: {code: rows[code] for code in rows if code in languages} for name, rows in outputs.items()}
    written = write_bridge(args.out, design, chosen, {code: reference[code] for code in sorted(languages)})
    answer = {"folder": str(args.out), "n_rows": len(written.rows), **written.told}
    return Outcome(answer, notes=(describe_plan(written, args.out),))


def _collect(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import chat_options
    from xl_suite.bridging.collection import collect, list_parts, plan_collection
    from xl_suite.bridging.folder import read_design
    from xl_suite.chat.estimates import estimate
    from xl_suite.chat.models import parse_model
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.lifetime import find_announced_end

    annotator = read_annotator(args.annotator)
    model = parse_model(args.model or annotator.model)
    design = read_design(args.bridge)
    parts = list(list_parts(args.bridge, design))
    options = chat_options(args.bridge, **read_chat_settings(args))
    if args.estimate:
        return describe_estimates([estimate(model, plan_collection(parts, annotator, args.method), options)])
    end = find_announced_end(model) if options.replay is None else None
    if end:
        logger.warning("the judge %s will end (%s). Archive the bridge before.", model.name, end)
    collected = collect(args.bridge, parts, annotator, model, options, method=args.method)
    told = (
        f"{collected.annotator}: {collected.n_judged} judged, {collected.n_failed} failed; "
        f"{collected.paid} calls paid, {collected.from_journal} from the journal"
    )
    notes = (*(f"note: {note}" for note in collected.noted), told)
    return Outcome(collected.to_json(), notes=notes, status=1 if collected.n_failed else 0)


def _archive(args: argparse.Namespace) -> Outcome:
    from xl_suite.bridging.archive import write_archive

    told = write_archive(
        args.bridge, args.out, license=args.license, replace=args.replace, allow_gaps=args.allow_gaps
    )
    notes = (
        f"{told['n_verdicts']} verdicts, {told['n_missing']} missing, {told['calls']} calls, {told['n_files']} files",
        f"then: xl-suite publish {args.out} --repo ORG/NAME --dry-run",
    )
    return Outcome(told, notes=notes)


def _fit(args: argparse.Namespace) -> Outcome:
    from xl_suite.bridging.fitted import describe, fit_folder, write_fitted
    from xl_suite.languages import parse_languages

    asked = [] if args.languages == "all" else [one.code for one in parse_languages(args.languages, [])]
    fitted = fit_folder(args.bridge, new=args.new, margin=args.margin, license=args.license, languages=asked)
    write_fitted(args.out, fitted)
    return Outcome(fitted.to_json(), describe(fitted))


def _apply(args: argparse.Namespace) -> Outcome:
    from xl_suite.bridging.fitted import apply_fitted, describe_mapped, read_fitted
    from xl_suite.records import write_json
    from xl_suite.responding.outputs import name_folder

    fitted = read_fitted(args.bridge)
    mapped = []
    for path in args.scores:
        try:
            score = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise BadInput(f"{path}: not what `xl-suite score --json` prints: {error}") from error
        if not isinstance(score, dict) or "model" not in score:
            raise BadInput(f"{path}: not what `xl-suite score --json` prints: no object with a model.")
        mapped.append(apply_fitted(fitted, score))
        if args.out is not None:
            write_json(args.out / f"{name_folder(str(score['model']))}.mapped.json", [mapped[-1]])
    return Outcome({"mapped": mapped}, "\n".join(map(describe_mapped, mapped)))
