"""XL-Instruct from passages to a dataset: which stages a configuration has, and what each needs (paper, section 4).

Every stage reads the file of the one before it and writes its own; see `stages`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_instruct.config import (
    Config,
    Translator,
    describe_model,
    fingerprint,
    hash_values,
    settings_of,
)
from xl_instruct.stages.asking import STARTED, Asker
from xl_instruct.stages.files import FOLDER, LeftOut, Rounds, StageFile, Summary
from xl_instruct.stages.preparing import Preparation, count_units, prepare_rows, read_decontaminator
from xl_instruct.stages.prompts import load_prompt
from xl_instruct.stages.quality import write_scores
from xl_instruct.stages.streaming import stream_rows
from xl_instruct.stages.teaching import refine, write_instruction
from xl_instruct.stages.translation import Desk, is_unsound, translate_row
from xl_suite.chat.budget import require_price
from xl_suite.chat.client import ChatClient
from xl_suite.chat.models import Model
from xl_suite.chat.settings import ChatOptions

Row = Mapping[str, Any]
Say = Callable[[str], None]
# Calls under way beyond the slots, so that these never wait for the next row.
AHEAD = 256


@dataclass(slots=True)
class Pipeline:
    """The stages of one configuration in one folder. Make it with `open_pipeline`.

    Each method does one stage, unless its file is there, and returns that file (or one for each language).
    """

    config: Config
    out: Path
    asker: Asker
    say: Say
    limit: int | None
    fingerprint: str
    teacher: Model
    translators: tuple[Model, ...]
    rounds: Rounds
    files: list[StageFile] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.out / FOLDER

    def passages(self) -> StageFile:
        """Stage 0: sampled and filtered passages, as rows with `id`, `text`, `passage_id`, `passage_source`."""
        from xl_instruct.corpus.sampling import sample_rows

        file = self._file("passages", settings_of(self.config.passages), self.limit)
        if not file.exists():
            self._begin(file)
            with file.write() as writer:
                for row in sample_rows(self.config.passages, self.limit, writer.summary):
                    writer.add(row)
        self._end(file)
        return file

    def pairs(self) -> StageFile:
        """Stages 1 and 2: rows with `instruction`, `draft` and `response` instead of `text`."""
        passages = self.passages()
        instructions, refined = self.pair_files(passages)
        first, second = (self.rounds.of(file.stage, file.base) for file in (instructions, refined))
        if not (instructions.exists() and refined.exists()):
            with self.asker.serve([self.teacher]) as served:
                for file, source, ask, rounds in (
                    (instructions, passages, write_instruction, first),
                    (refined, instructions, refine, second),
                ):
                    if file.exists():
                        self._end(file)
                        continue
                    self._begin(file)
                    attempts = self.config.attempts * rounds
                    total = source.summary().rows

                    async def work(
                        clients: list[ChatClient],
                        file: StageFile = file,
                        source: StageFile = source,
                        ask: Any = ask,
                        attempts: int = attempts,
                    ) -> None:
                        def one(row: Row, summary: Summary) -> Awaitable[dict[str, Any] | LeftOut]:
                            answer: Awaitable[dict[str, Any] | LeftOut] = ask(
                                row, clients[0], self.config.teacher, attempts, summary
                            )
                            return answer

                        await self._fill(file, source.rows(), one, 1)

                    self.asker.run(served, file.stage, total, work)
                    self._end(file)
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
        file = self._file(
            "prepared", refined.key, settings_of(self.config.splitter), self.config.translation.unit, version
        )
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

    def translated(self, prepared: StageFile) -> dict[str, StageFile]:
        """Stage 3: segments with `candidates`, a file for each language. The files of earlier translators stay."""
        before = dict.fromkeys(self.config.languages, prepared)
        for numbers in self._groups():
            group = [self.config.translators[number] for number in numbers]
            files, rounds = {}, {}
            for language, source in before.items():
                keys = [self._translation_key(number) for number in range(numbers[-1] + 1)]
                stage = f"translated{numbers[-1] + 1}"
                files[language], rounds[language] = self._tried_file(stage, source.key, *keys, language=language)
            missing = [language for language, file in files.items() if not file.exists()]
            if missing:
                self._translate(numbers, group, before, files, rounds, missing)
            for file in files.values():
                self._end(file)
                summary = file.summary()
                self._note_tried(file, summary.quarantined + summary.extra["unsound"])
            before = files
        return before

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
        if self.asker.options.replay is None:
            self.rounds.advance(self.tried)

    def _translate(
        self,
        numbers: Sequence[int],
        group: Sequence[Translator],
        before: Mapping[str, StageFile],
        files: Mapping[str, StageFile],
        rounds: Mapping[str, int],
        missing: Sequence[str],
    ) -> None:
        label = " + ".join(self.translators[number].name for number in numbers)
        total = sum(file.summary().extra.get("segments", 0) for file in (before[code] for code in missing))
        last = numbers[-1] == len(self.translators) - 1

        async def work(clients: list[ChatClient]) -> None:
            desks = [Desk(*desk) for desk in zip(numbers, group, clients, strict=True)]
            for language in missing:
                file = files[language]
                self._begin(file)
                attempts = self.config.translation.attempts * rounds[language]

                async def one(
                    row: Row, summary: Summary, language: str = language, attempts: int = attempts
                ) -> dict[str, Any] | LeftOut:
                    made = await translate_row(row, language, desks, self.config.translation, attempts, summary)
                    if not isinstance(made, LeftOut):
                        summary.extra["segments"] = summary.extra.get("segments", 0) + count_units(made)
                        summary.extra["unsound"] = summary.extra.get("unsound", 0) + is_unsound(made, numbers, last)
                    return made

                await self._fill(file, before[language].rows(), one, len(desks), count_units)

        with self.asker.serve([self.translators[number] for number in numbers]) as served:
            self.asker.run(served, label, total * len(numbers), work)

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
        write_scores(missing, model, options, self.asker.options.journal)
        for file in files.values():
            self._end(file)
        return files

    def _groups(self) -> list[list[int]]:
        """The translators that are asked at the same time, by number: those whose server runs already together,
        one whose server is started alone."""
        groups: list[list[int]] = []
        for number, model in enumerate(self.translators):
            alone = model.kind in STARTED and self.asker.options.replay is None
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
    ) -> None:
        in_flight = 3 * self.asker.options.slots + AHEAD
        with file.write() as writer:
            results: AsyncIterator[dict[str, Any] | LeftOut] = stream_rows(
                rows,
                lambda row: one(row, writer.summary),
                in_flight=in_flight,
                weigh=lambda row: weigh(row) * models,
            )
            async with aclosing(results) as stream:  # type: ignore[type-var]
                async for row in stream:
                    writer.add(row)

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

    def _passages_key(self) -> str:
        return hash_values("passages", "", settings_of(self.config.passages), self.limit)

    def _note_tried(self, file: StageFile, failed: int) -> None:
        if failed:
            self.tried.append((file.stage, file.base))

    def _begin(self, file: StageFile) -> None:
        self.say(f"{file.stage}{' ' + file.language if file.language else ''}: begins")

    def _end(self, file: StageFile) -> None:
        if file not in self.files:
            self.files.append(file)
            self.say(file.summary().describe())


def open_pipeline(
    config: Config, out: Path, options: ChatOptions, *, limit: int | None = None, say: Say = lambda line: None
) -> Pipeline:
    """The stages of `config` in `out`. Reads local models' weights once, for their hash; makes no call."""
    models = (describe_model(config.teacher), *map(describe_model, config.translators))
    if options.budget is not None and options.replay is None:
        for model in models:  # now, not when the models before it have been paid
            if model.kind != "replay":
                require_price(model, options.price)
    return Pipeline(
        config,
        out,
        Asker(options),
        say,
        limit,
        fingerprint(config, limit),
        models[0],
        models[1:],
        Rounds(out / FOLDER),
    )
