"""The whole of m-AlpacaEval: prompts translated or imported, edits put in, the folder written with its card."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import xl_suite
from m_alpacaeval.earlier import EDITED, HUMAN, find_kept, merge_rows
from m_alpacaeval.guards import REASONS, check_prompts
from m_alpacaeval.release import Release
from m_alpacaeval.review import FILE_NAME, Edits, read_edits, read_reviews, write_reviews
from m_alpacaeval.rows import ENGLISH, NAME, SourcePrompt, Sources, TranslatedRow, make_english, make_row
from m_alpacaeval.translate import DEFAULT, Settings, Translation, read_prompt, score_translations, translate_prompts
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model
from xl_suite.chat.replay import name_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import find_language


@dataclass(frozen=True, slots=True)
class Benchmark:
    """m-AlpacaEval in memory: rows by language code, `eng` last.

    aside: what no row has, with the reasons. doubted: by language, how many rows the guards speak against that are
    there all the same, because people or a release made them. kept: the rows of languages that were there before.
    """

    rows: Mapping[str, Sequence[TranslatedRow]]
    sources: Sources
    translator: str
    edits: Edits
    settings: Settings = DEFAULT
    aside: tuple[Translation, ...] = ()
    doubted: Mapping[str, int] = field(default_factory=dict)
    release: Release | None = None
    ledger: Ledger | None = None
    kept: Mapping[str, Sequence[TranslatedRow]] = field(default_factory=dict)

    @property
    def all_rows(self) -> dict[str, Sequence[TranslatedRow]]:
        """What the folder has in the end, by language."""
        return merge_rows(self.rows, self.kept)

    @property
    def prompts(self) -> list[SourcePrompt]:
        return [prompt for prompts in self.sources.prompts.values() for prompt in prompts]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the verb's `--json`, but for the folder."""
        reasons = Counter(reason for one in self.aside for reason in one.reasons)
        return {
            "translator": self.translator,
            "rows": {code: len(rows) for code, rows in self.all_rows.items()},
            "kept": list(self.kept),
            "edited": len(self.edits.texts),
            "doubted": dict(self.doubted),
            "set_aside": [
                {"language": one.prompt.language, "id": one.prompt.id, "reasons": list(one.reasons)}
                for one in self.aside
            ],
            "reasons": dict(sorted(reasons.items())),
            "release": None
            if self.release is None
            else {
                "name": self.release.name,
                "revision": self.release.revision,
                "sha256": self.release.sha256,
                "left_out": dict(self.release.left_out),
                "missing": dict(self.release.missing),
            },
            "ledger": None if self.ledger is None else self.ledger.to_dict(),
        }


def build_benchmark(
    sources: Sources, model: Model, options: ChatOptions, *, out: Path, settings: Settings = DEFAULT
) -> Benchmark:
    """Has `model` translate every prompt that no person has edited in `out/review.jsonl`. Raises what ends a run."""
    prompts = [prompt for own in sources.prompts.values() for prompt in own]
    edits = read_edits(out / FILE_NAME, prompts)
    translator = name_model(model)
    made: list[Translation] = []
    ledger = None
    if edits.others:
        made, ledger = translate_prompts(edits.others, model, options, settings)
    by_prompt = {one.prompt: one for one in made if not one.reasons}
    rows = _collect(sources, by_prompt, edits, translator, settings)
    aside = tuple(one for one in made if one.reasons)
    doubted = _count_doubted(edits.texts)
    return Benchmark(rows, sources, translator, edits, settings, aside, doubted, None, ledger)


def import_benchmark(sources: Sources, release: Release, *, out: Path, settings: Settings = DEFAULT) -> Benchmark:
    """The rows of a release as they are, but for those that a person has edited in `out/review.jsonl`."""
    edits = read_edits(out / FILE_NAME, [prompt for own in sources.prompts.values() for prompt in own])
    texts = {prompt: text for prompt, text in release.texts.items() if prompt not in edits.texts}
    found = {prompt: Translation(prompt, text, (), 0) for prompt, text in texts.items()}
    if settings.estimator is not None:
        for code, prompts in sources.prompts.items():
            own = [prompt for prompt in prompts if prompt in texts]
            for prompt, score in zip(
                own, score_translations(own, [texts[one] for one in own], code, settings), strict=True
            ):
                found[prompt] = Translation(prompt, texts[prompt], (), 0, score)
    rows = _collect(sources, found, edits, release.translator, settings)
    return Benchmark(
        rows, sources, release.translator, edits, settings, (), _count_doubted({**texts, **edits.texts}), release
    )


def write_folder(benchmark: Benchmark, out: Path) -> None:
    """The benchmark as a dataset folder with its card, and the review file in it."""
    if list(benchmark.rows) == [ENGLISH] and benchmark.sources.prompts:
        write_reviews(out / FILE_NAME, benchmark.prompts, benchmark.edits, benchmark.aside)
        raise BadInput(
            f"No translation could be used ({_list_reasons(benchmark.aside)}). They are in {out / FILE_NAME}."
        )
    rows = benchmark.all_rows
    splits = {find_language(code).split: code for code in rows}
    write_benchmark(out, rows, splits, name=NAME, card=partial(_render_card, benchmark, _list_aside(benchmark, out)))
    write_reviews(out / FILE_NAME, benchmark.prompts, benchmark.edits, benchmark.aside)


def describe(benchmark: Benchmark, out: Path) -> str:
    """A few lines for a person."""
    counts = ", ".join(f"{code} {len(rows)}" for code, rows in benchmark.all_rows.items())
    lines = [f"{out}: m-AlpacaEval, translated by {benchmark.translator}. Rows: {counts}."]
    if benchmark.kept:
        lines.append(f"Left as they were: {', '.join(benchmark.kept)}.")
    if benchmark.edits.texts:
        lines.append(f"{len(benchmark.edits.texts)} rows are edited translations of {out / FILE_NAME}.")
    if any(benchmark.doubted.values()):
        shown = ", ".join(f"{code} {count}" for code, count in benchmark.doubted.items() if count)
        lines.append(f"The guards speak against rows that people or the release made: {shown}. They are kept.")
    if benchmark.release:
        for what, counted in (("are of prompts that the benchmark drops", benchmark.release.left_out),):
            shown = ", ".join(f"{code} {count}" for code, count in counted.items() if count)
            lines += [f"Rows of the release that {what}: {shown}."] if shown else []
        shown = ", ".join(f"{code} {count}" for code, count in benchmark.release.missing.items() if count)
        lines += [f"Prompts that the release does not have: {shown}."] if shown else []
    if benchmark.aside:
        lines.append(
            f"{len(benchmark.aside)} translations were set aside ({_list_reasons(benchmark.aside)}); their rows are "
            f"missing. Write a translation into `edited` in {out / FILE_NAME} and run the same command, which costs "
            "nothing; or let more attempts be made with --retries."
        )
    return "\n".join(lines)


def _collect(
    sources: Sources, found: Mapping[SourcePrompt, Translation], edits: Edits, translator: str, settings: Settings
) -> dict[str, list[TranslatedRow]]:
    """The rows by language; a language without any is left out."""
    qe_model = settings.estimator.name if settings.estimator is not None else None
    rows: dict[str, list[TranslatedRow]] = {}
    for code, prompts in sources.prompts.items():
        edited = [prompt for prompt in prompts if prompt in edits.texts]
        scores = score_translations(edited, [edits.texts[prompt] for prompt in edited], code, settings)
        own = dict(zip(edited, scores, strict=True))
        made = []
        for prompt in prompts:
            if prompt in own:
                who = HUMAN if translator == HUMAN else f"{translator}, {EDITED}"
                made.append(make_row(prompt, edits.texts[prompt], who, own[prompt], qe_model))
            elif prompt in found:
                made.append(make_row(prompt, found[prompt].text, translator, found[prompt].qe_score, qe_model))
        if made:
            rows[code] = made
    return rows | {ENGLISH: [make_english(row) for row in sources.english]}


def _count_doubted(texts: Mapping[SourcePrompt, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for code in dict.fromkeys(prompt.language for prompt in texts):
        own = {prompt: text for prompt, text in texts.items() if prompt.language == code}
        counts[code] = sum(bool(reasons) for reasons in check_prompts(list(own), list(own.values())))
    return counts


def _list_reasons(aside: Sequence[Translation]) -> str:
    counts = Counter(reason for one in aside for reason in one.reasons)
    return ", ".join(f"{count} x {REASONS[reason][0]}" for reason, count in counts.most_common())


def keep_languages(benchmark: Benchmark, out: Path) -> Benchmark:
    """The benchmark with the languages that `out` has beside its own. Raises as `find_kept`."""
    return replace(benchmark, kept=find_kept(out, benchmark.sources, benchmark.translator))


def _list_aside(benchmark: Benchmark, out: Path) -> list[str]:
    """The rows that are set aside, those of the kept languages too."""
    reviews = read_reviews(out / FILE_NAME) if benchmark.kept else []
    found = [(row.language, row.id) for row in reviews if row.language in benchmark.kept and not row.edited]
    found += [(one.prompt.language, one.prompt.id) for one in benchmark.aside]
    order = {code: place for place, code in enumerate(benchmark.all_rows)}
    return [f"{code}/{number}" for code, number in sorted(found, key=lambda one: order.get(one[0], len(order)))]


def _render_card(benchmark: Benchmark, aside: Sequence[str], metadata: Mapping[str, Any]) -> str:
    template = files("m_alpacaeval").joinpath("card.md").read_text(encoding="utf-8")
    languages = [find_language(code) for code in benchmark.all_rows]
    values = _card_values(benchmark, ", ".join(aside))
    return render_card(template, {"language": [name_language(row) for row in languages], **metadata}, values)


def _card_values(benchmark: Benchmark, aside: str) -> dict[str, str]:
    english = benchmark.rows[ENGLISH]
    sources = "\0".join(f"{row.id}\0{row.source_instruction}" for row in english)
    sums = hashlib.sha256(sources.encode("utf-8", "surrogatepass")).hexdigest()
    prompt = hashlib.sha256((read_prompt("system.txt") + "\0" + read_prompt("user.txt")).encode()).hexdigest()
    estimator = benchmark.settings.estimator
    rows = [(code, find_language(code), own) for code, own in benchmark.all_rows.items()]
    edited = len(benchmark.edits.texts)
    edited += sum(row.translator.endswith(f", {EDITED}") for own in benchmark.kept.values() for row in own)
    release = benchmark.release
    return {
        "languages": "\n".join(f"| `{code}` | `{row.split}` | {row.name} | {len(own)} |" for code, row, own in rows),
        "prompts": str(len(english)),
        "made": _describe_release(release) if release else _MADE,
        "translator": _inline(benchmark.translator),
        "edited": str(edited),
        "aside": f"Translations that no attempt made sound are left out: {aside}." if aside else "No row is missing.",
        "qe": f"`{_inline(estimator.name)}`" if estimator is not None else "none; the columns are null",
        "origin": f"`{_inline(benchmark.sources.name)}`, SHA-256 of its English prompts `{sums}`",
        "prompt_hash": "not used" if release else f"SHA-256 `{prompt}`",
        "version": xl_suite.__version__,
    }


_MADE = (
    "Each prompt was translated in one call, alone. Where a prompt asks for an answer in English, the name of the "
    "language it is translated into was put there first. Every translation was checked: for its language, for "
    "answers in the place of translations, for lost numbers, URLs, code, placeholders, lines and list items, and for "
    "its length; what failed was asked for again with what was wrong, and in the end left to a person."
)


def _describe_release(release: Release) -> str:
    revision = f" at revision `{release.revision}`" if release.revision else ""
    return (
        f"The translations are those of `{_inline(release.name)}`{revision} (SHA-256 `{release.sha256}`) as they "
        "are. Their IDs were recovered from the order of its rows, or from its English texts."
    )


def _inline(text: str) -> str:
    return " ".join(re.sub(r"[`|{}]", "_", text).split())
