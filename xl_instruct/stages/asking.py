"""The stages that ask models: each fills the file of a stage from the rows of the one before (paper, section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from xl_instruct.config import Config, Teacher
from xl_instruct.stages.documents import lacks_sound, translate_document
from xl_instruct.stages.files import LeftOut, Rounds, Row, Slice, StageFile, Summary
from xl_instruct.stages.preparing import count_units
from xl_instruct.stages.refusals import NearlyAllRefused, Watch
from xl_instruct.stages.streaming import MOST_WAITING, run_together, stream_rows
from xl_instruct.stages.translation import Worker, is_unsound, translate_row
from xl_suite.chat.budget import Budget
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import STARTED, Model
from xl_suite.chat.run import run
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import MOST_IN_BATCHES, ChatOptions

Progress = Callable[[str], None]
Source = StageFile | Slice
Teach = Callable[[Row, ChatClient, Teacher, int, Summary], Awaitable[dict[str, Any] | LeftOut]]
# Calls under way beyond the slots, so that these never wait for the next row.
AHEAD = 256


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a configuration. document: of the document arm, where there is one."""

    teacher: Model
    translators: tuple[Model, ...]
    document: Model | None = None

    def list_all(self) -> tuple[Model, ...]:
        return (self.teacher, *self.translators, *([self.document] if self.document else []))


@dataclass(slots=True)
class Asking:
    """Asks the models of a configuration. budget: of all its calls. ledgers: by the label of a stage.

    tried: stage and base of the files in which rows failed, whose next round takes new samples.
    """

    config: Config
    options: ChatOptions
    models: Models
    rounds: Rounds
    progress: Progress
    budget: Budget
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    tried: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, file: StageFile) -> None:
        self.progress(f"{file.stage}{' ' + file.language if file.language else ''}: begins")

    def teach(self, file: StageFile, source: Source, teach: Teach, servers: StartedServers) -> None:
        """One of the teacher's stages, unless its file is there."""
        if not file.exists():
            self.begin(file)
            attempts = self.config.attempts * self.rounds.of(file.stage, file.base)

            async def converse(clients: dict[int, ChatClient]) -> None:
                def one(row: Row, summary: Summary) -> Awaitable[dict[str, Any] | LeftOut]:
                    return teach(row, clients[0], self.config.teacher, attempts, summary)

                watch = self._watch(file)
                await self._fill(file, source.rows(), one, 1, watch=watch)

            self._run({0: self.models.teacher}, converse, file.stage, source.summary().rows, servers)

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
        models = {number: self.models.translators[number] for number in numbers}
        label = " + ".join(model.name for model in models.values())
        total = sum(before[language].summary().extra.get("segments", 0) for language in missing)

        async def converse(clients: dict[int, ChatClient]) -> None:
            workers = [Worker(number, self.config.translators[number], clients[number]) for number in numbers]

            async def translate(language: str) -> None:
                self.begin(files[language])
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
        document, model = self.config.document, self.models.document
        assert document is not None
        assert model is not None

        async def converse(clients: dict[int, ChatClient]) -> None:
            worker = Worker(0, document, clients[0])
            for language in missing:
                self.begin(files[language])
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
        last = numbers[-1] == len(self.models.translators) - 1

        async def one(row: Row, summary: Summary) -> dict[str, Any] | LeftOut:
            made = await translate_row(row, file.language, workers, self.config.translation, attempts, summary)
            if not isinstance(made, LeftOut):
                summary.extra["segments"] = summary.extra.get("segments", 0) + count_units(made)
                summary.extra["unsound"] = summary.extra.get("unsound", 0) + is_unsound(made, numbers, last)
            return made

        watch = self._watch(file, [worker.client.model.name for worker in workers])
        await self._fill(file, source.rows(), one, len(workers), count_units, watch)

    def note_tried(self, file: StageFile, failed: int) -> None:
        if failed:
            self.tried.append((file.stage, file.base))

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
            self.note_tried(file, 1)
            raise
