"""What a maintainer looks at in results before they are on a leaderboard: each finding a line with its way out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xl_suite.fidelity.repeats import count_repeats, is_constant
from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.judging.pairwise import read_logprobs, read_text
from xl_suite.judging.verdicts import turn
from xl_suite.languages import find_language
from xl_suite.publishing.checks import Findings
from xl_suite.records import BenchmarkRow, ModelOutput

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity
    from xl_suite.judging.annotator import Annotator

# The largest answer and the largest file. 2,048 tokens have about 10,000 characters.
MOST_CHARACTERS = 100_000
MOST_BYTES = 100_000_000
# Metrics are computed anew elsewhere, with other versions of numpy.
TOLERANCE = 1e-6
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Requirements:
    """What results must have. languages: empty for all of the benchmark but `eng`. limit: prompts per language.

    annotator: its name; empty for any. min_fidelity: the least pass rate in each language, 0 to 1.
    """

    languages: tuple[str, ...] = ()
    limit: int | None = None
    annotator: str = ""
    min_fidelity: float = 0.5
    allow_emails: bool = False


def check_outputs(
    language: str, rows: Sequence[BenchmarkRow], outputs: Sequence[ModelOutput], benchmark: str
) -> Iterator[str]:
    """The outputs of one language against the benchmark's rows."""
    asked = {row.id: row for row in rows}
    answered = Counter(row.id for row in outputs)
    missing = [number for number in asked if number not in answered]
    if missing:
        yield (
            f"{language}: {len(missing)} of {len(asked)} prompts have no output ({_list(missing)}). "
            "Run `xl-suite respond` again: it asks only for what is missing."
        )
    doubled = [number for number, times in answered.items() if times > 1]
    if doubled:
        yield f"{language}: {len(doubled)} prompts have several outputs ({_list(doubled)}). Keep one of each."
    strange = [row.id for row in outputs if row.id not in asked]
    if strange:
        yield (
            f"{language}: {len(strange)} outputs are of prompts that the benchmark does not have ({_list(strange)}). "
            "Answer the benchmark named by --benchmark."
        )
    changed = [row.id for row in outputs if row.id in asked and row.instruction != asked[row.id].instruction]
    if changed:
        yield (
            f"{language}: {len(changed)} outputs have another instruction than the benchmark ({_list(changed)}). "
            "Answer the benchmark as it is; another seed or variant is another benchmark."
        )
    named = sorted({row.benchmark for row in outputs} - {benchmark, ""})
    if named:
        yield f"{language}: the outputs are on {', '.join(named)}, and the benchmark is {benchmark}. Name another."
    other = sorted({row.language for row in outputs} - {language, ""})
    if other:
        yield f"{language}: rows say that they are in {', '.join(other)}. Each language has a file of its own."
    long = [row.id for row in outputs if len(row.output) > MOST_CHARACTERS]
    if long:
        yield (
            f"{language}: {len(long)} outputs have more than {MOST_CHARACTERS:,} characters ({_list(long)}). "
            "Run `xl-suite respond` with a limit (--max-tokens)."
        )


def check_annotations(
    language: str,
    outputs: Sequence[ModelOutput],
    reference: Sequence[ModelOutput],
    annotations: Sequence[Annotation],
    *,
    both_orders: bool,
) -> Iterator[str]:
    """The annotations of one language against the answers that they must judge."""
    again = "Run `xl-suite judge` again with these outputs: it pays only for what is missing."
    judged: dict[int | None, list[Annotation]] = {}
    for row in annotations:
        judged.setdefault(row.id, []).append(row)
    own = {row.id: row for row in outputs}
    missing = [number for number in own if number not in judged]
    if missing:
        yield f"{language}: {len(missing)} of {len(own)} outputs are not judged ({_list(missing)}). {again}"
    half = [number for number, rows in judged.items() if both_orders and not _has_both(rows)]
    if half:
        yield f"{language}: {len(half)} prompts are judged in one order only ({_list(half)}). {again}"
    failed = sorted({row.id or 0 for row in annotations if row.has_failed})
    if failed:
        yield f"{language}: {len(failed)} judgements failed ({_list(failed)}). {again}"
    for name, side, text in (
        ("outputs", own, "output_2"),
        ("reference", {row.id: row for row in reference}, "output_1"),
    ):
        differing = [
            row.id
            for row in annotations
            if row.id not in side
            or getattr(row, text) != side[row.id].output
            or row.instruction != side[row.id].instruction
        ]
        if differing:
            yield (
                f"{language}: {len(differing)} annotations judge other texts than the {name} have "
                f"({_list(differing)}). {again}"
            )


def check_names(
    outputs: Mapping[str, Sequence[ModelOutput]],
    annotations: Mapping[str, Sequence[Annotation]],
    base: Mapping[str, Sequence[ModelOutput]],
    required: Requirements,
) -> list[str]:
    """One generator, one annotator, one method and one reference, and the required ones."""
    judged = [row for rows in annotations.values() for row in rows]
    own = {row.generator for rows in outputs.values() for row in rows}
    theirs = {row.generator for rows in base.values() for row in rows}
    problems = []
    for what, names, wanted, option in (
        ("generator", {row.generator_2 for row in judged} | own, own, "the outputs'"),
        ("reference", {row.generator_1 for row in judged} | theirs, theirs, "--reference's"),
        ("annotator", {row.annotator for row in judged}, set(), ""),
        ("method", {row.method for row in judged}, set(), ""),
        ("run (sample)", {str(row.sample) for row in judged}, set(), ""),
    ):
        if len(names) > 1:
            told = f" ({option} is {', '.join(sorted(wanted))})" if wanted else ""
            problems.append(
                f"the results have more than one {what}: {', '.join(sorted(names))}{told}. Scores that differ in it "
                "are never ranked together: judge all of it with one."
            )
    judges = sorted({row.annotator for row in judged})
    if required.annotator and judges and judges != [required.annotator]:
        problems.append(
            f"the annotator is {', '.join(judges)}; {required.annotator} is required. "
            f"Run `xl-suite judge --annotator {required.annotator}`."
        )
    missing = [code for code in outputs if not base[code]]
    if missing:
        problems.append(
            f"the reference has no outputs in {', '.join(missing)}. Name the leaderboard's with --reference."
        )
    return problems


def check_texts(
    outputs: Mapping[str, Sequence[ModelOutput]],
    annotations: Mapping[str, Sequence[Annotation]],
    required: Requirements,
) -> list[str]:
    """Keys and e-mail addresses."""
    found = Findings()
    for code, rows in outputs.items():
        for row in rows:
            found.look(row.output, f"outputs/{code}.json, prompt {row.id},")
    for code, judged in annotations.items():
        for one in judged:
            found.look(f"{one.output_1}\n{one.raw_completion}", f"annotations/{code}.json, prompt {one.id},")
    problems = list(found.keys)
    if found.emails and not required.allow_emails:
        shown = ", ".join(f"{address} ({place.rstrip(',')})" for address, place in list(found.emails.items())[:5])
        problems.append(
            f"{len(found.emails)} e-mail addresses are in the results: {shown}. They will be public: where they are "
            "nobody's, add --allow-emails."
        )
    return problems


def check_repeats(outputs: Mapping[str, Sequence[ModelOutput]]) -> Iterator[str]:
    """Whether one text is said in several languages; within one language `check_fidelity` tells."""
    texts = [row.output for rows in outputs.values() for row in rows]
    repeats = count_repeats(texts)
    if len(outputs) > 1 and is_constant(repeats, len(texts)):
        yield (
            f"{repeats} of {len(texts)} outputs over all languages are one and the same text, or nearly so. Such "
            "outputs are not ranked; submit the model's own answers."
        )


def check_verdicts(language: str, annotations: Sequence[Annotation], annotator: Annotator) -> Iterator[str]:
    """Each preference against what the judge's server sent, which is beside it."""
    differing = []
    for row in annotations:
        read_as = annotator if row.annotator == annotator.name else replace(annotator, exact=False)
        preference = scale_preference(row.preference)
        raw = row.raw_completion if isinstance(row.raw_completion, list) else [row.raw_completion]
        if preference is None or row.order not in ("12", "21") or not all(isinstance(one, Mapping) for one in raw):
            continue
        if row.output_1 == row.output_2:
            found: float | None = 0.5
        else:
            read = [
                read_logprobs((one.get("logprobs") or {}).get("content"), read_as)
                if row.method == "logprobs"
                else read_text(str(one.get("text", "")), annotator)
                for one in raw
            ]
            known = [value for value in read if value is not None]
            mean = sum(known) / len(known) if len(known) == len(read) else None
            found = None if mean is None else scale_preference(turn(mean) if row.order == "21" else mean)
        if found is None or abs(found - preference) > TOLERANCE:
            differing.append(row.id)
    if differing:
        yield (
            f"{language}: {len(differing)} preferences are not what the judge said ({_list(differing)}): "
            "raw_completion gives others. Submit the annotations as `xl-suite judge` wrote them."
        )


def check_fidelity(language: str, fidelity: Fidelity, least: float) -> Iterator[str]:
    """The answers' language, and whether they are answers at all."""
    name, n = find_language(language).name, len(fidelity.verdicts)
    if fidelity.is_constant:
        yield (
            f"{language}: {fidelity.constant} of {n} outputs are one and the same text, or nearly so. "
            "Such outputs fool judges (arXiv 2410.07137) and are not ranked; submit the model's own answers."
        )
    unread = fidelity.n_undetermined + fidelity.n_empty
    if unread > n / 2:
        yield (
            f"{language}: of {unread} of {n} outputs no language can be told: they are empty, too "
            "short or no prose. FidelityKey at them with `xl-suite fidelity OUTPUTS --details FILE`."
        )
    rate = fidelity.pass_rate
    if rate is not None and rate < least:
        shown = Counter(line.language for one in fidelity.verdicts for line in one.lines if line.language != language)
        mostly = f"; most of the others are in {shown.most_common(1)[0][0]}" if shown else ""
        yield (
            f"{language}: {fidelity.n_right} of {n} outputs are right for {name}{mostly} (pass rate {rate:.2f}, "
            f"at least {least:g} needed). Check that these are the outputs for {language}; a lower "
            "--min-fidelity is for the leaderboard's maintainers to grant."
        )


def compare_told(name: str, told: Any, found: Any, advice: str) -> Iterator[str]:
    """What a file beside the results says against what was computed from them; keys that only one has don't count."""
    differences = list(_differ(told, found, ""))
    shared = isinstance(told, dict) and isinstance(found, dict) and set(told) & set(found)
    if not shared:
        yield f"{name} has none of the keys that are expected ({_list(sorted(found))}). {advice}"
    elif differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        shown = "; ".join(f"{key} is {ours} and not {theirs}" for key, theirs, ours in differences[:3])
        yield f"{name} is not what the results give: {shown}{more}. {advice}"


def _differ(told: Any, found: Any, key: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(told, dict) and isinstance(found, dict):
        for name in sorted(set(told) & set(found)):
            yield from _differ(told[name], found[name], f"{key}.{name}" if key else name)
    elif isinstance(told, int | float) and isinstance(found, int | float):
        if not math.isclose(told, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield key, _show(told), _show(found)
    elif told != found:
        yield key, _show(told), _show(found)


def _show(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _has_both(rows: Sequence[Annotation]) -> bool:
    orders = {row.order for row in rows}
    return "both" in orders or {"12", "21"} <= orders


def _list(values: Sequence[Any]) -> str:
    shown = ", ".join(str(value)[:60] for value in values[:_SHOWN])
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
