"""How the rows built here differ from those of another release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xl_suite.errors import BadInput
from xl_suite.records import BenchmarkRow


@dataclass(frozen=True, slots=True)
class Difference:
    """One language compared, by prompt ID.

    prompt, template, layout: IDs whose prompt or template differs, or only what is between and around them.
    A row whose prompt differs counts there alone. unmatched: places of rows there without a prompt of AlpacaEval.
    """

    language: str
    rows_here: int
    rows_there: int
    only_here: tuple[int, ...]
    only_there: tuple[int, ...]
    prompt: tuple[int, ...]
    template: tuple[int, ...]
    layout: tuple[int, ...]
    unmatched: tuple[int, ...]

    @property
    def same(self) -> bool:
        return not any((self.only_here, self.only_there, self.prompt, self.template, self.layout, self.unmatched))


def compare_rows(
    here: Mapping[str, Sequence[BenchmarkRow]],
    there: Mapping[str, Sequence[BenchmarkRow]],
    unmatched: Mapping[str, Sequence[int]] | None = None,
) -> list[Difference]:
    """The differences of each language that both have. Raises BadInput where they have none in common."""
    shared = [language for language in here if language in there]
    if not shared:
        raise BadInput(f"Nothing to compare: built are {', '.join(here)}, the other has {', '.join(there)}.")
    return [_compare(code, here[code], there[code], (unmatched or {}).get(code, ())) for code in shared]


def _compare(
    language: str, here: Sequence[BenchmarkRow], there: Sequence[BenchmarkRow], unmatched: Sequence[int]
) -> Difference:
    ours, theirs = {row.id: row for row in here}, {row.id: row for row in there}
    both = sorted(ours.keys() & theirs.keys())
    prompt = [n for n in both if ours[n].prompt.strip() != theirs[n].prompt.strip()]
    template = [n for n in both if n not in prompt and ours[n].template != theirs[n].template]
    settled = {*prompt, *template}
    layout = [n for n in both if n not in settled and ours[n].instruction != theirs[n].instruction]
    return Difference(
        language,
        len(here),
        len(there) + len(unmatched),
        tuple(sorted(ours.keys() - theirs.keys())),
        tuple(sorted(theirs.keys() - ours.keys())),
        tuple(prompt),
        tuple(template),
        tuple(layout),
        tuple(unmatched),
    )


def describe(differences: Sequence[Difference], other: str) -> str:
    """The comparison as lines for a person, the IDs of the first few differing rows named."""
    lines = [f"Compared with {other}:"]
    for found in differences:
        if found.same:
            lines.append(f"  {found.language}: all {found.rows_here} rows are the same")
            continue
        lines.append(f"  {found.language}: {found.rows_here} rows here, {found.rows_there} there")
        for what, numbers in (
            ("only here: prompt", found.only_here),
            ("only there: prompt", found.only_there),
            ("another prompt text: prompt", found.prompt),
            ("another template: prompt", found.template),
            ("only another separator or space: prompt", found.layout),
            ("not one of AlpacaEval's prompts, there: record", found.unmatched),
        ):
            if numbers:
                shown = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
                lines.append(f"    {len(numbers):>4} {what} {shown}")
    return "\n".join(lines)
