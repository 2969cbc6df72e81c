"""The demo's summary: text for a terminal, or one JSON object."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from xl_suite.demo.answers import GENERATORS, count_answers, group_languages, read_answers
from xl_suite.demo.board import TITLE
from xl_suite.demo.rated import show_scores
from xl_suite.demo.steps import Demo
from xl_suite.demo.translated import describe_translation
from xl_suite.fidelity import Fidelity
from xl_suite.languages import find_language

COLUMNS = ("n_right", "n_wrong", "n_mixed", "n_empty")
NEXT = (
    "build xl-alpacaeval --source tatsu-lab/alpaca_eval --out xl-alpacaeval",
    "respond xl-alpacaeval --model MODEL@http://localhost:8000/v1 --languages deu,zho --out outputs",
    "fidelity outputs/MODEL --benchmark xl-alpacaeval",
    "judge outputs/MODEL --reference outputs/gpt-4o-mini --annotator xl_gpt4o --out annotations --estimate",
)
SHOWN = 4


def describe(demo: Demo) -> str:
    """The summary for a terminal of 80 columns."""
    n_rows = len(next(iter(demo.rows.values())))
    planted = count_planted(demo)
    places = (
        (demo.benchmark, f"{n_rows} prompts in {len(demo.rows)} languages, ready for load_dataset"),
        (demo.journal, "every call with its answer, as text"),
        *((demo.output_folder / name, "its answers in AlpacaEval's format") for name in GENERATORS),
        (demo.judge_journal, "every verdict of the judge"),
        (demo.annotation_folder, "who won each prompt, in AlpacaEval's format"),
        (demo.rating_folder, "each answer's scores on four rubrics"),
        (demo.translated, "the prompts in German; review.jsonl has what is for a person"),
        (demo.passages, "four passages that XL-Instruct starts from"),
        (demo.pipeline_journal, "what its teacher and translators answered"),
        (demo.synthetic, f"the training data made of them: {_count_generated(demo)}"),
        (demo.synthetic / "report.html", "what the pipeline did, for a browser"),
        (demo.leaderboard / "index.html", "the leaderboard, for a browser"),
    )
    width = max(len(str(place)) for place, _ in places)
    return "\n".join(
        [
            "Is the answer in the language that was asked for?",
            "",
            *_table(demo.fidelity),
            "",
            "pass: right of those that can be judged.",
            f"Cut off by the limit on tokens: {_sum_all(demo)['n_truncated']}. "
            f"As planted: {planted['n_agree']} of {planted['n_answers']} verdicts.",
            "",
            "What gave some of them away:",
            *_examples(demo),
            "",
            f"Which answer is better? A made-up judge on {GENERATORS[0]} against {GENERATORS[1]}, in percent",
            "",
            *_judged(demo),
            "",
            "gated: an answer in the wrong language loses, which this judge hardly minds.",
            "",
            "How good is each answer, from 1 to 5? The same judge on rubrics, in German",
            "",
            *show_scores(demo.ratings),
            "",
            *describe_translation(demo.translation),
            "",
            "Where the files are:",
            *(f"  {place!s:<{width}}  {what}" for place, what in places),
            "",
            "The same by hand:",
            *(f"  {shlex.join(words)}" for words in by_hand(demo)),
            "",
            "Next, on real data:",
            *(f"  xl-suite {command}" for command in NEXT),
        ]
    )


def _count_generated(demo: Demo) -> str:
    if demo.generated is None:
        return "none"
    return ", ".join(f"{sum(own.values())} rows {name}" for name, own in demo.generated.rows.items())


def _judged(demo: Demo) -> list[str]:
    """The languages with the most prompts, and the macro average of all."""
    if demo.scores is None:
        return []
    languages = sorted(demo.scores.languages.items(), key=lambda item: -item[1].counts.n_total)[:SHOWN]
    rows = [*((find_language(code).name, row) for code, row in languages), ("all 11", demo.scores.whole)]
    lines = [f"{'':<16}{'n':>5}{'win rate':>10}{'95 % interval':>17}{'gated':>8}"]
    for name, row in rows:
        interval = f"{row.raw.ci_low:.0f} .. {row.raw.ci_high:.0f}"
        lines.append(
            f"{name:<16}{row.counts.n_total:>5}{row.raw.win_rate:>10.1f}{interval:>17}{row.gated.win_rate:>8.1f}"
        )
    return lines


def by_hand(demo: Demo) -> list[list[str]]:
    """Commands that repeat the demo's steps on its files, and one that shows a row; each is a list of words."""
    benchmark, slips = str(demo.benchmark), demo.output_folder / GENERATORS[-1]
    limit, languages = group_languages(count_answers(GENERATORS[-1]))[0]
    ask = ["--model", f"replay:{demo.journal}#{GENERATORS[-1]}", "--languages", ",".join(languages)]
    program = (
        f'from datasets import load_dataset; print(load_dataset({json.dumps(benchmark)}, "deu", split="test")[0])'
    )
    return [
        ["python", "-c", program],
        ["xl-suite", "respond", benchmark, *ask, "--limit", str(limit), "--out", str(demo.output_folder)],
        ["xl-suite", "fidelity", str(slips), "--benchmark", benchmark],
        ["xl-suite", "score", str(demo.annotation_folder / GENERATORS[0]), "--benchmark", benchmark],
        ["xl-suite", "score", str(demo.rating_folder / GENERATORS[0])],
        ["xl-suite", "leaderboard", str(demo.folder), "--out", str(demo.leaderboard), "--title", TITLE],
    ]


def to_json(demo: Demo) -> dict[str, Any]:
    """The object of `xl-suite demo --json`."""
    return {
        "folder": str(demo.folder),
        "leaderboard": str(demo.leaderboard / "index.html"),
        "benchmark": str(demo.benchmark),
        "journal": str(demo.journal),
        "generated": None if demo.generated is None else demo.generated.to_dict(),
        "n_rows": {code: len(rows) for code, rows in demo.rows.items()},
        "outputs": {name: str(demo.output_folder / name) for name in demo.outputs},
        "fidelity": {
            name: {
                "languages": {code: found.to_json() for code, found in languages.items()},
                "overall": _sum(languages),
            }
            for name, languages in demo.fidelity.items()
        },
        "planted": count_planted(demo),
        "scores": demo.scores and demo.scores.to_json(),
        "ratings": demo.ratings,
        "translation": demo.translation,
        "next": [f"xl-suite {command}" for command in NEXT],
    }


def count_planted(demo: Demo) -> dict[str, int]:
    """How many verdicts are the expected ones. Fewer than all means that fidelity misjudges these answers."""
    wanted = {(name, one.language, one.id): one.verdict for name in GENERATORS for one in read_answers(name)}
    found = {
        (name, code, row.id): verdict.verdict
        for name, languages in demo.fidelity.items()
        for code, scored in languages.items()
        for row, verdict in zip(demo.outputs[name][code], scored.verdicts, strict=True)
    }
    agree = sum(found.get(key) == verdict for key, verdict in wanted.items())
    return {"n_agree": agree, "n_answers": len(wanted)}


def _table(fidelity: Mapping[str, Mapping[str, Fidelity]]) -> list[str]:
    head = " right wrong mixed empty  pass"
    lines = [
        " " * 16 + "".join(f"  {name:<{len(head)}}" for name in fidelity),
        " " * 16 + f"  {head}" * len(fidelity),
    ]
    codes = list(next(iter(fidelity.values())))
    for code in codes:
        cells = [_cells(languages[code].to_json()) for languages in fidelity.values()]
        lines.append(f"{find_language(code).name:<11}{code:<5}" + "".join(f"  {cell}" for cell in cells))
    lines.append(f"{'all':<16}" + "".join(f"  {_cells(_sum(languages))}" for languages in fidelity.values()))
    return [line.rstrip() for line in lines]


def _cells(counts: Mapping[str, float | int | None]) -> str:
    right, wrong, mixed, empty = (counts[name] for name in COLUMNS)
    rate = counts["pass_rate"]
    shown = "-" if rate is None else f"{100 * rate:.0f} %"
    return f"{right:>6}{wrong:>6}{mixed:>6}{empty:>6}{shown:>6}"


def _sum(languages: Mapping[str, Fidelity]) -> dict[str, float | int | None]:
    """All languages' answers together. With so few answers, a mean of rates would be less informative."""
    counts: dict[str, float | int | None] = {
        name: sum(getattr(found, name) for found in languages.values()) for name in (*COLUMNS, "n_truncated")
    }
    judged = sum(found.n_right + found.n_wrong + found.n_mixed + found.n_empty for found in languages.values())
    counts["pass_rate"] = sum(found.n_right for found in languages.values()) / judged if judged else None
    return counts


def _sum_all(demo: Demo) -> dict[str, float | int | None]:
    return _sum({f"{name}/{code}": one for name, own in demo.fidelity.items() for code, one in own.items()})


def _examples(demo: Demo) -> list[str]:
    """A line for each kind of slip: the first answer that has it, and the words that show it."""
    lines: dict[tuple[str, str], str] = {}
    for name, languages in demo.fidelity.items():
        for code, found in languages.items():
            for row, verdict in zip(demo.outputs[name][code], found.verdicts, strict=True):
                if verdict.verdict not in ("wrong", "mixed") or not verdict.lines:
                    continue
                line = verdict.lines[0]
                what = verdict.note or find_language(line.language).name
                text = line.text if len(line.text) <= 36 else line.text[:35].rstrip() + "…"
                lines.setdefault(
                    (verdict.verdict, what), f'  {code}/{row.id} {verdict.verdict:<6}{what:<16} "{text}"'
                )
    return list(lines.values())[:SHOWN]
