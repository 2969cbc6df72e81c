"""XL-AlpacaEval as a builder of the datasets library, for those who build it in Python.

    from xl_alpacaeval.builder import XLAlpacaEval

    builder = XLAlpacaEval(config_name="deu", source="alpaca_eval.json")
    builder.download_and_prepare()
    rows = builder.as_dataset(split="test")

It gives the same rows as `xl-suite build xl-alpacaeval`. The config's name is the language, any ISO 639-3 code.
datasets no longer runs scripts from the Hub, so this class is imported, not named by `load_dataset`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import datasets

from xl_alpacaeval.dataset import build_benchmark
from xl_alpacaeval.sources import HUB_SOURCE
from xl_suite.dataset.shards import arrow_schema
from xl_suite.errors import BadInput
from xl_suite.records import BenchmarkRow


@dataclass
class XLAlpacaEvalConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """name: the language, ISO 639-3. The rest as the options of `xl-suite build xl-alpacaeval`.

    `data_files` with one file does as well as `source`; datasets' cache then notices when the file changes.
    """

    source: str = HUB_SOURCE
    prompts: str = HUB_SOURCE
    variant: str | None = None
    seed: int | None = None
    allow_changed_source: bool = False


class XLAlpacaEval(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """One language of XL-AlpacaEval, with one split `test`."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = XLAlpacaEvalConfig

    def _info(self) -> Any:
        return datasets.DatasetInfo(
            description="Cross-lingual open-ended generation: English prompts of AlpacaEval, answers in a language.",
            features=datasets.Features.from_arrow_schema(arrow_schema(BenchmarkRow)),
            license="cc-by-nc-4.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        return [datasets.SplitGenerator(name=datasets.Split.TEST)]

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.config
        benchmark = build_benchmark(
            _only_file(config.data_files) or config.source,
            languages=[config.name],
            variant=config.variant,
            seed=config.seed,
            prompts=config.prompts,
            allow_changed=config.allow_changed_source,
        )
        for row in benchmark.rows[config.name]:
            yield row.id, asdict(row)


def _only_file(data_files: Any) -> str | None:
    if not data_files:
        return None
    files = [str(file) for split in data_files.values() for file in split]
    if len(files) != 1:
        raise BadInput(f"XL-AlpacaEval is built from one file of prompts; data_files has {len(files)}.")
    return files[0]
