"""The models of the fixture, for the loopback server. An answer follows from the request and its turn alone."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tests.scripted_models import translate
from xl_suite.chat.loopback.replies import Reply, last_message, token_logprobs

CODES = {"German": "deu", "Hungarian": "hun", "Chinese": "zho"}
DRAFT = "The short answer is in the first paragraph. The longer one has 3 steps, and each of them takes 10 minutes."
JUDGES = ("demo-judge", "demo-rater", "gpt-4o-2024-08-06")


class Models:
    """The script. It counts how often the same request came, so that a retry can be answered in another way."""

    def __init__(self, prompts: list[str]):
        self._prompts = prompts
        self._turns: Counter[str] = Counter()

    def __call__(self, request: dict[str, Any]) -> str | Reply:
        turn = self._count(json.dumps([request["model"], request["messages"]]))
        model, text = request["model"], last_message(request)
        if model in JUDGES:
            return judge(model, text, turn, bool(request.get("logprobs")))
        if model == "demo-translator":
            prompt = self._find_prompt(text)
            return translate_prompt(prompt, self._count(f"translation of {prompt}"))
        if model == "demo-teacher":
            return teach(text, turn)
        if model.startswith("translator-"):
            return translate(model, text, request.get("temperature", 0.0))
        return self._respond(model, text)

    def _count(self, key: str) -> int:
        self._turns[key] += 1
        return self._turns[key] - 1

    def _find_prompt(self, text: str) -> str:
        """The prompt that a request contains; the longest, since one may be a part of another."""
        return max((prompt for prompt in self._prompts if prompt.rstrip() in text), key=len)

    def _respond(self, model: str, text: str) -> str | Reply:
        if "It will be translated afterwards." in text:
            return DRAFT
        prompt = self._find_prompt(text)
        number = self._prompts.index(prompt)
        if model == "demo-failing" and number == 4:
            return Reply("context_length_exceeded: this prompt is too long", status=400)
        language = next((code for name, code in CODES.items() if name in text.replace(prompt, "")), "deu")
        if model == "demo-reference":  # for one prompt the same as the good one's, else shorter
            whole = read_answers("demo-good")[language, prompt][0]
            return whole if number == 4 else re.split(r"\n\n|(?<=[.。]) ?", whole)[0]
        said, reason = read_answers("demo-slips" if model == "demo-slips" else "demo-good")[language, prompt]
        return Reply("" if model == "demo-slips" and (language, number) == ("zho", 4) else said, finish_reason=reason)


def read_demo(name: str) -> Any:
    text = files("xl_suite.demo").joinpath(name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


@cache
def read_answers(generator: str) -> Mapping[tuple[str, str], tuple[str, str]]:
    """(text, finish reason) of a demo generator's answers, by language and prompt."""
    prompts = [row["instruction"] for row in read_demo("prompts.json")]
    return {
        (row["language"], prompts[row["id"] - 1]): (row["text"], row.get("finish_reason", "stop"))
        for row in read_demo(f"{generator}.yaml")
    }


def translate_prompt(prompt: str, turn: int) -> str:
    prompts = [row["instruction"] for row in read_demo("prompts.json")]
    texts = {prompts[row["id"] - 1]: row["texts"] for row in read_demo("translations.yaml")}[prompt]
    return str(texts[min(turn, len(texts) - 1)])


def judge(model: str, text: str, turn: int, logprobs: bool) -> str | Reply:
    """A verdict or a score; some cannot be read at first, and some never."""
    digest = hashlib.blake2b(f"{model}/{text}".encode()).digest()
    unread = digest[0] % 6 == 0 or (digest[0] % 4 == 1 and turn == 0)
    share = round(0.05 + 0.9 * digest[1] / 255, 4)
    if model == "demo-rater":
        level = 1 + digest[2] % 4
        chances = {str(level): share, str(level + 1): 1 - share}
    else:
        chances = {"m": share, "M": 1 - share}
    said = max(chances, key=lambda token: chances[token])
    if not logprobs:
        return "Both answers have their merits." if unread else f"The better answer is {said}"
    if unread:
        return Reply("The", finish_reason="length", logprobs=token_logprobs({"The": -0.1, " A": -2.5}))
    top = {token: round(math.log(chances[token]), 6) for token in sorted(chances, key=lambda one: one != said)}
    return Reply(said, finish_reason="length", logprobs=token_logprobs(top))


PASSAGE = re.compile(r"<passage>\n(.*)\n</passage>", re.DOTALL)
TOPIC = re.compile(r"about (\w+)\?")


def teach(text: str, turn: int) -> str:
    """An instruction, or the reworked pair with a response of the topic's form; one is malformed once, one always."""
    if found := PASSAGE.search(text):
        return f"<instruction>What should I know about {found[1].split()[0].lower()}?</instruction>"
    found = TOPIC.search(text)
    assert found is not None, text[-200:]
    topic = found[1]
    if topic == "oats" or (topic == "kites" and turn == 0):
        return "Here you are: the reworked pair."
    response = FORMS[TOPICS.index(topic) % len(FORMS)].format(topic=topic, number=3 + TOPICS.index(topic))
    return f"<instruction>What should a beginner know about {topic}?</instruction>\n<response>{response}</response>"


TOPICS = [
    "apples",
    "bells",
    "candles",
    "drums",
    "engines",
    "ferries",
    "gardens",
    "hedges",
    "inks",
    "jars",
    "kites",
    "lamps",
    "maps",
    "nets",
    "oats",
    "paints",
    "quilts",
    "ropes",
    "sails",
    "tents",
]

FORMS = (
    "The best {topic} are made by hand. A good maker needs {number} days for them.",
    "There are two things to know:\n\n- **Price:** good {topic} cost more than others.\n- Buy them in spring.",
    "The function below counts {topic}.\n\n```python\ndef count(found):\n    return len(found)  # all of them\n```\n"
    "\nCall `count` with a list.",
    "A table of {topic} by size:\n\n| size | number |\n| --- | ---: |\n| small | {number} |\n| large | 12 |\n",
    "# How to keep {topic}\n\n1. Clean them well.\n2. Dry them for {number} hours.\n",
    "The history of {topic} is told at https://example.org/{topic} and in [this list](https://example.org/list). "
    "Their number grows as $n^2$.",
    "> Old {topic} are never thrown away.\n\nThat is what people say, and <b>it is true</b> of most of them.",
    "They come in two kinds:\n\n* new {topic}\n  * with a label\n* old ones, from before 1950\n\n"
    "Which kind is yours?",
)

SENTENCES = (
    "{Topic} were already known to people who lived in small towns by the sea a very long time ago.",
    "Most of those who make {topic} today have learned the trade from a parent or from an old neighbour.",
    "You can tell that the material is good when it feels smooth to the hand and has no smell at all.",
    "In the winter months the workshops are cold, and many of the makers wear two pairs of gloves.",
    "It takes about a week before the first of the {topic} can be sold on the market in the main square.",
    "The museum has a room with more than forty of them, and children may touch everything in it.",
    "When they are kept in a dry place, they will last for twenty years or even longer than that.",
    "A few years ago a school began to teach how {topic} are made, and its courses are always full.",
    "Some people prefer the ones that come from the north, because the colours are a little brighter there.",
    "The price has gone up since the bridge was closed and every delivery has to take the longer road.",
    "There is a song about {topic} that is sung on the last evening of the harvest, when the work is done.",
    "If one of them breaks, it should be mended at once, for a small damage soon becomes a large one.",
    "Nobody knows who had the idea first, and three villages say that it was one of their own people.",
    "Machines can do part of the work, but the last step of it is still done by eye and with a small knife.",
)


def write_passage(topic: str) -> str:
    """A passage in English about a topic, of five sentences."""
    chosen = random.Random(topic).sample(SENTENCES[1:], 4)
    return " ".join([SENTENCES[0], *chosen]).format(topic=topic, Topic=topic.capitalize())
