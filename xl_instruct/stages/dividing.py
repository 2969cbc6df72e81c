"""A run as ranks: what it asks is divided into phases, and a phase into shards of rows, each with its own journal.

A rank writes no file of a stage. Whoever goes on puts the phase together: the files are those that one process would
write from the same answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from xl_instruct.config import Config, hash_values
from xl_instruct.stages.asking import Progress
from xl_instruct.stages.files import FOLDER, Slice, StageFile, clear_temporary, lock
from xl_instruct.stages.generate import check_out
from xl_instruct.stages.pipeline import Pipeline, open_pipeline
from xl_instruct.stages.teaching import refine, write_instruction
from xl_suite.chat.locking import hold
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput, Incomplete, ReplayMiss
from xl_suite.executors.parts import PARTS, Tools, gather_parts, name_parts
from xl_suite.executors.running import read_answer
from xl_suite.executors.status import RunStatus, read_status
from xl_suite.executors.units import Unit, list_units
from xl_suite.records import dump_json, write_text

PAIRS, TRANSLATED, DOCUMENTED = "pairs", "translated", "documented"
# Rows of a shard, and what keeps another number for the ranks after the first.
SHARD = 4096
SHARDS = "shards.json"
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Run:
    """A configuration in a folder, as `generate` takes them."""

    config: Config
    out: Path
    options: ChatOptions
    limit: int | None = None
    progress: Progress = lambda line: None

    def open(self, options: ChatOptions | None = None) -> Pipeline:
        return open_pipeline(
            self.config, self.out, options or self.options, limit=self.limit, progress=self.progress, own_journal=True
        )


def list_phases(pipeline: Pipeline) -> list[str]:
    """The phases of a run, in their order: the teacher's two stages, each group of translators, the document arm."""
    groups = [f"{TRANSLATED}:{number}" for number in range(1, len(pipeline.groups()) + 1)]
    return [PAIRS, *groups, *([DOCUMENTED] if pipeline.models.document else [])]


def find_phase(pipeline: Pipeline, name: str) -> int:
    """The place of a phase. Raises BadInput for one that the configuration does not have."""
    phases = list_phases(pipeline)
    if name not in phases:
        raise BadInput(f"--phase {name}: this configuration has {', '.join(phases)}.")
    return phases.index(name)


def find_sources(pipeline: Pipeline, place: int) -> dict[str, StageFile]:
    """The files that a phase reads, there or not, by language; pairs have none."""
    if place == 0:
        return {"": pipeline.passages_file()}
    before: dict[str, StageFile] = dict.fromkeys(pipeline.config.languages, pipeline.prepared_file())
    for numbers in pipeline.groups()[: place - 1]:
        before, _ = pipeline.translation_files(numbers, before)
    return pipeline.document_files(before)[0] if place > 1 + len(pipeline.groups()) else before


def name_label(pipeline: Pipeline, place: int) -> str:
    """Tells the parts of a phase from those of other phases, configurations and rounds."""
    keys = [file.key for file in find_sources(pipeline, place + 1).values()]
    return f"{list_phases(pipeline)[place].replace(':', '-')}-{hash_values(*keys)[:12]}"


def make_sources(run: Run, place: int) -> dict[str, StageFile]:
    """The files that a phase reads, made from what the ranks before were answered where they are not there yet.

    Makes no call. Raises Incomplete where ranks of an earlier phase have left something.
    """
    pipeline = run.open()
    sources = find_sources(pipeline, place)
    if all(file.exists() for file in sources.values()):
        return sources
    with hold(run.options.journal, wait=True):  # one rank makes them, the others wait
        if not all(file.exists() for file in sources.values()):
            if place:
                finish_phase(run, place - 1)
            else:
                with _working(run.out):
                    pipeline.passages()
    return sources


def finish_phase(run: Run, place: int, budget: float | None = None, *, ask: bool = False) -> dict[str, StageFile]:
    """Puts a phase together. ask: asks for what its ranks lack, within so many dollars; else it makes no call.

    Raises Incomplete where calls are missing.
    """

    def work(options: ChatOptions) -> dict[str, StageFile]:
        pipeline = run.open(options)
        with _working(run.out):
            if place == 0:
                return {"": pipeline.prepared()}
            made = pipeline.translated(pipeline.prepared(), place)
            return pipeline.documented(made) if place > len(pipeline.groups()) else made

    label = name_label(run.open(), place)
    options = replace(run.options, budget=budget)
    with hold(run.options.journal, wait=run.options.wait), gather_parts(run.out, label, options) as gathered:
        return work(gathered) if ask else answer_offline(gathered, work)


def answer_offline(options: ChatOptions, work: Callable[[ChatOptions], Value]) -> Value:
    """Does work from the journal alone. Raises Incomplete, which names the first call that is missing."""
    if options.journal is None or not options.journal.exists():
        raise Incomplete("not finished: nothing is answered yet. Run the ranks first, with --rank R/N --phase PHASE.")
    try:
        return work(replace(options, journal=None, replay=options.journal, budget=None))
    except ReplayMiss as error:
        raise Incomplete(
            f"not finished: {error.args[0].partition(':')[0]} is not answered yet. Run the missing ranks of its "
            "phase again, or the command without --finish, which asks for what is missing."
        ) from error


@contextmanager
def gather_all(out: Path, options: ChatOptions) -> Iterator[ChatOptions]:
    """The options of the whole run, whose journal now holds what the ranks of all phases were answered."""
    labels = sorted(entry.name for entry in (out / PARTS).iterdir()) if (out / PARTS).is_dir() else []
    with ExitStack() as stack:
        for label in labels:
            stack.enter_context(gather_parts(out, label, options))
        yield options


def list_shards(sources: Mapping[str, StageFile], folder: Path, rows: int | None = None) -> list[Unit]:
    """The units of a phase: shards of so many rows, set by the data alone. folder: of the phase's parts.

    rows: None for as many as the ranks before had, else for SHARD. Raises BadInput for another number than theirs.
    """
    cut = read_answer(folder / SHARDS).get("rows")
    if isinstance(cut, int) and rows not in (None, cut):
        raise BadInput(f"--shard-rows {rows}: ranks of this phase were run with {cut}. Leave it out, or name {cut}.")
    sizes = {language: file.summary().rows for language, file in sources.items()}
    return list_units(sizes, rows or (cut if isinstance(cut, int) else SHARD))


def read_phases(run: Run) -> dict[str, RunStatus | None]:
    """How far the ranks of each phase are; None where its rows are not made yet."""
    pipeline, found = run.open(), {}
    for place, phase in enumerate(list_phases(pipeline)):
        sources = find_sources(pipeline, place)
        folder = name_parts(run.out, name_label(pipeline, place))
        made = all(file.exists() for file in sources.values())
        found[phase] = read_status(list_shards(sources, folder), folder) if made else None
    return found


def do_shard(pipeline: Pipeline, place: int, source: StageFile, unit: Unit, tools: Tools) -> int:
    """Asks what a shard of a phase needs; the answers stay in its journal. Returns the calls that failed."""
    cut = tools.folder.parent / SHARDS
    if not cut.exists():
        write_text(cut, dump_json({"rows": unit.block}))
    part = replace(pipeline, out=tools.folder / "work", options=tools.options, files=[])
    part.asking.rounds, part.asking.budget = pipeline.asking.rounds, tools.budget
    rows = Slice(source, unit.start, unit.end)
    shutil.rmtree(part.out, ignore_errors=True)
    try:
        if place == 0:
            instructions, refined = part.pair_files(source)
            part.asking.teach(instructions, rows, write_instruction, tools.servers)
            part.asking.teach(refined, instructions, refine, tools.servers)
        elif place <= len(part.groups()):
            numbers, before = part.groups()[place - 1], {unit.language: rows}
            files, rounds = part.translation_files(numbers, before)
            part.asking.translate(numbers, before, files, rounds, [unit.language], tools.servers)
        else:
            files, rounds = part.document_files({unit.language: rows})
            part.asking.translate_documents({unit.language: rows}, files, rounds, [unit.language], tools.servers)
    finally:
        shutil.rmtree(part.out, ignore_errors=True)
    return sum(ledger.failed for ledger in part.asking.ledgers.values())


@contextmanager
def _working(out: Path) -> Iterator[None]:
    """Keeps other runs out of the folder of the stages while files are made there."""
    check_out(out)
    with lock(out / FOLDER):
        clear_temporary(out / FOLDER)
        yield
