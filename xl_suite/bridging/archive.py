"""A bridge's archive: all that is needed to fit a bridge later, offline, to a judge that does not exist yet.

It holds the design, the outputs of models and reference, the verdicts with what the judge's server sent, the journal
of its calls as text, what the calls were (run.json), checksums of every file, and a card: a dataset that `xl-suite
publish` takes, with a row for each verdict.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from xl_suite import __version__
from xl_suite.bridging.design import REPEATS, DrawnRow
from xl_suite.bridging.folder import (
    DESIGN,
    JOURNAL,
    JUDGES,
    BridgeDesign,
    hash_file,
    list_annotators,
    read_design,
    read_judge_settings,
    read_verdicts,
)
from xl_suite.chat.journal import Journal
from xl_suite.chat.replay import export_journal
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.languages import find_language
from xl_suite.records import atomic_folder, dump_json, read_object, write_text
from xl_suite.staging import list_entries
from xl_suite.submission.evidence import fingerprint, read_journals

NAME = "judge-bridge"
RUN, SUMS, TEXT_JOURNAL = "run.json", "SHA256SUMS", "journal.jsonl"
COPIED = ("outputs", "reference", "annotations", "repeats", JUDGES)
RUN_FORMAT = 1


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A row of the archive's dataset: one verdict.

    preference: 1 (the reference is better) to 2 (the model is better), None where the judgement failed. repeat: 0, 1
    or 2. raw_completion: what the judge's server sent, as JSON, log probabilities included. probability,
    repeat_probability: with which the row was drawn, and drawn to be judged again.
    """

    id: int | None
    language: str
    instruction: str
    model: str
    family: str
    output: str
    reference: str
    reference_output: str
    annotator: str
    order: str
    repeat: int
    method: str
    preference: float | None
    raw_completion: str
    stratum: str
    probability: float | None
    repeat_probability: float | None


def write_archive(
    bridge: Path, out: Path, *, license: str, replace: bool = False, allow_gaps: bool = False
) -> dict[str, Any]:
    """Writes the archive of a bridge, all at once; what was written, for people.

    replace: an archive at `out` may be written anew. allow_gaps: judgements that failed for good may be missing; the
    archive counts them. Raises BadInput where nothing has been judged, a judgement of the design is missing, there is
    no journal, or `out` holds anything else.
    """
    design = read_design(bridge)
    if out.exists() and (not out.is_dir() or list_entries(out)):
        ours = (out / SUMS).is_file() and (out / DESIGN).is_file()
        if not (ours and replace):
            way = "--replace writes it anew" if ours else "it is left as it is"
            raise BadInput(f"{out} is there already: {way}, or name another folder with --out.")
    journals = find_journals(bridge)
    names = list_annotators(bridge)
    if design.annotator not in names:
        raise BadInput(
            f"{bridge} has no verdicts of {design.annotator}, the judge that is to be replaced. "
            f"`xl-suite bridge collect {bridge} --annotator {design.annotator}` makes them."
        )
    verdicts = {name: [read_verdicts(bridge, design, name, repeat) for repeat in range(REPEATS)] for name in names}
    missing = count_missing(design, verdicts[design.annotator])
    if missing and not allow_gaps:
        raise BadInput(
            f"{missing} judgements of {design.annotator} that the design asks for are not there or failed. Run "
            f"`xl-suite bridge collect {bridge}` to its end, then archive: they cannot be made later. "
            "--allow-gaps archives what is there, where the judge refuses some rows for good."
        )
    rows = make_rows(design, verdicts)
    with atomic_folder(out) as folder:
        configs = {
            language: {"test": [row for row in rows if row.language == language]} for language in design.languages
        }
        run = describe_run(bridge, design, verdicts, journals, license) | {"n_missing": missing}

        def card(metadata: Mapping[str, Any]) -> str:
            return write_card(metadata, design, run, license)

        write_dataset_folder(folder, configs, name=NAME, card=card)
        for name in COPIED:
            if (bridge / name).is_dir():
                shutil.copytree(bridge / name, folder / name)
        shutil.copyfile(bridge / DESIGN, folder / DESIGN)
        write_journal(journals, folder / TEXT_JOURNAL)
        write_text(folder / RUN, dump_json(run))
        listed = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = [f"{hash_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in listed]
        write_text(folder / SUMS, "".join(sums))
    return {
        "folder": str(out),
        "n_verdicts": len(rows),
        "n_missing": missing,
        "n_files": len(sums) + 1,
        "annotators": names,
        **run["journal"],
    }


def find_journals(folder: Path) -> list[Path]:
    """The journals of a bridge: its own, and the text of an archive. Raises BadInput where there is neither."""
    found = [folder / name for name in (JOURNAL, TEXT_JOURNAL) if (folder / name).is_file()]
    if not found:
        raise BadInput(
            f"{folder} has no journal ({JOURNAL}), which holds what the judge's server sent. If it was kept "
            f"elsewhere (--journal), copy it to {folder / JOURNAL}."
        )
    return found


def write_journal(journals: Sequence[Path], path: Path) -> None:
    """The answers of the journals as text; each line once."""
    lines: set[str] = set()
    for journal in journals:
        if journal.name != TEXT_JOURNAL:
            export_journal(journal, path)
            journal = path
        lines.update(line for line in journal.read_text(encoding="utf-8").split("\n") if line)
    # What it knows of its models comes first, where it is looked for.
    facts = {line for line in lines if line.startswith('{"fact":')}
    write_text(path, "".join(f"{line}\n" for line in (*sorted(facts), *sorted(lines - facts))))


def count_missing(design: BridgeDesign, verdicts: Sequence[Sequence[Annotation]]) -> int:
    """How many judgements of the design, both orders and all repeats, are not there."""
    missing = 0
    for repeat, rows in enumerate(verdicts):
        made = {(row.generator_2, row.language, row.prompt, row.order) for row in rows if row.preference is not None}
        wanted = {
            (row.model, row.language, row.prompt, order)
            for row in design.rows
            if row.repeated or repeat == 0
            for order in ("12", "21")
        }
        missing += len(wanted - made)
    return missing


def make_rows(design: BridgeDesign, verdicts: Mapping[str, Sequence[Sequence[Annotation]]]) -> list[VerdictRow]:
    families = {one.model: one.family for one in design.models}
    drawn: dict[tuple[str, str, int | str], DrawnRow] = {
        (row.model, row.language, row.prompt): row for row in design.rows
    }
    rows = []
    for _, repeats in sorted(verdicts.items()):
        for repeat, made in enumerate(repeats):
            for one in made:
                planned = drawn[one.generator_2, one.language, one.prompt]
                raw = json.dumps(one.raw_completion, ensure_ascii=True, sort_keys=True)
                rows.append(
                    VerdictRow(
                        id=one.id,
                        language=one.language,
                        instruction=one.instruction,
                        model=one.generator_2,
                        family=families[one.generator_2],
                        output=one.output_2,
                        reference=one.generator_1,
                        reference_output=one.output_1,
                        annotator=one.annotator,
                        order=one.order,
                        repeat=repeat,
                        method=one.method,
                        preference=one.preference,
                        raw_completion=raw,
                        stratum=planned.stratum,
                        probability=planned.probability,
                        repeat_probability=planned.repeat_probability,
                    )
                )
    return rows


def describe_run(
    bridge: Path,
    design: BridgeDesign,
    verdicts: Mapping[str, Sequence[Sequence[Annotation]]],
    journals: Sequence[Path],
    license: str,
) -> dict[str, Any]:
    """run.json: who judged, with which prompt and settings, when, and a fingerprint of the journal."""
    calls = list({call.key: call for call in read_journals(journals)}.values())
    times = list_times(journals)
    judges = {}
    for name, repeats in verdicts.items():
        rows = [row for one in repeats for row in one]
        judges[name] = {
            "n_verdicts": len(rows),
            "n_failed": sum(row.has_failed for row in rows),
            "methods": sorted({row.method for row in rows}),
            "order": "both",
            "repeats": REPEATS,
            **read_judge_settings(bridge, name),
        }
    return {
        "format": RUN_FORMAT,
        "replaces": design.annotator,
        "reference": design.reference,
        "license": license,
        "judges": judges,
        "journal": {
            "calls": len(calls),
            "fingerprint": fingerprint(calls),
            "models_asked": sorted({call.model for call in calls}),
            "models_answered": sorted({call.answer.model for call in calls} - {""}),
            "first_call": min(times, default=None),
            "last_call": max(times, default=None),
        },
        "versions": {"xl-suite": __version__, "python": platform.python_version()},
        "archived": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def list_times(journals: Sequence[Path]) -> list[str]:
    """When the calls were made, in UTC. An archive's text has no times; its run.json has the first and the last."""
    times = []
    for path in journals:
        if path.name == TEXT_JOURNAL:
            told = path.with_name(RUN)
            earlier = read_object(told).get("journal") if told.is_file() else None
            found = earlier if isinstance(earlier, dict) else {}
            times += [str(found[name]) for name in ("first_call", "last_call") if found.get(name)]
        else:
            with Journal(path, read_only=True) as journal:
                stamps = [stored.time for stored in journal.answers()]
            times += [datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for stamp in stamps]
    return times


def write_card(metadata: Mapping[str, Any], design: BridgeDesign, run: Mapping[str, Any], license: str) -> str:
    template = (files("xl_suite.bridging") / "card.md").read_text(encoding="utf-8")
    families = {one.family for one in design.models}
    judges = [
        f"| `{name}` | {one['n_verdicts']} | {one['n_failed']} | {', '.join(one['methods'])} |"
        for name, one in run["judges"].items()
    ]
    counts = {code: sum(row.language == code for row in design.rows) for code in design.languages}
    repeated = {code: sum(row.language == code and row.repeated for row in design.rows) for code in design.languages}
    journal = run["journal"]
    return render_card(
        template,
        {
            **metadata,
            "license": license,
            "language": [name_language(find_language(code)) for code in design.languages],
        },
        {
            "annotator": escape(design.annotator),
            "reference": escape(design.reference),
            "n_models": str(len(design.models)),
            "n_families": str(len(families)),
            "models": "\n".join(f"| {escape(one.model)} | {escape(one.family)} |" for one in design.models),
            "judges": "\n".join(judges),
            "languages": "\n".join(f"| `{code}` | {counts[code]} | {repeated[code]} |" for code in design.languages),
            "drawn_by": ", ".join(design.drawn_by),
            "dates": f"{journal['first_call']} to {journal['last_call']}"
            if journal["first_call"]
            else "not recorded",
            "answered": ", ".join(f"`{escape(name)}`" for name in journal["models_answered"]) or "not said",
            "fingerprint": journal["fingerprint"],
        },
    )


def escape(text: str) -> str:
    """A name that came from a file, on one line of a table in Markdown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
