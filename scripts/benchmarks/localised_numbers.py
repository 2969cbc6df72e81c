"""How often the comparison of numbers refuses human translations, and how often it lets a changed value pass.

    python scripts/benchmarks/localised_numbers.py --ntrex DIR --pud DIR [--list]

Neither text is part of this repository. NTREX is https://github.com/MicrosoftTranslator/NTREX (CC BY-SA 4.0),
English into eleven languages; the rules were tuned on it. PUD is the parallel treebanks of Universal Dependencies
(CC BY-SA 3.0), whose sentences are in seven of these languages: the folder holds the eight files
`*_pud-ud-test.conllu` of https://github.com/UniversalDependencies/UD_German-PUD and so on. Its documents with odd
numbers were used to tune, those with even numbers measure, and --list does not show these. Sentences with a digit in
the source, from English and into it. Each pair is judged as it is, and once more with one value changed: one digit of
a number that source and translation share. Ends with status 1 where more than 2 % of a pool are wrong.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from xl_suite.languages import find_language
from xl_suite.scoring.shares import bound_share
from xl_suite.translation.numbers import compare_numbers
from xl_suite.translation.values import to_ascii_digits

LANGUAGES = ("deu", "por", "hun", "lit", "gle", "mlt", "zho", "hin", "fra", "fin", "tur")
BAR = 0.02
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")

Pairs = Iterator[tuple[str, str, list[tuple[str, str]]]]


def read_ntrex(folder: Path) -> Pairs:
    """(source language, language, pairs) in both directions."""
    data = folder / "NTREX-128"
    english = (data / "newstest2019-src.eng.txt").read_text(encoding="utf-8").splitlines()
    for code in LANGUAGES:
        name = "zho-CN" if code == "zho" else code
        other = (data / f"newstest2019-ref.{name}.txt").read_text(encoding="utf-8").splitlines()
        yield from _pair(code, list(zip(english, other, strict=True)))


def read_pud(folder: Path, measured: bool) -> Pairs:
    """(source language, language, pairs) in both directions."""
    english = _read_treebank(folder / "en_pud-ud-test.conllu")
    for code in LANGUAGES:
        file = folder / f"{find_language(code).code2}_pud-ud-test.conllu"
        if file.is_file():
            other = _read_treebank(file)
            mine = [number for number in english if number in other and (int(number[1:6]) % 2 == 0) == measured]
            yield from _pair(code, [(english[number], other[number]) for number in mine])


def _pair(code: str, both: list[tuple[str, str]]) -> Pairs:
    yield "eng", code, [pair for pair in both if _NUMBER.search(pair[0])]
    yield code, "eng", [(two, one) for one, two in both if _NUMBER.search(two)]


def _read_treebank(file: Path) -> dict[str, str]:
    texts, number = {}, ""
    for line in file.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" = ")
        if key == "# sent_id":
            number = value.strip()
        elif key == "# text":
            texts[number] = value.strip()
    return texts


def change_value(source: str, translation: str, draw: random.Random) -> str | None:
    """The translation with one digit changed of a number that both sides write alike; None where there is none."""
    source, translation = to_ascii_digits(source), to_ascii_digits(translation)
    known = Counter(re.sub(r"\D", "", number) for number in _NUMBER.findall(source))
    shared = [found for found in _NUMBER.finditer(translation) if known[re.sub(r"\D", "", found[0])]]
    if not shared:
        return None
    found = draw.choice(shared)
    places = [place for place in range(*found.span()) if translation[place].isdigit()]
    place = draw.choice(places)
    digit = draw.choice(
        [d for d in "0123456789" if d != translation[place] and not (d == "0" and place == places[0])]
    )
    return translation[:place] + digit + translation[place + 1 :]


def measure(name: str, pools: Pairs, shown: bool) -> bool:
    """Print the table of a text; whether a pool misses the bar."""
    totals: Counter[str] = Counter()
    seconds = 0.0
    print(f"| {name}: from | into | pairs | refused | % | flagged | changed | passed | % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for own, language, pairs in pools:
        draw = random.Random(f"{own}-{language}")
        count: Counter[str] = Counter()
        for source, translation in pairs:
            begun = time.process_time()
            verdict = compare_numbers(source, translation, language, own)
            seconds += time.process_time() - begun
            count.update(pairs=1, refused=bool(verdict.lost), flagged=bool(verdict.flags) and not verdict.lost)
            if shown and verdict.lost:
                print(f"refused {own}-{language} {verdict.lost}: {source} | {translation}")
            changed = change_value(source, translation, draw)
            if changed is None:
                continue
            verdict = compare_numbers(source, changed, language, own)
            count.update(changed=1, passed=not verdict.lost)
            if shown and not verdict.lost:
                print(f"passed {own}-{language} {verdict.flags}: {source} | {translation} | {changed}")
        totals += count
        _print_row(own, language, count)
    _print_row("all", "", totals)
    missed = False
    for kind, total in (("refused", "pairs"), ("passed", "changed")):
        share, bound = totals[kind] / totals[total], bound_share(totals[kind], totals[total])
        missed |= share > BAR
        print(f"{kind}: {100 * share:.2f} % of {totals[total]:,}, upper bound {100 * bound:.2f} %")
    print(f"{totals['pairs'] / seconds:,.0f} pairs a CPU-second", file=sys.stderr)
    return missed


def _print_row(own: str, language: str, count: Counter[str]) -> None:
    refused, passed = 100 * count["refused"] / count["pairs"], 100 * count["passed"] / count["changed"]
    print(
        f"| {own} | {language} | {count['pairs']} | {count['refused']} | {refused:.1f} | {count['flagged']} "
        f"| {count['changed']} | {count['passed']} | {passed:.1f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ntrex", type=Path, metavar="DIR")
    parser.add_argument("--pud", type=Path, metavar="DIR")
    parser.add_argument("--list", action="store_true", help="print each wrong verdict")
    args = parser.parse_args()
    if not (args.ntrex or args.pud):
        parser.error("name a text: --ntrex DIR, --pud DIR")
    missed = [measure("PUD, even", read_pud(args.pud, True), False)] if args.pud else []
    missed += [measure("PUD, odd", read_pud(args.pud, False), args.list)] if args.pud else []
    missed += [measure("NTREX", read_ntrex(args.ntrex), args.list)] if args.ntrex else []
    return int(any(missed))


if __name__ == "__main__":
    sys.exit(main())
