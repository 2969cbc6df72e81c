"""XL-Instruct from passages to a dataset: which stages a configuration has, and what each needs (paper, section 4).

Every stage reads the file of the one before it and writes its own; see `stages`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xl_instruct.config import (
    DOCUMENT_PROMPT,
    Config,
    Teacher,
    describe_model,
    fingerprint,
    hash_values,
    settings_of,
)
from xl_instruct.corpus.sampling import sample_rows
from xl_instruct.stages.documents import lacks_sound, translate_document
from xl_instruct.stages.files import FOLDER, LeftOut, Rounds, Row, Slice, StageFile, Summary, note_files
from xl_instruct.stages.preparing import Preparation, count_units, prepare_rows, read_decontaminator
from xl_instruct.stages.prompts import load_prompt
from xl_instruct.stages.quality import write_scores
from xl_instruct.stages.refusals import NearlyAllRefused, Watch
from xl_instruct.stages.streaming import MOST_WAITING, run_together, stream_rows
from xl_instruct.stages.teaching import refine, write_instruction
from xl_instruct.stages.translation import Worker, is_unsound, translate_row
from xl_suite.chat.budget import Budget, check_prices, require_price
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import STARTED, Model
from xl_suite.chat.run import run
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import MOST_IN_BATCHES, ChatOptions
from xl_suite.errors import BadInput

Progress = Callable[[str], None]
Source = StageFile | Slice
Teach = Callable[[Row, ChatClient, Teacher, int, Summary], Awaitable[dict[str, Any] | LeftOut]]
# Calls under way beyond the slots, so that these never wait for the next row.
AHEAD = 256


@dataclass(slots=True)
class Pipeline:
    """The stages of one configuration in one folder. Make it with `open_pipeline`.

    Each method does one stage, unless its file is there, and returns that file (or one for each language).
    ledgers: of the stages that made calls, by their label. budget: one for all of them. own_journal: the journal that
    is replayed is this run's own, which its ranks filled: stages and rounds are those of a run that asks.
    """

    config: Config
    out: Path
    options: ChatOptions
    progress: Progress
    limit: int | None
    fingerprint: str
    teacher: Model
    translators: tuple[Model, ...]
    document: Model | None
    rounds: Rounds
    own_journal: bool = False
    files: list[StageFile] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(self.options.budget)

    @property
    def folder(self) -> Path:
        return self.out / FOLDER

    def passages(self) -> StageFile:
        """Stage 0: sampled and filtered passages, as rows with `id`, `text`, `passage_id`, `passage_source`."""
        file = self.sample_passages()
        self._end(file)
        return file

    def sample_passages(self) -> StageFile:
        """The same, without counting it among the files of the newest run: for an estimate."""
        file = self.passages_file()
        if not file.exists():
            self._begin(file)
            with file.write() as writer:
                for row in sample_rows(self.config.passages, self.limit, writer.summary):
                    writer.add(row)
        return file

    def passages_file(self) -> StageFile:
        """The file of stage 0, there or not."""
        return self._file("passages", settings_of(self.config.passages), self.limit)

    def pairs(self) -> StageFile:
        """Stages 1 and 2: rows with `instruction`, `draft` and `response` instead of `text`."""
        passages = self.passages()
        instructions, refined = self.pair_files(passages)
        if not (instructions.exists() and refined.exists()):
            with StartedServers(self.options) as servers:
                self.teach(instructions, passages, write_instruction, servers)
                self.teach(refined, instructions, refine, servers)
        for file in (instructions, refined):
            self._end(file)
            self._note_tried(file, file.summary().quarantined)
        return refined

    def pair_files(self, passages: StageFile) -> tuple[StageFile, StageFile]:
        """The files of stages 1 and 2, there or not."""
        teacher = settings_of(self.config.teacher, model=self.teacher.key)
        values = (teacher, self.config.attempts)
        instructions, _ = self._tried_file("instructions", passages.key, *values, load_prompt("instruct").sha256)
        refined, _ = self._tried_file("refined", instructions.key, *values, load_prompt("refine").sha256)
        return instructions, refined

    def prepared(self) -> StageFile:
        """The pairs without those that overlap with the benchmark, their responses as `segments`."""
        decontaminator, version = read_decontaminator(self.config.decontaminate)  # before anything is paid for
        refined = self.pairs()
        file = self._prepared_file(refined, version)
        if not file.exists():
            self._begin(file)
            preparation = Preparation(self.config.splitter, self.config.translation.unit, decontaminator)
            with file.write() as writer:
                segments = 0  # of one language
                for row in prepare_rows(refined.rows(), preparation):
                    writer.add(row)
                    if not isinstance(row, LeftOut):
                        segments += count_units(row)
                writer.summary.extra["segments"] = segments
        self._end(file)
        return file

    def prepared_file(self) -> StageFile:
        """The file of the prepared pairs, there or not."""
        _, refined = self.pair_files(self.passages_file())
        return self._prepared_file(refined, read_decontaminator(self.config.decontaminate)[1])

    def translated(self, prepared: StageFile, groups: int | None = None) -> dict[str, StageFile]:
        """Stage 3: segments with `candidates`, a file for each language. The files of earlier translators stay.

        groups: only the first ones of `groups()`.
        """
        before = dict.fromkeys(self.config.languages, prepared)
        for numbers in self.groups()[:groups]:
            files, rounds = self.translation_files(numbers, before)
            missing = [language for language, file in files.items() if not file.exists()]
            if missing:
                with StartedServers(self.options) as servers:
                    self.translate(numbers, before, files, rounds, missing, servers)
            for file in files.values():
                self._end(file)
                summary = file.summary()
                self._note_tried(file, summary.quarantined + summary.extra.get("unsound", 0))
            before = files
        return before

    def translation_files(
        self, numbers: Sequence[int], before: Mapping[str, Source]
    ) -> tuple[dict[str, StageFile], dict[str, int]]:
        """The files of a group of translators, there or not, and the rounds in which their rows are tried."""
        files, rounds = {}, {}
        for language, source in before.items():
            keys = [self._translation_key(number) for number in range(numbers[-1] + 1)]
            stage = f"translated{numbers[-1] + 1}"
            files[language], rounds[language] = self._tried_file(stage, source.key, *keys, language=language)
        return files, rounds

    def documented(self, translated: Mapping[str, StageFile]) -> dict[str, StageFile]:
        """The same with the document arm's candidate for every segment; as they are where there is no such arm."""
        if self.document is None:
            return dict(translated)
        files, rounds = self.document_files(translated)
        missing = [language for language, file in files.items() if not file.exists()]
        if missing:
            with StartedServers(self.options) as servers:
                self.translate_documents(translated, files, rounds, missing, servers)
        for file in files.values():
            self._end(file)
            self._note_tried(file, file.summary().extra.get("unsound", 0))
        return files

    def document_files(self, translated: Mapping[str, Source]) -> tuple[dict[str, StageFile], dict[str, int]]:
        """The files of the document arm, there or not, and the rounds in which their rows are tried."""
        assert self.config.document is not None
        assert self.document is not None
        settings = [settings_of(self.config.document, model=self.document.key), load_prompt(DOCUMENT_PROMPT).sha256]
        settings.append(settings_of(self.config.translation))
        files, rounds = {}, {}
        for language, source in translated.items():
            files[language], rounds[language] = self._tried_file(
                "documented", source.key, *settings, language=language
            )
        return files, rounds

    def scored(self, translated: Mapping[str, StageFile]) -> dict[str, StageFile]:
        """The candidates' scores, a file for each language."""
        return self._score(translated, "scored", self.config.estimation.model, self.config.estimation.options)

    def reported(self, translated: Mapping[str, StageFile]) -> dict[str, StageFile]:
        """The same with the estimator that only reports; none where there is none."""
        if self.config.estimation.report_with is None:
            return {}
        return self._score(
            translated, "reported", self.config.estimation.report_with, self.config.estimation.report_options
        )

    def finish(self) -> None:
        """Counts this run for the rows that are left in quarantine: the next one tries new samples for them."""
        if self.options.replay is None or self.own_journal:
            self.rounds.advance(self.tried)

    def teach(self, file: StageFile, source: Source, teach: Teach, servers: StartedServers) -> None:
        """One of the teacher's stages, unless its file is there."""
        if not file.exists():
            self._begin(file)
            attempts = self.config.attempts * self.rounds.of(file.stage, file.base)

            async def converse(clients: dict[int, ChatClient]) -> None:
                def one(row: Row, summary: Summary) -> Awaitable[dict[str, Any] | LeftOut]:
                    return teach(row, clients[0], self.config.teacher, attempts, summary)

                watch = self._watch(file)
                await self._fill(file, source.rows(), one, 1, watch=watch)

            self._run({0: self.teacher}, converse, file.stage, source.summary().rows, servers)
        self._end(file)

    def translate(
        self,
        numbers: Sequence[int],
        before: Mapping[str, Source],
        files: Mapping[str, StageFile],
        rounds: Mapping[str, int],
        missing: Sequence[str],
        servers: StartedServers,
    ) -> None:
        """One group of translators, by number, for the languages whose file is missing."""
        models = {number: self.translators[number] for number in numbers}
        label = " + ".join(model.name for model in models.values())
        total = sum(before[language].summary().extra.get("segments", 0) for language in missing)

        async def converse(clients: dict[int, ChatClient]) -> None:
            workers = [Worker(number, self.config.translators[number], clients[number]) for number in numbers]

            async def translate(language: str) -> None:
                self._begin(files[language])
                await self._translate_rows(before[language], files[language], workers, rounds[language])

            if self.options.batch is not None:  # one can take a day: those of all languages are out at the same time
                await run_together(map(translate, missing))
                return
            for language in missing:
                await translate(language)

        self._run(models, converse, label, total * len(numbers), servers)

    def translate_documents(
        self,
        translated: Mapping[str, Source],
        files: Mapping[str, StageFile],
        rounds: Mapping[str, int],
        missing: Sequence[str],
        servers: StartedServers,
    ) -> None:
        """The document arm, for the languages whose file is missing."""
        document, model = self.config.document, self.document
        assert document is not None
        assert model is not None

        async def converse(clients: dict[int, ChatClient]) -> None:
            worker = Worker(0, document, clients[0])
            for language in missing:
                self._begin(files[language])
                attempts = self.config.translation.attempts * rounds[language]

                async def one(row: Row, summary: Summary, language: str = language, attempts: int = attempts) -> Any:
                    both = (document, self.config.translation)
                    made = await translate_document(row, language, worker, both, attempts, summary)
                    summary.extra["unsound"] = summary.extra.get("unsound", 0) + lacks_sound(made)
                    return made

                await self._fill(files[language], translated[language].rows(), one, 1)

        total = sum(translated[language].summary().rows for language in missing)
        self._run({0: model}, converse, f"document: {model.name}", total, servers)

    async def _translate_rows(self, source: Source, file: StageFile, workers: Sequence[Worker], rounds: int) -> None:
        attempts = self.config.translation.attempts * rounds
        numbers = [worker.number for worker in workers]
        last = numbers[-1] == len(self.translators) - 1

        async def one(row: Row, summary: Summary) -> dict[str, Any] | LeftOut:
            made = await translate_row(row, file.language, workers, self.config.translation, attempts, summary)
            if not isinstance(made, LeftOut):
                summary.extra["segments"] = summary.extra.get("segments", 0) + count_units(made)
                summary.extra["unsound"] = summary.extra.get("unsound", 0) + is_unsound(made, numbers, last)
            return made

        watch = self._watch(file, [worker.client.model.name for worker in workers])
        await self._fill(file, source.rows(), one, len(workers), count_units, watch)

    def _run(
        self,
        models: Mapping[int, Model],
        conversation: Callable[[dict[int, ChatClient]], Awaitable[None]],
        label: str,
        total: int,
        servers: StartedServers,
    ) -> None:
        ledger = self.ledgers[label] = Ledger()
        run(
            models,
            conversation,
            self._options_for(models.values()),
            label=label,
            total=total,
            servers=servers,
            budget=self.budget,
            ledger=ledger,
        )

    def _options_for(self, models: Iterable[Model]) -> ChatOptions:
        """A model whose server is started for it has no batches: it is asked one by one."""
        if any(model.kind in STARTED for model in models):
            return replace(self.options, batch=None)
        return self.options

    def _score(
        self, translated: Mapping[str, StageFile], stage: str, model: str, options: Mapping[str, Any]
    ) -> dict[str, StageFile]:
        files = {
            code: self._file(stage, file.key, model, dict(options), language=code)
            for code, file in translated.items()
        }
        missing = {code: (translated[code], file) for code, file in files.items() if not file.exists()}
        for _, file in missing.values():
            self._begin(file)
        write_scores(missing, model, options, self.options.journal)
        for file in files.values():
            self._end(file)
        return files

    def groups(self) -> list[list[int]]:
        """The translators that are asked at the same time, by number: those whose server runs already together,
        one whose server is started alone."""
        groups: list[list[int]] = []
        for number, model in enumerate(self.translators):
            alone = model.kind in STARTED and (self.own_journal or self.options.replay is None)
            if groups and not alone and self.translators[groups[-1][-1]].kind not in STARTED:
                groups[-1].append(number)
            else:
                groups.append([number])
        return groups

    def _translation_key(self, number: int) -> list[Any]:
        settings = settings_of(self.config.translation)
        for name in ("mix", "unit"):  # the one counts later, the other before
            settings.pop(name)
        prompts = [load_prompt(name).sha256 for name in ("translate", "translate_in_context")]
        translator = settings_of(self.config.translators[number], model=self.translators[number].key)
        return [settings, prompts, translator]

    async def _fill(
        self,
        file: StageFile,
        rows: Iterable[Row],
        one: Callable[[Row, Summary], Awaitable[dict[str, Any] | LeftOut]],
        models: int,
        weigh: Callable[[Row], int] = lambda row: 1,
        watch: Watch | None = None,
    ) -> None:
        batched = self.options.batch is not None
        in_flight = MOST_IN_BATCHES if batched else 3 * self.options.slots + AHEAD
        with file.write() as writer:
            results: AsyncIterator[dict[str, Any] | LeftOut] = stream_rows(
                rows,
                lambda row: one(row, writer.summary),
                in_flight=in_flight,
                weigh=lambda row: weigh(row) * models,
                most_waiting=in_flight if batched else MOST_WAITING,
            )
            async with aclosing(results) as stream:  # type: ignore[type-var]
                async for row in stream:
                    writer.add(row)
                    if watch is not None:
                        self._look(watch, row, file)

    def _watch(self, file: StageFile, models: Sequence[str] = ()) -> Watch | None:
        share = self.config.stop_at_refused
        return None if share is None else Watch(share, file.stage, file.language, models)

    def _look(self, watch: Watch, row: Row | LeftOut, file: StageFile) -> None:
        try:
            watch.add(row)
        except NearlyAllRefused:
            self._note_tried(file, 1)
            raise

    def _file(self, stage: str, *values: Any, language: str = "") -> StageFile:
        key = hash_values(stage, language, *values)
        return StageFile(self.folder, stage, key, key, language)

    def _tried_file(self, stage: str, source: str, *settings: Any, language: str = "") -> tuple[StageFile, int]:
        """The file of a stage that asks models, and the round in which its rows are tried.

        The round belongs to passages and settings, whatever became of the rows in the stages between.
        """
        base = hash_values(stage, language, self._passages_key(), *settings)
        rounds = self.rounds.of(stage, base)
        return StageFile(self.folder, stage, hash_values(base, source, rounds), base, language), rounds

    def _prepared_file(self, refined: StageFile, version: str) -> StageFile:
        return self._file(
            "prepared", refined.key, settings_of(self.config.splitter), self.config.translation.unit, version
        )

    def _passages_key(self) -> str:
        return hash_values("passages", "", settings_of(self.config.passages), self.limit)

    def _note_tried(self, file: StageFile, failed: int) -> None:
        if failed:
            self.tried.append((file.stage, file.base))

    def _begin(self, file: StageFile) -> None:
        self.progress(f"{file.stage}{' ' + file.language if file.language else ''}: begins")

    def _end(self, file: StageFile) -> None:
        if file not in self.files:
            self.files.append(file)
            note_files(self.folder, self.files)
            self.progress(file.summary().describe())


def open_pipeline(
    config: Config,
    out: Path,
    options: ChatOptions,
    *,
    limit: int | None = None,
    progress: Progress = lambda line: None,
    own_journal: bool = False,
) -> Pipeline:
    """The stages of `config` in `out`. Reads local models' weights once, for their hash; makes no call."""
    models = (describe_model(config.teacher), *map(describe_model, config.translators))
    document = None if config.document is None else describe_model(config.document)
    if options.batch is not None and all(model.kind in STARTED for model in models):
        raise BadInput(
            "--batch: every model of this configuration is a server that the run starts. Leave --batch out."
        )
    if options.replay is None:
        check_prices(options.price, (*models, *([document] if document else [])))
    if options.budget is not None and options.replay is None:
        # Now, not when the models before it have been paid.
        for model in (*models, *([document] if document else [])):
            if model.kind != "replay":
                require_price(model, options.price)
    return Pipeline(
        config,
        out,
        options,
        progress,
        limit,
        fingerprint(config, limit),
        models[0],
        models[1:],
        document,
        Rounds(out / FOLDER),
        own_journal,
    )
