"""Which files of a folder are a dataset's data: those that its card names, or else those of one kind, of one split.

So a folder as `hf download` leaves it is read as `datasets` would read it: its card, its licence, hidden folders and
the test split are not data. What was left out is told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from xl_suite.dataset.card import read_metadata
from xl_suite.errors import BadInput

COMPRESSIONS = (".gz", ".zst", ".xz", ".bz2")
# By kind; of two kinds with as many files the earlier one is taken.
KINDS: Mapping[str, tuple[str, ...]] = {
    "Parquet": (".parquet",),
    "JSON": (".jsonl", ".json", ".ndjson"),
    "text": (".txt", ".md"),
}
# Words of a file's or folder's name, as `datasets` reads them.
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
# Files about a dataset or a repository, without their suffixes.
_ABOUT = re.compile(
    r"(readme|licen[cs]e|notice|copying|change(log|s)|citation|contributing|code_of_conduct|security|authors"
    r"|dataset_infos?|dataset_dict|state|package(-lock)?|tsconfig|metadata|croissant|requirements)([._-].*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class DataFiles:
    """The data files below `root`, sorted. configs: of each file, the configs of the card that name it.

    how: by what they were found. left_out: other files, counted by reason.
    """

    root: Path
    files: tuple[Path, ...]
    how: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    configs: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)

    def name(self, file: Path) -> str:
        """The file's path below the root, or its name where it is the root itself."""
        return file.relative_to(self.root).as_posix() if file != self.root else file.name

    def describe(self) -> str:
        """One line: what is read, and what is not."""
        line = f"{self.root}: {len(self.files)} {'file' if len(self.files) == 1 else 'files'}, {self.how}"
        left = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
        return f"{line}; left out: {left}" if left else line


def find_kind(name: str) -> str | None:
    """`Parquet`, `JSON` or `text` by a file's name, compressed or not; None for any other."""
    lower = name.lower()
    for suffix in COMPRESSIONS:
        lower = lower.removesuffix(suffix)
    return next((kind for kind, suffixes in KINDS.items() if lower.endswith(suffixes)), None)


def find_data_files(
    place: Path, *, split: str = "train", config: str | None = None, kinds: Sequence[str] = tuple(KINDS)
) -> DataFiles:
    """The data files of a folder, or a file as it is.

    place: a file, a folder, or a dataset's folder in the Hub's cache (`datasets--ORG--NAME`). split: a file belongs
    to a split by the card, or else by a word of its name or of its folders' names (`train-00000-of-00001.parquet`);
    where no name says a split, all files are taken for `train`. config: of the card, where it has several; None takes
    all of them. kinds: those that can be read. Raises BadInput where no file is left.
    """
    if place.is_file():
        return DataFiles(place, (place,), "as named")
    if not place.is_dir():
        raise BadInput(f"{place}: no such file or folder.")
    root = _open_cache(place)
    left_out: Counter[str] = Counter()
    candidates = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            left_out["hidden"] += 1
        elif _is_about(path) or find_kind(path.name) not in kinds:
            left_out["not data"] += 1
        else:
            candidates.append(path)
    named = _read_card_files(root, config)
    if named:
        return _take_named(root, split, candidates, named, left_out)
    if config is not None:
        raise BadInput(f"{root}: the folder has no card that names a config {config!r}.")
    return _take_one_kind(root, split, candidates, left_out, kinds)


def _open_cache(place: Path) -> Path:
    """The snapshot of a dataset's folder in the Hub's cache; any other folder as it is."""
    snapshots = place / "snapshots"
    if not (place.name.startswith("datasets--") and snapshots.is_dir()):
        return place
    main = place / "refs" / "main"
    current = snapshots / main.read_text(encoding="utf-8").strip() if main.is_file() else None
    if current is not None and current.is_dir():
        return current
    found = sorted(entry for entry in snapshots.iterdir() if entry.is_dir())
    if len(found) != 1:
        raise BadInput(f"{place}: a folder of the Hub's cache with {len(found)} snapshots. Name one: {snapshots}/...")
    return found[0]


def _is_about(path: Path) -> bool:
    return bool(_ABOUT.fullmatch(path.name.split(".")[0]))


def _read_card_files(root: Path, config: str | None) -> list[tuple[str, str | None, str]]:
    """(config, split or None, pattern) of the card's `configs`; empty where it has none."""
    card = root / "README.md"
    metadata = read_metadata(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    entries = (metadata or {}).get("configs")
    found: list[tuple[str, str | None, str]] = []
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        name, data_dir = str(entry.get("config_name", "default")), str(entry.get("data_dir") or "")
        for split, pattern in _list_patterns(entry.get("data_files", "**" if data_dir else None)):
            found.append((name, split, str(PurePosixPath(data_dir) / pattern)))
    known = list(dict.fromkeys(name for name, _, _ in found))
    if config is not None and found and config not in known:
        raise BadInput(f"{root}: its card has no config {config!r}. It has: {', '.join(known)}.")
    return [one for one in found if config in (None, one[0])]


def _list_patterns(value: Any) -> Iterator[tuple[str | None, str]]:
    if isinstance(value, str):
        yield None, value
    elif isinstance(value, dict) and "path" not in value:
        for split, paths in value.items():
            yield from ((str(split), pattern) for _, pattern in _list_patterns(paths))
    elif isinstance(value, dict):
        split = str(value["split"]) if value.get("split") else None
        yield from ((split, pattern) for _, pattern in _list_patterns(value["path"]))
    elif isinstance(value, list):
        for one in value:
            yield from _list_patterns(one)


def _take_named(
    root: Path,
    split: str,
    candidates: Sequence[Path],
    named: Sequence[tuple[str, str | None, str]],
    left_out: Counter[str],
) -> DataFiles:
    configs: dict[Path, dict[str, None]] = {}
    others: dict[Path, str] = {}
    for path in candidates:
        name = path.relative_to(root).as_posix()
        for config, own, pattern in named:
            if not _matches(name, pattern):
                continue
            own = own or _find_split(path, root) or "train"
            if own == split:
                configs.setdefault(path, {})[config] = None
            else:
                others[path] = own
    files = tuple(path for path in candidates if path in configs)
    for path in candidates:
        if path not in configs:
            left_out[f"of split {others[path]}" if path in others else "not named by the card"] += 1
    how = f"split {split}, that its card names"
    if not files:
        raise BadInput(
            f"{root}: none of the files that its card names for the split {split!r} can be read here"
            f"{_tell(left_out)}. Download them, or name a split that is there."
        )
    return DataFiles(root, files, how, dict(left_out), {path: tuple(configs[path]) for path in files})


def _take_one_kind(
    root: Path, split: str, candidates: Sequence[Path], left_out: Counter[str], kinds: Sequence[str]
) -> DataFiles:
    by_kind: dict[str, list[Path]] = {kind: [] for kind in kinds}
    for path in candidates:
        by_kind[find_kind(path.name) or ""].append(path)
    # Texts beside a table are notes about it.
    tables = [kind for kind in kinds if kind != "text" and by_kind[kind]]
    chosen = max(tables or kinds, key=lambda kind: len(by_kind[kind]))
    for kind in kinds:
        if kind != chosen and by_kind[kind]:
            left_out[f"{kind} files"] += len(by_kind[kind])
    splits = {path: _find_split(path, root) for path in by_kind[chosen]}
    labelled = {found for found in splits.values() if found}
    wanted = split if split in labelled or split != "train" else None
    files = tuple(path for path, found in splits.items() if found == wanted)
    for found in splits.values():
        if found != wanted:
            left_out[f"of split {found}" if found else "without a split in their names"] += 1
    if not files:
        suffixes = ", ".join(suffix for kind in kinds for suffix in KINDS[kind])
        if by_kind[chosen]:
            raise BadInput(
                f"{root}: no file is of the split {split!r}{_tell(left_out)}. Name a split that is there, or a file."
            )
        raise BadInput(
            f"{root}: the folder holds no data: no {suffixes} file, plain or as {', '.join(COMPRESSIONS)}"
            f"{_tell(left_out)}."
        )
    how = f"all {chosen} files" if wanted is None else f"{chosen} files of split {split}"
    return DataFiles(root, files, how, dict(left_out))


def _tell(left_out: Mapping[str, int]) -> str:
    found = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    return f" (left out: {found})" if found else ""


def _find_split(path: Path, root: Path) -> str | None:
    """The split that a file's name says, or else its nearest folder's. A text's name is its title, so there only the
    whole name counts."""
    parts = [path.name.split(".")[0] if find_kind(path.name) == "text" else strip_suffixes(path.name)]
    parts += reversed(path.relative_to(root).parent.parts)
    for place, part in enumerate(parts):
        words = re.split(r"[^a-z]+", part.lower())
        if place == 0 and find_kind(path.name) == "text":
            words = words if len([word for word in words if word]) == 1 else []
        for split, names in _SPLITS.items():
            if set(names) & set(words):
                return split
    return None


def strip_suffixes(name: str) -> str:
    """A file's name without the suffixes of its kind (`c4-train.00000-of-01024` keeps its number)."""
    lower = name.lower()
    for suffix in (*COMPRESSIONS, *(suffix for suffixes in KINDS.values() for suffix in suffixes)):
        if lower.endswith(suffix):
            name, lower = name[: -len(suffix)], lower[: -len(suffix)]
    return name


def _matches(name: str, pattern: str) -> bool:
    """Whether a path fits a pattern of a card. `**` also matches no folder; `*` stays within one name."""
    return _match_parts(name.split("/"), pattern.removeprefix("./").split("/"))


def _match_parts(name: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(name)
        return any(_match_parts(name[start:], pattern[1:]) for start in range(len(name) + 1))
    return bool(name) and fnmatchcase(name[0], pattern[0]) and _match_parts(name[1:], pattern[1:])
