"""XL-AlpacaEval between any two languages: prompts of m-AlpacaEval, and templates in the language of the prompts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import xl_suite
from xl_alpacaeval.rows import ENGLISH, edits, expected_language
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import read_benchmark, write_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.records import BenchmarkRow, read_raw
from xl_suite.templates import append_template, draw_template, find_phrase, phrases, templates


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows by the language asked for. origin: the name of m-AlpacaEval's folder. dropped: IDs left out."""

    language: str
    rows: Mapping[str, Sequence[BenchmarkRow]]
    origin: str
    translators: tuple[str, ...]
    dropped: tuple[int, ...]
    seed: int

    @property
    def name(self) -> str:
        """The benchmark's: prompts in another language are another benchmark, whose outputs must not be mixed."""
        return f"xl-alpacaeval-from-{self.language}"


def list_targets(language: str) -> list[str]:
    """The languages in which an answer can be asked for in `language`, but itself."""
    return [row.target for row in phrases() if row.language == language and row.target != language]


def build_pairs(language: str, targets: Sequence[str] | None, folder: Path, *, seed: int = 0) -> Pairs:
    """The rows of all pairs from `language` (ISO 639-3) to each of `targets`, by default to all that have phrases.

    folder: m-AlpacaEval's. A prompt that itself asks for the language it is written in (edits.tsv) is left out: the
    template would contradict it. Raises BadInput for a language without templates, phrases or prompts.
    """
    templates(language)
    targets = list_targets(language) if targets is None else list(targets)
    if language in targets:
        raise BadInput(f"From {language} to {language} is m-AlpacaEval itself: {folder} has it.")
    for target in targets:
        find_phrase(language, target)
    if not folder.is_dir():
        raise BadInput(
            f"{folder}: no such folder. The prompts in {language} are m-AlpacaEval's: `xl-suite build m-alpacaeval "
            f"--languages {language} --out {folder}` makes it; --m-alpacaeval names another one."
        )
    prompts = read_benchmark(folder, [language])
    if any(row.template for row in prompts):
        raise BadInput(f"{folder} has templates in its rows: it is not m-AlpacaEval. `xl-suite build m-alpacaeval`.")
    asking = {edit.id for edit in edits()}
    kept = [row for row in prompts if row.id not in asking]
    return Pairs(
        language,
        {target: [build_pair(row, language, target, seed) for row in kept] for target in targets},
        _name_origin(folder),
        _read_translators(folder, language),
        tuple(row.id for row in prompts if row.id in asking),
        seed,
    )


def build_pair(row: BenchmarkRow, language: str, target: str, seed: int) -> BenchmarkRow:
    """A prompt in `language` with the instruction, in `language`, to answer in `target`."""
    template = draw_template(seed, row.id, language).fill_phrase(find_phrase(language, target))
    text = row.instruction
    return BenchmarkRow(
        row.id, row.dataset, append_template(text, template), text, template, target, expected_language(row.id)
    )


def write_pairs(pairs: Pairs, out: Path) -> None:
    """The pairs as a dataset folder: configs `deu-hin`, splits of `default` `german_hindi`."""
    source = find_language(pairs.language)
    configs = {f"{source.code}-{target}": rows for target, rows in pairs.rows.items()}
    splits = {f"{source.split}_{find_language(target).split}": f"{source.code}-{target}" for target in pairs.rows}
    write_benchmark(out, configs, splits, name=pairs.name, card=partial(_render_card, pairs))


def _render_card(pairs: Pairs, metadata: Mapping[str, Any]) -> str:
    template = files("xl_alpacaeval").joinpath("card_pairs.md").read_text(encoding="utf-8")
    source = find_language(pairs.language)
    targets = [find_language(code) for code in pairs.rows]
    first = next(iter(pairs.rows.values()))
    words = ["xl-suite build xl-alpacaeval --from", pairs.language, "--m-alpacaeval", pairs.origin]
    words += ["--languages", ",".join(pairs.rows), "--seed", str(pairs.seed), "--out DIR"]
    values = {
        "source": source.name,
        "split": source.split,
        "code": source.code,
        "prompts": str(len(first)),
        "first": targets[0].code,
        "first_split": targets[0].split,
        "pairs": "\n".join(
            f"| `{source.code}-{row.code}` | `{source.split}_{row.split}` | {row.name} | {len(first)} |"
            for row in targets
        ),
        "example": first[0].template,
        "dropped": ", ".join(map(str, pairs.dropped)) or "none",
        "templates": str(len(templates(pairs.language))),
        "origin": f"`{pairs.origin}`",
        "translators": ", ".join(f"`{name}`" for name in pairs.translators) or "not said",
        "seed": str(pairs.seed),
        "version": xl_suite.__version__,
        "command": " ".join(words),
    }
    names = [name_language(row) for row in (source, *targets)]
    return render_card(template, {"language": names, **metadata}, values)


def _name_origin(folder: Path) -> str:
    return shlex.quote(re.sub(r"[`|{}\s]", "_", folder.resolve().name))


def _read_translators(folder: Path, language: str) -> tuple[str, ...]:
    """Who translated the prompts, from m-AlpacaEval's own column."""
    if language == ENGLISH:
        return ()
    rows = [row for file in sorted((folder / language).glob("*.parquet")) for row in read_raw(file)]
    named = dict.fromkeys(str(row["translator"]) for row in rows if row.get("translator"))
    return tuple(re.sub(r"[`|{}]", "_", name) for name in named)
