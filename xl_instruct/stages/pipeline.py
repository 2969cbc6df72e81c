"""XL-Instruct from passages to a dataset: which stages a configuration has, and what each needs (paper, section 4).

Every stage reads the file of the one before it and writes its own; see `stages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_instruct.config import (
    DOCUMENT_PROMPT,
    Config,
    describe_model,
    fingerprint,
    hash_values,
    settings_of,
)
from xl_instruct.corpus.sampling import sample_rows
from xl_instruct.stages.asking import Asking, Models, Progress, Source
from xl_instruct.stages.files import FOLDER, LeftOut, Rounds, StageFile, note_files
from xl_instruct.stages.preparing import Preparation, count_units, prepare_rows, read_decontaminator
from xl_instruct.stages.prompts import load_prompt
from xl_instruct.stages.quality import write_scores
from xl_instruct.stages.teaching import refine, write_instruction
from xl_suite.chat.budget import Budget, check_prices, require_price
from xl_suite.chat.models import STARTED
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput


@dataclass(slots=True)
class Pipeline:
    """The stages of one configuration in one folder. Make it with `open_pipeline`.

    Each method does one stage, unless its file is there, and returns that file (or one for each language).
    own_journal: the journal that is replayed is this run's own, which its ranks filled: stages and rounds are those
    of a run that asks.
    """

    config: Config
    out: Path
    options: ChatOptions
    progress: Progress
    limit: int | None
    fingerprint: str
    models: Models
    own_journal: bool = False
    files: list[StageFile] = field(default_factory=list)
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        rounds, budget = Rounds(self.folder), Budget(self.options.budget)
        self.asking = Asking(self.config, self.options, self.models, rounds, self.progress, budget)

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
            self.asking.begin(file)
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
                self.asking.teach(instructions, passages, write_instruction, servers)
                self._end(instructions)
                self.asking.teach(refined, instructions, refine, servers)
        for file in (instructions, refined):
            self._end(file)
            self.asking.note_tried(file, file.summary().quarantined)
        return refined

    def pair_files(self, passages: StageFile) -> tuple[StageFile, StageFile]:
        """The files of stages 1 and 2, there or not."""
        teacher = settings_of(self.config.teacher, model=self.models.teacher.key)
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
            self.asking.begin(file)
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
                    self.asking.translate(numbers, before, files, rounds, missing, servers)
            for file in files.values():
                self._end(file)
                summary = file.summary()
                self.asking.note_tried(file, summary.quarantined + summary.extra.get("unsound", 0))
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
        if self.models.document is None:
            return dict(translated)
        files, rounds = self.document_files(translated)
        missing = [language for language, file in files.items() if not file.exists()]
        if missing:
            with StartedServers(self.options) as servers:
                self.asking.translate_documents(translated, files, rounds, missing, servers)
        for file in files.values():
            self._end(file)
            self.asking.note_tried(file, file.summary().extra.get("unsound", 0))
        return files

    def document_files(self, translated: Mapping[str, Source]) -> tuple[dict[str, StageFile], dict[str, int]]:
        """The files of the document arm, there or not, and the rounds in which their rows are tried."""
        document, model = self.config.document, self.models.document
        assert document is not None
        assert model is not None
        settings = [settings_of(document, model=model.key), load_prompt(DOCUMENT_PROMPT).sha256]
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
            self.asking.rounds.advance(self.asking.tried)

    def _score(
        self, translated: Mapping[str, StageFile], stage: str, model: str, options: Mapping[str, Any]
    ) -> dict[str, StageFile]:
        files = {
            code: self._file(stage, file.key, model, dict(options), language=code)
            for code, file in translated.items()
        }
        missing = {code: (translated[code], file) for code, file in files.items() if not file.exists()}
        for _, file in missing.values():
            self.asking.begin(file)
        write_scores(missing, model, options, self.options.journal)
        for file in files.values():
            self._end(file)
        return files

    def groups(self) -> list[list[int]]:
        """The translators that are asked at the same time, by number: those whose server runs already together,
        one whose server is started alone."""
        groups: list[list[int]] = []
        for number, model in enumerate(self.models.translators):
            alone = model.kind in STARTED and (self.own_journal or self.options.replay is None)
            if groups and not alone and self.models.translators[groups[-1][-1]].kind not in STARTED:
                groups[-1].append(number)
            else:
                groups.append([number])
        return groups

    def _translation_key(self, number: int) -> list[Any]:
        settings = settings_of(self.config.translation)
        for name in ("mix", "unit"):  # the one counts later, the other before
            settings.pop(name)
        prompts = [load_prompt(name).sha256 for name in ("translate", "translate_in_context")]
        translator = settings_of(self.config.translators[number], model=self.models.translators[number].key)
        return [settings, prompts, translator]

    def _file(self, stage: str, *values: Any, language: str = "") -> StageFile:
        key = hash_values(stage, language, *values)
        return StageFile(self.folder, stage, key, key, language)

    def _tried_file(self, stage: str, source: str, *settings: Any, language: str = "") -> tuple[StageFile, int]:
        """The file of a stage that asks models, and the round in which its rows are tried.

        The round belongs to passages and settings, whatever became of the rows in the stages between.
        """
        base = hash_values(stage, language, self._passages_key(), *settings)
        rounds = self.asking.rounds.of(stage, base)
        return StageFile(self.folder, stage, hash_values(base, source, rounds), base, language), rounds

    def _prepared_file(self, refined: StageFile, version: str) -> StageFile:
        return self._file(
            "prepared", refined.key, settings_of(self.config.splitter), self.config.translation.unit, version
        )

    def _passages_key(self) -> str:
        return hash_values("passages", "", settings_of(self.config.passages), self.limit)

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
    document = None if config.document is None else describe_model(config.document)
    models = Models(describe_model(config.teacher), tuple(map(describe_model, config.translators)), document)
    if options.batch is not None and all(model.kind in STARTED for model in models.list_all()):
        raise BadInput(
            "--batch: every model of this configuration is a server that the run starts. Leave --batch out."
        )
    if options.replay is None:
        check_prices(options.price, models.list_all())
        if options.budget is not None:
            for model in models.list_all():  # now, not when the models before it have been paid
                if model.kind != "replay":
                    require_price(model, options.price)
    return Pipeline(config, out, options, progress, limit, fingerprint(config, limit), models, own_journal)
