"""The command lines that the self-test stops and repeats: every verb that writes, on the demo's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from xl_suite.chat.loopback.server import Reply, Script
from xl_suite.demo.steps import run_demo

SLOTS = 4
# Stands for the loopback server's address in a command line.
URL = "URL"


@dataclass(frozen=True, slots=True)
class Case:
    """A command line whose run is stopped. before: what has to run first, once. paid: whether it asks a model."""

    name: str
    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    paid: bool = False

    def at(self, url: str) -> Case:
        """With the server's address in place of URL."""

        def place(words: Sequence[str]) -> tuple[str, ...]:
            return tuple(word.replace(URL, url) for word in words)

        return Case(self.name, place(self.command), tuple(place(words) for words in self.before), self.paid)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _paid(name: str, text: str, *before: str) -> Case:
    return Case(name, (*_words(text), "--slots", str(SLOTS)), tuple(_words(line) for line in before), paid=True)


def _free(name: str, text: str, *before: str) -> Case:
    return Case(name, _words(text), tuple(_words(line) for line in before))


_PAIR = "demo-out/outputs/demo-good --reference demo-out/outputs/demo-slips"
_RESPOND = f"respond demo-out/benchmark --model demo-good@{URL} --languages deu,zho --limit 6 --out outputs"
_JUDGE = f"--annotator xl_local --model judge@{URL}"
_PLAN = f"bridge plan {_PAIR} {_JUDGE} --families families.tsv --languages deu --out bridge"
_COLLECT = f"bridge collect bridge {_JUDGE} --slots {SLOTS}"
_GENERATE = "generate config.yaml --out made"
_PAIRS = f"{_GENERATE} --phase pairs --rank 0/1"
_TRANSLATED = f"{_GENERATE} --phase translated:1 --rank 0/1"
_IMPORT = "journal import demo-out/journal.jsonl other.sqlite"

CASES = (
    _paid("respond", _RESPOND),
    _paid(
        "respond --batch",
        f"respond demo-out/benchmark --model demo-good@{URL} --languages deu,por,hun,lit,gle --out outputs --batch",
    ),
    _paid(
        "judge", f"judge {_PAIR} --annotator xl_local --model judge@{URL} --order both --languages deu --out judged"
    ),
    _paid(
        "judge panel",
        f"judge {_PAIR} --annotator xl_local=judge@{URL},xl_local=second@{URL} --languages deu --out judged",
    ),
    _paid("rate", f"rate demo-out/outputs/demo-good --model rater@{URL} --languages deu --limit 3 --out rated"),
    _paid(
        "build m-alpacaeval",
        f"build m-alpacaeval --benchmark demo-out/benchmark --model demo-translator@{URL} --languages deu --out m",
    ),
    _paid("generate", _GENERATE),
    _paid("audit", f"audit xl_local {_PAIR} --model judge@{URL} --languages deu --rows 4 --out audit"),
    _paid("bridge collect", _COLLECT.removesuffix(f" --slots {SLOTS}"), _PLAN),
    _free("generate --finish", f"{_GENERATE} --finish", _PAIRS, _TRANSLATED),
    _free("bridge plan", _PLAN),
    _free("bridge archive", "bridge archive bridge --license cc-by-4.0 --out archive", _PLAN, _COLLECT),
    _free(
        "build prompts",
        "build prompts --source prompts.jsonl --column prompt --languages swe,ell --name own --license mit --out own",
    ),
    _free("leaderboard", "leaderboard demo-out --out board"),
    _free("leaderboard again", "leaderboard demo-out --out demo-out/leaderboard --title again"),
    _free("annotate", f"annotate {_PAIR} --languages deu --rows 6 --known 2 --out page.html"),
    _free("subset", "subset demo-out/xl-instruct --size 3 --translations best-of-k --out subset"),
    _free("preferences", "preferences demo-out/xl-instruct --out pairs"),
    _free(
        "submit",
        "submit demo-out --name demo-good --reference demo-out/outputs/demo-slips --benchmark demo-out/benchmark "
        "--model-id me/demo --billions 7 --date 2026-11-27 --languages deu --limit 8 --out submission",
    ),
    _free("journal export", "journal export outputs/.journal.sqlite text.jsonl", _RESPOND),
    _free("journal import", _IMPORT),
    _free("journal merge", "journal merge outputs/.journal.sqlite other.sqlite merged.sqlite", _RESPOND, _IMPORT),
    _free("demo", "demo --out second"),
)


def make_inputs(folder: Path, url: str) -> None:
    """What the cases read: the demo, a configuration of the pipeline, prompts of a user's own, families."""
    run_demo(folder / "demo-out")
    config = yaml.safe_load((Path(__file__).parents[1] / "demo" / "instruct_config.yaml").read_text(encoding="utf-8"))
    config["passages"]["source"] = "demo-out/passages.jsonl"
    config["teacher"]["model"] += f"@{url}"
    for translator in config["translators"]:
        translator["model"] += f"@{url}"
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    prompts = [{"prompt": f"Name {number} plants that grow in the shade."} for number in range(1, 9)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts), encoding="utf-8")
    (folder / "families.tsv").write_text("demo-good\tdemo\n", encoding="utf-8")


def make_script(demo: Path) -> Script:
    """The demo's made-up models as a server; a judge and a rater whose answer follows from the request alone."""
    known: dict[tuple[str, str], str] = {}
    for path in sorted(demo.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "request" in row:
                known.setdefault((row["model"], _flatten(row["request"])), row["answer"]["text"])

    def answer(request: dict[str, Any]) -> str | Reply:
        text = _flatten(request)
        if (request["model"], text) in known:
            return known[request["model"], text]
        drawn = hashlib.sha256(f"{request['model']} {text}".encode("utf-8", "surrogatepass")).digest()[0]
        if '<answer name="m">' in text:
            return "m" if drawn % 2 else "M"
        if "# Criterion" in text:
            return str(1 + drawn % 5)
        return f"Das ist eine ruhige und klare Antwort auf die Frage, die hier gestellt wurde, Nummer {drawn}."

    return answer


def _flatten(request: dict[str, Any]) -> str:
    return "\n".join(str(message["content"]) for message in request["messages"])
