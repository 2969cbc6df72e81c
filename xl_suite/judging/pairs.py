"""Pairs of answers to one instruction, joined from outputs and reference outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xl_suite.chat.answers import WITHHELD
from xl_suite.errors import BadInput
from xl_suite.languages import parse_languages
from xl_suite.records import ModelOutput

# The placeholder for the language in the names of rows without one.
NO_LANGUAGE = "row"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one instruction: the reference's (1) and the model's (2).

    withheld: whose answer a moderation withheld, `model`, `reference` or `both`; or empty.
    finish_reason_1, finish_reason_2: why the answers ended, as in `ModelOutput`; empty where it is not known.
    """

    id: int | None
    dataset: str
    language: str
    instruction: str
    output_1: str
    generator_1: str
    output_2: str
    generator_2: str
    benchmark: str = ""
    withheld: str = ""
    finish_reason_1: str = ""
    finish_reason_2: str = ""

    @property
    def needs_judge(self) -> bool:
        """Whether a judge must be asked: both answers are there, and differ."""
        return not self.withheld and self.output_1 != self.output_2

    @property
    def prompt(self) -> int | str:
        """What tells prompts apart: the ID, or else the instruction."""
        return self.instruction if self.id is None else self.id

    @property
    def row(self) -> str:
        """How messages name the pair: `deu/17`."""
        return name_row(self.language, self.prompt)


def name_row(language: str, prompt: int | str) -> str:
    return f"{language or NO_LANGUAGE}/{str(prompt)[:40]}"


def join_outputs(
    outputs: Sequence[ModelOutput], reference: Sequence[ModelOutput], language: str, *, allow_partial: bool = False
) -> list[Pair]:
    """The pairs of one language, joined on `id`, or on `instruction` where a file has no IDs.

    Raises BadInput, listing the rows, where one side lacks a row or has it twice; `allow_partial` goes on with
    the rows that both have. A row with another instruction under the same ID is always an error.
    """
    on = "id" if all(row.id is not None for row in (*outputs, *reference)) else "instruction"
    sides = [_index(rows, on, name) for rows, name in ((outputs, "outputs"), (reference, "reference"))]
    model, base = sides
    problems = [
        f"{len(missing)} rows are not in the {name}: {_list(missing)}"
        for name, missing in (
            ("reference", [key for key in model if key not in base]),
            ("outputs", [key for key in base if key not in model]),
        )
        if missing
    ]
    shared = [key for key in base if key in model]
    if not shared:
        raise BadInput(
            f"{language or 'outputs'}: outputs and reference have no {on} in common: {'; '.join(problems)}."
        )
    if problems and not allow_partial:
        raise BadInput(
            f"{language or 'outputs'}: {'; '.join(problems)}. --allow-partial judges the {len(shared)} others."
        )
    differing = [key for key in shared if model[key].instruction != base[key].instruction]
    if differing:
        raise BadInput(
            f"{language or 'outputs'}: outputs and reference have different instructions under the IDs "
            f"{_list(differing)}. Both must answer the same benchmark, with the same seed."
        )
    return [
        Pair(
            id=row.id,
            dataset=row.dataset,
            language=language,
            instruction=row.instruction,
            output_1=base[key].output,
            generator_1=base[key].generator,
            output_2=row.output,
            generator_2=row.generator,
            benchmark=row.benchmark or base[key].benchmark,
            withheld=_name_withheld(row, base[key]),
            finish_reason_1=base[key].finish_reason,
            finish_reason_2=row.finish_reason,
        )
        for key, row in ((key, model[key]) for key in shared)
    ]


def _name_withheld(model: ModelOutput, reference: ModelOutput) -> str:
    sides = [name for name, row in (("model", model), ("reference", reference)) if row.finish_reason == WITHHELD]
    return "both" if len(sides) > 1 else "".join(sides)


def _index(rows: Sequence[ModelOutput], on: str, name: str) -> dict[int | str, ModelOutput]:
    index: dict[int | str, ModelOutput] = {}
    doubled = []
    for row in rows:
        key = getattr(row, on)
        if key in index:
            doubled.append(key)
        index[key] = row
    if doubled:
        raise BadInput(f"{name}: {len(doubled)} rows have the {on} of another row: {_list(doubled)}.")
    generators = {row.generator for row in rows}
    if len(generators) > 1:
        raise BadInput(f"{name}: outputs of several generators in one file: {_list(sorted(generators))}.")
    return index


def _list(keys: Sequence[int | str], most: int = 10) -> str:
    shown = ", ".join(str(key) if isinstance(key, int) else repr(key[:60]) for key in keys[:most])
    return shown + (f" and {len(keys) - most} more" if len(keys) > most else "")


def pair_outputs(
    outputs: Mapping[str, Sequence[ModelOutput]],
    reference: Mapping[str, Sequence[ModelOutput]],
    *,
    languages: str = "all",
    allow_partial: bool = False,
) -> dict[str, list[Pair]]:
    """The pairs of every language that the outputs have, or of `languages`.

    Raises BadInput for a language that either side lacks, and as `join_outputs`.
    """
    known = list(outputs)
    wanted = known if languages == "all" else [language.code for language in parse_languages(languages, known)]
    for name, side in (("outputs", outputs), ("reference", reference)):
        missing = [code for code in wanted if code not in side]
        if missing:
            found = ", ".join(code or "(language not named)" for code in side)
            hint = " Name the language of rows that name none: --language CODE." if "" in side else ""
            raise BadInput(
                f"no {', '.join(code or '(language not named)' for code in missing)} in the {name}, which "
                f"{'have' if name == 'outputs' else 'has'}: {found}.{hint}"
            )
    return {code: join_outputs(outputs[code], reference[code], code, allow_partial=allow_partial) for code in wanted}
