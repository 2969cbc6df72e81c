"""The Python API: what a notebook uses, and what the command line is a thin layer over.

    import xl_suite as xl

    bench = xl.load_benchmark("xl-alpacaeval")  # a folder or a Hub ID
    mine = xl.respond(bench, "vllm:Qwen/Qwen2.5-7B-Instruct", languages=["deu"], out="outputs", budget=10)
    judged = xl.judge(mine, xl.read_outputs("outputs/gpt-4o-mini"), annotator="xl_gpt4o", out="annotations")
    xl.score(judged, benchmark=bench)

A function that calls models takes the keywords of `ChatSettings` too, and has a method `estimate` with the same
arguments, which makes no call: `xl.respond.estimate(bench, "gpt-4o-2024-08-06", out="outputs")`. Errors are children
of `XLSuiteError`. What ends a run early raises; the same call goes on from there.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypedDict, TypeVar, Unpack, overload

from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from m_alpacaeval.dataset import Benchmark as MAlpacaEval
    from m_alpacaeval.rows import Sources
    from xl_alpacaeval.dataset import Benchmark as XLAlpacaEval
    from xl_instruct.dataset.preferences import Pairs
    from xl_instruct.dataset.subsets import Subset
    from xl_instruct.stages.generate import Generated
    from xl_instruct.training.train import Trained
    from xl_suite.auditing.card import Card
    from xl_suite.bridging.collection import Collected
    from xl_suite.bridging.fitted import Fitted
    from xl_suite.bridging.folder import BridgeDesign
    from xl_suite.chat.calls import Call
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.models import Model
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.fidelity.folders import FidelityScores
    from xl_suite.leaderboard.site import Site
    from xl_suite.publishing.hub import Published, PublishPlan
    from xl_suite.results import Annotations, Benchmark, Compared, Outputs, Rated
    from xl_suite.scoring.folders import Scores
    from xl_suite.scoring.gating import Gate
    from xl_suite.submission.submission import Submission

Value = TypeVar("Value", covariant=True)
P = ParamSpec("P")
Place = str | os.PathLike[str]
Languages = str | Iterable[str]

logger = logging.getLogger("xl_suite")


class ChatSettings(TypedDict, total=False):
    """How models are called; only `extra` changes an answer. The defaults are those of `xl-suite VERB --help`.

    journal: the file that keeps every answer (default: OUT/.journal.sqlite). replay: answer every call from this
    journal. slots: calls in flight. timeout: seconds for one attempt. attempts: before a call is given up.
    budget: dollars that this run may cost. price: dollars per million prompt and completion tokens.
    extra: further fields of every request's body, such as `{"reasoning_effort": "low"}`; they are part of what is
    asked. wait_for_server: seconds that a server may take to load or make room. same_model: takes another server than
    the journal's for the same model. progress: whether a progress bar is shown.
    """

    journal: Place | None
    replay: Place | None
    slots: int
    timeout: float
    attempts: int
    budget: float | None
    price: tuple[float, float] | None
    extra: Mapping[str, Any] | None
    wait_for_server: float
    same_model: bool
    progress: bool


@dataclass(frozen=True)
class Job(Generic[Value]):
    """Work that calls models, checked and planned but not begun."""

    run: Callable[[], Value]
    estimate: Callable[[], list[Estimate]]


class Paid(Generic[P, Value]):
    """A function that calls models: a call runs it, `estimate` says its cost, `plan` gives both as a Job."""

    def __init__(self, plan: Callable[P, Job[Value]]):
        self.plan = plan
        functools.update_wrapper(self, plan)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Value:
        return self.plan(*args, **kwargs).run()

    def estimate(self, *args: P.args, **kwargs: P.kwargs) -> list[Estimate]:
        """What a call with these arguments would cost, one entry per model. Makes no call."""
        return self.plan(*args, **kwargs).estimate()


def load_benchmark(source: Benchmark | Place) -> Benchmark:
    """A benchmark from its dataset folder or from the Hub (`my-org/xl-alpacaeval`).

    Raises BadInput where it is neither, and HubUnreachable where the Hub does not answer.
    """
    from xl_suite.publishing.hub_files import find_dataset_folder
    from xl_suite.results import Benchmark

    return source if isinstance(source, Benchmark) else Benchmark(find_dataset_folder(source))


def read_outputs(path: Place, language: str = "") -> Outputs:
    """The outputs of one generator: its folder, one file, or lm-eval's samples.

    language: ISO 639-3 code of rows that name no language. Raises BadInput where there are no outputs.
    """
    from xl_suite.results import Outputs

    outputs = Outputs(Path(path), language)
    outputs.by_language  # noqa: B018  read now, so that what is wrong is said here
    return outputs


def read_annotations(path: Place) -> Annotations:
    """The pairwise annotations of a file, an annotator's folder or a generator's folder."""
    from xl_suite.results import Annotations

    annotations = Annotations(Path(path))
    annotations.rows  # noqa: B018  as above
    return annotations


@Paid
def respond(
    benchmark: Benchmark | Place,
    model: str,
    *,
    out: Place,
    languages: Languages = "all",
    limit: int | None = None,
    samples: int = 1,
    name: str = "",
    strategy: str = "direct",
    system: str = "",
    template: str = "{instruction}",
    temperature: float | None = 0.7,
    max_tokens: int = 2048,
    top_p: float | None = None,
    seed: int | None = None,
    **chat: Unpack[ChatSettings],
) -> Job[Outputs]:
    """Has a model answer a benchmark; writes `out/<generator>/<language>.json`.

    model: see `xl-suite respond --help`. languages: ISO 639-3 codes or `all`. limit: rows per language. samples:
    answers per prompt. strategy: `direct`, `reason-then-translate` or `reason-then-translate-2-calls`. The sampling
    defaults are the paper's (section 3). Rows that failed are listed in `failed.json` and in `.report.failed`.
    """
    from xl_suite.chat.calls import Sampling
    from xl_suite.responding.plan import Prompting, plan_responses
    from xl_suite.responding.respond import guess_calls
    from xl_suite.responding.respond import respond as ask
    from xl_suite.responding.strategies import find_strategy
    from xl_suite.results import Outputs

    plan = plan_responses(
        load_benchmark(benchmark).folder,
        languages=_join(languages),
        limit=limit,
        prompting=Prompting(system, template),
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens, top_p=top_p),
        seed=seed,
        strategy=find_strategy(strategy),
        samples=samples,
    )
    parsed, options = _prepare(model, out, chat)

    def run() -> Outputs:
        report = ask(plan, parsed, Path(out), options=options, name=name)
        return Outputs(report.folder, report=report)

    return Job(run, lambda: _estimate(parsed, guess_calls(plan, parsed, options), options))


@Paid
def judge(
    outputs: Outputs | Place,
    reference: Outputs | Place,
    *,
    annotator: str,
    out: Place,
    model: str | None = None,
    order: Literal["random", "both"] = "random",
    method: str = "auto",
    samples: int = 1,
    max_tokens: int | None = None,
    retry_unread: bool = False,
    languages: Languages = "all",
    limit: int | None = None,
    allow_partial: bool = False,
    language: str = "",
    **chat: Unpack[ChatSettings],
) -> Job[Annotations]:
    """Has a judge compare outputs with reference outputs; writes `out/<generator>/<annotator>/<language>.json`.

    annotator: a name of `xl-suite annotators` or a folder. model: another judge than the annotator's own. order:
    `random` is AlpacaEval's draw, `both` judges each pair twice. method: how verdicts are read: `auto`, `logprobs`,
    `sampled` or `parsed`. retry_unread: ask on where a verdict is unread after three samples.
    Judgements that failed are in the files without a preference and in `.judgement.failures`.
    """
    from xl_suite.auditing.card import read_warnings
    from xl_suite.judging.annotator import find_folder, read_annotator
    from xl_suite.judging.judge import choose_method, judge_pairs, name_annotator, plan_calls
    from xl_suite.judging.judgement import write_judgement
    from xl_suite.judging.lifetime import find_announced_end
    from xl_suite.judging.pairwise import pair_outputs
    from xl_suite.results import Annotations

    if Path(out).exists() and not Path(out).is_dir():
        raise BadInput(f"{out} is a file. Name a folder with --out.")
    read = read_annotator(annotator)
    parsed, options = _prepare(model or read.spec, out, chat)
    everything = pair_outputs(
        _open_outputs(outputs, language),
        _open_outputs(reference, language),
        languages=_join(languages),
        allow_partial=allow_partial,
    )
    pairs = {code: rows[:limit] for code, rows in everything.items()}
    earlier = {} if limit is None else {code: rows[limit:] for code, rows in everything.items()}

    def estimate() -> list[Estimate]:
        chosen = choose_method(read, method, samples, max_tokens)
        return _estimate(parsed, plan_calls(pairs, read, order=order, method=chosen), options)

    def run() -> Annotations:
        if options.replay is None and (end := find_announced_end(parsed)):
            logger.warning("the judge %s will end (%s). Keep the journal.", parsed.name, end)
        judgement = judge_pairs(
            pairs,
            read,
            parsed,
            options,
            order=order,
            method=method,
            samples=samples,
            max_tokens=max_tokens,
            retry_unread=retry_unread,
        )
        folder = write_judgement(Path(out), judgement, earlier)
        for warning in read_warnings(find_folder(annotator), name_annotator(read, parsed), list(pairs)):
            logger.warning("%s", warning)
        for note in judgement.noted:
            logger.info("note: %s", note)
        if any(earlier.values()):
            logger.info("note: rows beyond --limit that were judged in the same way before stay in the files.")
        return Annotations(folder, judgement)

    return Job(run, estimate)


@Paid
def rate(
    outputs: Outputs | Place,
    *,
    out: Place,
    model: str = "gpt-4o-2024-08-06",
    rubrics: Place | None = None,
    method: str = "auto",
    samples: int = 1,
    max_tokens: int | None = None,
    retry_unread: bool = False,
    languages: Languages = "all",
    limit: int | None = None,
    language: str = "",
    **chat: Unpack[ChatSettings],
) -> Job[Rated]:
    """Has a judge rate outputs from 1 to 5 per criterion; writes `out/<generator>/<judge>/ratings-<language>.json`.

    rubrics: a folder with one `.txt` per criterion; None takes those of the package (paper, section 6).
    retry_unread: ask on where a score is unread after three samples.
    """
    from xl_suite.rating.rate import choose_method, plan_calls, rate_outputs, select_outputs, write_ratings
    from xl_suite.rating.rubric import read_rubrics
    from xl_suite.results import Rated

    read = read_rubrics(None if rubrics is None else Path(rubrics))
    parsed, options = _prepare(model, out, chat)
    chosen = select_outputs(_open_outputs(outputs, language), _join(languages), limit)

    def run() -> Rated:
        ratings = rate_outputs(
            chosen,
            read,
            parsed,
            options,
            method=method,
            samples=samples,
            max_tokens=max_tokens,
            retry_unread=retry_unread,
        )
        folder = write_ratings(Path(out), ratings)
        for note in ratings.noted:
            logger.info("note: %s", note)
        return Rated(folder, ratings)

    def estimate() -> list[Estimate]:
        return _estimate(parsed, plan_calls(chosen, read, choose_method(method, samples, max_tokens)), options)

    return Job(run, estimate)


@Paid
def audit(
    annotator: str,
    outputs: Outputs | Place,
    *,
    out: Place,
    reference: Outputs | Place | None = None,
    model: str | None = None,
    only: str | None = None,
    rows: int = 100,
    method: str = "auto",
    languages: Languages = "all",
    language: str = "",
    seed: int = 0,
    **chat: Unpack[ChatSettings],
) -> Job[Card]:
    """Plants defects in answers and tells which of them a judge finds; writes `out/card.json` and `out/index.html`.

    outputs: good answers, and `eng` among them for the defects that need English. reference: for the noise of asking
    again. only: `defects` or `length`, which fits `out/length_slope.json`; None asks for the defects. rows: of
    each language, drawn at random.
    """
    from datetime import UTC, datetime

    from xl_suite.auditing.audit import DEFECTS_PART, plan_audit, run_audit
    from xl_suite.auditing.card import write_card
    from xl_suite.auditing.probes import Material, choose_answers, name_prompt
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import choose_method, plan_calls

    read = read_annotator(annotator)
    parsed, options = _prepare(model or read.spec, out, chat)
    answers = _open_outputs(outputs, language)
    codes = _list(languages) or [code for code in answers if code != "eng"]
    missing = [code for code in codes if code not in answers]
    if missing or not codes:
        raise BadInput(
            f"no {', '.join(missing) or 'language but eng'} in the outputs, which have: {', '.join(answers)}."
        )
    chosen, left_out = choose_answers(answers, codes, rows, seed)
    base = {} if reference is None else _open_outputs(reference, language)
    by_prompt = {code: {name_prompt(row): row for row in own} for code, own in base.items()}
    material = Material(chosen, left_out, by_prompt, {name_prompt(row): row.output for row in answers.get("eng", ())})
    plan = plan_audit(material, (only or DEFECTS_PART,), seed)

    def estimate() -> list[Estimate]:
        way = choose_method(read, method, 1, None)
        asked = [(plan.by_name(), 0), (plan.again, 0), (plan.again, 1)]
        calls = (plan_calls(pairs, read, order="both", method=way, repeat=repeat) for pairs, repeat in asked)
        return _estimate(parsed, (call for own in calls for call in own), options)

    def run() -> Card:
        name = next((row.generator for own in base.values() for row in own), "")
        date = datetime.now(UTC).strftime("%Y-%m-%d")
        card = run_audit(plan, material, read, parsed, options, method=method, reference=name, seed=seed, date=date)
        write_card(Path(out), card)
        return card

    return Job(run, estimate)


def fidelity(
    outputs: Outputs | Place,
    *,
    benchmark: Benchmark | Place | None = None,
    language: str | None = None,
    languages: Languages = "all",
    progress: bool = True,
) -> FidelityScores:
    """Tells for each generator and language how many outputs are in the language that was asked for.

    outputs: a file, a generator's folder or a folder of those. benchmark: its folder says whose answers may be in
    another language (default for XL-AlpacaEval and m-AlpacaEval: the packaged list).
    """
    from xl_suite.fidelity.folders import score_folders

    path = outputs if isinstance(outputs, (str, os.PathLike)) else outputs.path
    folder = None if benchmark is None else load_benchmark(benchmark).folder
    return score_folders(Path(path), folder, language=language, languages=_join(languages), progress=progress)


def score(
    annotations: Annotations | Place | Sequence[Annotations | Place],
    *,
    benchmark: Benchmark | Place | None = None,
    outputs: Outputs | Place | None = None,
    reference: Outputs | Place | None = None,
    gate: Gate = "both",
    languages: Languages = "all",
    resamples: int = 10_000,
    seed: int = 0,
) -> Scores:
    """Win rates with intervals, raw, gated and length-controlled; of ratings, means from 1 to 5 per criterion.

    annotations: of one model; several are runs of it. outputs, reference: for the truncation rates. gate: whose
    answers must be in the language asked for, for the gated rate: `both`, `both-wrong-half`, `model` or `none`.
    """
    from xl_suite.scoring.folders import score_folders

    several = annotations if isinstance(annotations, (list, tuple)) else [annotations]
    return score_folders(
        [_path(one) for one in several],
        benchmark=None if benchmark is None else load_benchmark(benchmark).folder,
        outputs=None if outputs is None else _path(outputs),
        reference=None if reference is None else _path(reference),
        gate=gate,
        languages=_join(languages),
        resamples=resamples,
        seed=seed,
    )


def compare(
    a: Scores | Annotations | Place,
    b: Scores | Annotations | Place,
    *,
    gate: Gate = "none",
    benchmark: Benchmark | Place | None = None,
    languages: Languages = "all",
) -> Compared:
    """The paired difference of two models that one judge measured against one reference (A minus B)."""
    from xl_suite.dataset.expected import find_expected, list_benchmarks
    from xl_suite.judging.annotations import choose_languages
    from xl_suite.results import Annotations, Compared
    from xl_suite.scoring.compare import compare_models
    from xl_suite.scoring.folders import Scores

    def open_side(side: Scores | Annotations | Place) -> Sequence[Any]:
        if isinstance(side, Scores):
            if not side.annotations:
                raise BadInput("ratings cannot be compared; `compare` takes pairwise annotations.")
            return side.annotations
        return (side if isinstance(side, Annotations) else read_annotations(side)).rows

    sides = [choose_languages(open_side(side), _join(languages)) for side in (a, b)]
    folder = None if benchmark is None else load_benchmark(benchmark).folder
    expected = find_expected(folder, list_benchmarks([*sides[0], *sides[1]])) if gate != "none" else None
    return Compared(compare_models(*sides, gate=gate, expected=expected))


def build_xl_alpacaeval(
    out: Place,
    *,
    source: str = "tatsu-lab/alpaca_eval",
    languages: Languages = "all",
    variant: str | None = None,
    seed: int | None = None,
    prompts: str = "tatsu-lab/alpaca_eval",
    allow_changed_source: bool = False,
) -> XLAlpacaEval:
    """Builds XL-AlpacaEval's dataset folder: `source`'s prompts with "Respond in {language}" (paper, section 3).

    source: a JSON file of AlpacaEval's 805 prompts, a Hub ID, or an official release. languages: any ISO 639-3 codes.
    variant: `release` (797 prompts), `strict` (795) or `all` (805).
    """
    from xl_alpacaeval.dataset import NAME, build_benchmark, write_folder
    from xl_suite.dataset.folder import check_replaceable

    check_replaceable(Path(out), NAME)
    benchmark = build_benchmark(
        source,
        languages=_list(languages),
        variant=variant,
        seed=seed,
        prompts=prompts,
        allow_changed=allow_changed_source,
    )
    write_folder(benchmark, Path(out))
    for line in benchmark.source.difference:
        logger.warning("Changed source: %s.", line)
    return benchmark


@Paid
def build_m_alpacaeval(
    benchmark: Benchmark | Place,
    *,
    out: Place,
    model: str = "gpt-4o-2024-08-06",
    source: str | None = None,
    translator: str = "",
    all_prompts: str | None = None,
    languages: Languages = "all",
    retries: int = 2,
    max_tokens: int = 4096,
    qe: str | None = None,
    least_qe: float | None = None,
    **chat: Unpack[ChatSettings],
) -> Job[MAlpacaEval]:
    """Builds m-AlpacaEval's dataset folder: XL-AlpacaEval's prompts, translated by `model` or taken from `source`.

    benchmark: XL-AlpacaEval's folder. qe, least_qe: a quality estimator and the score below which a translation is
    refused. Prompts without a sound translation are in `.aside` and in `out/review.jsonl`.
    """
    from m_alpacaeval.dataset import build_benchmark, import_benchmark, write_folder
    from m_alpacaeval.release import read_release
    from m_alpacaeval.review import FILE_NAME, read_edits
    from m_alpacaeval.rows import NAME
    from m_alpacaeval.translate import Settings, plan_calls
    from xl_suite.dataset.folder import check_replaceable

    if least_qe is not None and qe is None:
        raise BadInput("--least-qe needs --qe, which says who scores the translations.")
    folder = Path(out)
    check_replaceable(folder, NAME)
    sources = _read_m_sources(load_benchmark(benchmark).folder, source, all_prompts, _list(languages))
    estimator = None
    if qe is not None:
        from xl_instruct.qe import load_estimator, warn_languages

        estimator = load_estimator(qe)
        for warning in warn_languages(estimator, sources.prompts):
            logger.warning("warning: %s", warning)
    settings = Settings(retries + 1, max_tokens, estimator, least_qe)
    if source is not None:
        release = read_release(source, sources, translator=translator)

        def take() -> MAlpacaEval:
            made = import_benchmark(sources, release, out=folder, settings=settings)
            write_folder(made, folder)
            return made

        return Job(take, list)
    parsed, options = _prepare(model, out, chat)

    def run() -> MAlpacaEval:
        made = build_benchmark(sources, parsed, options, out=folder, settings=settings)
        write_folder(made, folder)
        return made

    def estimate() -> list[Estimate]:
        prompts = [prompt for own in sources.prompts.values() for prompt in own]
        return _estimate(parsed, plan_calls(read_edits(folder / FILE_NAME, prompts).others, settings), options)

    return Job(run, estimate)


@Paid
def generate(config: Place, *, out: Place, limit: int | None = None, **chat: Unpack[ChatSettings]) -> Job[Generated]:
    """Makes cross-lingual training data: XL-Instruct's four stages (paper, section 4). Writes a dataset folder.

    config: a YAML file, or `paper`, `permissive` or `smoke`. limit: the first passages of the sample only.
    """
    from xl_instruct.config import read_config
    from xl_instruct.stages.costs import estimate_run
    from xl_instruct.stages.generate import check_out
    from xl_instruct.stages.generate import generate as run_pipeline
    from xl_instruct.stages.pipeline import open_pipeline

    read = read_config(str(config))
    options = chat_options(out, **chat)

    def estimate() -> list[Estimate]:
        check_out(Path(out))
        return list(estimate_run(open_pipeline(read, Path(out), options, limit=limit, progress=logger.info)))

    return Job(lambda: run_pipeline(read, Path(out), options, limit=limit, progress=logger.info), estimate)


def subset(
    source: Place,
    *,
    out: Place,
    size: int | None = None,
    translations: str = "best-of-k",
    sampling: str = "best",
    balance: str = "balanced",
    seed: int = 1,
    format: str = "xl-instruct",
    languages: Languages = "all",
) -> Subset:
    """Chooses a training subset and writes it as a dataset folder in trl's formats (paper, section 5)."""
    from xl_instruct.dataset.subsets import NAME, choose_subset, write_subset
    from xl_instruct.training.foreign import read_foreign
    from xl_instruct.training.sources import read_xl_instruct
    from xl_suite.dataset.folder import check_replaceable

    codes = _list(languages)
    check_replaceable(Path(out), NAME)
    if format == "x-instruction":
        rows = read_foreign(Path(source), codes, seed=seed, progress=logger.info)
    else:
        rows = read_xl_instruct(Path(source), translations, codes)
    chosen = choose_subset(rows, size=size, sampling=sampling, balance=balance, seed=seed)
    write_subset(chosen, Path(out))
    return chosen


def preferences(
    source: Place,
    *,
    out: Place,
    translations: str = "best-of-k",
    margin: float = 0.02,
    languages: Languages = "all",
) -> Pairs:
    """Makes preference pairs of the best and the worst sound translations; writes a dataset folder for DPO."""
    from xl_instruct.dataset.preferences import NAME, find_pairs, write_pairs
    from xl_suite.dataset.folder import check_replaceable

    check_replaceable(Path(out), NAME)
    pairs = find_pairs(Path(source), translations=translations, margin=margin, languages=_list(languages))
    write_pairs(pairs, Path(out))
    return pairs


@overload
def train(
    config: Place,
    *,
    data: Place,
    out: Place,
    model: str | None = None,
    merge: bool = False,
    force: bool = False,
    seeds: None = None,
) -> Trained: ...


@overload
def train(
    config: Place,
    *,
    data: Place,
    out: Place,
    model: str | None = None,
    merge: bool = False,
    force: bool = False,
    seeds: Sequence[int],
) -> tuple[Trained, ...]: ...


def train(
    config: Place,
    *,
    data: Place,
    out: Place,
    model: str | None = None,
    merge: bool = False,
    force: bool = False,
    seeds: Sequence[int] | None = None,
) -> Trained | tuple[Trained, ...]:
    """Fine-tunes a model with LoRA (paper, section 5); writes `out/adapter` and, with `merge`, `out/merged`.

    config: a YAML file, or `train_paper`, `train_dpo` or `train_smoke`. data: what `subset` or `preferences` wrote,
    or data of others in one of their forms. seeds: trains one adapter for each, in `out/seed-1` and so on.
    """
    from xl_instruct.training.config import read_training_config
    from xl_instruct.training.train import train as run_training
    from xl_instruct.training.train import train_seeds

    read = read_training_config(str(config), {"model": model} if model else None)
    if seeds is not None:
        several = list(seeds)
        return train_seeds(read, Path(data), Path(out), several, merge=merge, force=force, progress=logger.info)
    return run_training(read, Path(data), Path(out), merge=merge, force=force, progress=logger.info)


def leaderboard(
    results: Place | Sequence[Place],
    *,
    out: Place,
    benchmarks: Sequence[Place] = (),
    paper: bool = True,
    title: str = "Cross-lingual generation",
    resamples: int = 10_000,
    workers: int | None = None,
) -> Site:
    """Builds the leaderboard's static pages and CSV from folders of outputs, annotations and ratings."""
    from xl_suite.leaderboard.site import build_site

    several = [results] if isinstance(results, (str, os.PathLike)) else results
    return build_site(
        [Path(one) for one in several],
        Path(out),
        benchmarks=[Path(one) for one in benchmarks],
        paper=paper,
        title=title,
        resamples=resamples,
        workers=workers or os.cpu_count() or 1,
        report=logger.info,
    )


def publish(
    folder: Place,
    repo: str,
    *,
    private: bool = False,
    gated: Literal["auto", "manual"] | None = None,
    gated_prompt: str = "By asking for access you agree to the licence on the card.",
    revision: str = "main",
    tag: str | None = None,
    over: str | None = None,
    allow_emails: bool = False,
) -> Published:
    """Publishes a dataset's or an adapter's folder on the Hub: one commit and a tag.

    Raises BadInput for what must not be published, and where the repository has commits that this folder lacks.
    """
    from xl_suite.publishing.hub import publish as upload

    plan = plan_publish(
        folder,
        repo,
        gated_prompt=gated_prompt if gated else None,
        revision=revision,
        tag=tag,
        allow_emails=allow_emails,
    )
    return upload(plan, private=private, gated=gated, over=over)


def plan_publish(
    folder: Place,
    repo: str,
    *,
    gated_prompt: str | None = None,
    revision: str = "main",
    tag: str | None = None,
    allow_emails: bool = False,
) -> PublishPlan:
    """What `publish` would change on the Hub. Checks the folder; changes nothing."""
    from xl_suite.publishing.checks import check_folder
    from xl_suite.publishing.hub import plan_publish as plan

    checked = check_folder(Path(folder))
    for problem in checked.problems:
        logger.warning("  %s", problem)
    if checked.problems:
        raise BadInput(f"{folder} cannot be published: {len(checked.problems)} problems, above.")
    if checked.emails:
        for address, place in checked.emails[:20]:
            logger.warning("  e-mail address %s in %s", address, place)
        if not allow_emails:
            raise BadInput(
                f"{folder} holds {len(checked.emails)} e-mail addresses. Take them out, or add --allow-emails."
            )
    return plan(Path(folder), repo, kind=checked.kind, revision=revision, tag=tag, gated_prompt=gated_prompt)


def submit(
    results: Place | None = None,
    *,
    benchmark: Benchmark | Place,
    reference: Outputs | Place,
    out: Place | None = None,
    name: str = "",
    outputs: Place | None = None,
    annotations: Place | None = None,
    annotator: str = "",
    journals: Sequence[Place] = (),
    languages: Languages = "all",
    limit: int | None = None,
    min_fidelity: float = 0.5,
    allow_emails: bool = False,
    about: Mapping[str, Any] | None = None,
) -> Submission:
    """Checks a model's results as the leaderboard's maintainer would; with `out`, writes the submission there.

    The result's `problems` are empty where the results are accepted. about: `model_id`, `billions`, `training`,
    `benchmark_id`, `benchmark_revision`, `date`, `source_url`, which go beside the scores.
    """
    from xl_suite.submission.checks import Requirements
    from xl_suite.submission.writer import check_and_write

    return check_and_write(
        None if results is None else Path(results),
        benchmark=load_benchmark(benchmark).folder,
        reference=_path(reference),
        out=None if out is None else Path(out),
        name=name,
        outputs=None if outputs is None else Path(outputs),
        annotations=None if annotations is None else Path(annotations),
        annotator=annotator,
        journals=[Path(one) for one in journals],
        required=Requirements(
            languages=tuple(_list(languages) or ()),
            limit=limit,
            annotator=Path(annotator).resolve().name if Path(annotator, "configs.yaml").is_file() else annotator,
            min_fidelity=min_fidelity,
            allow_emails=allow_emails,
        ),
        about=about or {},
    )


def plan_bridge(
    outputs: Sequence[Outputs | Place],
    reference: Outputs | Place,
    *,
    annotator: str,
    out: Place,
    model: str | None = None,
    budget: float | None = None,
    price: tuple[float, float] | None = None,
    families: Mapping[str, str] | None = None,
    repeat_share: float = 0.1,
    seed: int = 0,
    languages: Languages = "all",
    language: str = "",
) -> BridgeDesign:
    """Chooses the rows that a judge must see before it ends, and writes them to the folder `out`. Makes no call.

    budget: dollars; as many rows are drawn as they pay for. families: by model, where the names do not tell them.
    repeat_share: of the rows, which are judged three times. `.told` of the result has cost and precision.
    """
    from xl_suite.bridging.folder import write_bridge
    from xl_suite.bridging.plan import Costs, choose_families, design_bridge
    from xl_suite.chat.budget import require_price
    from xl_suite.chat.models import parse_model
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import name_annotator
    from xl_suite.judging.pairwise import pair_outputs

    read = read_annotator(annotator)
    parsed = parse_model(model or read.model)
    if budget is not None:
        require_price(parsed, price)
    base = _open_outputs(reference, language)
    by_model: dict[str, Any] = {}
    for one in outputs:
        rows = _open_outputs(one, language)
        generator = next(iter(rows.values()))[0].generator
        if generator in by_model:
            raise BadInput(f"{one}: outputs of {generator} again. Each model is given once.")
        by_model[generator] = rows
    models = choose_families(list(by_model), families or {})
    pairs = {
        name: pair_outputs(rows, base, languages=_join(languages), allow_partial=True)
        for name, rows in by_model.items()
    }
    codes = sorted({code for own in pairs.values() for code in own})
    design = design_bridge(
        pairs,
        models,
        Costs(pairs, read, parsed, price),
        reference=next(iter(base.values()))[0].generator,
        annotator=name_annotator(read, parsed),
        budget=budget,
        repeat_share=repeat_share,
        seed=seed,
    )
    chosen = {name: {code: rows[code] for code in codes if code in rows} for name, rows in by_model.items()}
    return write_bridge(Path(out), design, chosen, {code: base[code] for code in codes})


@Paid
def collect_bridge(
    bridge: Place,
    *,
    annotator: str,
    model: str | None = None,
    method: str = "auto",
    **chat: Unpack[ChatSettings],
) -> Job[Collected]:
    """Judges the rows of a bridge or an archive in both orders, and a part of them three times."""
    from xl_suite.bridging.collection import collect, list_parts, plan_collection
    from xl_suite.bridging.folder import read_design
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.lifetime import find_announced_end

    folder, read = Path(bridge), read_annotator(annotator)
    parsed, options = _prepare(model or read.model, folder, chat)
    parts = list(list_parts(folder, read_design(folder)))

    def estimate() -> list[Estimate]:
        return _estimate(parsed, plan_collection(parts, read, method), options)

    def run() -> Collected:
        if options.replay is None and (end := find_announced_end(parsed)):
            logger.warning("the judge %s will end (%s). Archive the bridge before.", parsed.name, end)
        collected = collect(folder, parts, read, parsed, options, method=method)
        for note in collected.noted:
            logger.info("note: %s", note)
        return collected

    return Job(run, estimate)


def archive_bridge(
    bridge: Place, *, out: Place, license: str = "cc-by-nc-4.0", replace: bool = False, allow_gaps: bool = False
) -> dict[str, Any]:
    """Writes all that a later bridge needs, as a dataset's folder; the counts of what was written."""
    from xl_suite.bridging.archive import write_archive

    return write_archive(Path(bridge), Path(out), license=license, replace=replace, allow_gaps=allow_gaps)


def fit_bridge(
    bridge: Place,
    *,
    out: Place,
    new: str | None = None,
    margin: float = 3.0,
    license: str = "cc-by-nc-4.0",
    languages: Languages = "all",
) -> Fitted:
    """Compares the old judge of a bridge or an archive with a new one, maps win rates, writes the folder `out`.

    margin: percent points within which the mean difference must lie where means may be compared. Makes no call.
    """
    from xl_suite.bridging.fitted import fit_folder, write_fitted

    fitted = fit_folder(Path(bridge), new=new, margin=margin, license=license, languages=_list(languages) or ())
    write_fitted(Path(out), fitted)
    return fitted


def apply_bridge(bridge: Fitted | Place, score: Mapping[str, Any]) -> dict[str, Any]:
    """A model's old scores (what `xl-suite score --json` prints), mapped, marked, and with wider intervals."""
    from xl_suite.bridging.fitted import apply_fitted, read_fitted

    fitted = read_fitted(Path(bridge)) if isinstance(bridge, (str, os.PathLike)) else bridge
    return apply_fitted(fitted, score)


def chat_options(out: Place, **chat: Unpack[ChatSettings]) -> ChatOptions:
    """The options of a run that writes to `out`. Raises BadInput where both a journal and a replay are named."""
    from xl_suite.chat.settings import ChatOptions

    settings: dict[str, Any] = {key: value for key, value in chat.items() if value is not None}
    for key in ("journal", "replay"):
        if key in settings:
            settings[key] = Path(settings[key])
    settings["extra"] = tuple(sorted(settings.get("extra", {}).items()))
    if "replay" in settings and "journal" in settings:
        raise BadInput("--replay reads a journal and --journal writes one: give one of the two.")
    if "replay" not in settings:
        settings.setdefault("journal", Path(out) / ".journal.sqlite")
    return ChatOptions(**settings)


def _prepare(model: str, out: Place, chat: ChatSettings) -> tuple[Model, ChatOptions]:
    from xl_suite.chat.models import parse_model

    return parse_model(model), chat_options(out, **chat)


def _estimate(model: Model, calls: Iterable[Call], options: ChatOptions) -> list[Estimate]:
    from xl_suite.chat.estimates import estimate

    return [estimate(model, calls, options)]


def _open_outputs(outputs: Outputs | Place, language: str) -> Any:
    if isinstance(outputs, (str, os.PathLike)):
        return read_outputs(outputs, language).by_language
    return outputs.by_language


def _read_m_sources(benchmark: Path, source: str | None, all_prompts: str | None, codes: list[str] | None) -> Sources:
    """The prompts that m-AlpacaEval translates, by language: XL-AlpacaEval's, or all 805 of a file of AlpacaEval."""
    from m_alpacaeval.release import list_release_languages
    from m_alpacaeval.rows import collect_sources, default_languages, read_sources

    if codes is not None:
        codes = [code for code in codes if code != "eng"]
    else:
        codes = default_languages() if source is None else list_release_languages(source)
    if all_prompts is None:
        return read_sources(benchmark, codes)
    from xl_alpacaeval.dataset import build_benchmark

    every = build_benchmark(all_prompts, languages=["deu"], variant="all")
    return collect_sources(every.rows, codes, every.source.name)


def _path(value: Any) -> Path:
    return Path(value if isinstance(value, (str, os.PathLike)) else value.path)


def _join(languages: Languages) -> str:
    return languages if isinstance(languages, str) else ",".join(languages)


def _list(languages: Languages) -> list[str] | None:
    """ISO 639-3 codes, or None for `all`. Raises UnknownLanguage."""
    from xl_suite.languages import parse_languages

    text = _join(languages)
    return None if text == "all" else [language.code for language in parse_languages(text, [])]
