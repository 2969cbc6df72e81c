"""`xl-suite fidelity`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.cli.options import add_json, print_json
from xl_suite.dataset.expected import find_expected

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity
    from xl_suite.records import ModelOutput

SUMMARY = "Tell whether model outputs are in the language that was asked for."
EXAMPLES = """\
examples:
  xl-suite fidelity outputs/MODEL                          all languages of a generator
  xl-suite fidelity outputs/MODEL/deu.json --json
  xl-suite fidelity outputs --details details.json         all generators; every verdict with the lines that show it
  xl-suite fidelity model_outputs.json --language eng      a file whose rows name no language

verdicts: right, wrong, mixed (text in another language beside right text), empty, undetermined (too short, all code),
withheld (kept back by a moderation); failed: prompts without an output, in failed.json
pass rate: right / (right + wrong + mixed + empty)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "outputs",
        type=Path,
        metavar="OUTPUTS",
        help="a file of outputs, a generator's folder, or a folder of those; or lm-eval's samples",
    )
    parser.add_argument(
        "--language", metavar="CODE", help="ISO 639-3 code, for rows that name no language themselves"
    )
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="DIR",
        help="the benchmark's dataset folder, which says whose answers may be in another language "
        "(default for XL-AlpacaEval: its packaged list)",
    )
    parser.add_argument(
        "--details", type=Path, metavar="FILE", help="write every verdict and its lines to a JSON file"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    files = find_files(args.outputs)
    groups = read_groups(files, args.language)
    failed = count_failed(files, groups)
    if args.outputs.is_dir():  # a language may have failed altogether
        groups |= {key: [] for key in failed if key not in groups}
    benchmarks: dict[str, set[str]] = {}
    for (_, language), rows in groups.items():
        benchmarks.setdefault(language, set()).update(row.benchmark for row in rows)
    scores = dict(_score_groups(groups, failed, find_expected(args.benchmark, benchmarks)))
    if args.details:
        from xl_suite.records import write_json

        write_json(args.details, _list_details(groups, scores))
    if args.json:
        print_json(_to_json(scores))
    else:
        _print_table(scores)
    return 0


Groups = dict[tuple[str, str], "list[ModelOutput]"]  # by generator and language


def find_files(outputs: Path) -> list[Path]:
    """The files of outputs at a path: itself, those of a generator's folder, or those of each folder in it."""
    from xl_suite.errors import BadInput
    from xl_suite.responding.outputs import find_samples

    if outputs.is_file():
        return [outputs]
    if not outputs.exists():
        raise BadInput(f"{outputs}: no such file or folder.")
    found = find_samples(outputs) or [
        path
        for pattern in ("*.json", "*/*.json")
        for path in sorted(outputs.glob(pattern))
        if path.is_file()
        and path.name != "failed.json"
        and not any(part.startswith(".") for part in path.relative_to(outputs).parts)
    ]
    if not found:
        raise BadInput(
            f"{outputs} holds no outputs. Valid are a .json file, a generator's folder with <language>.json files "
            "(as `xl-suite respond` writes them), a folder of such folders, or one with lm-eval's samples_*.jsonl."
        )
    return found


def read_groups(files: Sequence[Path], language: str | None) -> Groups:
    """All outputs by generator and language. Raises BadInput where a row's language is not to be known."""
    from xl_suite.errors import BadInput, BadRecord
    from xl_suite.languages import find_language
    from xl_suite.responding.outputs import read_output_file

    if language is not None:
        find_language(language)
    groups: Groups = {}
    for path in files:
        for number, row in enumerate(read_output_file(path), start=1):
            code = row.language or language
            if not code:
                raise BadRecord(
                    path,
                    "missing. Say in which language the answers were asked for: --language CODE (deu, zho, eng).",
                    row=number,
                    field="language",
                )
            if row.language and language and row.language != language:
                raise BadInput(
                    f"{path}, record {number}: asked for in {row.language!r}, but --language is {language!r}. "
                    "Leave --language out: the rows name their language."
                )
            try:
                find_language(code)
            except BadInput as error:
                raise BadRecord(path, str(error), row=number, field="language") from error
            groups.setdefault((row.generator, code), []).append(row)
    return groups


def count_failed(files: Sequence[Path], groups: Groups) -> dict[tuple[str, str], int]:
    """How many prompts have no output, by generator and language: from the `failed.json` beside the outputs."""
    from xl_suite.records import read_records
    from xl_suite.responding.outputs import FAILED, FailedRow, name_folder

    generators = {name_folder(generator): generator for generator, _ in groups}
    counts: Counter[tuple[str, str]] = Counter()
    for folder in dict.fromkeys(path.parent for path in files):
        generator = generators.get(folder.name) or next(iter(generators.values()))
        if (folder / FAILED).is_file() and (folder.name in generators or len(generators) == 1):
            counts.update((generator, row.language) for row in read_records(folder / FAILED, FailedRow))
    return dict(counts)


def _score_groups(
    groups: Groups, failed: Mapping[tuple[str, str], int], marked: Mapping[str, Mapping[int, str]]
) -> Iterator[tuple[tuple[str, str], Fidelity]]:
    from tqdm import tqdm

    from xl_suite.fidelity import knows_language, score_fidelity

    total = sum(len(rows) for rows in groups.values())
    with tqdm(total=total, desc="fidelity", unit=" outputs", disable=None, file=sys.stderr) as bar:
        for (generator, language), rows in sorted(groups.items()):
            if not knows_language(language):
                print(
                    f"warning: {language} is a language that the identification (py3langid) does not know: "
                    "all its answers are undetermined.",
                    file=sys.stderr,
                )
            score = score_fidelity(
                rows, language, expected=marked.get(language), failed=failed.get((generator, language), 0)
            )
            if score.is_constant:
                print(
                    f"warning: {score.constant} of {len(rows)} outputs of {generator} in {language} are one and the "
                    "same text or nearly so: its scores are not worth anything.",
                    file=sys.stderr,
                )
            bar.update(len(rows))
            yield (generator, language), score


def _to_json(scores: Mapping[tuple[str, str], Fidelity]) -> dict[str, Any]:
    """One language at the top level, several under `languages`; several generators under `generators`."""
    by_generator: dict[str, dict[str, Any]] = {}
    for (generator, language), score in scores.items():
        by_generator.setdefault(generator, {})[language] = score.to_json()
    answers = {
        generator: next(iter(languages.values())) if len(languages) == 1 else {"languages": languages}
        for generator, languages in by_generator.items()
    }
    return next(iter(answers.values())) if len(answers) == 1 else {"generators": answers}


def _print_table(scores: Mapping[tuple[str, str], Fidelity]) -> None:
    width = max(9, *(len(generator) for generator, _ in scores)) + 2
    counts = ("right", "wrong", "mixed", "empty", "undetermined", "withheld", "failed")
    heads = (*counts, "pass rate", "truncated", "constant")
    print(f"{'generator':<{width}}{'language':<10}" + "".join(f"{head:>14}" for head in heads) + "  notes")
    for (generator, language), score in scores.items():
        rate = "–" if score.pass_rate is None else f"{100 * score.pass_rate:.1f} %"
        constant = f"{score.constant} !" if score.is_constant else str(score.constant)
        numbers = [getattr(score, f"n_{name}") for name in counts]
        cells = (*numbers, rate, score.n_truncated, constant)
        notes = ", ".join(f"{note}: {n}" for note, n in score.notes.items())
        print(f"{generator:<{width}}{language:<10}" + "".join(f"{cell:>14}" for cell in cells) + f"  {notes}")


def _list_details(groups: Groups, scores: Mapping[tuple[str, str], Fidelity]) -> list[dict[str, Any]]:
    return [
        {"generator": generator, "language": language, "id": row.id, "record": number, **asdict(verdict)}
        for (generator, language), score in scores.items()
        for number, (row, verdict) in enumerate(
            zip(groups[generator, language], score.verdicts, strict=True), start=1
        )
    ]
