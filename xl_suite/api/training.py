"""XL-Instruct: training data made, chosen, and trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload

from xl_suite.api.jobs import ChatSettings, Job, Languages, Paid, Place, chat_options, list_languages, logger

if TYPE_CHECKING:
    from xl_instruct.dataset.preferences import Pairs
    from xl_instruct.dataset.subsets import Subset
    from xl_instruct.stages.generate import Generated
    from xl_instruct.training.train import Trained
    from xl_suite.chat.estimates import Estimate


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

    return Job(lambda: run_pipeline(read, Path(out), options, limit=limit, progress=logger.info), estimate, options)


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
