"""`xl-suite annotate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xl_suite.cli.options import Outcome, add_json, add_language, add_languages, add_reference, add_seed
from xl_suite.cli.values import positive_int
from xl_suite.errors import BadInput

SUMMARY = "Ask people: write a page on which they compare answers, and read their labels back."
EXAMPLES = """\
examples:
  xl-suite annotate outputs/MODEL --reference outputs/gpt-4o-mini --languages deu,hin --out page.html
  xl-suite annotate --import labels-*.csv --key page.key.json --out people
  xl-suite annotate --import labels-*.csv --key page.key.json --judged annotations/MODEL/xl_gpt4o --out people
  xl-suite annotate --import label-studio.json --key page.key.json --out people
  xl-suite annotate --import judge-arena-results --language deu --out annotations
  xl-suite annotate --import arena-hard-v2.0 --baseline o3-mini-2025-01-31 --language eng --out annotations

The page is one file, which works without a network. Keep page.key.json: it records which model's answer is A.
Labels are CSV with the columns page, seed, row, language, annotator, time, language_a, language_b (yes, partly,
no), preference (A, B, tie), confidence (1 to 3), probability; exports of Label Studio and Argilla are read too.
They are written as labels.csv and as annotations of judges named people-<annotator>, which `score` reads."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "outputs", type=Path, nargs="*", metavar="OUTPUTS", help="the outputs of one model or several"
    )
    add_reference(parser, "the outputs that each model is compared with")
    parser.add_argument(
        "--out", type=Path, metavar="PAGE_OR_DIR", help="the page to write, or with --import the folder"
    )
    parser.add_argument(
        "--rows",
        type=positive_int,
        default=50,
        metavar="N",
        help="rows of each language and model, at random (default: 50)",
    )
    parser.add_argument(
        "--known",
        type=int,
        default=5,
        metavar="N",
        help="rows of each language whose better answer is known, which test attention (default: 5)",
    )
    parser.add_argument(
        "--ids", default="", metavar="IDS", help="prompts chosen by hand instead, with commas between"
    )
    parser.add_argument("--title", default="Which answer is better?", help="the title of the page")
    parser.add_argument("--allow-partial", action="store_true", help="go on with the rows that both sides have")
    add_seed(parser, "the seed for choosing rows and sides", 0)
    reading = parser.add_argument_group("reading back")
    reading.add_argument(
        "--import",
        dest="labels",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE_OR_FOLDER",
        help="labels by people, or a folder of judgements by JudgeArena or arena-hard-auto",
    )
    reading.add_argument("--key", type=Path, metavar="FILE", help="the key that was written beside the page")
    reading.add_argument(
        "--judged",
        type=Path,
        metavar="ANNOTATIONS",
        help="a judge's annotations of these outputs: its agreement with the labels, and its corrected win rate",
    )
    reading.add_argument(
        "--least-known",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="leave out people who knew less than this share of the known answers (default: 0)",
    )
    reading.add_argument(
        "--baseline",
        default="",
        metavar="MODEL",
        help="the baseline of arena-hard-auto, which its judgements lack",
    )
    add_language(parser)
    add_languages(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> Outcome:
    from xl_suite.judging.harnesses import is_harness_folder

    if not args.labels:
        return _write_page(args)
    if any(is_harness_folder(path) for path in args.labels):
        return _import_judgements(args)
    return _import_labels(args)


def _write_page(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import annotate

    if not args.outputs or args.reference is None or args.out is None:
        raise BadInput("name OUTPUTS, --reference and --out page.html; or --import to read labels back.")
    sheet = annotate(
        args.outputs,
        args.reference,
        out=args.out,
        rows=args.rows,
        known=args.known,
        ids=_read_ids(args.ids),
        languages=args.languages,
        language=args.language,
        seed=args.seed,
        title=args.title,
        allow_partial=args.allow_partial,
    )
    key = args.out.with_name(args.out.name.removesuffix(".html") + ".key.json")
    cells = {f"{cell.language} {cell.generator}": cell.n_drawn for cell in sheet.cells}
    answer = {"page": str(args.out), "key": str(key), "hash": sheet.page, "seed": sheet.seed, "rows": cells}
    told = ", ".join(f"{name} {count}" for name, count in cells.items())
    return Outcome(answer, f"{args.out}: {told}. Keep {key}: it records which model's answer is A.")


def _import_labels(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import import_labels

    if args.key is None or args.out is None:
        raise BadInput("--import of labels needs --key, the file that was written beside the page, and --out DIR.")
    found = import_labels(args.labels, key=args.key, out=args.out, least_known=args.least_known)
    lines = []
    for person in found.people:
        known = f", {person.known_right} of {person.n_known} known answers right" if person.n_known else ""
        left = ", left out" if person.annotator in found.left_out else ""
        lines.append(f"{person.annotator}: {person.n} labels{known}{left}")
    lines.append(f"{args.out}: {len(found.used)} labels to use")
    answer = found.to_dict()
    if args.judged is not None:
        from xl_suite.api import check_judge
        from xl_suite.people.judge import write_check

        check = check_judge(found, args.judged)
        write_check(args.out, check)
        answer["judge"] = check.to_dict()
        lines.append(f"{check.annotator}:\n{check.describe()}")
    return Outcome(answer, "\n".join(lines))


def _import_judgements(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import import_judgements

    if args.out is None or len(args.labels) > 1:
        raise BadInput("--import of a harness' folder takes one folder, and needs --out DIR.")
    written = import_judgements(args.labels[0], out=args.out, language=args.language, baseline=args.baseline)
    answer = {str(one.path): len(one.rows) for one in written}
    return Outcome({"folders": answer}, "\n".join(f"{path}: {count} judgements" for path, count in answer.items()))


def _read_ids(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise BadInput(f"--ids {text}: whole numbers with commas between, such as 3,17.") from error
