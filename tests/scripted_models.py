"""A teacher and three translators for the loopback server: what they answer follows from the request alone."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from xl_suite.chat.loopback.server import Reply, last_message

PASSAGE = re.compile(r"<passage>\n(.*)\n</passage>", re.DOTALL)
DRAFT = re.compile(r"<response>\n(.*)\n</response>\n\nAnswer in this form", re.DOTALL)
SOURCE = re.compile(r"\n\n<text>(.*)</text>\Z", re.DOTALL)
LANGUAGE = re.compile(r" into ([A-Z][a-z]+)\.")
PROTECTED = re.compile(r"`[^`]*`|https?://\S+|<[^>]*>|\$[^$]*\$|[\w.]+@[\w.]+|\d+")
WORDS = {
    "German": "Die Antwort ist deutlich und wurde sorgfältig geschrieben, damit sie jeder verstehen kann",
    "Hungarian": "A válasz világos és gondosan írták meg, hogy mindenki könnyen megérthesse ezt a mondatot",
}
MODELS = ("translator-a", "translator-b", "translator-c")


def answer(request: dict[str, Any]) -> str | Reply:
    """As a model of the name in the request would answer a prompt of the pipeline."""
    text = last_message(request)
    if request["model"] == "teacher":
        return teach(text)
    return translate(request["model"], text, request.get("temperature", 0.0))


def teach(text: str) -> str:
    if found := PASSAGE.search(text):
        return f"<instruction>What is there to say about {' '.join(found[1].split()[:4])}?</instruction>"
    draft = DRAFT.search(text)
    assert draft is not None, text[-200:]
    instruction = re.search(r"<instruction>\n(.*)\n</instruction>", text, re.DOTALL)
    assert instruction is not None
    return f"<instruction>{instruction[1]} Explain it.</instruction>\n<response>{draft[1]}</response>"


def translate(model: str, text: str, temperature: float) -> str:
    """Words of the language, about as long as the source, with all that has to stay; each model in its own way."""
    source, language = SOURCE.search(text), LANGUAGE.search(text)
    assert source is not None, text[-200:]
    assert language is not None
    words = WORDS[language[1]].split()
    digest = hashlib.blake2b(f"{model}/{text}/{temperature}".encode("utf-8", "surrogatepass")).digest()
    if model == "translator-c" and digest[0] % 4 == 0:
        return source[1]  # a copy, which the guards refuse
    kept = PROTECTED.findall(source[1])
    count = max(2, len(source[1].split()) - len(kept) + digest[1] % 3)
    chosen = [words[digest[number % 60] // (number // 60 + 1) % len(words)] for number in range(count)]
    end = "?" if source[1].rstrip().endswith("?") else "."
    return " ".join([*chosen, *kept]) + end


SENTENCES = (
    "The town of {place} was founded by fishermen who needed a harbour that the winter storms could not reach.",
    "In {year} the council decided that the market should move from the river to the higher ground near the church.",
    "Most of the people who lived there had learned a trade, and many of them worked with wood, rope or iron.",
    "Letters of that time tell of long evenings, of songs, and of the smell of tar that was in every street.",
    "When the railway came, the journey to the capital took {number} hours, and the harbour lost much of its trade.",
    "Today the old houses are used by small shops, by a school of music, and by a library that is open every day.",
    "Visitors of {place} are asked to leave their cars outside the walls and to walk the last part of the way.",
    "The museum, described at https://example.org/{number}, shows how a boat was built from the keel to the mast.",
)


def write_passages(path: Path, count: int) -> Path:
    """A JSONL file of `count` passages in English; every one differs, and they share some sentences."""
    places = (
        "Ardmoor",
        "Belcove",
        "Carrick",
        "Dunlow",
        "Elmhaven",
        "Farholm",
        "Greywick",
        "Hollin",
        "Inverley",
        "Jarrow",
    )
    lines = []
    for number in range(count):
        values = {
            "place": f"{places[number % 10]}{'' if number < 10 else number}",
            "year": str(1600 + 7 * number % 300),
            "number": str(3 + number),
        }
        turn = number % len(SENTENCES)
        chosen = [*SENTENCES[turn:], *SENTENCES[:turn]][:7]
        sentences = [sentence.format(**values) for sentence in chosen]
        text = " ".join(sentences[:3]) + "\n\n" + "\n".join(f"- {one}" for one in sentences[3:5])
        lines.append(json.dumps({"text": text + "\n\n" + " ".join(sentences[5:])}) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path
