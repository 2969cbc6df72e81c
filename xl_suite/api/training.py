"""XL-Instruct: training data made, chosen, and trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from xl_suite.api.jobs import (
    ChatSettings,
    Division,
    Job,
    Languages,
    Paid,
    Place,
    chat_options,
    list_languages,
    logger,
)
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from xl_instruct.dataset.preferences import Pairs
    from xl_instruct.dataset.subsets import Subset
    from xl_instruct.stages.dividing import Run
    from xl_instruct.stages.generate import Generated
    from xl_instruct.training.train import Trained
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.executors.parts import RankReport, Tools
    from xl_suite.executors.status import RunStatus
    from xl_suite.executors.units import Unit


@Paid
def generate(
    config: Place,
    *,
    out: Place,
    limit: int | None = None,
    phase: str | None = None,
    shard_rows: int | None = None,
    **chat: Unpack[ChatSettings],
) -> Job[Generated]:
    """Makes cross-lingual training data: XL-Instruct's four stages (paper, section 4). Writes a dataset folder.

    config: a YAML file, or `paper`, `permissive` or `smoke`. limit: the first passages of the sample only.
    phase: what the job's `division` divides, `pairs` or `translated:1` and so on; without one it only finishes.
    shard_rows: rows of a unit of a phase (4,096).
    """
    from xl_instruct.config import read_config
    from xl_instruct.stages.costs import estimate_run
    from xl_instruct.stages.dividing import Run, answer_offline, gather_all
    from xl_instruct.stages.generate import check_out
    from xl_instruct.stages.generate import generate as run_pipeline
    from xl_instruct.stages.pipeline import open_pipeline
    from xl_suite.chat.locking import hold_for

    read, place = read_config(str(config)), Path(out)
    options = chat_options(out, **chat)

    def estimate() -> list[Estimate]:
        check_out(place)
        return list(estimate_run(open_pipeline(read, place, options, limit=limit, progress=logger.info)))

    def run(own: ChatOptions) -> Generated:
        return run_pipeline(read, place, own, limit=limit, progress=logger.info, own_journal=True)

    def run_whole() -> Generated:
        check_out(place)
        with hold_for(options), gather_all(place, options) as gathered:
            return run_pipeline(read, place, gathered, limit=limit, progress=logger.info)

    def finish() -> Generated:
        with hold_for(options), gather_all(place, options) as gathered:
            return answer_offline(gathered, run)

    def complete(budget: float | None) -> Generated:
        return run_pipeline(read, place, replace(options, budget=budget), limit=limit, progress=logger.info)

    if phase is None:
        division: Division[Any] = Division((), place, lambda: None, refuse_phaseless, finish, complete)
    else:
        division = divide_phase(Run(read, place, options, limit, logger.info), phase, shard_rows)
    return Job(run_whole, estimate, options, division=division)


def list_phases(config: Place, out: Place, limit: int | None = None) -> list[str]:
    """The phases of `generate` that ranks can do, in their order. Makes no call."""
    from xl_instruct.config import read_config
    from xl_instruct.stages import dividing

    return dividing.list_phases(dividing.Run(read_config(str(config)), Path(out), chat_options(out), limit).open())


def read_phases(config: Place, out: Place, limit: int | None = None) -> dict[str, RunStatus | None]:
    """How far the ranks of each phase of `generate` are; None for a phase that waits for the one before."""
    from xl_instruct.config import read_config
    from xl_instruct.stages import dividing

    return dividing.read_phases(dividing.Run(read_config(str(config)), Path(out), chat_options(out), limit))


def refuse_phaseless(rank: str) -> RankReport:
    raise BadInput(f"--rank {rank}: the phase is missing: --phase pairs, then --phase translated:1 and so on.")


def divide_phase(run: Run, phase: str, shard_rows: int | None) -> Division[Mapping[str, Any]]:
    """The division of a phase of `generate`. Makes what it reads where the ranks before have been answered."""
    from xl_instruct.stages import dividing
    from xl_suite.executors.parts import check_divisible, name_parts, run_rank
    from xl_suite.executors.units import parse_rank

    check_divisible(run.out, run.options)
    pipeline = run.open()
    place = dividing.find_phase(pipeline, phase)
    sources = dividing.make_sources(run, place)
    label = dividing.name_label(pipeline, place)
    parts = name_parts(run.out, label)
    units = dividing.list_shards(sources, parts, shard_rows)

    def work(unit: Unit, tools: Tools) -> int:
        return dividing.do_shard(run.open(), place, sources[unit.language], unit, tools)

    return Division(
        units,
        parts,
        lambda: None,
        lambda rank: run_rank(parse_rank(rank), units, run.out, label, run.options, work),
        lambda: dividing.finish_phase(run, place),
        lambda budget: dividing.finish_phase(run, place, budget, ask=True),
    )


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

    codes = list_languages(languages)
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
    pairs = find_pairs(Path(source), translations=translations, margin=margin, languages=list_languages(languages))
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
