"""`xl-suite build`: makes the folder of a benchmark."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from xl_suite.cli import build_m_alpacaeval
from xl_suite.cli.options import add_json, add_languages, add_out, print_json

SUMMARY = "Build a benchmark as a folder that datasets loads and the Hub takes."
EXAMPLES = """\
examples (`xl-suite build m-alpacaeval --help` has those of m-alpacaeval):
  xl-suite build xl-alpacaeval --out xl-alpacaeval                       prompts from the Hub, 11 languages and eng
  xl-suite build xl-alpacaeval --source alpaca_eval.json --out xl-alpacaeval
  xl-suite build xl-alpacaeval --source alpaca_eval.json --out strict --variant strict --languages deu,swe
  xl-suite build xl-alpacaeval --source viyer98/XL-AlpacaEval --out official
  xl-suite build xl-alpacaeval --out xl-alpacaeval --verify viyer98/XL-AlpacaEval
  xl-suite build xl-alpacaeval --from deu --languages hin,por --m-alpacaeval m-alpacaeval --out from-german"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    benchmarks = parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", required=True)
    _add_xl_alpacaeval(
        benchmarks.add_parser(
            "xl-alpacaeval",
            help="AlpacaEval's prompts with a sentence that asks for the answer in another language",
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    build_m_alpacaeval.add_arguments(
        benchmarks.add_parser(
            "m-alpacaeval",
            help=build_m_alpacaeval.HELP,
            epilog=build_m_alpacaeval.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )


def run(args: argparse.Namespace) -> int:
    return int(args.build(args))


def _add_xl_alpacaeval(parser: argparse.ArgumentParser) -> None:
    hub = "tatsu-lab/alpaca_eval"
    parser.add_argument(
        "--source",
        default=hub,
        metavar="FILE_OR_HUB_ID",
        help="JSON of AlpacaEval's 805 prompts, a dataset on the Hub that has it, or an official release (Hub ID or "
        f"folder), whose rows are kept as they are (default: {hub})",
    )
    add_out(parser)
    parser.add_argument(
        "--variant",
        choices=("release", "strict", "all"),
        help="797 prompts (release, the default), 795 (strict) or 805 (all)",
    )
    add_languages(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="draws the templates (default: 0)")
    parser.add_argument(
        "--prompts",
        default=hub,
        metavar="FILE_OR_HUB_ID",
        help="AlpacaEval's prompts, by which the rows of an official release are known, where --source or --verify "
        f"names one (default: {hub}, or the prompts of --source)",
    )
    parser.add_argument(
        "--allow-changed-source", action="store_true", help="go on with prompts that are not AlpacaEval's 805"
    )
    parser.add_argument(
        "--verify", metavar="HUB_ID_OR_DIR", help="compare the rows with an official release: viyer98/XL-AlpacaEval"
    )
    pairs = parser.add_argument_group("from another language than English")
    pairs.add_argument(
        "--from",
        dest="source_language",
        default="eng",
        metavar="CODE",
        help="the language of the prompts; they are taken from m-AlpacaEval (default: eng)",
    )
    pairs.add_argument(
        "--m-alpacaeval",
        type=Path,
        default=Path("m-alpacaeval"),
        metavar="DIR",
        help="the folder that `xl-suite build m-alpacaeval` made (default: m-alpacaeval)",
    )
    add_json(parser)
    parser.set_defaults(build=_build_xl_alpacaeval)


def _build_xl_alpacaeval(args: argparse.Namespace) -> int:
    from xl_alpacaeval.dataset import NAME, build_benchmark, write_folder
    from xl_suite.dataset.folder import check_replaceable
    from xl_suite.languages import parse_languages, table

    languages = None
    if args.languages != "all":
        languages = [row.code for row in parse_languages(args.languages, [row.code for row in table()])]
    if args.source_language != "eng":
        return _build_pairs(args, languages)
    check_replaceable(args.out, NAME)
    benchmark = build_benchmark(
        args.source,
        languages=languages,
        variant=args.variant,
        seed=args.seed,
        prompts=args.prompts,
        allow_changed=args.allow_changed_source,
    )
    write_folder(benchmark, args.out)
    for line in benchmark.source.difference:
        print(f"Changed source: {line}.", file=sys.stderr)
    report: dict[str, Any] = {
        "out": str(args.out),
        "variant": benchmark.variant,
        "seed": None if benchmark.release else benchmark.seed,
        "source": benchmark.source.name,
        "revision": benchmark.source.revision,
        "sha256": benchmark.source.sha256,
        "changed": list(benchmark.source.difference),
        "rows": {code: len(rows) for code, rows in benchmark.rows.items()},
    }
    if benchmark.release:
        report["release"] = {
            "name": benchmark.release.name,
            "revision": benchmark.release.revision,
            "sha256": benchmark.release.sha256,
            "unmatched": {code: list(places) for code, places in benchmark.release.unmatched.items()},
        }
    status = 0
    if args.verify is not None:
        report["verify"] = _verify(args.verify, benchmark)
        status = 0 if report["verify"]["status"] == "compared" else 1
    if args.json:
        print_json(report)
    else:
        counts = ", ".join(f"{code} {len(rows)}" for code, rows in benchmark.rows.items())
        print(f"{args.out}: XL-AlpacaEval, variant {benchmark.variant}. Rows: {counts}.")
    return status


def _build_pairs(args: argparse.Namespace, languages: list[str] | None) -> int:
    from xl_alpacaeval.pairs import build_pairs, write_pairs
    from xl_suite.errors import BadInput
    from xl_suite.languages import find_language

    if args.variant is not None or args.verify is not None:
        raise BadInput(
            "--variant and --verify are for prompts in English: m-AlpacaEval says which prompts there are."
        )
    source = find_language(args.source_language)
    pairs = build_pairs(source.code, languages, args.m_alpacaeval, seed=args.seed or 0)
    write_pairs(pairs, args.out)
    rows = {f"{source.code}-{code}": len(rows) for code, rows in pairs.rows.items()}
    if args.json:
        print_json({"out": str(args.out), "seed": pairs.seed, "dropped": list(pairs.dropped), "rows": rows})
    else:
        counts = ", ".join(f"{pair} {count}" for pair, count in rows.items())
        print(f"{args.out}: XL-AlpacaEval from {source.name}. Rows: {counts}.")
    return 0


def _verify(release: str, benchmark: Any) -> dict[str, Any]:
    """The comparison as JSON; what it says is also told on stderr, so that it is seen either way."""
    from dataclasses import asdict

    from xl_alpacaeval.release import read_release
    from xl_alpacaeval.verify import compare_rows, describe
    from xl_suite.publishing.hub_files import HubUnreachable

    try:
        official = read_release(release, benchmark.source.prompts, allow_changed=True)
    except HubUnreachable as error:
        print(f"Built, but not compared with {release}: {error}", file=sys.stderr)
        return {"release": release, "status": "unavailable", "reason": str(error)}
    differences = compare_rows(benchmark.rows, official.rows, official.unmatched)
    print(describe(differences, official.name), file=sys.stderr)
    return {
        "release": release,
        "status": "compared",
        "revision": official.revision,
        "same": all(found.same for found in differences),
        "languages": [asdict(found) | {"same": found.same} for found in differences],
    }
