"""`xl-suite build`: makes the folder of a benchmark."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.cli import build_m_alpacaeval, build_prompts
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_alpacaeval.dataset import Benchmark
from xl_suite.cli.options import Outcome, add_json, add_languages, add_out, add_seed

SUMMARY = "Build a benchmark as a folder for the library datasets and for the Hub."
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
    build_prompts.add_arguments(
        benchmarks.add_parser(
            "prompts",
            help=build_prompts.HELP,
            epilog=build_prompts.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )


def run(args: argparse.Namespace) -> Outcome:
    outcome: Outcome = args.build(args)
    return outcome


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
    add_seed(parser, "the seed for choosing templates (default: 0)", None)
    parser.add_argument(
        "--prompts",
        default=hub,
        metavar="FILE_OR_HUB_ID",
        help="AlpacaEval's prompts, by which the rows of an official release are known, where --source or --verify "
        f"names one (default: {hub}, or the prompts of --source)",
    )
    parser.add_argument(
        "--allow-changed-source", action="store_true", help="accept prompts other than AlpacaEval's 805"
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


def _build_xl_alpacaeval(args: argparse.Namespace) -> Outcome:
    from xl_suite.api import build_xl_alpacaeval

    if args.source_language != "eng":
        return _build_pairs(args)
    benchmark = build_xl_alpacaeval(
        args.out,
        source=args.source,
        languages=args.languages,
        variant=args.variant,
        seed=args.seed,
        prompts=args.prompts,
        allow_changed_source=args.allow_changed_source,
    )
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
    counts = ", ".join(f"{code} {len(rows)}" for code, rows in benchmark.rows.items())
    text = f"{args.out}: XL-AlpacaEval, variant {benchmark.variant}. Rows: {counts}."
    if args.verify is None:
        return Outcome(report, text)
    report["verify"], told = _verify(args.verify, benchmark)
    return Outcome(report, text, (told,), 0 if report["verify"]["status"] == "compared" else 1)


def _build_pairs(args: argparse.Namespace) -> Outcome:
    from xl_alpacaeval.pairs import build_pairs, write_pairs
    from xl_suite.languages import find_language, parse_languages, table

    if args.variant is not None or args.verify is not None:
        raise BadInput("--variant and --verify are for prompts in English: m-AlpacaEval already fixes the prompts.")
    languages = None
    if args.languages != "all":
        languages = [row.code for row in parse_languages(args.languages, [row.code for row in table()])]
    source = find_language(args.source_language)
    pairs = build_pairs(source.code, languages, args.m_alpacaeval, seed=args.seed or 0)
    write_pairs(pairs, args.out)
    rows = {f"{source.code}-{code}": len(rows) for code, rows in pairs.rows.items()}
    counts = ", ".join(f"{pair} {count}" for pair, count in rows.items())
    return Outcome(
        {"out": str(args.out), "seed": pairs.seed, "dropped": list(pairs.dropped), "rows": rows},
        f"{args.out}: XL-AlpacaEval from {source.name}. Rows: {counts}.",
    )


def _verify(release: str, benchmark: Benchmark) -> tuple[dict[str, Any], str]:
    """The comparison with an official release as JSON, and as text for a person."""
    from xl_alpacaeval.release import read_release
    from xl_alpacaeval.verify import compare_rows, describe
    from xl_suite.publishing.hub_files import HubUnreachable

    try:
        official = read_release(release, benchmark.source.prompts, allow_changed=True)
    except HubUnreachable as error:
        told = f"Built, but not compared with {release}: {error}"
        return {"release": release, "status": "unavailable", "reason": str(error)}, told
    differences = compare_rows(benchmark.rows, official.rows, official.unmatched)
    answer = {
        "release": release,
        "status": "compared",
        "revision": official.revision,
        "same": all(found.same for found in differences),
        "languages": [asdict(found) | {"same": found.same} for found in differences],
    }
    return answer, describe(differences, official.name)
