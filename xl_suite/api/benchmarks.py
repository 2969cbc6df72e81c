"""Benchmarks: loaded, and built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from xl_suite.api.jobs import (
    ChatSettings,
    Job,
    Languages,
    Paid,
    Place,
    divide_job,
    estimate_calls,
    list_languages,
    logger,
    prepare,
)
from xl_suite.errors import BadInput

if TYPE_CHECKING:
    from m_alpacaeval.dataset import Benchmark as MAlpacaEval
    from m_alpacaeval.rows import Sources
    from xl_alpacaeval.dataset import Benchmark as XLAlpacaEval
    from xl_suite.chat.estimates import Estimate
    from xl_suite.chat.settings import ChatOptions
    from xl_suite.dataset.prompts import PromptSet
    from xl_suite.executors.parts import Tools
    from xl_suite.executors.units import Unit
    from xl_suite.results import Benchmark


def load_benchmark(source: Benchmark | Place) -> Benchmark:
    """A benchmark from its dataset folder or from the Hub (`my-org/xl-alpacaeval`).

    Raises BadInput where it is neither, and HubUnreachable where the Hub does not answer.
    """
    from xl_suite.publishing.hub_files import find_dataset_folder
    from xl_suite.results import Benchmark

    return source if isinstance(source, Benchmark) else Benchmark(find_dataset_folder(source))


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
        languages=list_languages(languages),
        variant=variant,
        seed=seed,
        prompts=prompts,
        allow_changed=allow_changed_source,
    )
    write_folder(benchmark, Path(out))
    for line in benchmark.source.difference:
        logger.warning("Changed source: %s.", line)
    return benchmark


def build_prompts(
    out: Place,
    *,
    source: str,
    column: str,
    name: str,
    languages: Languages,
    file: str = "",
    id_column: str = "",
    template: str = "draw",
    expected: Place | None = None,
    license: str = "",
    seed: int = 0,
) -> PromptSet:
    """Builds a benchmark's dataset folder from any prompt set: a column of a file, or of a dataset on the Hub.

    file: which file of the dataset on the Hub. template: `draw` puts "Answer in German" below English prompts, `none`
    gives the prompts of one language as they are. expected: a table (tabs; id, pattern, expected) of prompts whose
    right answer is not in the language asked for. Raises BadInput for what cannot be read.
    """
    from xl_suite.dataset import prompts as sets
    from xl_suite.dataset.folder import check_replaceable

    codes = list_languages(languages)
    if codes is None:
        raise BadInput("languages: name the ISO 639-3 codes; `all` is not known for a prompt set of one's own.")
    check_replaceable(Path(out), name)
    made = sets.build_prompts(
        source,
        column,
        name,
        codes,
        file=file,
        id_column=id_column,
        template=template,
        expected=None if expected is None else Path(expected),
        license=license,
        seed=seed,
    )
    sets.write_prompts(made, Path(out))
    return made


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
    from m_alpacaeval.dataset import build_benchmark, import_benchmark, keep_languages, write_folder
    from m_alpacaeval.earlier import check_folder
    from m_alpacaeval.release import read_release
    from m_alpacaeval.review import FILE_NAME, read_edits
    from m_alpacaeval.rows import NAME
    from m_alpacaeval.translate import Settings, plan_calls, translate_prompts
    from xl_suite.chat.replay import name_model
    from xl_suite.dataset.folder import check_replaceable

    if least_qe is not None and qe is None:
        raise BadInput("--least-qe needs --qe, which says who scores the translations.")
    folder = Path(out)
    check_replaceable(folder, NAME)
    sources = _read_m_sources(load_benchmark(benchmark).folder, source, all_prompts, list_languages(languages))
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
            if not chat.get("replace"):
                check_folder(folder, sources, {}, release.translator, paid=None)
            made = import_benchmark(sources, release, out=folder, settings=settings)
            made = made if chat.get("replace") else keep_languages(made, folder)
            write_folder(made, folder)
            return made

        return Job(take, list)
    parsed, options = prepare(model, out, chat)

    prompts = [prompt for own in sources.prompts.values() for prompt in own]

    def run(options: ChatOptions) -> MAlpacaEval:
        made = build_benchmark(sources, parsed, options, out=folder, settings=settings)
        made = made if options.replace else keep_languages(made, folder)
        write_folder(made, folder)
        return made

    def check(options: ChatOptions) -> None:
        edited = read_edits(folder / FILE_NAME, prompts).texts
        check_folder(folder, sources, edited, name_model(parsed), paid=(parsed, options, settings))

    def work(unit: Unit, tools: Tools) -> int:
        edited = read_edits(folder / FILE_NAME, prompts).texts
        own = [prompt for prompt in unit.take(sources.prompts[unit.language]) if prompt not in edited]
        made, _ = translate_prompts(own, parsed, tools.options, settings, servers=tools.servers, budget=tools.budget)
        return sum("failed" in one.reasons for one in made)

    def estimate() -> list[Estimate]:
        calls = plan_calls(read_edits(folder / FILE_NAME, prompts).others, settings)
        return estimate_calls(parsed, calls, options, "translation", (1, settings.attempts))

    sizes = {code: len(own) for code, own in sources.prompts.items()}
    return divide_job(run, estimate, folder, name_model(parsed), options, sizes, work, check)


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
