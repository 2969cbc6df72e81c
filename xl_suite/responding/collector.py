"""The answers of a run as they come: each file is written when its last row has come to an end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.usage import Usage
from xl_suite.failures import update_failed
from xl_suite.provenance import make_entry, write_run
from xl_suite.records import BenchmarkRow
from xl_suite.responding.earlier import read_ids
from xl_suite.responding.outputs import AnsweredRow, FailedRow, write_outputs
from xl_suite.responding.plan import Plan
from xl_suite.responding.strategies import Strategy

logger = logging.getLogger(__name__)
# When more than this share of the first answers ends inside the reasoning, the run says so.
FIRST, SHARE = 50, 0.05


class Collector:
    """Asks a plan's calls and keeps what comes of them. folders: of each sample. asked: what run.json says of it."""

    def __init__(self, plan: Plan, folders: Sequence[Path], generator: str, asked: Mapping[str, Any]):
        self._plan, self._folders, self._generator, self._asked = plan, folders, generator, asked
        self._usage: Usage | None = None
        self._rows = {call.row: row for call, row in zip(plan.calls, plan.rows, strict=True)}
        # Of a file, that is of a sample and a language: the rows that are out, and those that are in.
        self._open = Counter((call.sample, row.language) for call, row in zip(plan.calls, plan.rows, strict=True))
        self._answered: dict[tuple[int, str], list[AnsweredRow]] = {file: [] for file in self._open}
        self._failed: dict[int, list[FailedRow]] = {sample: [] for sample in range(len(folders))}
        self._drafts: dict[str, Answer] = {}
        self._second: list[Call] = []
        self._seen = self._inside = 0

    async def ask(self, client: ChatClient) -> None:
        """Asks all calls, and of a strategy of two calls the second ones after them."""
        self._usage = client.record(lambda call: (call.sample, self._rows[call.row].language))
        if self._plan.strategy.follow is None:
            await client.ask_all(self._plan.calls, self._take)
            return
        await client.ask_all(self._plan.calls, self._take_draft)
        await client.ask_all(self._second, self._take)

    def write_incomplete(self) -> None:
        """Writes what there is, when the run has ended too early."""
        for file, left in self._open.items():
            if left and not self._write_partial(file):
                self._write(file)
        self.write_failed()

    def write_failed(self) -> None:
        for sample, folder in enumerate(self._folders):
            update_failed(folder, map(asdict, self._failed[sample]), self._plan.languages)

    def failed(self) -> list[FailedRow]:
        """The rows of all samples that failed for good, by language and ID."""
        rows = [row for own in self._failed.values() for row in own]
        return sorted(rows, key=lambda row: (self._plan.languages.index(row.language), row.id))

    def answered(self, language: str) -> list[AnsweredRow]:
        return [row for (_, own), rows in self._answered.items() if own == language for row in rows]

    def describe_answered(self) -> dict[str, dict[str, Any]]:
        """Who answered, by file."""
        assert self._usage is not None
        return {f"{language} {sample}": self._usage.describe((sample, language)) for sample, language in self._open}

    def _take_draft(self, call: Call, result: Answer | FailedCall) -> None:
        if isinstance(result, Answer):
            second = self._plan.follow(call, self._rows[call.row], result.text)
            if second is not None:
                self._drafts[call.row] = result
                self._second.append(second)
                return
        self._take(call, result)

    def _take(self, call: Call, result: Answer | FailedCall) -> None:
        row = self._rows[call.row]
        file = call.sample, row.language
        if isinstance(result, FailedCall):
            self._failed[call.sample].append(FailedRow(row.id, row.language, result.reason, result.attempts))
        else:
            self._note_cut(result, call)
            draft = self._drafts.get(call.row)
            self._answered[file].append(_read_answer(self._plan.strategy, row, result, draft))
        self._open[file] -= 1
        if self._open[file] == 0:
            self._write(file)

    def _note_cut(self, answer: Answer, call: Call) -> None:
        """Tells when many of the first answers ended inside their reasoning: they would lose for their budget."""
        self._seen += 1
        if self._seen > FIRST:
            return
        self._inside += answer.finish_reason == "length" and not answer.text.strip()
        if self._seen == min(FIRST, len(self._plan.calls)) and self._inside > SHARE * self._seen:
            logger.warning(
                "%d of the first %d answers ended inside their reasoning, after %d tokens, and are empty: raise "
                "--max-tokens.",
                *(self._inside, self._seen, call.sampling.max_tokens),
            )

    def _write_partial(self, file: tuple[int, str]) -> bool:
        """Whether a file holds rows that this run has not come to; then the file stays, and its own go beside it."""
        path = self._folders[file[0]] / f"{file[1]}.json"
        if not read_ids(path) - {one.row.id for one in self._answered[file]}:
            return False
        if self._answered[file]:
            partial = write_outputs(
                self._folders[file[0]],
                self._answered[file],
                generator=self._generator,
                benchmark=self._plan.benchmark,
                partial=True,
            )
            logger.warning(
                "%s holds more rows than this run, which has stopped early, and stays: see %s.", path, partial
            )
        return True

    def _write(self, file: tuple[int, str]) -> None:
        if self._answered[file]:
            write_outputs(
                self._folders[file[0]],
                self._answered[file],
                generator=self._generator,
                benchmark=self._plan.benchmark,
            )
            assert self._usage is not None
            asked = {**self._asked, "sample": file[0]}
            entry = make_entry("outputs", asked, self._usage.describe(file))
            write_run(self._folders[file[0]], "outputs", {file[1]: entry})


def _read_answer(strategy: Strategy, row: BenchmarkRow, answer: Answer, draft: Answer | None) -> AnsweredRow:
    """The row with its output; of a strategy, what led to it is kept apart."""
    if not strategy.covers(row):
        return AnsweredRow(row, answer.text, answer.finish_reason, answer.reasoning)
    if answer.is_withheld:
        return AnsweredRow(row, "", answer.finish_reason, answer.reasoning)
    if strategy.read is not None:
        output, reasoning = strategy.read(answer.text)
        return AnsweredRow(row, output, answer.finish_reason, reasoning)
    if draft is None:  # the first answer was empty, so there was nothing to translate
        return AnsweredRow(row, "", answer.finish_reason, answer.text)
    cut = "length" in (draft.finish_reason, answer.finish_reason)
    return AnsweredRow(row, answer.text, "length" if cut else answer.finish_reason, draft.text)
