"""Judging the rows of a bridge: every row in both orders, and the repeated ones twice more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xl_suite.bridging.folder import BridgeDesign, locate_annotations, read_pairs, repeats, write_judge_settings
from xl_suite.chat.budget import Budget
from xl_suite.chat.calls import Call
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model
from xl_suite.chat.run import run
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.judge import choose_method, judge_pairs, name_annotator, plan_calls
from xl_suite.judging.judgement import Judgement, write_judgement
from xl_suite.judging.pairs import Pair

# Rows that are asked one by one before batches, to tell how a judge can be read.
FEW = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One model's rows, judged for the first time (repeat 0) or again."""

    model: str
    repeat: int
    pairs: dict[str, list[Pair]]


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of a collection. noted: what a user should know, once each."""

    annotator: str
    n_judged: int
    n_failed: int
    paid: int
    from_journal: int
    dollars: float | None
    noted: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "annotator": self.annotator,
            "n_judged": self.n_judged,
            "n_failed": self.n_failed,
            "paid": self.paid,
            "from_journal": self.from_journal,
            "dollars": self.dollars,
        }


def list_parts(folder: Path, design: BridgeDesign) -> Iterator[Part]:
    """The parts of a collection: all first judgements before any repeat, so that a small budget goes to rows."""
    for model, pairs in read_pairs(folder, design).items():
        yield Part(model, 0, pairs)
    again = read_pairs(folder, design, repeated=True)
    for repeat in repeats():
        for model, pairs in again.items():
            yield Part(model, repeat, pairs)


def plan_collection(parts: Sequence[Part], annotator: Annotator, method: str = "auto") -> list[Call]:
    """The calls of a collection whose first verdicts can all be read."""
    chosen = choose_method(annotator, method, 1, None)
    return [
        call
        for part in parts
        for call in plan_calls(part.pairs, annotator, order="both", method=chosen, repeat=part.repeat)
    ]


def collect(
    folder: Path,
    parts: Sequence[Part],
    annotator: Annotator,
    model: Model,
    options: ChatOptions,
    *,
    method: str = "auto",
) -> Collected:
    """Judges all parts and writes each one's verdicts when it is done; what the journal answers costs nothing.

    A budget covers the whole collection. In batches, all first verdicts of all parts are asked for together, and not
    part after part, each of which would wait for a day. Raises what ends a run (BudgetReached among it): the parts
    that were done are written, the journal keeps every answer, and the same call goes on from there. A model of which
    nothing could be judged is noted; BadInput where that is so of all.
    """
    write_judge_settings(folder, name_annotator(annotator, model), annotator, model, method)
    done: list[Judgement] = []
    noted: list[str] = []
    budget = Budget(options.budget)
    ledgers: list[Ledger] = []
    with StartedServers(options) as servers:
        if options.batch is not None:
            method, ahead = _ask_ahead(parts, annotator, model, options, method, servers, budget)
            ledgers.append(ahead)
        for part in parts:
            judgement = judge_pairs(
                part.pairs,
                annotator,
                model,
                options,
                order="both",
                method=method,
                samples=1,
                repeat=part.repeat,
                servers=servers,
                budget=budget,
            )
            method = judgement.method  # what `auto` found on the first part holds for all
            done.append(judgement)
            if any(row.preference is not None for rows in judgement.annotations.values() for row in rows):
                write_judgement(locate_annotations(folder, part.repeat), judgement)
            else:
                reasons = {failed.reason for rows in judgement.failures.values() for failed in rows}
                noted.append(f"{part.model}: no judgement was made: {'; '.join(sorted(reasons)[:3])}.")
    if len(noted) == len(parts):
        raise BadInput("; ".join(dict.fromkeys(noted)) or "there are no rows to judge.")
    ledgers += [judgement.ledger for judgement in done]
    dollars = [ledger.dollars for ledger in ledgers]
    failed = sum(len(rows) for judgement in done for rows in judgement.failures.values())
    return Collected(
        annotator=name_annotator(annotator, model),
        n_judged=sum(len(rows) for judgement in done for rows in judgement.annotations.values()) - failed,
        n_failed=failed,
        paid=sum(ledger.paid for ledger in ledgers),
        # What was asked ahead came from the journal too, but was paid for by this run.
        from_journal=sum(one.ledger.from_journal for one in done) - sum(one.paid for one in ledgers[: -len(done)]),
        dollars=None if None in dollars else sum(one for one in dollars if one is not None),
        noted=tuple(dict.fromkeys([*(note for judgement in done for note in judgement.noted), *noted])),
    )


def _ask_ahead(
    parts: Sequence[Part],
    annotator: Annotator,
    model: Model,
    options: ChatOptions,
    method: str,
    servers: StartedServers,
    budget: Budget,
) -> tuple[str, Ledger]:
    """Asks for the first verdicts of all parts in batches, into the journal; the method, and what was spent.

    With `auto` some rows are asked one by one before, which tell how the judge can be read.
    """
    online = replace(options, batch=None)
    ledger = Ledger()
    if method == "auto":
        few = {language: rows[:FEW] for part in parts[:1] for language, rows in part.pairs.items()}
        tried = judge_pairs(
            few, annotator, model, online, order="both", method=method, servers=servers, budget=budget
        )
        method = tried.method
        ledger = tried.ledger
    calls = plan_collection(parts, annotator, method)
    run(
        model,
        lambda client: client.ask_all(calls, lambda *_: None),
        options,
        label="judge",
        total=len(calls),
        servers=servers,
        budget=budget,
        ledger=ledger,
    )
    return method, ledger
