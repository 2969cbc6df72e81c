"""The demo as a list of steps; each adds its results to those of the steps before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.dataset.expected import list_marks
from xl_suite.dataset.folder import check_replaceable
from xl_suite.demo.answers import GENERATORS, count_answers, group_languages, write_journal
from xl_suite.demo.benchmark import NAME, build_demo_rows, write_demo_benchmark
from xl_suite.demo.board import build_page
from xl_suite.demo.instruct import make_dataset
from xl_suite.demo.judgements import ANNOTATOR, JUDGE, ORDER, write_judge_journal
from xl_suite.demo.rated import LANGUAGE, rate_demo
from xl_suite.demo.translated import NAME as TRANSLATED
from xl_suite.demo.translated import build_translated
from xl_suite.errors import BadInput
from xl_suite.fidelity import score_fidelity
from xl_suite.judging.annotations import read_annotations
from xl_suite.judging.annotator import read_annotator
from xl_suite.judging.judge import judge_pairs
from xl_suite.judging.judgement import write_judgement
from xl_suite.judging.pairs import pair_outputs
from xl_suite.leaderboard.site import check_out
from xl_suite.records import BenchmarkRow, ModelOutput, read_records
from xl_suite.responding.plan import plan_responses
from xl_suite.responding.respond import respond
from xl_suite.scoring.context import Context
from xl_suite.scoring.denominators import list_prompts
from xl_suite.scoring.score import Score
from xl_suite.scoring.scores import score_annotations
from xl_suite.staging import list_entries

if TYPE_CHECKING:
    from xl_instruct.stages.generate import Generated
    from xl_suite.fidelity import Fidelity


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo has made so far; `folder` holds all of it.

    rows: the benchmark's rows by language. outputs and fidelity: by generator, then by language. scores: the first
    generator against the second. generated: the run of XL-Instruct. ratings: the object of `xl-suite score --json`
    for each generator's rubric scores. translation: how many prompts were translated, asked again and set aside.
    """

    folder: Path
    rows: Mapping[str, Sequence[BenchmarkRow]] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Sequence[ModelOutput]]] = field(default_factory=dict)
    fidelity: Mapping[str, Mapping[str, Fidelity]] = field(default_factory=dict)
    scores: Score | None = None
    generated: Generated | None = None
    ratings: Mapping[str, Any] = field(default_factory=dict)
    translation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def benchmark(self) -> Path:
        return self.folder / "benchmark"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def output_folder(self) -> Path:
        return self.folder / "outputs"

    @property
    def judge_journal(self) -> Path:
        return self.folder / "judge.jsonl"

    @property
    def annotation_folder(self) -> Path:
        return self.folder / "annotations"

    @property
    def rating_journal(self) -> Path:
        return self.folder / "ratings.jsonl"

    @property
    def leaderboard(self) -> Path:
        return self.folder / "leaderboard"

    @property
    def rating_folder(self) -> Path:
        return self.folder / "ratings"

    @property
    def translation_journal(self) -> Path:
        return self.folder / "translations.jsonl"

    @property
    def translated(self) -> Path:
        return self.folder / "m-alpacaeval"

    @property
    def passages(self) -> Path:
        return self.folder / "passages.jsonl"

    @property
    def pipeline_journal(self) -> Path:
        return self.folder / "pipeline.jsonl"

    @property
    def synthetic(self) -> Path:
        return self.folder / "xl-instruct"


@dataclass(frozen=True, slots=True)
class Step:
    """title: the line printed while the step runs."""

    title: str
    run: Callable[[Demo], Demo]


def build(demo: Demo) -> Demo:
    rows = build_demo_rows()
    write_demo_benchmark(demo.benchmark, rows)
    return replace(demo, rows=rows)


def record(demo: Demo) -> Demo:
    """Writes the journal. On real data `respond` writes it, one answer after the other."""
    plan = plan_responses(demo.benchmark)
    write_journal(demo.journal, zip(plan.rows, plan.calls, strict=True))
    return demo


def answer(demo: Demo) -> Demo:
    outputs: dict[str, dict[str, list[ModelOutput]]] = {}
    for generator in GENERATORS:
        counts = count_answers(generator)
        model = parse_model(f"replay:{demo.journal}#{generator}")
        for limit, languages in group_languages(counts):
            plan = plan_responses(demo.benchmark, languages=",".join(languages), limit=limit)
            respond(plan, model, demo.output_folder, options=ChatOptions(progress=False))
        folder = demo.output_folder / generator
        outputs[generator] = {code: read_records(folder / f"{code}.json", ModelOutput) for code in counts}
    return replace(demo, outputs=outputs)


def check(demo: Demo) -> Demo:
    fidelity = {
        generator: {
            code: score_fidelity(outputs, code, expected=list_marks(demo.rows[code]))
            for code, outputs in languages.items()
        }
        for generator, languages in demo.outputs.items()
    }
    return replace(demo, fidelity=fidelity)


def judge(demo: Demo) -> Demo:
    model, reference = (demo.outputs[generator] for generator in GENERATORS)
    pairs = pair_outputs(model, reference)
    write_judge_journal(demo.judge_journal, pairs)
    judged_by = parse_model(f"replay:{demo.judge_journal}#{JUDGE}")
    judgement = judge_pairs(
        pairs, read_annotator(ANNOTATOR), judged_by, ChatOptions(progress=False), order=ORDER, method="logprobs"
    )
    folder = write_judgement(demo.annotation_folder, judgement)
    expected = {code: list_marks(rows) for code, rows in demo.rows.items()}
    scores = score_annotations(read_annotations(folder), Context(expected=expected, prompts=list_prompts(demo.rows)))
    return replace(demo, scores=scores)


def rate(demo: Demo) -> Demo:
    outputs = {name: languages[LANGUAGE] for name, languages in demo.outputs.items()}
    return replace(demo, ratings=rate_demo(outputs, demo.rating_journal, demo.rating_folder))


def translate(demo: Demo) -> Demo:
    return replace(demo, translation=build_translated(demo.benchmark, demo.translation_journal, demo.translated))


def generate(demo: Demo) -> Demo:
    return replace(demo, generated=make_dataset(demo.passages, demo.pipeline_journal, demo.synthetic))


def show(demo: Demo) -> Demo:
    build_page(demo.folder, demo.leaderboard)
    return demo


STEPS = (
    Step("build a benchmark of prompts written for this demo", build),
    Step("write the journal of two made-up models' answers", record),
    Step("answer the benchmark from the journal: no network, no model", answer),
    Step("check in which language the answers are", check),
    Step("judge one model's answers against the other's, from a made-up judge's journal", judge),
    Step("rate both models' answers in one language on rubrics, from 1 to 5", rate),
    Step("translate the prompts into one language, with a made-up translator's mistakes", translate),
    Step("make training data from four passages with XL-Instruct's four stages", generate),
    Step("build the leaderboard's pages", show),
)


def run_demo(folder: Path, report: Callable[[str], None] = lambda line: None) -> Demo:
    """Runs all steps in `folder`, which is created if it is missing; a second run gives the same files.

    report: receives a line when a step begins. Raises BadInput where the folder holds files of anything else.
    """
    check_folder(folder)
    demo = Demo(folder)
    for number, step in enumerate(STEPS, start=1):
        report(f"{number}/{len(STEPS)} {step.title}")
        demo = step.run(demo)
    return demo


def check_folder(folder: Path) -> None:
    """Raises BadInput unless `folder` is missing, empty, or holds only files that a demo wrote."""
    demo = Demo(folder)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file. Name a folder with --out.")
    known = {
        demo.folder: {
            demo.benchmark,
            demo.journal,
            demo.output_folder,
            demo.judge_journal,
            demo.annotation_folder,
            demo.rating_journal,
            demo.rating_folder,
            demo.translation_journal,
            demo.translated,
            demo.passages,
            demo.pipeline_journal,
            demo.synthetic,
            demo.leaderboard,
        },
        demo.rating_folder: {demo.rating_folder / generator for generator in GENERATORS},
        demo.annotation_folder: {demo.annotation_folder / GENERATORS[0]},
        demo.output_folder: {demo.output_folder / generator for generator in GENERATORS},
    }
    for place, expected in known.items():
        strange = sorted(set(list_entries(place)) - expected) if place.is_dir() else []
        if strange:
            raise BadInput(
                f"{place} holds {strange[0].name}, which the demo did not write; nothing was changed. "
                "Name a new or an empty folder with --out."
            )
    check_out(demo.leaderboard)
    check_replaceable(demo.benchmark, NAME)
    check_replaceable(demo.translated, TRANSLATED)
