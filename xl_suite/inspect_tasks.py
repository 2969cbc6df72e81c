"""The benchmarks as tasks of inspect_ai (extra `inspect`), with a pairwise scorer.

    inspect eval xl_suite/cross_lingual --model openai/my-model -T benchmark=xl-alpacaeval -T language=deu \\
        -T reference=outputs/gpt-4o-mini --model-role grader=openai/gpt-4o-2024-08-06

The judge is asked through inspect_ai, in both orders, with an annotator's prompt; its verdicts are read as `xl-suite
judge` reads text. Beside the win rate is the gated one, in which an answer that is not in the language asked for
loses, and intervals that hold where few or no rows win (see `scoring.intervals`). `xl-suite score LOG.eval` reads the
log back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from xl_suite.chat.answers import WITHHELD
from xl_suite.chat.calls import Answer
from xl_suite.chat.reasoning import split_reasoning
from xl_suite.dataset.folder import read_benchmark
from xl_suite.errors import BadInput
from xl_suite.extras import load
from xl_suite.fidelity import FidelityAnswer, judge_answers
from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.judging.annotator import Annotator, read_annotator
from xl_suite.judging.inspect_logs import ROWS
from xl_suite.judging.pairs import Pair
from xl_suite.judging.pairwise import (
    TEXT_TOKENS,
    Method,
    Question,
    ask_questions,
    decide_without_judge,
    fill_prompt,
    make_annotation,
    read_text,
    read_verdict,
)
from xl_suite.publishing.hub_files import find_dataset_folder
from xl_suite.records import BenchmarkRow
from xl_suite.responding.outputs import read_outputs
from xl_suite.responding.plan import name_benchmark
from xl_suite.scoring.gating import gate_preferences
from xl_suite.scoring.intervals import bound_means

load("inspect_ai", "inspect", "it runs these tasks")

from inspect_ai import Task, task  # noqa: E402  after the message that says how to install it
from inspect_ai.dataset import MemoryDataset, Sample  # noqa: E402
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model  # noqa: E402
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer  # noqa: E402
from inspect_ai.solver import TaskState, generate  # noqa: E402

# The name that Hub datasets of the benchmarks have, as in the lm-eval tasks.
XL_ALPACAEVAL, M_ALPACAEVAL = "xl-suite/xl-alpacaeval", "xl-suite/m-alpacaeval"
# An unread verdict is asked again at most twice, as by `xl-suite judge`.
ATTEMPTS = 3
BOTH = "both"
METHOD = Method("parsed")
# From inspect_ai's stop reasons to finish reasons; others say nothing about the text.
_FINISH = {"stop": "stop", "max_tokens": "length", "model_length": "length", "content_filter": WITHHELD}


@task
def cross_lingual(
    benchmark: str, language: str, reference: str = "", annotator: str = "xl_local", judge: str = ""
) -> Task:
    """A benchmark's prompts in one language. benchmark: its dataset folder or Hub ID. language: ISO 639-3.

    reference: reference outputs, a generator's folder; without it only the language of the answers is scored.
    annotator: whose prompt the judge gets. judge: a model of inspect_ai; empty takes the role `grader`.
    """
    folder = find_dataset_folder(benchmark)
    samples = [_make_sample(row, name_benchmark(folder)) for row in read_benchmark(folder, [language])]
    chosen = pairwise(reference, language, annotator, judge) if reference else in_language()
    return Task(
        dataset=MemoryDataset(samples, name=f"{name_benchmark(folder)}/{language}"), solver=generate(), scorer=chosen
    )


@task
def xl_alpacaeval(language: str, reference: str = "", annotator: str = "xl_local", judge: str = "") -> Task:
    """XL-AlpacaEval from the Hub."""
    return cross_lingual(XL_ALPACAEVAL, language, reference, annotator, judge)


@task
def m_alpacaeval(language: str, reference: str = "", annotator: str = "xl_local", judge: str = "") -> Task:
    """m-AlpacaEval from the Hub."""
    return cross_lingual(M_ALPACAEVAL, language, reference, annotator, judge)


@metric
def percent() -> Metric:
    """The mean in percent, of what is not NaN."""

    def measure(scores: list[SampleScore]) -> float:
        values = _read_values(scores)
        return 100 * float(values.mean()) if len(values) else math.nan

    return measure


@metric
def ci_low() -> Metric:
    """The lower end of the 95 % interval over prompts, in percent."""

    def measure(scores: list[SampleScore]) -> float:
        return 100 * bound_means(_read_values(scores)[:, None]).low[0]

    return measure


@metric
def ci_high() -> Metric:
    """The upper end of the 95 % interval over prompts, in percent."""

    def measure(scores: list[SampleScore]) -> float:
        return 100 * bound_means(_read_values(scores)[:, None]).high[0]

    return measure


# inspect_ai counts the prompts without a value itself (`unscored_samples`): unread, withheld, undetermined.
_RATE = [percent(), ci_low(), ci_high()]


@scorer(metrics={"in_language": _RATE})
def in_language() -> Scorer:
    """Whether an answer is in the language that its prompt expects; NaN where that cannot be told."""

    async def score(state: TaskState, target: Target) -> Score:
        text, finish = _read_answer(state)
        verdict = _name_verdict(text, finish, state.metadata)
        return Score(value={"in_language": _to_share(verdict)}, answer=text, explanation=verdict)

    return score


@scorer(metrics={"win_rate": _RATE, "gated_win_rate": _RATE, "in_language": _RATE, "shown_first": _RATE})
def pairwise(reference: str, language: str, annotator: str = "xl_local", judge: str = "") -> Scorer:
    """Compares answers with reference outputs in both orders. Values are shares of the win, 0 to 1.

    gated_win_rate: with the language gate. shown_first: the mean share of the answer that was shown first, 1/2 for a
    judge that does not care. Raises BadInput where the reference lacks the language or a prompt.
    """
    read = read_annotator(annotator)
    rows = {row.id: row for row in read_outputs(Path(reference)).get(language, [])}
    if not rows:
        raise BadInput(f"{reference}: no reference outputs in {language}.")

    async def score(state: TaskState, target: Target) -> Score:
        base = rows.get(state.metadata["id"])
        if base is None:
            raise BadInput(f"{reference}: no reference output to prompt {state.metadata['id']} in {language}.")
        if base.instruction != state.metadata["instruction"]:
            raise BadInput(f"{reference}: prompt {base.id} is another one there. Both must answer one benchmark.")
        text, finish = _read_answer(state)
        sides = [reason == WITHHELD for reason in (finish, base.finish_reason)]
        pair = Pair(
            base.id,
            state.metadata["dataset"],
            language,
            base.instruction,
            base.output,
            base.generator,
            text,
            str(state.model),
            state.metadata["benchmark"],
            "both" if all(sides) else "model" if sides[0] else "reference" if sides[1] else "",
            base.finish_reason,
            finish,
        )
        found = await _judge_pair(pair, read, judge)
        preference = _mean_preference(found)
        verdicts = [
            _name_verdict(pair.output_2, finish, state.metadata),
            _name_verdict(pair.output_1, base.finish_reason, state.metadata),
        ]
        gated = gate_preferences(np.array([preference]), [verdicts[0]], [verdicts[1]]).values[0]
        value = {
            "win_rate": preference,
            "gated_win_rate": float(gated),
            "in_language": _to_share(verdicts[0]),
            "shown_first": _share_of_first(found),
        }
        kept = [asdict(row) for row in found]
        return Score(value=value, answer=text, explanation=verdicts[0], metadata={ROWS: kept})

    return score


async def _judge_pair(pair: Pair, annotator: Annotator, judge: str) -> list[Annotation]:
    """The annotations of both orders; an unread verdict has no preference."""
    model = get_model(judge) if judge else get_model(role="grader")
    name = f"{annotator.name}-{model.name}"
    if not pair.needs_judge:
        return decide_without_judge(pair, annotator=name, method=METHOD.name, order=BOTH)
    found = []
    for question in ask_questions([pair], BOTH):
        answer = await _ask(model, question, annotator)
        preference = read_verdict([answer], question, annotator, METHOD)
        found.append(make_annotation(question, preference, [answer], annotator=name, method=METHOD.name, price=None))
    return found


async def _ask(model: Any, question: Question, annotator: Annotator) -> Answer:
    """The judge's answer: the first that is read, or the last of those that may be asked for."""
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser}
    messages = [kinds[turn.role](content=turn.content) for turn in fill_prompt(annotator, question)]
    for attempt in range(ATTEMPTS):  # the same words at temperature 0 would give the same answer
        temperature = annotator.sampling.temperature if attempt else 0.0
        output = await model.generate(
            messages, config=GenerateConfig(temperature=temperature, max_tokens=TEXT_TOKENS)
        )
        answer = Answer(split_reasoning(output.completion)[0], str(output.stop_reason or "stop"), 0, 0)
        if read_text(answer.text, annotator) is not None:
            break
    return answer


def _make_sample(row: BenchmarkRow, benchmark: str) -> Sample:
    about = {
        "id": row.id,
        "dataset": row.dataset,
        "benchmark": benchmark,
        "instruction": row.instruction,
        "prompt": row.prompt,
        "language": row.language,
        "expected": row.expected,
    }
    return Sample(input=row.instruction, id=row.id, metadata=about)


def _read_answer(state: TaskState) -> tuple[str, str]:
    """The answer without its reasoning, and its finish reason: `stop`, `length` or `withheld`, or empty."""
    finish = _FINISH.get(str(state.output.stop_reason), "")
    return ("" if finish == WITHHELD else split_reasoning(state.output.completion)[0]), finish


def _name_verdict(text: str, finish_reason: str, about: Any) -> str:
    answer = FidelityAnswer(text, about["prompt"], about["expected"], finish_reason)
    return judge_answers([answer], about["language"])[0].verdict


def _to_share(verdict: str) -> float:
    return math.nan if verdict in ("undetermined", WITHHELD) else float(verdict == "right")


def _mean_preference(found: Sequence[Annotation]) -> float:
    """The model's share over both orders; NaN where one of them has none, as in `scoring.preferences`."""
    shares = [scale_preference(row.preference) for row in found]
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if len(known) == len(shares) else math.nan


def _share_of_first(found: Sequence[Annotation]) -> float:
    shares = [(row.order, scale_preference(row.preference)) for row in found]
    known = [share if order == "21" else 1 - share for order, share in shares if share is not None]
    return sum(known) / len(known) if len(known) == len(shares) else math.nan


def _read_values(scores: list[SampleScore]) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.array([float(one.score.value) for one in scores], dtype=np.float64)
    return values[~np.isnan(values)]
