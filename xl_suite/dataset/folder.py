"""A dataset as a folder that is ready for the Hub: a card and Parquet files, loaded by `datasets` as it is."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from xl_suite.dataset.card import read_metadata
from xl_suite.dataset.shards import ROWS_PER_GROUP, SHARD_BYTES, Split, find_shards, write_shards
from xl_suite.errors import BadInput
from xl_suite.languages import table
from xl_suite.records import BenchmarkRow, atomic_folder, read_records, write_text
from xl_suite.staging import clear_abandoned, list_entries

# The split of a benchmark's configs.
TEST = "test"
# The tag by which a folder of ours is known again before it is replaced.
TAG = "xl-suite"
# What belongs to the user or to other tools and is carried over when a folder is replaced.
_KEPT = (".journal*", ".parts", "review.jsonl", ".git", ".gitattributes", ".cache")
# A config or split must be usable as a folder's name and as a name in `datasets`, which allows no hyphen in splits.
_CONFIG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SPLIT = re.compile(r"\w+(\.\w+)*")

Card = Callable[[Mapping[str, Any]], str]


def write_benchmark(
    out: Path, configs: Mapping[str, Sequence[Any]], splits: Mapping[str, str], *, name: str, card: Card
) -> None:
    """A benchmark's folder: a config for each language or pair with one split `test`, and `default` over all.

    configs: `{"deu": rows}`. splits: the splits of `default` with the config of each, `{"german": "deu"}`; the
    same files serve both ways of loading. Otherwise as `write_dataset_folder`.
    """
    default = {split: (config, TEST) for split, config in splits.items()}
    write_dataset_folder(
        out, {config: {TEST: rows} for config, rows in configs.items()}, {"default": default}, name=name, card=card
    )


def write_dataset_folder(
    out: Path,
    configs: Mapping[str, Mapping[str, Iterable[Any]]],
    views: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
    *,
    name: str,
    card: Card,
    shard_bytes: int = SHARD_BYTES,
    rows_per_group: int = ROWS_PER_GROUP,
) -> None:
    """Writes `README.md` and `<config>/<split>-00000-of-00001.parquet`, all at once or not at all.

    configs: rows (instances of one dataclass) by config and split. views: further configs over the same files,
    as (config, split) by split. name: of the dataset, kept as a tag. card: makes the README's text from the
    metadata that follow from the files: `tags`, `configs`, `dataset_info`, `size_categories`. rows_per_group: as many
    are held in memory at once.

    The same rows give the same bytes. A folder of the same dataset at `out` is replaced (its journal and `.git`
    stay); anything else that is not empty is refused with BadInput.
    """
    views = views or {}
    _check_names(configs, views)
    out = Path(os.path.realpath(out))
    kept = check_replaceable(out, name)
    with atomic_folder(out) as folder:
        written = {
            config: [
                write_shards(folder / config, split, rows, shard_bytes=shard_bytes, rows_per_group=rows_per_group)
                for split, rows in s.items()
            ]
            for config, s in configs.items()
        }
        text = card({"tags": [TAG, name], **_describe(written, views)})
        write_text(folder / "README.md", text)
        for entry in kept:
            _carry_over(entry, folder / entry.name)


def check_replaceable(out: Path, name: str) -> list[Path]:
    """What must be carried over when `out` is written anew. Raises BadInput where `out` holds anything else.

    Call it before long or paid work, so that a refusal comes first.
    """
    out = Path(os.path.realpath(out))
    clear_abandoned(out.parent, out.name)
    clear_abandoned(out)
    if not out.exists():
        return []
    if not out.is_dir():
        raise BadInput(f"{out} is a file. Name a folder that does not exist yet, or an empty one.")
    entries = list_entries(out)
    kept = [entry for entry in entries if any(fnmatch.fnmatch(entry.name, pattern) for pattern in _KEPT)]
    others = [entry for entry in entries if entry not in kept]
    strange = [entry for entry in others if not _is_ours(entry, name)]
    if strange or (others and not (out / "README.md").is_file()):
        found = ", ".join(entry.name for entry in (strange or others)[:3])
        raise BadInput(
            f"{out} holds something that is not {name} built by xl-suite ({found}), and it is left as it is. "
            "Name a new or empty folder, or move those files away."
        )
    return kept


def list_languages(folder: Path) -> list[str]:
    """The configs of a benchmark's folder, in the order of the languages' table: `deu`, or `deu-hin` for a pair."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder. `xl-suite build xl-alpacaeval --out {folder}` makes one.")
    order = {language.code: place for place, language in enumerate(table())}
    found = [entry.name for entry in folder.iterdir() if entry.is_dir() and any(entry.glob(f"{TEST}-*.parquet"))]
    if not found:
        raise BadInput(
            f"{folder} is not a benchmark: it has no <language>/{TEST}-*.parquet. `xl-suite build` makes one."
        )
    return sorted(found, key=lambda config: ([order.get(code, len(order)) for code in config.split("-")], config))


def find_config(configs: Sequence[str], language: str) -> str:
    """The config with the answers in `language`: of that name, or else the only pair that ends in it (`deu-hin`)."""
    pairs = [config for config in configs if config.endswith(f"-{language}")]
    return pairs[0] if language not in configs and len(pairs) == 1 else language


def read_benchmark(folder: Path, languages: Sequence[str] | None = None) -> list[BenchmarkRow]:
    """The rows of a benchmark's folder (or of one file of it), language by language; all languages by default.

    Of a folder of pairs (`deu-hin`), the language asked for names a pair as well as the pair itself.
    Raises BadInput for a language that the folder does not have, and as `read_records` does.
    """
    if folder.is_file():
        rows = read_records(folder, BenchmarkRow)
        return rows if languages is None else [row for row in rows if row.language in languages]
    known = list_languages(folder)
    wanted = known if languages is None else [find_config(known, language) for language in languages]
    missing = [language for language in wanted if language not in known]
    if missing:
        raise BadInput(
            f"{folder} has no {', '.join(missing)}. It has: {', '.join(known)}. "
            "`xl-suite build` with --languages makes any language of ISO 639-3."
        )
    shards = [shard for language in wanted for shard in find_shards(folder / language, TEST)]
    return [row for shard in shards for row in read_records(shard, BenchmarkRow)]


def _check_names(
    configs: Mapping[str, Mapping[str, Any]], views: Mapping[str, Mapping[str, tuple[str, str]]]
) -> None:
    doubled = set(configs) & set(views)
    if doubled:
        raise BadInput(f"{', '.join(sorted(doubled))}: both a config and a view.")
    for config, splits in [*configs.items(), *views.items()]:
        if not _CONFIG.fullmatch(config):
            raise BadInput(f"{config!r} cannot name a config: letters, digits, - and _ only.")
        bad = [split for split in splits if not _SPLIT.fullmatch(split)]
        if bad or not splits:
            raise BadInput(f"{config}: {bad[0]!r} cannot name a split." if bad else f"{config} has no split.")
    for view, parts in views.items():
        for config, split in parts.values():
            if split not in configs.get(config, {}):
                raise BadInput(f"{view}: there is no config {config!r} with a split {split!r}.")


def _describe(
    written: Mapping[str, Sequence[Split]], views: Mapping[str, Mapping[str, tuple[str, str]]]
) -> dict[str, Any]:
    found = {(config, split.name): split for config, splits in written.items() for split in splits}
    layout = {config: {split.name: (config, split.name) for split in splits} for config, splits in written.items()}
    configs, infos = [], []
    for config, parts in {**views, **layout}.items():
        files = [{"split": split, "path": f"{part[0]}/{part[1]}-*"} for split, part in parts.items()]
        configs.append({"config_name": config, "data_files": files})
        splits = [found[part] for part in parts.values()]
        infos.append(
            {
                "config_name": config,
                "features": [dict(column) for column in splits[0].columns],
                "splits": [
                    {"name": name, "num_bytes": split.num_bytes, "num_examples": split.num_rows}
                    for name, split in zip(parts, splits, strict=True)
                ],
                "download_size": sum(split.file_bytes for split in splits),
                "dataset_size": sum(split.num_bytes for split in splits),
            }
        )
    total = sum(split.num_rows for splits in written.values() for split in splits)
    return {"configs": configs, "dataset_info": infos, "size_categories": [size_category(total)]}


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows: `1K<n<10K`."""
    names = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    if rows < 1000:
        return "n<1K"
    place = len(str(rows)) - 4
    return f"{names[place]}<n<{names[place + 1]}" if place + 1 < len(names) else "n>1T"


def _is_ours(entry: Path, name: str) -> bool:
    if entry.name == "README.md" and entry.is_file():
        tags = (read_metadata(entry.read_text(encoding="utf-8", errors="replace")) or {}).get("tags")
        return isinstance(tags, list) and {TAG, name} <= set(map(str, tags))
    shard = re.compile(r".+-\d{5}-of-\d{5}\.parquet")
    return entry.is_dir() and not entry.is_symlink() and all(shard.fullmatch(file.name) for file in entry.iterdir())


def _carry_over(entry: Path, target: Path) -> None:
    """Makes a link instead of moving: the old folder keeps its journal until the new one is complete."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, target, symlinks=True, copy_function=_link)
    else:
        _link(str(entry), str(target))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
