"""The whole of XL-AlpacaEval: read the source, build every language, write the folder with its card."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import xl_suite
from xl_alpacaeval.release import Release, find_release, read_release
from xl_alpacaeval.rows import ENGLISH, build_rows, edits, excluded_ids, exclusions
from xl_alpacaeval.sources import HUB_SOURCE, Source, read_source
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import find_language, table
from xl_suite.publishing.hub_files import HubFiles, find_on_hub
from xl_suite.records import BenchmarkRow

NAME = "xl-alpacaeval"
# The rows of the official release as they are: neither variant, templates nor seed are ours.
OFFICIAL_ROWS = "official"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """XL-AlpacaEval in memory: rows by language code, `eng` last, and what they were made from."""

    rows: Mapping[str, Sequence[BenchmarkRow]]
    source: Source
    release: Release | None
    variant: str
    seed: int


def build_benchmark(
    source: str = HUB_SOURCE,
    *,
    languages: Sequence[str] | None = None,
    variant: str | None = None,
    seed: int | None = None,
    prompts: str = HUB_SOURCE,
    allow_changed: bool = False,
    find: Callable[[str], HubFiles] = find_on_hub,
) -> Benchmark:
    """All rows. `languages`: ISO 639-3 codes, by default the eleven; `eng` is always there.

    source: AlpacaEval's prompts (file or Hub ID), or an official release (Hub ID or folder), whose rows are
    kept; for that one `prompts` says where the 805 are, and a variant or seed is refused.
    """
    find = cache(find)  # one revision for the whole build, and one request for it
    wanted = list(languages) if languages is not None else [row.code for row in table()]
    wanted = [code for code in wanted if code != ENGLISH] + [ENGLISH]
    for code in wanted:
        find_language(code)
    if find_release(source, find) is not None:
        if variant is not None or seed is not None:
            raise BadInput(
                f"{source} is a release with rows and templates of its own: leave --variant and --seed out."
            )
        alpaca_eval = read_source(prompts, allow_changed=allow_changed, find=find)
        release = read_release(source, alpaca_eval.prompts, allow_changed=allow_changed, find=find)
        if languages is None:
            wanted = [code for code in wanted if code in release.rows]
        missing = [code for code in wanted if code not in release.rows]
        if missing:
            has = ", ".join(release.rows)
            raise BadInput(f"{source} has no {', '.join(missing)}; it has {has}. Other languages come from prompts.")
        rows = {code: release.rows[code] for code in wanted}
        return Benchmark(rows, alpaca_eval, release, OFFICIAL_ROWS, 0)
    variant, seed = variant or "release", seed or 0
    excluded_ids(variant)
    alpaca_eval = read_source(source, allow_changed=allow_changed, find=find)
    built = {code: build_rows(alpaca_eval.prompts, code, seed=seed, variant=variant) for code in wanted}
    return Benchmark(built, alpaca_eval, None, variant, seed)


def write_folder(benchmark: Benchmark, out: Path) -> None:
    """The benchmark as a dataset folder (see xl_suite.dataset.folder), with its card."""
    splits = {find_language(code).split: code for code in benchmark.rows}
    write_benchmark(out, benchmark.rows, splits, name=NAME, card=partial(_render_card, benchmark))


def _render_card(benchmark: Benchmark, metadata: Mapping[str, Any]) -> str:
    template = files("xl_alpacaeval").joinpath("card.md").read_text(encoding="utf-8")
    languages = [find_language(code) for code in benchmark.rows]
    return render_card(
        template, {"language": [name_language(row) for row in languages], **metadata}, _card_values(benchmark)
    )


def _card_values(benchmark: Benchmark) -> dict[str, str]:
    source, release = benchmark.source, benchmark.release
    prompts = benchmark.rows[ENGLISH]
    expected = Counter(row.expected for row in prompts)
    others = [f"{count} `{name}`" for name, count in sorted(expected.items()) if name != "target"]
    languages = [(code, find_language(code), len(rows)) for code, rows in benchmark.rows.items()]
    return {
        "languages": "\n".join(f"| `{code}` | `{row.split}` | {row.name} | {n} |" for code, row, n in languages),
        "prompts": str(len(prompts)),
        "variant": benchmark.variant,
        "exclusions": _describe_exclusions(benchmark),
        "edits": ", ".join(str(row.id) for row in edits()),
        "expected": f"{expected['target']} `target`" + "".join(f", {other}" for other in others),
        "made": _MADE_OFFICIAL if release else _MADE,
        "source": _describe_source(source.name, source.revision, source.sha256),
        "release": _describe_source(release.name, release.revision, release.sha256) if release else "not used",
        "changed": "; ".join(source.difference) or "no: they are AlpacaEval's 805",
        "seed": "the release's own draws" if release else str(benchmark.seed),
        "command": _describe_command(benchmark),
        "version": xl_suite.__version__,
    }


_MADE = (
    'One of twelve templates (the six of the paper\'s Table 5, each with and without the word "language") is drawn '
    "for each prompt and put below it after a blank line. The draw depends on the seed and the prompt's ID alone, so "
    "a prompt has the same template in every language. Draws and separator are choices of xl-suite: those of the "
    "paper's authors are not published as such."
)
_MADE_OFFICIAL = (
    "The rows are those of the official release as they are, with its draws of templates and its separators. IDs, "
    "prompts and templates were recovered by matching its instructions with AlpacaEval's prompts."
)


def _describe_exclusions(benchmark: Benchmark) -> str:
    if benchmark.release:
        return "The rows are the release's own; nothing was dropped here."
    count, kept = len(benchmark.source.prompts), len(benchmark.rows[ENGLISH])
    if count == kept:
        return f"None of {count} prompts is dropped."
    present = {prompt.id for prompt in benchmark.source.prompts}
    rows = [row for row in exclusions() if benchmark.variant in row.variants and row.id in present]
    lines = [f"Of {count} prompts, {count - kept} are dropped:", "", "| ID | why |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {row.id} | {row.reason} |" for row in rows)])


def _describe_source(name: str, revision: str, sha256: str) -> str:
    return f"`{_inline(name)}`" + (f" at revision `{revision}`" if revision else "") + f", SHA-256 `{sha256}`"


def _describe_command(benchmark: Benchmark) -> str:
    name = benchmark.release.name if benchmark.release else benchmark.source.name
    words = ["xl-suite build xl-alpacaeval --source", _quote(name)]
    if benchmark.release:
        words += ["--prompts", _quote(benchmark.source.name)]
    else:
        words += ["--variant", benchmark.variant, "--seed", str(benchmark.seed)]
    codes = [code for code in benchmark.rows if code != ENGLISH]
    if codes != [row.code for row in table() if row.code != ENGLISH]:
        words += ["--languages", ",".join(codes) or ENGLISH]
    if benchmark.source.difference or (benchmark.release and benchmark.release.unmatched):
        words.append("--allow-changed-source")
    return " ".join([*words, "--out DIR"])


def _quote(text: str) -> str:
    return shlex.quote(_inline(text))


def _inline(name: str) -> str:
    """The name of a user's file, safe as code in a table of Markdown: without what would end either."""
    return " ".join(re.sub(r"[`|{}]", "_", name).split())
