"""m-AlpacaEval as a builder of the datasets library, for those who build it in Python.

    from m_alpacaeval.builder import MAlpacaEval

    builder = MAlpacaEval(config_name="deu", benchmark="xl-alpacaeval", journal="m-alpacaeval.sqlite")
    builder.download_and_prepare()
    rows = builder.as_dataset(split="test")

It gives the same rows as `xl-suite build m-alpacaeval` and pays only for translations that the journal lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets

from m_alpacaeval.dataset import build_benchmark, import_benchmark
from m_alpacaeval.release import read_release
from m_alpacaeval.rows import ENGLISH, TranslatedRow, make_english, read_sources
from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.dataset.shards import arrow_schema


@dataclass
class MAlpacaEvalConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """name: the language, ISO 639-3. benchmark: XL-AlpacaEval's folder. review: the folder with a review.jsonl.

    source: a release instead of a model. The rest as the options of `xl-suite build m-alpacaeval`.
    """

    benchmark: str = "xl-alpacaeval"
    model: str = "gpt-4o-2024-08-06"
    journal: str | None = None
    review: str = "."
    source: str | None = None
    translator: str = ""


class MAlpacaEval(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """One language of m-AlpacaEval, with one split `test`, without the translations that were set aside."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = MAlpacaEvalConfig

    def _info(self) -> Any:
        return datasets.DatasetInfo(
            description="Multilingual open-ended generation: AlpacaEval's prompts in other languages.",
            features=datasets.Features.from_arrow_schema(arrow_schema(TranslatedRow)),
            license="cc-by-nc-4.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        return [datasets.SplitGenerator(name=datasets.Split.TEST)]

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.config
        sources = read_sources(Path(config.benchmark), [] if config.name == ENGLISH else [config.name])
        if config.name == ENGLISH:
            rows = [make_english(row) for row in sources.english]
        elif config.source is not None:
            release = read_release(config.source, sources, translator=config.translator)
            rows = list(import_benchmark(sources, release, out=Path(config.review)).rows[config.name])
        else:
            options = ChatOptions(journal=None if config.journal is None else Path(config.journal))
            built = build_benchmark(sources, parse_model(config.model), options, out=Path(config.review))
            rows = list(built.rows[config.name])
        for row in rows:
            yield row.id, asdict(row)
