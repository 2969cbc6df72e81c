"""Instruction data of others as a source of subsets: their files, languages and forms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from xl_instruct.corpus.file_languages import LanguageTag, find_in_names, list_unsure
from xl_instruct.corpus.files import DataFiles, find_data_files, strip_suffixes
from xl_instruct.corpus.lines import BadLines, read_rows
from xl_instruct.training.forms import Exchange, NoForm, read_exchange
from xl_instruct.training.sources import (
    Entry,
    SourceRow,
    TrainingSource,
    name_licence,
    read_card,
    require,
    sort_entries,
)
from xl_suite.errors import BadInput, BadRecord
from xl_suite.fidelity import judge_language
from xl_suite.templates import append_template, draw_template

KINDS = ("Parquet", "JSON")
# Questions or answers that are looked at together to tell their language.
_LOOKED_AT = 50
Form = TypeVar("Form")


def read_forms(
    found: DataFiles, read: Callable[[Any], Form], bad: BadLines, split: str = "train"
) -> Iterator[tuple[Path, Form]]:
    """The rows of data files, read by one of the readers of `forms`; those that cannot be are counted in `bad`.

    A row with a column `split` of another split is passed over. Raises BadRecord where the first row of a file is of
    no known form.
    """
    for file in found.files:
        for number, row in read_rows(file, bad):
            if row.get("split") not in (None, "", split):
                continue
            try:
                yield file, read(row)
            except NoForm as error:
                problem = BadRecord(file, str(error), row=number)
                if number == 1:
                    raise problem from error
                bad.add(problem)
    bad.check()


def read_foreign(
    path: Path,
    languages: Sequence[str] | None = None,
    *,
    seed: int = 1,
    split: str = "train",
    progress: Callable[[str], None] = lambda line: None,
) -> TrainingSource:
    """X-Instruction (Li et al. 2024) or other instruction data, without scores; `forms` lists what is read.

    path: a file or folder, as `xl_instruct.corpus.files` finds its data. A row's language is in a column of its
    (`language`, `language_code`, ...), else in the name of its file, folder or config of the card; a single file may
    have any name where one language is given. Where the questions of a language are in English, the sentence that
    asks for the answer's language is drawn from the benchmark's templates, unless the question names the language.
    progress: told what was read and what was left out. Raises BadInput where nothing is left.
    """
    found = find_data_files(path, split=split, kinds=KINDS)
    if path.is_dir():
        progress(found.describe())
    given = languages[0] if len(found.files) == 1 and languages and len(languages) == 1 else None
    tags = {file: find_in_names(_name_parts(found, file), languages or ()) for file in found.files}
    bad, left_out = BadLines(), Counter[str]()
    exchanges: dict[LanguageTag, list[Exchange]] = {}
    unnamed: dict[Path, list[Exchange]] = {}

    def keep(tag: LanguageTag, exchange: Exchange) -> None:
        if not exchange.asked.strip() or not exchange.answer.strip():
            left_out["empty"] += 1
        elif tag.code == "eng" or (languages is not None and tag.code not in languages):
            left_out["in English" if tag.code == "eng" else "in other languages"] += 1
        else:
            left_out["further turns of conversations"] += exchange.more
            exchanges.setdefault(tag, []).append(exchange)

    for file, exchange in read_forms(found, read_exchange, bad, split):
        tag = LanguageTag(given) if given else exchange.language or tags[file]
        if tag is None:
            unnamed.setdefault(file, []).append(exchange)
        else:
            keep(tag, exchange)
    for file in list(unnamed):
        tag = _find_by_answers(_name_parts(found, file), unnamed[file])
        if tag is not None:
            for exchange in unnamed.pop(file):
                keep(tag, exchange)
    if unnamed and not exchanges:
        raise BadInput(
            f"{next(iter(unnamed))}: its language cannot be told from its name, and its rows have no column "
            "`language`. Give one file with --languages fin (its ISO 639-3 code), or files named so (fi.json)."
        )
    for file, untold in unnamed.items():
        left_out[f"of {found.name(file)}, whose language is not told"] += len(untold)
    for line in (bad.describe(), ", ".join(f"{count} rows {reason}" for reason, count in left_out.items() if count)):
        if line:
            progress(f"{path}: {line}" if line != bad.describe() else line)
    rows: dict[str, list[SourceRow]] = {}
    plain = []
    for tag, own in exchanges.items():
        asks = not _is_foreign(own)
        plain += [] if asks else [tag.name]
        kept = rows.setdefault(tag.code, [])
        for exchange in own:
            asked, number = exchange.asked, len(kept)
            if asks and not _names_language(asked, tag.name):
                asked = append_template(asked, draw_template(seed, number + 1).fill(tag.name))
            kept.append(SourceRow(number, asked, exchange.answer, tag.code, None, tag.variant))
    if plain:
        progress(f"{path}: the questions with answers in {', '.join(plain)} are not in English and stay as they are.")
    entries: dict[str, list[Entry]] = {code: [(row.id, None) for row in own] for code, own in rows.items()}
    require(entries, languages, str(path))
    card = read_card(found.root)
    return TrainingSource(
        path.resolve().name,
        str(card.get("pretty_name") or path.resolve().name),
        name_licence(card.get("license")),
        "own",
        "none",
        sort_entries(entries),
        lambda order: tuple(rows[language][place] for language, place in order),
        "Data of others, without quality scores. Where a question was in English and did not name the language of "
        "the answer, the sentence that asks for it was added here.",
    )


def _name_parts(found: DataFiles, file: Path) -> list[str]:
    """Where a language may be named: the file's name, its folders' from the inside, the card's configs."""
    folders = file.relative_to(found.root).parent.parts if file != found.root else ()
    return [strip_suffixes(file.name), *reversed(folders), *found.configs.get(file, ())]


def _find_by_answers(names: Sequence[str], exchanges: Sequence[Exchange]) -> LanguageTag | None:
    """The language of a word that may be one (`id`, `no`), where the answers are in it."""
    text = "\n".join(exchange.answer for exchange in exchanges[:_LOOKED_AT])
    right = [code for code in list_unsure(names) if judge_language(text, code).verdict == "right"]
    return find_in_names(names, right) if len(right) == 1 else None


def _names_language(asked: str, name: str) -> bool:
    """Whether a question asks for the language already: "Answer in German." """
    return bool(re.search(rf"\b(?:in|into|to) {re.escape(name)}(?: language)?\s*(?:[.,:;!?)\"]|$)", asked, re.M))


def _is_foreign(exchanges: Sequence[Exchange]) -> bool:
    """Whether the questions are in another language than English, by the first of them together."""
    text = "\n".join(exchange.asked for exchange in exchanges[:_LOOKED_AT])
    return judge_language(text, "eng").verdict == "wrong"
