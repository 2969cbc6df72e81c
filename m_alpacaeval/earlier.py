"""A folder of m-AlpacaEval that is there already: what a new run leaves in it, and what it must not replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from m_alpacaeval.rows import ENGLISH, SourcePrompt, Sources, TranslatedRow
from m_alpacaeval.translate import Settings, make_call
from xl_suite.chat.models import Model
from xl_suite.chat.settings import ChatOptions
from xl_suite.dataset.folder import TEST, list_languages
from xl_suite.dataset.shards import find_shards
from xl_suite.errors import BadInput
from xl_suite.finished import Held, check_held, refuse_changed
from xl_suite.languages import table
from xl_suite.records import read_records

EDITED = "edited"
HUMAN = "human"


def read_folder(folder: Path) -> dict[str, list[TranslatedRow]]:
    """The rows of a folder by language; none where nothing was built. Raises BadRecord for a file that is broken."""
    if not (folder / "README.md").is_file():
        return {}
    return {
        code: [row for shard in find_shards(folder / code, TEST) for row in read_records(shard, TranslatedRow)]
        for code in list_languages(folder)
    }


def find_kept(folder: Path, sources: Sources, translator: str) -> dict[str, list[TranslatedRow]]:
    """The rows of the folder's other languages, which a run for `sources` leaves as they are.

    Raises BadInput where they are of other prompts or of another translator: one folder has one of each.
    """
    return _choose_kept(folder, read_folder(folder), sources, translator)


def _choose_kept(
    folder: Path, rows: Mapping[str, list[TranslatedRow]], sources: Sources, translator: str
) -> dict[str, list[TranslatedRow]]:
    kept = {code: own for code, own in rows.items() if code != ENGLISH and code not in sources.prompts}
    if not kept:
        return {}
    others = ", ".join(kept)
    before = {(row.id, row.source_instruction) for row in rows.get(ENGLISH, [])}
    if before != {(row.id, row.instruction) for row in sources.english}:
        raise BadInput(
            f"{folder} has {others} of other prompts than {sources.name}. It stays as it is: give another --out, or "
            "--replace to have the folder made anew, without these languages."
        )
    for code, own in kept.items():
        _check_translator(folder, code, own, translator, f", without {others}")
    return kept


def check_folder(
    folder: Path,
    sources: Sources,
    edited: Mapping[SourcePrompt, str],
    translator: str,
    *,
    paid: tuple[Model, ChatOptions, Settings] | None,
) -> None:
    """Raises BadInput where a run would replace translations of its languages by other ones, or pay for them again.

    edited: what people wrote, which costs nothing. paid: of a run that asks a model; None where it takes a release.
    """
    found = read_folder(folder)
    _choose_kept(folder, found, sources, translator)
    for code, rows in found.items():
        if code not in sources.prompts:
            continue
        prompts = {prompt.id: prompt for prompt in sources.prompts[code]}
        _check_translator(folder, code, rows, translator)
        changed = [
            f"{code}/{row.id}"
            for row in rows
            if row.id not in prompts or row.source_instruction != prompts[row.id].text.rstrip()
        ]
        if changed:
            raise refuse_changed(folder, len(rows), changed)
        if paid is not None:
            model, options, settings = paid
            calls = [
                make_call(prompts[row.id], settings, 0, None)
                for row in rows
                if row.translator == translator and prompts[row.id] not in edited
            ]
            check_held(folder / code, Held(len(rows), calls), model, options)


def merge_rows(
    built: Mapping[str, Sequence[TranslatedRow]], kept: Mapping[str, Sequence[TranslatedRow]]
) -> dict[str, Sequence[TranslatedRow]]:
    """Both by language, `eng` last."""
    if not kept:
        return dict(built)
    order = {language.code: place for place, language in enumerate(table())}
    rows = {**kept, **built}
    codes = sorted(set(rows) - {ENGLISH}, key=lambda code: (order.get(code, len(order)), code))
    return {code: rows[code] for code in [*codes, ENGLISH]}


def _check_translator(
    folder: Path, code: str, rows: Sequence[TranslatedRow], translator: str, without: str = ""
) -> None:
    """Raises BadInput for rows of another translator. without: what a folder that is made anew will lack."""
    names = {row.translator.removesuffix(f", {EDITED}") for row in rows} - {translator, HUMAN}
    if names:
        raise BadInput(
            f"{folder} has {code} translated by {', '.join(sorted(names))}, and this run's translator is "
            f"{translator}. It stays as it is: give another --out, or --replace to have it made anew{without}."
        )
