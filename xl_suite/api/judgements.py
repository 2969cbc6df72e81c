"""What judges say of answers: pairwise, as a panel, and by rubrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from xl_suite.api.answers import open_outputs
from xl_suite.api.jobs import (
    ChatSettings,
    Job,
    Languages,
    Paid,
    Place,
    divide_job,
    estimate_calls,
    join_languages,
    logger,
    prepare,
)
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.chat.budget import Budget
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.executors.parts import Tools
    from xl_suite.executors.units import Unit
    from xl_suite.judging.judgement import Judgement
    from xl_suite.judging.members import Member
    from xl_suite.judging.pairs import Pair
    from xl_suite.results import Annotations, Outputs, PanelAnnotations


def read_annotations(path: Place) -> Annotations:
    """The pairwise annotations of a file, an annotator's folder or a generator's folder."""
    from xl_suite.results import Annotations

    annotations = Annotations(Path(path))
    annotations.rows  # noqa: B018  as above
    return annotations


@Paid
def judge(
    outputs: Outputs | Place,
    reference: Outputs | Place,
    *,
    annotator: str,
    out: Place,
    model: str | None = None,
    order: Literal["random", "both"] | None = None,
    method: str = "auto",
    samples: int = 1,
    max_tokens: int | None = None,
    retry_unread: bool = False,
    languages: Languages = "all",
    limit: int | None = None,
    card: Place | None = None,
    allow_partial: bool = False,
    language: str = "",
    **chat: Unpack[ChatSettings],
) -> Job[Annotations]:
    """Has a judge compare outputs with reference outputs; writes `out/<generator>/<annotator>/<language>.json`.

    annotator: a name of `xl-suite annotators` or a folder. model: another judge than the annotator's own. order:
    `random` is AlpacaEval's draw, `both` judges each pair twice; None takes the annotator's own: both, but random for
    `xl_gpt4o`. method: how verdicts are read: `auto`, `logprobs`, `sampled` or `parsed`. retry_unread: ask on where a
    verdict is unread after three samples. card: the folder or file of a judge's card, from `audit`; where it marks
    the judge in a language, that is told, and the leaderboard marks it.
    Judgements that failed are in the files without a preference and in `.judgement.failures`.
    """
    from xl_suite.judging.members import Member

    pairs = _pair(outputs, reference, languages, language, allow_partial)
    asking = _Asking(order, method, samples, max_tokens, retry_unread, limit, card)
    return _plan_judging(pairs, Member(annotator, model), out, asking, chat)


@Paid
def judge_panel(
    outputs: Outputs | Place,
    reference: Outputs | Place,
    *,
    annotators: str | Sequence[str],
    out: Place,
    order: Literal["random", "both"] | None = None,
    method: str = "auto",
    samples: int = 1,
    max_tokens: int | None = None,
    retry_unread: bool = False,
    languages: Languages = "all",
    limit: int | None = None,
    card: Place | None = None,
    allow_partial: bool = False,
    language: str = "",
    **chat: Unpack[ChatSettings],
) -> Job[PanelAnnotations]:
    """Has several judges compare outputs with reference outputs, one after the other, within one budget.

    Writes what `judge` writes for each, and the panel's own annotations, the mean over families of judges, as
    `out/<generator>/panel-<judges>/<language>.json`. annotators: `NAME_OR_DIR` or `NAME_OR_DIR=MODEL` each. Otherwise
    as `judge`.
    """
    from xl_suite.chat.budget import Budget
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import name_annotator
    from xl_suite.judging.members import parse_members
    from xl_suite.results import PanelAnnotations
    from xl_suite.scoring.panel import write_panel

    joined = annotators if isinstance(annotators, str) else ",".join(annotators)
    members = parse_members(joined)
    if len(members) < 2:
        raise BadInput(f"{joined}: a panel needs two judges and more, with commas between.")
    pairs = _pair(outputs, reference, languages, language, allow_partial)
    asking = _Asking(order, method, samples, max_tokens, retry_unread, limit, card)
    models = {}
    for one in members:
        read = read_annotator(one.annotator)
        parsed, options = prepare(one.model or read.spec, out, chat)
        name = name_annotator(read, parsed)
        if name in models:
            raise BadInput(f"two judges of the panel are named {name}, and would write the same files.")
        models[name] = parsed.name or read.model
    budget = Budget(options.budget)
    jobs = [_plan_judging(pairs, one, out, asking, chat, budget) for one in members]

    def run() -> PanelAnnotations:
        for job in jobs:
            job.check()
        judged = dict(zip(models, [job.work() for job in jobs], strict=True))
        rows = {name: [row for row in one.rows if row.language in pairs] for name, one in judged.items()}
        folder, panel = write_panel(next(iter(judged.values())).path.parent, rows, models)
        return PanelAnnotations(folder, judged, panel)

    return Job(run, lambda: [one for job in jobs for one in job.estimate()], options)


@dataclass(frozen=True, slots=True)
class _Asking:
    """How judges are asked, as the arguments of `judge` say."""

    order: str | None
    method: str
    samples: int
    max_tokens: int | None
    retry_unread: bool
    limit: int | None
    card: Place | None


def _pair(
    outputs: Outputs | Place, reference: Outputs | Place, languages: Languages, language: str, allow_partial: bool
) -> dict[str, list[Pair]]:
    from xl_suite.judging.pairs import pair_outputs

    return pair_outputs(
        open_outputs(outputs, language),
        open_outputs(reference, language),
        languages=join_languages(languages),
        allow_partial=allow_partial,
    )


def _plan_judging(
    everything: Mapping[str, Sequence[Pair]],
    member: Member,
    out: Place,
    asking: _Asking,
    chat: ChatSettings,
    budget: Budget | None = None,
) -> Job[Annotations]:
    """The job of one judge. budget: of several judges in turn."""
    from xl_suite.auditing.card import BESIDE, find_card, list_warnings, read_marked
    from xl_suite.finished import check_held, check_settings
    from xl_suite.judging.annotator import find_folder, read_annotator
    from xl_suite.judging.asking import count_waves
    from xl_suite.judging.earlier import find_held
    from xl_suite.judging.judge import choose_method, describe_settings, judge_pairs, name_annotator, plan_calls
    from xl_suite.judging.judgement import NAMELESS, list_files, write_judgement
    from xl_suite.judging.lifetime import find_announced_end
    from xl_suite.records import write_text
    from xl_suite.results import Annotations
    from xl_suite.scoring.length_slope import SLOPE_FILE, find_slope, write_slope

    if Path(out).exists() and not Path(out).is_dir():
        raise BadInput(f"{out} is a file. Name a folder with --out.")
    annotator, limit, method = member.annotator, asking.limit, asking.method
    read = read_annotator(annotator)
    order = asking.order or read.order
    parsed, options = prepare(member.model or read.spec, out, chat)
    name = name_annotator(read, parsed)
    given = [] if asking.card is None else [Path(asking.card)]
    for place in given:
        if place.is_file():
            read_marked(place, name)  # raises for a file that is not a card
    folders = [place if place.is_dir() else place.parent for place in given]
    card = find_card([*folders, find_folder(annotator)], name)
    if given and card is None:
        logger.warning("%s: no card of %s is there.", asking.card, name)
    pairs = {code: rows[:limit] for code, rows in everything.items()}
    earlier = {} if limit is None else {code: rows[limit:] for code, rows in everything.items()}

    def estimate() -> list[Estimate]:
        chosen = choose_method(read, method, asking.samples, asking.max_tokens)
        calls = plan_calls(pairs, read, order=order, method=chosen)
        learnt = method == "auto" and chosen.name == "logprobs"
        return estimate_calls(parsed, calls, options, "verdict", count_waves(len(calls), options, learnt=learnt))

    settings = describe_settings(
        pairs,
        read,
        parsed,
        options,
        order=order,
        method=None if method == "auto" else choose_method(read, method, asking.samples, asking.max_tokens),
    )

    def judge_rows(pairs: Mapping[str, Sequence[Pair]], options: ChatOptions, **shared: Any) -> Judgement:
        return judge_pairs(
            pairs,
            read,
            parsed,
            options,
            order=order,
            method=method,
            samples=asking.samples,
            max_tokens=asking.max_tokens,
            retry_unread=asking.retry_unread,
            **shared,
        )

    def work(unit: Unit, tools: Tools) -> int:
        rows = {unit.language: unit.take(pairs[unit.language])}
        judgement = judge_rows(rows, tools.options, servers=tools.servers, budget=tools.budget)
        return len(judgement.failures[unit.language])

    def check(options: ChatOptions) -> None:
        files = list_files(Path(out), pairs, name)
        check_settings("annotations", files, {code or NAMELESS: one for code, one in settings.items()})
        for code, rows in pairs.items():
            if path := files.get(code or NAMELESS):
                check_held(path, find_held(path, rows, read, asking.max_tokens), parsed, options)

    def run(options: ChatOptions) -> Annotations:
        if options.replay is None and (end := find_announced_end(parsed)):
            logger.warning("the judge %s will end (%s). Keep the journal.", parsed.name, end)
        if card is not None:
            for warning in list_warnings(card, name, list(pairs)):
                logger.warning("%s", warning)
        judgement = judge_rows(pairs, options, budget=budget)
        folder = write_judgement(Path(out), judgement, earlier)
        if slope := find_slope([*folders, find_folder(annotator)], name):
            write_slope(folder / SLOPE_FILE, slope)
        if card is not None:
            write_text(folder / BESIDE, card.read_text(encoding="utf-8"))
        for note in judgement.noted:
            logger.info("note: %s", note)
        if any(earlier.values()):
            logger.info("note: rows beyond --limit that were judged in the same way before stay in the files.")
        return Annotations(folder, judgement)

    generators = {row.generator_2 for rows in pairs.values() for row in rows}
    label = "-".join([*sorted(generators), name])
    sizes = {code: len(rows) for code, rows in pairs.items()}
    return divide_job(run, estimate, out, label, options, sizes, work, check)
