"""How work that calls models is planned, estimated and run, and what all functions take."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypedDict, TypeVar, Unpack

from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.chat.calls import Call
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.models import Model
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.executors.parts import RankReport, Work
    from xl_suite.executors.units import Unit

Value = TypeVar("Value", covariant=True)
P = ParamSpec("P")
Place = str | os.PathLike[str]
Languages = str | Iterable[str]

logger = logging.getLogger("xl_suite")


class ChatSettings(TypedDict, total=False):
    """How models are called; only `extra` changes an answer. The defaults are those of `xl-suite VERB --help`.

    journal: the file that keeps every answer (default: OUT/.journal.sqlite). replay: answer every call from this
    journal. slots: calls in flight. timeout: seconds for one attempt. attempts: before a call is given up.
    budget: dollars that this run may cost. price: dollars per million prompt and completion tokens by model,
    `{"my-model": (2.5, 10)}`, or of the only model that the price list lacks.
    extra: further fields of every request's body, such as `{"reasoning_effort": "low"}`; they are part of what is
    asked. wait_for_server: seconds that a server may take to load or make room. same_model: takes another server than
    the journal's for the same model. wait: waits for another run that writes to the journal, instead of raising
    JournalBusy. replace: makes a finished file or folder anew that has other settings, or rows that the journal
    lacks. progress: whether a progress bar is shown. batch: asks in half-price batches, which can take a day each.
    batch_tail: how calls are asked again that a batch left without an answer.
    """

    journal: Place | None
    replay: Place | None
    slots: int
    timeout: float
    attempts: int
    budget: float | None
    price: tuple[float, float] | Mapping[str, tuple[float, float]] | None
    extra: Mapping[str, Any] | None
    wait_for_server: float
    same_model: bool
    wait: bool
    replace: bool
    progress: bool
    batch: bool
    batch_tail: Literal["batch", "online"] | None


@dataclass(frozen=True)
class Division(Generic[Value]):
    """How work is divided among ranks. units: of it; folder: where ranks keep what they do.

    check: raises BadInput for what no rank can do. run_rank: does one rank's share of it, `R/N`. finish: puts
    together what ranks did, and asks nothing. complete: the same, but asks for what is missing, within so many
    dollars.
    """

    units: Sequence[Unit]
    folder: Path
    check: Callable[[], None]
    run_rank: Callable[[str], RankReport]
    finish: Callable[[], Value]
    complete: Callable[[float | None], Value]


@dataclass(frozen=True)
class Job(Generic[Value]):
    """Work that calls models, checked and planned but not begun. options: how they are called; None calls none.

    check: raises what is wrong with files that are there, before any call. division: None for work that cannot be
    divided among ranks.
    """

    work: Callable[[], Value]
    estimate: Callable[[], list[Estimate]]
    options: ChatOptions | None = None
    check: Callable[[], None] = lambda: None
    division: Division[Value] | None = None

    def run(self) -> Value:
        """Does the work; no other run writes to its journal meanwhile."""
        from xl_suite.chat.locking import hold_for

        if self.options is None:
            return self.work()
        with hold_for(self.options):
            return self.work()


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


def divide_job(
    run: Callable[[ChatOptions], Value],
    estimate: Callable[[], list[Estimate]],
    out: Place,
    label: str,
    options: ChatOptions,
    sizes: Mapping[str, int],
    work: Work,
    check: Callable[[ChatOptions], None],
) -> Job[Value]:
    """A job that can be done as a whole or by ranks. label: tells jobs in `out` apart. sizes: rows per language.

    work: does one unit of rows. check: raises BadInput where the run would replace a finished file by something else.
    """
    from xl_suite.executors.parts import check_divisible, gather_parts, name_parts, run_rank
    from xl_suite.executors.units import list_units, parse_rank

    units = list_units(sizes)

    def run_whole(own: ChatOptions, *, finish: bool = False) -> Value:
        with gather_parts(Path(out), label, own, finish=finish) as gathered:
            check_first(gathered)
            return run(gathered)

    def run_one(rank: str) -> RankReport:
        parsed = parse_rank(rank)
        check_first(options)
        return run_rank(parsed, units, Path(out), label, options, work)

    def complete(budget: float | None) -> Value:
        return run_whole(replace(options, budget=budget))

    def check_first(options: ChatOptions) -> None:
        if not options.replace:
            check(options)

    def check_division() -> None:
        check_divisible(Path(out), options)
        check_first(options)

    return Job(
        lambda: run_whole(options),
        estimate,
        options,
        lambda: check_first(options),
        Division(
            units,
            name_parts(Path(out), label),
            check_division,
            run_one,
            lambda: run_whole(options, finish=True),
            complete,
        ),
    )


def chat_options(out: Place, **chat: Unpack[ChatSettings]) -> ChatOptions:
    """The options of a run that writes to `out`.

    Raises BadInput where both a journal and a replay are named, and where nothing can be written in `out`: a run pays
    before it writes.
    """
    from xl_suite.chat.settings import Batching, ChatOptions
    from xl_suite.staging import check_writable

    check_writable(Path(out))
    settings: dict[str, Any] = {key: value for key, value in chat.items() if value is not None}
    for key in ("journal", "replay"):
        if key in settings:
            settings[key] = Path(settings[key])
    settings["extra"] = tuple(sorted(settings.get("extra", {}).items()))
    batch, tail = settings.pop("batch", False), settings.pop("batch_tail", None)
    if tail is not None and not batch:
        raise BadInput("--batch-tail says what follows a batch: add --batch.")
    if batch and "replay" in settings:
        raise BadInput("--batch asks a model and --replay asks none: give one of the two.")
    if batch:
        settings["batch"] = Batching(tail=tail or "batch")
    if "replay" in settings and "journal" in settings:
        raise BadInput("--replay reads a journal and --journal writes one: give one of the two.")
    if "replay" not in settings:
        settings.setdefault("journal", Path(out) / ".journal.sqlite")
    return ChatOptions(**settings)


def prepare(model: str, out: Place, chat: ChatSettings) -> tuple[Model, ChatOptions]:
    from xl_suite.chat.budget import check_prices
    from xl_suite.chat.models import parse_model

    parsed, options = parse_model(model), chat_options(out, **chat)
    if options.replay is None:
        check_prices(options.price, [parsed])
    return parsed, options


def refuse_batches(chat: ChatSettings) -> None:
    """Raises BadInput where batches are asked for and the work is many small parts, one after the other."""
    if chat.get("batch"):
        raise BadInput(
            "--batch: this verb asks in many small parts, each of which would wait for a day. Leave it out."
        )


def estimate_calls(
    model: Model, calls: Iterable[Call], options: ChatOptions, kind: str, waves: tuple[int, int] = (1, 1)
) -> list[Estimate]:
    """What calls would cost whose answers are of a kind of `typical_lengths.tsv`.

    waves: the least and the most rounds in which they are asked, where each follows from the one before.
    """
    from xl_suite.chat.estimates import estimate

    return [estimate(model, calls, options, kind, waves)]


def to_path(value: Any) -> Path:
    return Path(value if isinstance(value, (str, os.PathLike)) else value.path)


def join_languages(languages: Languages) -> str:
    return languages if isinstance(languages, str) else ",".join(languages)


def list_languages(languages: Languages) -> list[str] | None:
    """ISO 639-3 codes, or None for `all`. Raises UnknownLanguage."""
    from xl_suite.languages import parse_languages

    text = join_languages(languages)
    return None if text == "all" else [language.code for language in parse_languages(text, [])]
