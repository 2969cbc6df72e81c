"""XL-Instruct as a builder of the datasets library, for those who build it in Python.

    from xl_instruct.builder import XLInstruct

    builder = XLInstruct(config_name="bestof3", recipe="my-run.yaml", out="xl-instruct")
    builder.download_and_prepare()
    rows = builder.as_dataset(split="german")

It runs the pipeline of `recipe` in `out`, or goes on with it, and gives the rows that `xl-suite generate` writes
there; where `out` is finished already, nothing is asked. config_name: `default`, `bestof<k>`, `scored` or a language.
datasets no longer runs scripts from the Hub, so this class is imported, not named by `load_dataset`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from xl_suite.errors import BadInput


@dataclass
class XLInstructConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """recipe: the pipeline's YAML file, or `paper`, `permissive`, `smoke`; empty takes what is in `out` as it is.
    out: the folder of the run. slots: calls in flight."""

    recipe: str = ""
    out: str = ""
    slots: int = 64


class XLInstruct(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """One config of an XL-Instruct dataset, with its splits."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = XLInstructConfig

    def _info(self) -> Any:
        from xl_instruct.dataset.rows import ScoredRow, SyntheticRow
        from xl_suite.dataset.shards import arrow_schema

        kind = ScoredRow if self.config.name == "scored" else SyntheticRow
        return datasets.DatasetInfo(
            description="Cross-lingual synthetic training data: English instructions, responses in other languages.",
            features=datasets.Features.from_arrow_schema(arrow_schema(kind)),
        )

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        if not self.config.out:
            raise BadInput("XLInstruct needs out=..., the folder of the run.")
        out = Path(self.config.out)
        if self.config.recipe:
            from xl_instruct.config import read_config
            from xl_instruct.stages.generate import generate
            from xl_suite.chat.settings import ChatOptions

            options = ChatOptions(journal=out / ".journal.sqlite", slots=self.config.slots)
            generate(read_config(self.config.recipe), out, options)
        splits = _read_layout(out, self.config.name)
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"files": files})
            for split, files in sorted(splits.items())
        ]

    def _generate_examples(self, files: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        import pyarrow.parquet

        for file in files:
            with pyarrow.parquet.ParquetFile(file) as table:
                for batch in table.iter_batches(batch_size=64):
                    for number, row in enumerate(batch.to_pylist()):
                        yield f"{file}/{row['id']}/{number}", row


def _read_layout(out: Path, config: str) -> dict[str, list[str]]:
    """The files of each split of a config, as the card says. Raises BadInput where the folder has no such config."""
    from xl_suite.dataset.card import read_metadata

    card = out / "README.md"
    metadata = read_metadata(card.read_text(encoding="utf-8")) if card.is_file() else None
    if not metadata:
        raise BadInput(f"{out} holds no finished run. Give recipe=..., or run `xl-suite generate` first.")
    for one in metadata["configs"]:
        if one["config_name"] == config:
            return {part["split"]: _resolve(out, part["path"]) for part in one["data_files"]}
    known = ", ".join(one["config_name"] for one in metadata["configs"])
    raise BadInput(f"{out} has no config {config!r}. It has: {known}.")


def _resolve(out: Path, path: str | list[str]) -> list[str]:
    patterns = [path] if isinstance(path, str) else path
    return [str(file) for pattern in patterns for file in sorted(out.glob(pattern))]
