"""What a judge finds in answers with planted defects, as a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from xl_suite.api.answers import open_outputs
from xl_suite.api.jobs import (
    ChatSettings,
    Job,
    Languages,
    Paid,
    Place,
    estimate_calls,
    list_languages,
    prepare,
    refuse_batches,
)
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_suite.auditing.card import Card
    from xl_suite.chat.estimates import Estimate
    from xl_suite.judging.pairs import Pair
    from xl_suite.results import Outputs


@Paid
def audit(
    annotator: str,
    outputs: Outputs | Place,
    *,
    out: Place,
    reference: Outputs | Place | None = None,
    model: str | None = None,
    only: str | None = None,
    translator: str | None = None,
    rewriters: Sequence[str] = (),
    people: Sequence[Place] = (),
    rows: int = 100,
    method: str = "auto",
    languages: Languages = "all",
    language: str = "",
    seed: int = 0,
    **chat: Unpack[ChatSettings],
) -> Job[Card]:
    """Plants defects in answers and tells which of them a judge finds; writes `out/card.json` and `out/index.html`.

    outputs: good answers, and `eng` among them for the defects that need English. reference: for the noise of asking
    again. only: `defects`, `length`, which fits `out/length_slope.json`, or `swap`, the same answers in English and
    in the language; None asks for the defects. translator: translates for `swap`. rewriters: models
    that condense and pad answers for `length`, beside the rule. people: folders, `annotations/<model>`, that this
    judge and people have judged, for its preference for its own family. rows: of each language, drawn at random.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from xl_suite.auditing.audit import DEFECTS_PART, LENGTH_PART, SWAP_PART, Plan, plan_audit, run_audit
    from xl_suite.auditing.card import write_card
    from xl_suite.auditing.own import measure_own
    from xl_suite.auditing.probes import make_material, probe_rewritten
    from xl_suite.auditing.rewriting import Texts, list_rewriting, write_texts
    from xl_suite.auditing.swap import list_back, list_tasks, probe_swaps
    from xl_suite.chat.budget import Budget
    from xl_suite.chat.serving.started import StartedServers
    from xl_suite.judging.annotator import read_annotator
    from xl_suite.judging.judge import choose_method, name_annotator, plan_calls

    read = read_annotator(annotator)
    refuse_batches(chat)
    parsed, options = prepare(model or read.spec, out, chat)
    folders = [Path(one) for one in people]
    own = measure_own(folders, name_annotator(read, parsed), parsed.name) if folders else None
    material = make_material(
        open_outputs(outputs, language),
        {} if reference is None else open_outputs(reference, language),
        list_languages(languages),
        rows,
        seed,
    )
    part = only or DEFECTS_PART
    if (translator is None) == (part == SWAP_PART):
        raise BadInput("--only swap needs --translator MODEL, and nothing else takes one.")
    if rewriters and part != LENGTH_PART:
        raise BadInput("--rewriter: models write answers anew for --only length alone.")
    writers = {one: prepare(one, out, chat)[0] for one in ([translator] if translator else rewriters)}

    def plan(texts: Texts | None) -> Plan:
        """What is asked; without texts as if all were written, each as long as its source."""
        further: dict[tuple[str, str], list[Pair]] = {}
        if part == SWAP_PART:
            to, origin = list_tasks(material)
            assumed = Texts({task.row: task.assume() for task in (*to, *origin)})
            if texts is None:
                assumed.by_row |= {task.row: task.assume() for task in list_back(material, assumed)}
            further = probe_swaps(material, texts or assumed)
        elif writers:
            tasks = list_rewriting(material, list(writers))
            if texts is None:
                by_writer = {name: {task.row: task.assume() for task in own} for name, own in tasks.items()}
            else:
                by_writer = dict.fromkeys(tasks, texts.by_row)
            further = probe_rewritten(material, by_writer)
        return plan_audit(material, () if part == SWAP_PART else (part,), seed, further)

    if not writers:
        plan(None)  # raises where there is nothing to ask

    def estimate() -> list[Estimate]:
        way = choose_method(read, method, 1, None)
        planned = plan(None)
        asked = [(planned.by_name(), 0), (planned.again, 0), (planned.again, 1)]
        calls = (plan_calls(pairs, read, order="both", method=way, repeat=repeat) for pairs, repeat in asked)
        judged = estimate_calls(parsed, (call for own in calls for call in own), options, "verdict")
        written = []
        for name, model in writers.items():
            if part == SWAP_PART:
                to, origin = list_tasks(material)
                tasks = [*to, *origin, *list_back(material, Texts({task.row: task.assume() for task in to}))]
            else:
                tasks = list_rewriting(material, [name])[name]
            written += estimate_calls(model, [task.make_call(0) for task in tasks], options, "translation")
        return [*written, *judged]

    def run() -> Card:
        date = datetime.now(UTC).strftime("%Y-%m-%d")
        budget, texts, noted = Budget(options.budget), Texts(), []
        with StartedServers(options) as servers:
            for name, model in writers.items():
                if part == SWAP_PART:
                    to, origin = list_tasks(material)
                    write_texts([*to, *origin], model, options, servers=servers, budget=budget, into=texts)
                    back = list_back(material, texts)
                    write_texts(back, model, options, servers=servers, budget=budget, into=texts)
                else:
                    tasks = list_rewriting(material, [name])[name]
                    write_texts(tasks, model, options, servers=servers, budget=budget, into=texts)
            noted = texts.describe("written by models")
            card = run_audit(
                plan(texts if writers else None),
                material,
                read,
                parsed,
                options,
                method=method,
                seed=seed,
                date=date,
                servers=servers,
                budget=budget,
                noted=noted,
            )
        card = replace(card, own=own)
        write_card(Path(out), card)
        return card

    return Job(run, estimate, options)
